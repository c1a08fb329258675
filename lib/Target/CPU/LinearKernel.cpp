// SPDX-License-Identifier: Apache-2.0
//
// linear: from the op to a call of the panels kernel (LinearKernels.h), with this worker's panels.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/LinearBlocksKernel.h"
#include "lib/Target/CPU/LinearKernels.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;

namespace sluice::cpu {
namespace {

LinearVariant::Weights weightsOf(Type element) {
  if (element.isBF16())
    return LinearVariant::Weights::Bf16;
  return element.isF16() ? LinearVariant::Weights::F16 : LinearVariant::Weights::F32;
}

FailureOr<StoredAs> storedAs(LinearOp op, Type element) {
  Type round = roundOf(op.getRound());
  if (element.isBF16())
    return StoredAs::Bf16;
  if (element.isF32() && (!round || round.isF32()))
    return StoredAs::F32;
  if (element.isF32() && round.isBF16())
    return StoredAs::RoundedF32;
  op.emitOpError(
      "expects its result in f32 or bf16, or f32 with round = bf16, on the cpu, but it is ")
      << element << " with round = " << round;
  return failure();
}

/// The step of the chain: rows in bf16 are taken in pairs, f32 rows one by one.
FailureOr<Dot> dotOf(LinearOp op, Type rows, const CPUMachine &machine) {
  Dot dot = rows.isBF16() ? Dot::Dpbf16 : Dot::Fma;
  if (auto schedule = dyn_cast_or_null<place::PanelsAttr>(op.getScheduleAttr())) {
    Dot wanted = schedule.getDot() == place::Dot::Dpbf16 ? Dot::Dpbf16 : Dot::Fma;
    if (wanted != dot) {
      op.emitOpError("has a schedule with dot = ")
          << stringify(wanted) << ", which takes " << (wanted == Dot::Dpbf16 ? "bf16" : "f32")
          << " rows, but its rows are " << rows;
      return failure();
    }
  }
  if (dot == Dot::Dpbf16 && !machine.hasDpbf16) {
    op.emitOpError("has bf16 rows, which take a machine with avx512bf16, but ")
        << machine.cpu << " has it not";
    return failure();
  }
  return dot;
}

/// The kernel takes its tiles from the machine, so a schedule that asks for others is refused, not
/// ignored.
LogicalResult checkTiles(LinearOp op, const CPUMachine &machine) {
  auto schedule = dyn_cast_or_null<place::PanelsAttr>(op.getScheduleAttr());
  if (!schedule)
    return success();
  auto weight = cast<RankedTensorType>(op.getWeight().getType());
  LinearTiling tiling = linearTiling(machine, weight.getDimSize(0), weight.getDimSize(1));
  auto expected = place::PanelsAttr::get(op.getContext(), tiling.rows, tiling.panels, tiling.stream,
                                         tiling.kblock, schedule.getDot());
  if (schedule == expected)
    return success();
  return op.emitOpError("expects the tiles that place-choose-schedules writes for ")
         << machine.cpu << ", " << expected << ", but its schedule is " << schedule
         << "; other tiles are not built";
}

/// Everything but the weight, with this worker's panels.
LogicalResult bindLayer(LinearOp op, StepContext &step, LinearFinish &finish,
                        LinearOperands &layer) {
  KernelBuilder &k = step.builder();
  View rows = step.view(op.getRows()), result = step.view(op.getInto().front());
  FailureOr<StoredAs> stored = storedAs(op, result.element());
  if (failed(stored))
    return failure();
  finish.dest = *stored;
  if (std::optional<Function> function = op.getActivation())
    finish.activation = activationOf(*function);
  layer.rows = rows.array, layer.rowStride = rows.strides[0];
  layer.dest = result.array, layer.destStride = result.strides[0];
  if (Value bias = op.getBias()) {
    layer.bias = step.weight(bias).array;
    finish.bias = cast<RankedTensorType>(bias.getType()).getElementType();
  }
  if (Value value = op.getResidual()) {
    if (failed(expectUnitStride(op, value, "residual")))
      return failure();
    View residual = step.view(value);
    layer.residual = residual.array, layer.residualStride = residual.strides[0];
    finish.residual = true;
  }
  auto weight = cast<RankedTensorType>(op.getWeight().getType());
  layer.rowCount = result.sizes[0];
  layer.inputs = k.index(weight.getDimSize(1));
  layer.outputs = k.index(weight.getDimSize(0));
  Range share = step.range(k.index(llvm::divideCeil(weight.getDimSize(0), kLanes)));
  layer.firstPanel = share.begin, layer.endPanel = share.end;
  return success();
}

struct LinearKernel : CPUKernelOpInterface::ExternalModel<LinearKernel, LinearOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<LinearOp>(operation);
    if (failed(step.expectShare(op, {place::Share::Columns})) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, op.getInto().front(), "into")))
      return failure();
    WeightView weight = step.weight(op.getWeight());
    if (weight.layout != Layout::Panel)
      return op.emitOpError("expects a weight in layout 'panel' on the cpu, but it is in layout '")
             << stringifyLayout(weight.layout) << "'";
    LinearFinish finish;
    LinearOperands layer;
    if (failed(bindLayer(op, step, finish, layer)))
      return failure();
    if (weight.blocks)
      return emitLinearBlocks(op, step, finish, layer);
    FailureOr<Dot> dot = dotOf(op, step.view(op.getRows()).element(), step.machine());
    if (failed(dot) || failed(checkTiles(op, step.machine())))
      return failure();
    LinearVariant variant{finish, weightsOf(weight.type.getElementType()), *dot};
    callLinear(step.builder(), step.module(), step.machine(), variant, weight.array, layer);
    return success();
  }
};

} // namespace

void registerLinearKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    LinearOp::attachInterface<LinearKernel>(*context);
  });
}

} // namespace sluice::cpu
