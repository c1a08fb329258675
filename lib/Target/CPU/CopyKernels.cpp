// SPDX-License-Identifier: Apache-2.0
//
// add and copy: rows to rows, nothing else.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// add: lhs, rhs, result with the stride of each; channels; share.
func::FuncOp addKernel(ModuleOp module) {
  Builder b(module.getContext());
  Type array = arrayOf(b.getF32Type()), index = b.getIndexType();
  SmallVector<Type> types = {array, index, array, index, array, index, index, index, index};
  return getOrCreateKernel(module, "add", types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    k.forLoop(a[7], a[8], 1, [&](Val row) {
      forLanes(k, a[6], [&](Lanes lanes) {
        Val sum = lanes.load(a[0], row * a[1]) + lanes.load(a[2], row * a[3]);
        lanes.store(sum, a[4], row * a[5]);
      });
    });
  });
}

struct AddKernel : CPUKernelOpInterface::ExternalModel<AddKernel, AddOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<AddOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getLhs(), "lhs")) ||
        failed(expectUnitStride(op, op.getRhs(), "rhs")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View lhs = step.view(op.getLhs()), rhs = step.view(op.getRhs()),
         result = step.view(destination);
    Range share = step.range(result.sizes[0]);
    k.call(addKernel(step.module()),
           {lhs.array, lhs.strides[0], rhs.array, rhs.strides[0], result.array, result.strides[0],
            result.sizes[1], share.begin, share.end});
    return success();
  }
};

/// copy: from and into with the strides of each; heads, channels; share.
func::FuncOp copyKernel(ModuleOp module, Type from, Type into) {
  Builder b(module.getContext());
  Type index = b.getIndexType();
  SmallVector<Type> types = {arrayOf(from), index, index, arrayOf(into), index,
                             index,         index, index, index,         index};
  std::string name = "copy_" + nameOf(from) + "_to_" + nameOf(into);
  return getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    k.forLoop(a[8], a[9], 1, [&](Val row) {
      k.forLoop(0, a[6], 1, [&](Val head) {
        forLanes(k, a[7], [&](Lanes lanes) {
          Val at = row * a[4] + head * a[5];
          if (from == into)
            lanes.copy(a[0], row * a[1] + head * a[2], a[3], at);
          else
            lanes.store(lanes.load(a[0], row * a[1] + head * a[2]), a[3], at);
        });
      });
    });
  });
}

struct CopyKernel : CPUKernelOpInterface::ExternalModel<CopyKernel, place::CopyOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<place::CopyOp>(operation);
    KernelBuilder &k = step.builder();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getFrom(), "from")) ||
        failed(expectUnitStride(op, op.getInto(), "into")))
      return failure();
    int64_t rank = cast<MemRefType>(op.getInto().getType()).getRank();
    if (rank > 3)
      return op.emitOpError("expects at most 3 dims on the cpu, but has ") << rank;
    View from = asHeads(k, step.view(op.getFrom())), into = asHeads(k, step.view(op.getInto()));
    Range share = step.range(into.sizes[0]);
    k.call(copyKernel(step.module(), from.element(), into.element()),
           {from.array, from.strides[0], from.strides[1], into.array, into.strides[0],
            into.strides[1], into.sizes[1], into.sizes[2], share.begin, share.end});
    return success();
  }
};

} // namespace

void registerCopyKernels(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *context, SluiceDialect *) { AddOp::attachInterface<AddKernel>(*context); });
  registry.addExtension(+[](MLIRContext *context, place::PlaceDialect *) {
    place::CopyOp::attachInterface<CopyKernel>(*context);
  });
}

} // namespace sluice::cpu
