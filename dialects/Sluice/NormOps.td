// SPDX-License-Identifier: Apache-2.0
//
// norm: RMS, layer and L2 normalisation of rows.

#ifndef SLUICE_NORM_OPS_TD
#define SLUICE_NORM_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_NormOp : Sluice_ComputeOp<"norm", [AttrSizedOperandSegments]> {
  let summary = "divides each row by a statistic of itself";
  let description = [{
    **Computes**, for each row x of C numbers (the last dimension):

        rms:    y = x / sqrt(mean(x^2) + eps)
        layer:  y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps)
        l2:     y = x / max(sqrt(sum(x^2)), eps)
        result = y * (offset + weight) + bias

    `offset` is 0 unless given; Gemma's weights are stored as differences from 1. Rows of heads are normed head by head:
    with one weight for all of them (norms of queries and keys), or with a weight of H * C numbers, C for each head
    (grouped norms).

    **Shapes**  rows [R, C] or [R, H, C] · weight, bias [C], or both [H * C] · result as rows

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `l2` has neither weight nor bias.
    - (R3) `bias` needs `weight`.
    - (R4) `eps` is finite and not negative.
    - (R5) The result is f32, bf16 or f16; `rows` is f32.
    - (R6) `offset` needs `weight` and is finite.

    **Edges**  The variance is the biased one, by two passes (mean first). A zero row gives `bias` (eps > 0), or NaN when eps is 0.
    With `l2` a zero row gives zeros when eps > 0.

    **Numerics**  Sums in f32 by the lane tree of docs/Contracts.md, section 4; offset + weight in f32; the result is rounded
    once to its element type, after weight and bias. Bound: docs/Numerics.md, row "norm".

    **Effects**  May be in place.

    **Example**
    ```mlir
    %y = sluice.norm rms %x weight %w {eps = 1.0e-6 : f64} : (tensor<?x896xf32>, tensor<896xbf16>) -> tensor<?x896xbf16>
    ```
    **Lowers to**  cpu: one pass per row from L1, `share rows`.
  }];
  let arguments = (ins Sluice_NormKindAttr:$kind, Sluice_FloatRows:$rows, Optional<Sluice_Weight>:$weight,
                       Optional<Sluice_Weight>:$bias, Variadic<AnyStridedMemRef>:$into, F64Attr:$eps,
                       OptionalAttr<F64Attr>:$offset, OptionalAttr<TypeAttr>:$round);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    custom<Word>($kind) $rows (`weight` $weight^)? (`bias` $bias^)? (`into` $into^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// Whether each head has numbers of its own in weight and bias.
    bool isGrouped();
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_NORM_OPS_TD
