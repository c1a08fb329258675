// SPDX-License-Identifier: Apache-2.0
//
// activation: f of each number of a row, or of its first half, times the second half.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

Activation activationOf(Function function) {
  switch (function) {
  case Function::Silu:
    return Activation::Silu;
  case Function::GeluErf:
    return Activation::GeluErf;
  case Function::GeluTanh:
    return Activation::GeluTanh;
  case Function::QuickGelu:
    return Activation::QuickGelu;
  case Function::Relu:
    return Activation::Relu;
  case Function::Relu2:
    return Activation::Relu2;
  case Function::Tanh:
    return Activation::Tanh;
  case Function::Sigmoid:
    return Activation::Sigmoid;
  }
}

namespace {

struct Variant {
  Activation function;
  bool gated;
  Type result, round;

  std::string name() const {
    return ("activation_" + stringify(function) + (gated ? "_gated" : "") + "_to_" +
            nameOf(result, round))
        .str();
  }
};

/// Rows and their stride; result and its stride; channels of the result; share.
func::FuncOp kernelFor(ModuleOp module, const Variant &variant) {
  Builder b(module.getContext());
  Type index = b.getIndexType();
  SmallVector<Type> types = {
      arrayOf(b.getF32Type()), index, arrayOf(variant.result), index, index, index, index};
  return getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    Val channels = a[4];
    k.forLoop(a[5], a[6], 1, [&](Val row) {
      forLanes(k, channels, [&](Lanes lanes) {
        Val y = activate(k, variant.function, lanes.load(a[0], row * a[1]));
        if (variant.gated)
          y = y * lanes.load(a[0], row * a[1] + channels);
        lanes.store(roundTo(y, variant.round), a[2], row * a[3]);
      });
    });
  });
}

struct ActivationKernel : CPUKernelOpInterface::ExternalModel<ActivationKernel, ActivationOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<ActivationOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View rows = step.view(op.getRows()), result = step.view(destination);
    Variant variant{activationOf(op.getFunction()), op.getGated(), result.element(),
                    roundOf(op.getRound())};
    Range share = step.range(result.sizes[0]);
    k.call(kernelFor(step.module(), variant),
           {rows.array, rows.strides[0], result.array, result.strides[0], result.sizes[1],
            share.begin, share.end});
    return success();
  }
};

} // namespace

void registerActivationKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    ActivationOp::attachInterface<ActivationKernel>(*context);
  });
}

} // namespace sluice::cpu
