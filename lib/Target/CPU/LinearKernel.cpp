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

struct LinearKernel : CPUKernelOpInterface::ExternalModel<LinearKernel, LinearOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<LinearOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, {place::Share::Columns})) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    WeightView weight = step.weight(op.getWeight());
    if (weight.layout != Layout::Panel)
      return op.emitOpError("expects a weight in layout 'panel' on the cpu, but it is in layout '")
             << stringifyLayout(weight.layout) << "'";
    View rows = step.view(op.getRows()), result = step.view(destination);
    FailureOr<StoredAs> stored = storedAs(op, result.element());
    if (weight.blocks)
      return failed(stored) ? failure() : emitLinearBlocks(op, step, *stored);
    FailureOr<Dot> dot = dotOf(op, rows.element(), step.machine());
    if (failed(stored) || failed(dot) || failed(checkTiles(op, step.machine())))
      return failure();

    LinearVariant variant;
    variant.weights = weightsOf(weight.type.getElementType());
    variant.dot = *dot;
    variant.dest = *stored;
    if (std::optional<Function> function = op.getActivation())
      variant.activation = activationOf(*function);
    LinearOperands operands;
    operands.weights = weight.array;
    operands.rows = rows.array, operands.rowStride = rows.strides[0];
    operands.dest = result.array, operands.destStride = result.strides[0];
    if (Value bias = op.getBias()) {
      operands.bias = step.weight(bias).array;
      variant.bias = cast<RankedTensorType>(bias.getType()).getElementType();
    }
    if (Value value = op.getResidual()) {
      if (failed(expectUnitStride(op, value, "residual")))
        return failure();
      View residual = step.view(value);
      operands.residual = residual.array, operands.residualStride = residual.strides[0];
      variant.residual = true;
    }
    int64_t outputs = weight.type.getDimSize(0);
    operands.rowCount = result.sizes[0];
    operands.inputs = k.index(weight.type.getDimSize(1));
    operands.outputs = k.index(outputs);
    Range share = step.range(k.index(llvm::divideCeil(outputs, kLanes)));
    operands.firstPanel = share.begin, operands.endPanel = share.end;
    callLinear(k, step.module(), step.machine(), variant, operands);
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
