// SPDX-License-Identifier: Apache-2.0
//
// attention: one op, with composable masks, over tensors, tiles or pages.

#ifndef SLUICE_ATTENTION_OPS_TD
#define SLUICE_ATTENTION_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_AttentionOp : Sluice_ComputeOp<"attention", [AttrSizedOperandSegments]> {
  let summary = "mixes the values of a sequence by how well each query matches each key";
  let description = [{
    **Computes**, for row r (the i-th token of sequence s, cached ones counted) and head h, with g = h / (H / G):

        score[j]        = scale * dot(query[r, h, :], key[j, g, :])     for each key j of s that `mask` shows to i
        weight          = softmax(score)                                over visible j
        result[r, h, :] = sum over visible j of weight[j] * value[j, g, :]

    Keys and values are one of
    - tensors `key`, `value` of this step's rows (an encoder);
    - `pages`, layer `layer`: everything that was appended for s so far;
    - buffer form only, `tiles`: what `sluice.cache.pack` packed.

    **Shapes**  query [R, H, D] · key [R, G, D] · value [R, G, E] · result [R, H, E]

    **Rules**
    - (R1) Each letter has one size wherever it appears; D and E agree with the pages' `key` and `value`, G with `heads`.
    - (R2) H is a multiple of G.
    - (R3) Exactly one source of keys: tensors, pages with a layer, or tiles (with `kv_heads` and `value_size`).
    - (R4) `query` is f32; key and value have one element type; the result is f32, bf16 or f16.
    - (R5) `scale` is finite.
    - (R6) `pages` names a `sluice.kv`.

    **Edges**  A row that sees nothing gives zeros, not NaN. A NaN in a hidden key or value does not reach the row; one in a
    visible key does. A visible score of inf, or a cut of keys whose visible scores are all -inf, gives NaN. Rows of
    different sequences never meet.

    **Numerics**  f32, over cuts of 256 keys merged in order (docs/Contracts.md, section 4); the same bits for tensors,
    tiles and pages of the same numbers, whatever else is in the batch. Rounded once to the result's type.
    Bound: docs/Numerics.md, row "attention".

    **Effects**  Reads the pages. Must come after the append whose result it names.

    **Example**
    ```mlir
    %r = sluice.attention %q pages %kv[%l] batch %b mask #sluice.causal {scale = 0.125 : f64}
       : (tensor<?x14x64xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x14x64xbf16>
    %e = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0.25 : f64}
       : (tensor<?x12x16xf32>, tensor<?x4x16xf32>, tensor<?x4x24xf32>, !sluice.batch) -> tensor<?x12x24xf32>
    ```
    **Lowers to**  cpu: work items (row, kv head), online softmax over cuts, `share heads`.
  }];
  let arguments = (ins Sluice_FloatRows:$query, Optional<Sluice_FloatRows>:$key, Optional<Sluice_FloatRows>:$value,
                       Optional<Sluice_PagesType>:$pages, Optional<Index>:$layer, Optional<AnyStridedMemRef>:$tiles,
                       Sluice_BatchType:$batch, Variadic<AnyStridedMemRef>:$into,
                       Sluice_MaskAttr:$mask, F64Attr:$scale, OptionalAttr<I64Attr>:$kv_heads,
                       OptionalAttr<I64Attr>:$value_size, OptionalAttr<TypeAttr>:$round);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $query (`,` $key^ `,` $value)? (`pages` $pages^ `[` $layer `]`)? (`tiles` $tiles^)? `batch` $batch `mask` $mask
    (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_ATTENTION_OPS_TD
