// SPDX-License-Identifier: Apache-2.0
//
// pool: lanes over the channels; a mean is one chain over the rows of the sequence, then one
// division.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// The 16 numbers of the pooled row; |first| and |end| are the sequence's rows, at least one.
Val pooled(KernelBuilder &k, PoolKind kind, Lanes lanes, Val rows, Val stride, Val first, Val end) {
  switch (kind) {
  case PoolKind::First:
    return lanes.load(rows, first * stride);
  case PoolKind::Last:
    return lanes.load(rows, (end - 1) * stride);
  case PoolKind::Mean:
    SmallVector<Val> sum =
        k.forLoop(first, end, 1, {k.splat(0)}, [&](Val row, ArrayRef<Val> sum) -> SmallVector<Val> {
          return {sum[0] + lanes.load(rows, row * stride)};
        });
    return sum[0] / k.toF32(end - first);
  }
}

/// Rows and their stride; result and its stride; channels; first rows of the sequences; share.
func::FuncOp kernelFor(ModuleOp module, PoolKind kind) {
  Builder b(module.getContext());
  Type array = arrayOf(b.getF32Type()), index = b.getIndexType();
  SmallVector<Type> types = {array, index, array, index, index, arrayOf(b.getI32Type()),
                             index, index};
  std::string name = ("pool_" + stringifyPoolKind(kind)).str();
  return getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    k.forLoop(a[6], a[7], 1, [&](Val seq) {
      Val first = k.toIndex(k.load(a[5], seq)), end = k.toIndex(k.load(a[5], seq + 1));
      Val at = seq * a[3];
      k.ifElse(
          first < end,
          [&] {
            forLanes(k, a[4], [&](Lanes lanes) {
              lanes.store(pooled(k, kind, lanes, a[0], a[1], first, end), a[2], at);
            });
          },
          [&] { forLanes(k, a[4], [&](Lanes lanes) { lanes.store(k.splat(0), a[2], at); }); });
    });
  });
}

struct PoolKernel : CPUKernelOpInterface::ExternalModel<PoolKernel, PoolOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<PoolOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, {place::Share::Seqs})) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View rows = step.view(op.getRows()), result = step.view(destination);
    Range share = step.range(step.batch().seqs);
    k.call(kernelFor(step.module(), op.getKind()),
           {rows.array, rows.strides[0], result.array, result.strides[0], result.sizes[1],
            step.batch().rowStart, share.begin, share.end});
    return success();
  }
};

} // namespace

void registerPoolKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    PoolOp::attachInterface<PoolKernel>(*context);
  });
}

} // namespace sluice::cpu
