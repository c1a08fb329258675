// SPDX-License-Identifier: Apache-2.0
//
// rope: rotary position embedding.

#ifndef SLUICE_ROPE_OPS_TD
#define SLUICE_ROPE_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_RopeOp : Sluice_ComputeOp<"rope"> {
  let summary = "rotates pairs of channels by an angle that grows with the position";
  let description = [{
    **Computes**, for each row r, head h and pair i < dims/2, with (a, b) the two channels of the pair:

        freq[i]  = f32(1 / f32(theta^f32(2i/dims)))
        angle    = f32(position[r]) * freq[i]                      // rounded to f32
        result a = x[a] * cos(angle) - x[b] * sin(angle)
        result b = x[b] * cos(angle) + x[a] * sin(angle)

    `halves` pairs channel i with i + dims/2 (Llama and its kin); `neighbours` pairs 2i with 2i + 1 (GPT-J). Channels from
    `dims` on pass unchanged. `dims` is D unless given.

    **Shapes**  rows [R, H, D] · positions [R] · result as rows

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `dims` is even, positive and at most D.
    - (R3) `theta` is finite and positive.
    - (R4) Rows and result are f32.

    **Edges**  Position 0 changes nothing. Positions are at least 0 and below 2^20; beyond that the sine loses accuracy.

    **Numerics**  The f32 exponent, frequency and angle are part of the definition: models are trained with them. Sine and cosine of it are within 2e-7.
    Bound: docs/Numerics.md, row "rope".

    **Effects**  May be in place.

    **Example**
    ```mlir
    %y = sluice.rope halves %q at %p {theta = 1.0e6 : f64} : (tensor<?x14x64xf32>, tensor<?xi32>) -> tensor<?x14x64xf32>
    ```
    **Lowers to**  cpu: row kernel, sine and cosine once per row for all heads, `share rows`.
  }];
  let arguments = (ins Sluice_RopePairingAttr:$pairing, Sluice_FloatRows:$rows, Sluice_IndexRows:$positions,
                       Variadic<AnyStridedMemRef>:$into, F64Attr:$theta, OptionalAttr<I64Attr>:$dims);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    custom<Word>($pairing) $rows `at` $positions (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// Channels that rotate.
    int64_t getRotatedDims();
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_ROPE_OPS_TD
