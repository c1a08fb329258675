// SPDX-License-Identifier: Apache-2.0
//
// linear: dense layers.

#ifndef SLUICE_LINEAR_OPS_TD
#define SLUICE_LINEAR_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_LinearOp : Sluice_ComputeOp<"linear", [AttrSizedOperandSegments]> {
  let summary = "multiplies rows by a weight matrix, with an optional epilogue";
  let description = [{
    **Computes**, for each row r and output n:

        sum          = sum over k of rows[r, k] * weight[n, k]
        result[r, n] = f(sum + bias[n]) + residual[r, n]

    where f is `activation` (identity without it), and absent operands add nothing.

    **Shapes**  rows [R, K] · weight [N, K] · bias [N] · residual [R, N] · result [R, N]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `rows` has the element type of `weight`, or is f32 when `weight` is f16; in buffer form it may be f32 that is
      already rounded.
    - (R3) The result and `residual` are f32.

    **Edges**  R = 0 gives no rows. NaN and Inf spread as the formula says. Padding inside packed weights adds fma(0, 0, sum).

    **Numerics**  One chain per output, k ascending from +0 in f32 (docs/Contracts.md, section 4), then bias, activation,
    residual, each rounded to f32. Bound: docs/Numerics.md, row "linear".

    **Effects**  In buffer form `residual` may be the destination itself.

    **Example**
    ```mlir
    %y = sluice.linear %x, %w bias %b : (tensor<?x896xbf16>, tensor<1152x896xbf16>, tensor<1152xf32>) -> tensor<?x1152xf32>
    ```
    **Lowers to**  cpu: panels kernel, `share columns`.
  }];
  let arguments = (ins Sluice_FloatRows:$rows, Sluice_Weight:$weight, Optional<Sluice_Weight>:$bias,
                       Optional<Sluice_FloatRows>:$residual, Variadic<AnyStridedMemRef>:$into,
                       OptionalAttr<Sluice_FunctionAttr>:$activation, OptionalAttr<TypeAttr>:$round,
                       OptionalAttr<AnyAttr>:$schedule);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $rows `,` $weight (`bias` $bias^)? (`activation` custom<OptionalWord>($activation)^)? (`residual` $residual^)?
    (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_LINEAR_OPS_TD
