// SPDX-License-Identifier: Apache-2.0
//
// rope: rotary position embedding.

#ifndef SLUICE_ROPE_OPS_TD
#define SLUICE_ROPE_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_RopeOp : Sluice_ComputeOp<"rope", [AttrSizedOperandSegments]> {
  let summary = "rotates pairs of channels by an angle that grows with the position";
  let description = [{
    **Computes**, for each row r, head h and pair i < dims/2, with (a, b) the two channels of the pair:

        freq[i]  = f32(1 / f32(theta^f32(2i/dims)))                // or what `scaling` makes of it
        angle    = f32(position[r]) * freq[i]                      // rounded to f32
        result a = amplitude * (x[a] * cos(angle) - x[b] * sin(angle))
        result b = amplitude * (x[b] * cos(angle) + x[a] * sin(angle))

    `halves` pairs channel i with i + dims/2 (Llama and its kin); `neighbours` pairs 2i with 2i + 1 (GPT-J). Channels from
    `dims` on pass unchanged. `dims` is D unless given. `amplitude` (the attention factor of YaRN and LongRoPE) is 1 unless
    given; in queries and keys both it counts twice in a score.

    `scaling` is one of #sluice.rope_linear, rope_ntk, rope_llama3, rope_yarn, and rope_dynamic and rope_longrope, which
    depend on the length n of the row's sequence: **n = 1 + the position of the sequence's last row in this step**, whatever
    else is in the batch. Keys that were appended by earlier steps keep the angles that they got then, so a sequence that
    grows past `original` gives other numbers in one step than in several; `transformers` does the same. There, n is the
    largest position of the whole batch, padding included, and dynamic frequencies stay at the largest n seen so far: then
    a sequence's numbers depend on its neighbours and on earlier calls, here they do not.

    **Shapes**  rows [R, H, D] · positions [R] · result as rows

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `dims` is even, positive and at most D.
    - (R3) `theta` is finite and positive; with rope_yarn above 1.
    - (R4) Rows and result are f32.
    - (R5) `amplitude` is finite and positive.
    - (R6) `scaling` fits `dims`: ntk and dynamic need more than two channels, longrope a divisor for each pair.
    - (R7) `batch` is there when `scaling` needs the length of a sequence, and only then.

    **Edges**  Position 0 changes nothing. Positions are at least 0 and below 2^20; beyond that the sine loses accuracy.

    **Numerics**  The f32 exponent, frequency and angle are part of the definition: models are trained with them. Sine and cosine of it are within 2e-7.
    Bound: docs/Numerics.md, row "rope".

    **Effects**  May be in place.

    **Example**
    ```mlir
    %y = sluice.rope halves %q at %p {theta = 1.0e6 : f64} : (tensor<?x14x64xf32>, tensor<?xi32>) -> tensor<?x14x64xf32>
    %z = sluice.rope halves %q at %p {theta = 5.0e5 : f64, scaling = #sluice.rope_llama3<factor = 8.0, low = 1.0, high = 4.0,
      original = 8192>} : (tensor<?x14x64xf32>, tensor<?xi32>) -> tensor<?x14x64xf32>
    %d = sluice.rope halves %q at %p batch %b {theta = 1.0e4 : f64, scaling = #sluice.rope_dynamic<factor = 2.0,
      original = 2048>} : (tensor<?x14x64xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x14x64xf32>
    ```
    **Lowers to**  cpu: row kernel, frequencies as a constant table, sine and cosine once per row for all heads,
    `share rows`.
  }];
  let arguments = (ins Sluice_RopePairingAttr:$pairing, Sluice_FloatRows:$rows, Sluice_IndexRows:$positions,
                       Optional<Sluice_BatchType>:$batch, Variadic<AnyStridedMemRef>:$into, F64Attr:$theta,
                       OptionalAttr<I64Attr>:$dims, OptionalAttr<Sluice_RopeScalingAttr>:$scaling,
                       OptionalAttr<F64Attr>:$amplitude);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    custom<Word>($pairing) $rows `at` $positions (`batch` $batch^)? (`into` $into^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// Channels that rotate.
    int64_t getRotatedDims();
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_ROPE_OPS_TD
