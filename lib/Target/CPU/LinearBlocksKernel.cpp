// SPDX-License-Identifier: Apache-2.0
//
// linear with an encoded weight: from the op to a call of LinearBlocks.h.
#include "lib/Target/CPU/LinearBlocksKernel.h"

#include "lib/Target/CPU/LinearBlocks.h"

using namespace mlir;

namespace sluice::cpu {

LogicalResult emitLinearBlocks(LinearOp op, StepContext &step, const LinearFinish &finish,
                               const LinearOperands &layer) {
  WeightView weight = step.weight(op.getWeight());
  Type rows = step.view(op.getRows()).element();
  if (!rows.isF32() && !rows.isBF16())
    return op.emitOpError(
               "expects rows of f32 or bf16 for a weight of codes on the cpu, but found ")
           << rows;
  if (op.getScheduleAttr())
    return op.emitOpError("expects no schedule with a weight of codes: its kernel has one way");
  BlocksVariant variant{finish, weight.blocks, op.getInputs().has_value(), rows};
  callLinearBlocks(step.builder(), step.module(), step.machine(), variant,
                   {weight.array, weight.scales}, layer);
  return success();
}

} // namespace sluice::cpu
