// SPDX-License-Identifier: Apache-2.0
//
// clamp: the channel function of neuro-channel networks.

#ifndef SLUICE_CLAMP_OPS_TD
#define SLUICE_CLAMP_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_ClampOp : Sluice_ComputeOp<"clamp"> {
  let summary = "limits each number to the width of its channel, keeping its sign";
  let description = [{
    **Computes**  `result = copysign(min(|x|, |w|), x)`, elementwise, with x of `rows` and w of `width`; that is
    sgn(x) * min(|x|, |w|), or x limited to [-|w|, |w|]. (reference: mechanisms, section 4.1)

    **Shapes**  rows [R, C] · width [R, C], or [C] for one width per channel · result [R, C]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) rows, width and result have one element type, f32 or bf16.

    **Edges**  Of w only the magnitude counts. The sign of a zero stays: x = -0 gives -0, and w = 0 gives a zero with the sign
    of x. An infinite w lets everything pass. With `nan propagate`, a NaN in x or w gives NaN; with `nan ignore`, a NaN
    width lets x pass and a NaN x gives +0 (a silent channel), even where both are NaN.

    **Numerics**  Exact: the result is one of x, w, -w, 0 or NaN.

    **Effects**  May be in place.

    **Example**
    ```mlir
    %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x5xf32>
    ```
    **Lowers to**  cpu: min, max and select on vectors, no multiplication, `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$rows, Sluice_FloatRows:$width, Variadic<AnyStridedMemRef>:$into,
                       Sluice_NanRuleAttr:$nan);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $rows `width` $width `nan` custom<Word>($nan) (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

#endif // SLUICE_CLAMP_OPS_TD
