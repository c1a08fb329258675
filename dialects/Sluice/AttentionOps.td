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
        score[j]        = softcap * tanh(score[j] / softcap)            when there is a `softcap`
        score[j]       += slopes[h] * (j - i)                           when there are `slopes` (ALiBi)
        score[j]       += bias[h, clamp(j - i + W / 2, 0, W - 1)]       when there is a `bias` [H, W]
        score[j]       += bias[h, i, j]                                 when there is a `bias` [H, I, J]
        weight[j]       = exp(score[j]) / sum over visible j of exp(score[j])
        result[r, h, :] = sum over visible j of weight[j] * value[j, g, :]
        lse[r, h]       = log(sum over visible j of exp(score[j]))      when there is a second result

    With `sinks`, exp(sinks[h]) joins both sums over exp; it has no value.

    Keys and values are one of
    - tensors `key`, `value` of this step's rows (an encoder); they may be the same tensor;
    - `pages`, layer `layer`: everything that was appended for s so far; of `shared` pages (`sluice.kv`) value[j, g, :] is the
      first E numbers of key[j, g, :];
    - buffer form only, `tiles`: what `sluice.cache.pack` packed.

    Masks combine: `#sluice.or<#sluice.causal, #sluice.prefix<16>>`, `#sluice.and<#sluice.causal, #sluice.window<128>>`.
    `window` (a number that may depend on the layer) hides, whatever the mask shows, keys with i - j >= window; 0 and
    less hide nothing.

    **Shapes**  query [R, H, D] · key [R, G, D] · value [R, G, E] · segments, parents [R] · prefixes [S] ·
    slopes, sinks [H] · bias [H, W] or [H, I, J] · result [R, H, E] · lse [R, H]

    **Rules**
    - (R1) Each letter has one size wherever it appears; D and E agree with the pages' `key` and `value`, G with `heads`.
    - (R2) H is a multiple of G.
    - (R3) Exactly one source of keys: tensors, pages with a layer, or tiles (with `kv_heads` and `value_size`).
    - (R4) `query` is f32; key and value have one element type; the result is f32, bf16 or f16, `lse` is f32.
    - (R5) `scale` is finite, `softcap` finite and above 0.
    - (R6) `pages` names a `sluice.kv`.
    - (R7) `segments`, `parents` and `prefixes` are there when a part of the mask reads them, and only then.
    - (R8) `slopes`, `bias` and `sinks` are f32; W is odd.

    **Edges**  A row that sees nothing gives zeros, not NaN, and lse -inf (with sinks: sinks[h]). A NaN in a hidden key
    or value does not reach the row; one in a visible key does. A visible score of inf, or a cut of keys whose visible
    scores are all -inf, gives NaN. Rows of different sequences never meet. A visible pair beyond I or J of `bias` ends
    the step in a trap record.

    **Numerics**  f32, over cuts of 256 keys merged in order (docs/Contracts.md, section 4); the same bits for tensors,
    tiles and pages of the same numbers, whatever else is in the batch. Rounded once to the result's type.
    Bound: docs/Numerics.md, row "attention".

    **Effects**  Reads the pages. Must come after the append whose result it names.

    **Example**
    ```mlir
    %r = sluice.attention %q pages %kv[%l] batch %b mask #sluice.causal {scale = 0.125 : f64}
       : (tensor<?x14x64xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x14x64xbf16>
    %e, %lse = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.causal, #sluice.window<128>> sinks %sinks
       {scale = 0.25 : f64, softcap = 50.0 : f64}
       : (tensor<?x12x16xf32>, tensor<?x4x16xf32>, tensor<?x4x24xf32>, !sluice.batch, tensor<12xf32>)
       -> (tensor<?x12x24xf32>, tensor<?x12xf32>)
    ```
    **Lowers to**  cpu: work items (row, kv head), online softmax over cuts, `share heads`; tiles of 16 keys that a block
    of queries does not see are not read.
  }];
  let arguments = (ins Sluice_FloatRows:$query, Optional<Sluice_FloatRows>:$key, Optional<Sluice_FloatRows>:$value,
                       Optional<Sluice_PagesType>:$pages, Optional<Index>:$layer, Optional<AnyStridedMemRef>:$tiles,
                       Sluice_BatchType:$batch, Optional<Index>:$window, Optional<Sluice_IndexRows>:$segments,
                       Optional<Sluice_IndexRows>:$parents, Optional<Sluice_IndexRows>:$prefixes,
                       Optional<Sluice_FloatRows>:$slopes, Optional<Sluice_FloatRows>:$bias,
                       Optional<Sluice_FloatRows>:$sinks, Variadic<AnyStridedMemRef>:$into,
                       Sluice_MaskAttr:$mask, F64Attr:$scale, OptionalAttr<F64Attr>:$softcap,
                       OptionalAttr<I64Attr>:$kv_heads, OptionalAttr<I64Attr>:$value_size,
                       OptionalAttr<TypeAttr>:$round);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = [{
    $query (`,` $key^ `,` $value)? (`pages` $pages^ `[` $layer `]`)? (`tiles` $tiles^)? `batch` $batch `mask` $mask
    (`window` $window^)? (`segments` $segments^)? (`parents` $parents^)? (`prefixes` $prefixes^)? (`slopes` $slopes^)?
    (`bias` $bias^)? (`sinks` $sinks^)? (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// One, or two with `lse`.
    unsigned getOutputCount() {
      unsigned outputs = isBufferForm() ? getInto().size() : getOperation()->getNumResults();
      return outputs == 2 ? 2 : 1;
    }
    bool hasLse() { return getOutputCount() == 2; }
    /// Tensor form only.
    ::mlir::Value getResult() { return getOutputs().front(); }
    ::mlir::Value getLse() { return getOutputs()[1]; }
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_ATTENTION_OPS_TD
