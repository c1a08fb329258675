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
  case Function::Identity:
    return Activation::None;
  }
}

namespace {

struct Variant {
  Activation function;
  bool gated;
  Type result, round;
  bool inputScale, outputScale, limit, upOffset; ///< given; their numbers are arguments

  std::string name() const {
    std::string text = ("activation_" + stringify(function) + (gated ? "_gated" : "")).str();
    for (auto [given, word] : {std::pair(inputScale, "_of_scaled"),
                               {outputScale, "_scaled"},
                               {limit, "_limited"},
                               {upOffset, "_offset"}})
      if (given)
        text += word;
    return text + "_to_" + nameOf(result, round);
  }
};

/// Rows and their stride; result and its stride; channels of the result; share; input scale, output
/// scale, limit, offset of the gated half; parts of a row, with their strides in rows and result.
func::FuncOp kernelFor(ModuleOp module, const Variant &variant) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), f32 = b.getF32Type();
  SmallVector<Type> types = {arrayOf(f32), index, arrayOf(variant.result),
                             index,        index, index,
                             index,        f32,   f32,
                             f32,          f32,   index,
                             index,        index};
  return getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    Val channels = a[4];
    k.forLoop(a[5] * a[11], a[6] * a[11], 1, [&](Val item) {
      Val row = item / a[11], part = item % a[11];
      Val from = row * a[1] + part * a[12], into = row * a[3] + part * a[13];
      forLanes(k, channels, [&](Lanes lanes) {
        Val x = lanes.load(a[0], from);
        // min() and max() give the second operand when either is NaN.
        if (variant.limit)
          x = k.min(k.broadcast(a[9]), x);
        if (variant.inputScale)
          x = x * a[7];
        Val y = activate(k, variant.function, x);
        if (variant.gated) {
          Val up = lanes.load(a[0], from + channels);
          if (variant.limit)
            up = k.max(k.broadcast(k.neg(a[9])), k.min(k.broadcast(a[9]), up));
          if (variant.upOffset)
            up = up + a[10];
          y = y * up;
        }
        if (variant.outputScale)
          y = y * a[8];
        lanes.store(roundTo(y, variant.round), a[2], into);
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
    View rows = asHeads(k, step.view(op.getRows())), result = asHeads(k, step.view(destination));
    Variant variant{activationOf(op.getFunction()),
                    op.getGated(),
                    result.element(),
                    roundOf(op.getRound()),
                    op.getInputScale().has_value(),
                    op.getOutputScale().has_value(),
                    op.getLimit().has_value(),
                    op.getUpOffset().has_value()};
    auto number = [&](std::optional<APFloat> given) {
      return k.f32(given ? static_cast<float>(given->convertToDouble()) : 0);
    };
    Range share = step.range(result.sizes[0]);
    k.call(kernelFor(step.module(), variant),
           {rows.array, rows.strides[0], result.array, result.strides[0], result.sizes[2],
            share.begin, share.end, number(op.getInputScale()), number(op.getOutputScale()),
            number(op.getLimit()), number(op.getUpOffset()), result.sizes[1], rows.strides[1],
            result.strides[1]});
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
