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

def QuantizeWeightsPass : Pass<"tensor-quantize-weights", "mlir::ModuleOp"> {
  let summary = "stores the weights of linear layers as codes with scales";
  let description = [{
    Gives the params that linear layers multiply by an encoding. The layers take codes of their rows as well (`inputs int8`),
    unless the word ends in `w`, for weights only.

    ```mlir
    sluice.param @w : tensor<64x256xbf16>         sluice.param @w : tensor<64x256xbf16, #sluice.blocks<element = i8, ...>>
    %y = sluice.linear %x, %w                ==>  %y = sluice.linear %x, %w inputs int8
    ```

    `int8` has groups of 128 inputs (64 or 32 where that divides the inputs and 128 does not), `int4` groups of 32; `:GROUP`
    behind the word sets them. The layer whose result the function returns (the logits), and a table that is shared with
    one, is int8 in any case: it is where rounding costs most.

    Before: any tensor-stage IR. After: every param that a linear layer multiplies by has an encoding. Leaves alone: params
    that have one, tables that are only gathered, norms and biases.
  }];
  let options = [
    Option<"encoding", "encoding", "std::string", "\"int8\"", "int8, int4, int8w or int4w, and :GROUP">,
  ];
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
