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

    where f is `activation` (identity without it), and absent operands add nothing. An encoded weight (`#sluice.blocks`) counts
    as the numbers that its codes and scales stand for.

    With `inputs int8` the rows are replaced by codes too, block by block of the weight's `columns` inputs: with a the largest
    magnitude of the row's block, each x becomes the integer nearest to x * (127 / a), ties to even, times a / 127 (all in
    f32; a block with a below 2^-100 counts as zeros, one with NaN or Inf as NaN).

    **Shapes**  rows [R, K] · weight [N, K] · bias [N] · residual [R, N] · result [R, N]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `rows` has the element type of `weight`, or is f32 when `weight` is f16; in buffer form it may be f32 that is
      already rounded.
    - (R3) The result and `residual` are f32.
    - (R4) `inputs` needs an encoded weight.

    **Edges**  R = 0 gives no rows. NaN and Inf spread as the formula says. Padding inside packed weights adds fma(0, 0, sum).

    **Numerics**  One chain per output, k ascending from +0 in f32 (docs/Contracts.md, section 4), then bias, activation,
    residual, each rounded to f32. An encoded weight's numbers are f32 numbers in that chain. With `inputs` each block is an
    exact sum of integers, and the chain goes over blocks. Bound: docs/Numerics.md, row "linear".

    **Effects**  In buffer form `residual` may be the destination itself.

    **Example**
    ```mlir
    %y = sluice.linear %x, %w bias %b : (tensor<?x896xbf16>, tensor<1152x896xbf16>, tensor<1152xf32>) -> tensor<?x1152xf32>
    %q = sluice.linear %x, %c inputs int8
      : (tensor<?x896xbf16>, tensor<1152x896xbf16, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>) -> tensor<?x1152xf32>
    ```
    **Lowers to**  cpu: panels kernel, `share columns`.
  }];
  let arguments = (ins Sluice_FloatRows:$rows, Sluice_StoredWeight:$weight, Optional<Sluice_Weight>:$bias,
                       Optional<Sluice_FloatRows>:$residual, Variadic<AnyStridedMemRef>:$into,
                       OptionalAttr<Sluice_RowCodeAttr>:$inputs, OptionalAttr<Sluice_FunctionAttr>:$activation, OptionalAttr<TypeAttr>:$round,
                       OptionalAttr<AnyAttr>:$schedule);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $rows `,` $weight (`inputs` custom<OptionalWord>($inputs)^)? (`bias` $bias^)? (`activation` custom<OptionalWord>($activation)^)? (`residual` $residual^)?
    (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_LINEAR_OPS_TD
