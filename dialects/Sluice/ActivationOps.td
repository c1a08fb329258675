// SPDX-License-Identifier: Apache-2.0
//
// activation: elementwise functions, plain or gated.

#ifndef SLUICE_ACTIVATION_OPS_TD
#define SLUICE_ACTIVATION_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_ActivationOp : Sluice_ComputeOp<"activation"> {
  let summary = "applies a function to each number, or gates one half of a row by the other";
  let description = [{
    **Computes** `result = output_scale * f(input_scale * x)`; with `gated`, for rows of 2F numbers:

        result[r, j] = output_scale * f(input_scale * min(x[r, j], limit))
                                    * (clamp(x[r, F + j], -limit, limit) + up_offset)

    where the scales are 1, `up_offset` is 0 and `limit` is infinite unless given, each rounded to f32 first. So tanh with input_scale 1/c and
    output_scale c is a soft cap at c, and identity with output_scale s a multiplication by s. f is one of

        silu        x * sigmoid(x)
        gelu_erf    x/2 * (1 + erf(x / sqrt 2))
        gelu_tanh   x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
        quick_gelu  x * sigmoid(1.702 x)
        relu        max(x, 0)
        relu2       max(x, 0)^2
        tanh, sigmoid
        identity    x

    **Shapes**  rows [R, C] · result [R, C], or with `gated` rows [R, 2F] · result [R, F]; or each of a row's H parts by itself:
    rows [R, H, C] · result [R, H, C], or rows [R, H, 2F] · result [R, H, F]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) With `gated`, the last dimension of `rows` is even.
    - (R3) `rows` is f32; the result is f32, bf16 or f16.
    - (R4) `limit` and `up_offset` need `gated`; `limit` is positive, `up_offset` finite.
    - (R5) `input_scale` and `output_scale` are finite and not zero.

    **Edges**  silu(-inf), gelu(-inf) and quick_gelu(-inf) are -0 or 0, not NaN. NaN gives NaN, in relu and with a
    limit too.

    **Numerics**  Inside f32, each multiplication and addition rounded; rounded once to the result's type. Bound: docs/Numerics.md, row "activation".

    **Effects**  May be in place when not gated.

    **Example**
    ```mlir
    %y = sluice.activation silu %gu gated : (tensor<?x9728xf32>) -> tensor<?x4864xbf16>
    %c = sluice.activation tanh %logits {input_scale = 0.03125 : f64, output_scale = 32.0 : f64}
       : (tensor<?x1000xf32>) -> tensor<?x1000xf32>
    ```
    **Lowers to**  cpu: row kernel, `share rows`; ungated ones without scales fold into the `linear` before them.
  }];
  let arguments = (ins Sluice_FunctionAttr:$function, Sluice_FloatRows:$rows, Variadic<AnyStridedMemRef>:$into,
                       UnitAttr:$gated, OptionalAttr<F64Attr>:$input_scale, OptionalAttr<F64Attr>:$output_scale,
                       OptionalAttr<F64Attr>:$limit, OptionalAttr<F64Attr>:$up_offset, OptionalAttr<TypeAttr>:$round);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    custom<Word>($function) $rows (`gated` $gated^)? (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// Whether the result is f(x), or f(x) times the gated half, and no more.
    bool isPlain() { return !getInputScale() && !getOutputScale() && !getLimit() && !getUpOffset(); }
  }];
  let hasVerifier = 1;
}

def Sluice_AddOp : Sluice_ComputeOp<"add"> {
  let summary = "adds rows to rows";
  let description = [{
    **Computes** `result = lhs + rhs`, elementwise. At the tensor stage `arith.addf` says the same; this op is its buffer
    form.

    **Shapes**  lhs [R, C] · rhs [R, C] · result [R, C]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) All are f32.

    **Numerics**  One f32 addition.

    **Effects**  May be in place, over either operand.

    **Example**
    ```mlir
    sluice.add %a, %b into %c : (memref<?x384xf32>, memref<?x384xf32>, memref<?x384xf32>) -> ()
    ```
    **Lowers to**  cpu: row kernel, `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$lhs, Sluice_FloatRows:$rhs, Variadic<AnyStridedMemRef>:$into);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = "$lhs `,` $rhs (`into` $into^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif // SLUICE_ACTIVATION_OPS_TD
