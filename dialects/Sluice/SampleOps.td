// SPDX-License-Identifier: Apache-2.0
//
// sample: from logits to token ids.

#ifndef SLUICE_SAMPLE_OPS_TD
#define SLUICE_SAMPLE_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_SampleArgmaxOp : Sluice_ComputeOp<"sample.argmax"> {
  let summary = "takes the most likely token of each row";
  let description = [{
    **Computes** `result[a]` = the smallest v with `logits[a, v]` = max over v.

    **Shapes**  logits [A, V] · result [A], of i32

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `logits` is f32.

    **Edges**  NaN is never the maximum; a row of NaN only gives 0. Ties go to the smallest v. +0 and -0 are equal.

    **Numerics**  Exact.

    **Example**
    ```mlir
    %t = sluice.sample.argmax %logits : (tensor<?x32000xf32>) -> tensor<?xi32>
    ```
    **Lowers to**  cpu: `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$logits, Variadic<AnyStridedMemRef>:$into);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = "$logits (`into` $into^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    OperationCount countOperations();
  }];
  let hasVerifier = 1;
}

def Sluice_SampleDrawOp : Sluice_ComputeOp<"sample.draw"> {
  let summary = "draws a token of each row at a temperature, with an explicit random state";
  let description = [{
    **Computes**, for each row a with T = temperature[a]: if T is not above 0, the argmax (as `sluice.sample.argmax`), with
    `rng` unchanged; else

        state    = rng[a] + 0x9E3779B97F4A7C15                    (mod 2^64), the new state
        u        = (mix(state) >> 11) * 2^-53                     in [0, 1); mix: splitmix64's finaliser
        p[v]     = exp((logits[a, v] - max) / T)                  f32; 0 for NaN
        c[v]     = p[0] + ... + p[v]                              one chain in f64
        token[a] = the smallest v with c[v] > u * c[V - 1]

    **Shapes**  logits [A, V] · temperature [A], f32 · rng [A], i64 · results: tokens [A], i32 and rng [A], i64

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `logits` and `temperature` are f32, `rng` is i64.

    **Edges**  When no p is positive (all NaN or -inf), the argmax. T = inf draws uniformly among finite logits.

    **Numerics**  exp is within the bound of docs/Numerics.md, so a draw within that of a boundary may differ between targets.

    **Effects**  `rng` may be updated in place.

    **Example**
    ```mlir
    %t, %s = sluice.sample.draw %logits temperature %temp rng %state
      : (tensor<?x32000xf32>, tensor<?xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)
    ```
    **Lowers to**  cpu: `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$logits, Sluice_FloatRows:$temperature, Sluice_StateRows:$rng,
                       Variadic<AnyStridedMemRef>:$into);
  let results = (outs Variadic<AnyRankedTensor>:$drawn);
  let assemblyFormat = [{
    $logits `temperature` $temperature `rng` $rng (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// Tokens and random states.
    unsigned getOutputCount() { return 2; }
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_SAMPLE_OPS_TD
