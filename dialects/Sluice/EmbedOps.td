// SPDX-License-Identifier: Apache-2.0
//
// embed: rows of a table, at once or on their way.

#ifndef SLUICE_EMBED_OPS_TD
#define SLUICE_EMBED_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_EmbedOp : Sluice_ComputeOp<"embed"> {
  let summary = "gathers rows of a table by number";
  let description = [{
    **Computes** `result[r, :] = table[ids[r] + offset, :]`, widened to the result's element type. `offset` is 0 unless given:
    tables of learned positions may start with rows for something else.

    `table` is a weight, or rows of this step (to pick the rows whose logits are asked for).

    **Shapes**  table [V, C] · ids [R] · result [R, C]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) The result is f32, or has the element type of a table that is not encoded.
    - (R3) `offset` is at least 0, and below V where V is known.

    **Edges**  An id outside [0, V - offset) is refused: the row is left zero and the step ends in a trap record that names this op;
    never an access out of bounds.

    **Numerics**  Exact.

    **Example**
    ```mlir
    %x = sluice.embed %table[%ids] : (tensor<30522x384xf32>, tensor<?xi32>) -> tensor<?x384xf32>
    ```
    **Lowers to**  cpu: row copy with widening, `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$table, Sluice_IndexRows:$ids, Variadic<AnyStridedMemRef>:$into,
                       OptionalAttr<I64Attr>:$offset);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $table `[` $ids `]` (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
  }];
  let hasVerifier = 1;
}

def Sluice_GatherOp : Sluice_Op<"gather", [MemoryEffects<[MemRead]>]> {
  let summary = "asks for rows of a table that lives elsewhere";
  let description = [{
    **Computes** the same rows as `sluice.embed`, but only asks for them: they are there after `sluice.await`. What comes
    between the two runs while they travel.

    **Shapes**  table [V, C] · ids [R] · value of the result [R, C]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) The value has the table's element type.
    - (R3) The result has exactly one use, a `sluice.await`.

    **Edges**  As `sluice.embed`.

    **Example**
    ```mlir
    %f = sluice.gather %table[%ids] home "host" : (tensor<1000x64xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x64xf32>>
    %x = sluice.await %f : !sluice.future<tensor<?x64xf32>> -> tensor<?x64xf32>
    ```
    **Lowers to**  `place.submit` and `place.await`; cpu: `sluice_home_t` of kernel_abi.h.
  }];
  let arguments = (ins Sluice_Weight:$table, 1DTensorOf<[I32]>:$ids, StrAttr:$home);
  let results = (outs Sluice_FutureType:$result);
  let assemblyFormat = "$table `[` $ids `]` `home` $home attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Sluice_AwaitOp : Sluice_Op<"await", [MemoryEffects<[MemRead]>]> {
  let summary = "waits until rows that were asked for have arrived";
  let description = [{
    **Computes** the value of `future`.

    **Rules**
    - (R1) The result type is the future's value type.

    **Example**  see `sluice.gather`.
  }];
  let arguments = (ins Sluice_FutureType:$future);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$future attr-dict `:` type($future) `->` type($result)";
  let hasVerifier = 1;
}

#endif // SLUICE_EMBED_OPS_TD
