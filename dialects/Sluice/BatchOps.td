// SPDX-License-Identifier: Apache-2.0
//
// batch: what a step knows about its rows.

#ifndef SLUICE_BATCH_OPS_TD
#define SLUICE_BATCH_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_BatchPositionsOp : Sluice_Op<"batch.positions", [Pure]> {
  let summary = "the position of every row in its sequence";
  let description = [{
    **Computes** `result[r]`, the position that the caller gave row r. By default positions count from the start of the
    sequence, hidden tokens included.

    **Shapes**  result [R], of i32

    **Example**
    ```mlir
    %p = sluice.batch.positions %b : tensor<?xi32>
    ```
    **Lowers to**  cpu: a view of `sluice_batch_t::position`.
  }];
  let arguments = (ins Sluice_BatchType:$batch);
  let results = (outs Sluice_IndexRows:$result);
  let assemblyFormat = "$batch attr-dict `:` type($result)";
}

#endif // SLUICE_BATCH_OPS_TD
