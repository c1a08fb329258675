// SPDX-License-Identifier: Apache-2.0
//
// Passes of the tensor stage: simpler sluice, no machine known.

#ifndef SLUICE_TENSOR_PASSES_TD
#define SLUICE_TENSOR_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseEpiloguesPass : Pass<"tensor-fuse-epilogues", "mlir::ModuleOp"> {
  let summary = "folds an activation or a sum that follows a linear layer into it";
  let description = [{
    What follows a linear layer elementwise is done while its outputs are still in registers:

    ```mlir
    %1 = sluice.linear %h, %w bias %b           %3 = sluice.linear %h, %w bias %b activation gelu_erf residual %x
    %2 = sluice.activation gelu_erf %1     ==>
    %3 = arith.addf %x, %2
    ```

    Before: any tensor-stage IR. After: no ungated f32 activation and no sum has a linear layer without further users as operand.
    Leaves alone, with a missed remark: layers with two users (the sum would be made twice), activations that round
    (a linear layer gives f32) or that come after a residual, a second residual.
  }];
  let dependentDialects = ["::sluice::SluiceDialect"];
}

def CheckTensorStagePass : Pass<"check-tensor-stage", "mlir::ModuleOp"> {
  let summary = "states the contract of the tensor stage";
  let description = [{
    Changes nothing. Fails with a sentence unless

    - every op belongs to a dialect that is legal at the stage, and computes on tensors;
    - page values are linear: one append, yield or return consumes each, and all reads of it come before that;
    - every request is awaited exactly once, in the block in which it is made;
    - exported functions name their arguments and results (`sluice.name`), and `ask`, `batch` and pages have their types;
    - the module says its name, its kind, and where weights come from;
    - a loop over a stacked param stays within its layers.
  }];
}

#endif // SLUICE_TENSOR_PASSES_TD
