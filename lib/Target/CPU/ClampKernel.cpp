// SPDX-License-Identifier: Apache-2.0
//
// clamp: the magnitude of a float is ordered as the integer of its bits, and a NaN comes after
// infinity. So min(|x|, |w|) is one integer minimum, which lets x pass where w is NaN; the rest is
// what becomes of a NaN x, or of a NaN w that is to spread. No multiplication.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/RowLoops.h"

#include <limits>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

Val clamp(KernelBuilder &k, NanRule nan, Val x, Val w) {
  constexpr int32_t magnitude = std::numeric_limits<int32_t>::max();
  constexpr int32_t sign = std::numeric_limits<int32_t>::min();
  Val xBits = k.bitcast(x, k.i32Type()), wBits = k.bitcast(w, k.i32Type());
  Val smaller = k.min(xBits & magnitude, wBits & magnitude);
  Val limited = k.bitcast(smaller | (xBits & sign), k.f32Type());
  if (nan == NanRule::Ignore)
    return k.select(x != x, k.constant(0, x.type()), limited);
  return k.select(x != x, x, k.select(w != w, w, limited));
}

/// Rows, width and result with the stride of each (0 for one width per channel); channels; share.
func::FuncOp kernelFor(ModuleOp module, NanRule nan, Type element) {
  Builder b(module.getContext());
  Type array = arrayOf(element), index = b.getIndexType();
  SmallVector<Type> types = {array, index, array, index, array, index, index, index, index};
  std::string name = ("clamp_" + stringifyNanRule(nan) + "_" + nameOf(element)).str();
  return getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    k.forLoop(a[7], a[8], 1, [&](Val row) {
      forLanes(k, a[6], [&](Lanes lanes) {
        Val x = lanes.load(a[0], row * a[1]), w = lanes.load(a[2], row * a[3]);
        lanes.store(clamp(k, nan, x, w), a[4], row * a[5]);
      });
    });
  });
}

struct ClampKernel : CPUKernelOpInterface::ExternalModel<ClampKernel, ClampOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<ClampOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, op.getWidth(), "width")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View rows = step.view(op.getRows()), result = step.view(destination);
    Val width, widthStride = k.index(0);
    if (isa<RankedTensorType>(op.getWidth().getType())) {
      width = step.weight(op.getWidth()).array;
    } else {
      View view = step.view(op.getWidth());
      width = view.array;
      if (view.sizes.size() == 2)
        widthStride = view.strides[0];
    }
    Range share = step.range(result.sizes[0]);
    k.call(kernelFor(step.module(), op.getNan(), result.element()),
           {rows.array, rows.strides[0], width, widthStride, result.array, result.strides[0],
            result.sizes[1], share.begin, share.end});
    return success();
  }
};

} // namespace

void registerClampKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    ClampOp::attachInterface<ClampKernel>(*context);
  });
}

} // namespace sluice::cpu
