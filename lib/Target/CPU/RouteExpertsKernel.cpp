// SPDX-License-Identifier: Apache-2.0
//
// route.experts: the linear kernels, once for each expert that has rows, over a list of its rows.
// Every worker has its panels of every expert, so weights are read once, by one worker, and no
// result depends on how the work is divided.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/LinearBlocks.h"
#include "lib/Target/CPU/LinearKernels.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// Zeros for the choices of no expert: numbers [first, end) of |list|, columns [from, to) of each.
/// Order; result, its strides; first, end; from, to.
func::FuncOp zeroKernel(ModuleOp module) {
  Builder b(module.getContext());
  Type index = b.getIndexType();
  SmallVector<Type> types = {
      arrayOf(b.getI32Type()), arrayOf(b.getF32Type()), index, index, index, index, index, index};
  return getOrCreateKernel(module, "route_zero", types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    RowList list{a[0], k.index(0), {}, {}};
    k.forLoop(a[4], a[5], 1, [&](Val i) {
      Val at = list.offset(i, a[2], a[3]) + a[6];
      forLanes(k, a[7] - a[6], [&](Lanes lanes) { lanes.store(k.splat(0), a[1], at); });
    });
  });
}

struct ExpertsKernel : CPUKernelOpInterface::ExternalModel<ExpertsKernel, RouteExpertsOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<RouteExpertsOp>(operation);
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
    View order = step.view(op.getGroups()[0]), start = step.view(op.getGroups()[1]);
    bool own = rows.strides.size() == 3;

    LinearFinish finish;
    finish.listed = true;
    LinearOperands layer;
    layer.rows = rows.array, layer.rowStride = rows.strides[0];
    layer.dest = result.array, layer.destStride = result.strides[0];
    layer.inputs = k.index(weight.type.getDimSize(1));
    layer.outputs = k.index(weight.type.getDimSize(0));
    Range share = step.range(k.index(llvm::divideCeil(weight.type.getDimSize(0), kLanes)));
    layer.firstPanel = share.begin, layer.endPanel = share.end;
    layer.rowList = {order.array, {}, own ? rows.strides[1] : k.index(0), result.strides[1]};
    std::optional<WeightView> bias;
    if (Value value = op.getBias()) {
      bias = step.weight(value);
      finish.bias = bias->type.getElementType();
    }
    Type rowType = rows.element();
    if (weight.blocks ? !rowType.isF32() && !rowType.isBF16()
                      : rowType.isBF16() && !step.machine().hasDpbf16)
      return op.emitOpError("expects rows that the kernels of ")
             << step.machine().cpu << " multiply, but found " << rowType;
    if (failed(checkTiles(op, step.machine())))
      return failure();

    int64_t experts = op.getExperts();
    k.forLoop(0, experts, 1, [&](Val e) {
      Val first = k.toIndex(k.load(start.array, e)), end = k.toIndex(k.load(start.array, e + 1));
      k.ifThen(first < end, [&] {
        layer.rowList.at = first, layer.rowCount = end - first;
        Val pointer = step.advance(weight.pointer, e * weight.blockBytes);
        if (bias)
          layer.bias = k.arrayAt(step.advance(bias->pointer, e * bias->blockBytes), finish.bias);
        if (weight.blocks) {
          BlocksVariant variant{finish, weight.blocks, op.getInputs().has_value(), rowType};
          callLinearBlocks(
              k, step.module(), step.machine(), variant,
              {k.arrayAt(pointer, k.i32Type()), k.arrayAt(pointer, weight.blocks.getScale())},
              layer);
          return;
        }
        Type element = weight.type.getElementType();
        LinearVariant variant{finish,
                              element.isBF16()  ? LinearVariant::Weights::Bf16
                              : element.isF16() ? LinearVariant::Weights::F16
                                                : LinearVariant::Weights::F32,
                              rowType.isBF16() ? Dot::Dpbf16 : Dot::Fma};
        callLinear(k, step.module(), step.machine(), variant, k.arrayAt(pointer, element), layer);
      });
    });
    Val total = result.sizes[0] * result.sizes[1];
    Val from = k.min(share.begin * kLanes, layer.outputs),
        to = k.min(share.end * kLanes, layer.outputs);
    k.call(zeroKernel(step.module()),
           {order.array, result.array, result.strides[0], result.strides[1],
            k.toIndex(k.load(start.array, k.index(experts))), total, from, to});
    return success();
  }

  /// The kernel takes its tiles from the machine: other schedules are refused, not ignored.
  static LogicalResult checkTiles(RouteExpertsOp op, const CPUMachine &machine) {
    auto schedule = dyn_cast_or_null<place::PanelsAttr>(op.getScheduleAttr());
    if (!schedule)
      return success();
    RankedTensorType weight = op.getExpertType();
    LinearTiling tiling = linearTiling(machine, weight.getDimSize(0), weight.getDimSize(1));
    auto expected = place::PanelsAttr::get(op.getContext(), tiling.rows, tiling.panels,
                                           tiling.stream, tiling.kblock, schedule.getDot());
    if (schedule == expected)
      return success();
    return op.emitOpError("expects the tiles that place-choose-schedules writes for ")
           << machine.cpu << ", " << expected << ", but its schedule is " << schedule
           << "; other tiles are not built";
  }
};

} // namespace

void registerRouteExpertsKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    RouteExpertsOp::attachInterface<ExpertsKernel>(*context);
  });
}

} // namespace sluice::cpu
