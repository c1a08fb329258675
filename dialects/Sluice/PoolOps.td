// SPDX-License-Identifier: Apache-2.0
//
// pool: one row per sequence.

#ifndef SLUICE_POOL_OPS_TD
#define SLUICE_POOL_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_PoolOp : Sluice_ComputeOp<"pool"> {
  let summary = "turns the rows of each sequence into one row";
  let description = [{
    **Computes**, for each sequence s with rows [a, b):

        mean:   result[s, :] = sum over r in [a, b) of rows[r, :] / max(b - a, 1)
        first:  result[s, :] = rows[a, :]
        last:   result[s, :] = rows[b - 1, :]

    **Shapes**  rows [R, C] · result [S, C]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `rows` and the result are f32.

    **Edges**  A sequence without rows gives zeros.

    **Numerics**  `mean` is one chain over r ascending, then one division. Bound: docs/Numerics.md, row "pool".

    **Example**
    ```mlir
    %e = sluice.pool mean %x batch %b : (tensor<?x384xf32>, !sluice.batch) -> tensor<?x384xf32>
    ```
    **Lowers to**  cpu: lanes over C, `share seqs`.
  }];
  let arguments = (ins Sluice_PoolKindAttr:$kind, Sluice_FloatRows:$rows, Sluice_BatchType:$batch,
                       Variadic<AnyStridedMemRef>:$into);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    custom<Word>($kind) $rows `batch` $batch (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_POOL_OPS_TD
