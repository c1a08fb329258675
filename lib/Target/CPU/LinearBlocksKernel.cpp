// SPDX-License-Identifier: Apache-2.0
//
// linear with an encoded weight: from the op to a call of LinearBlocks.h, with this worker's
// panels.
#include "lib/Target/CPU/LinearBlocksKernel.h"

#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/LinearBlocks.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;

namespace sluice::cpu {

LogicalResult emitLinearBlocks(LinearOp op, StepContext &step, StoredAs stored) {
  KernelBuilder &k = step.builder();
  WeightView weight = step.weight(op.getWeight());
  View rows = step.view(op.getRows()), result = step.view(op.getInto().front());
  if (!rows.element().isF32() && !rows.element().isBF16())
    return op.emitOpError(
               "expects rows of f32 or bf16 for a weight of codes on the cpu, but found ")
           << rows.element();
  if (op.getScheduleAttr())
    return op.emitOpError("expects no schedule with a weight of codes: its kernel has one way");

  BlocksVariant variant;
  variant.blocks = weight.blocks;
  variant.codedRows = op.getInputs().has_value();
  variant.rows = rows.element();
  variant.dest = stored;
  if (std::optional<Function> function = op.getActivation())
    variant.activation = activationOf(*function);
  BlocksOperands operands;
  operands.words = weight.array, operands.scales = weight.scales;
  LinearOperands &linear = operands.linear;
  linear.rows = rows.array, linear.rowStride = rows.strides[0];
  linear.dest = result.array, linear.destStride = result.strides[0];
  if (Value bias = op.getBias()) {
    linear.bias = step.weight(bias).array;
    variant.bias = cast<RankedTensorType>(bias.getType()).getElementType();
  }
  if (Value value = op.getResidual()) {
    if (failed(expectUnitStride(op, value, "residual")))
      return failure();
    View residual = step.view(value);
    linear.residual = residual.array, linear.residualStride = residual.strides[0];
    variant.residual = true;
  }
  int64_t outputs = weight.type.getDimSize(0);
  linear.rowCount = result.sizes[0];
  linear.inputs = k.index(weight.type.getDimSize(1));
  linear.outputs = k.index(outputs);
  Range share = step.range(k.index(llvm::divideCeil(outputs, kLanes)));
  linear.firstPanel = share.begin, linear.endPanel = share.end;
  callLinearBlocks(k, step.module(), step.machine(), variant, operands);
  return success();
}

} // namespace sluice::cpu
