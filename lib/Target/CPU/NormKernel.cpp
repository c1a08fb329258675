// SPDX-License-Identifier: Apache-2.0
//
// norm: each row is read from L1 two or three times: once or twice for its statistic, once to
// write. Squares join the sums by fma; the lanes add up by the tree (docs/Contracts.md, section 4).
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// What a kernel of this family is specialised for.
struct Variant {
  NormKind kind;
  Type weight, bias, result, round; ///< weight and bias may be null
  bool offset = false;              ///< something is added to the weight

  std::string name() const {
    std::string text = ("norm_" + stringifyNormKind(kind)).str();
    if (weight)
      text += (offset ? "_offset_w_" : "_w_") + nameOf(weight);
    if (bias)
      text += "_b_" + nameOf(bias);
    return text + "_to_" + nameOf(result, round);
  }
};

/// Sum over the row at |at| of |term|, which gets 16 numbers and the sum so far.
Val rowSum(KernelBuilder &k, Val rows, Val at, Val channels,
           llvm::function_ref<Val(Lanes, Val x, Val sum)> term) {
  SmallVector<Val> sums =
      forLanes(k, channels, {k.splat(0)}, [&](Lanes lanes, ArrayRef<Val> sum) -> SmallVector<Val> {
        return {term(lanes, lanes.load(rows, at), sum[0])};
      });
  return k.laneSum(sums[0]);
}

/// Writes one row: |x| -> what the statistic makes of it, times weight, plus bias.
struct RowArrays {
  Val rows, rowAt, result, resultAt, weight, bias, channels;
  Val weightAt; ///< first number of weight and bias
  Val offset;
};
void writeRow(KernelBuilder &k, const Variant &variant, const RowArrays &a,
              llvm::function_ref<Val(Val x)> normalise) {
  forLanes(k, a.channels, [&](Lanes lanes) {
    Val y = normalise(lanes.load(a.rows, a.rowAt));
    if (variant.weight) {
      Val weight = lanes.load(a.weight, a.weightAt);
      if (variant.offset)
        weight = weight + a.offset;
      y = variant.bias ? k.fma(y, weight, lanes.load(a.bias, a.weightAt)) : y * weight;
    }
    lanes.store(roundTo(y, variant.round), a.result, a.resultAt);
  });
}

void emitRow(KernelBuilder &k, const Variant &variant, const RowArrays &a, Val eps) {
  Val count = k.toF32(a.channels);
  auto squares = [&](Lanes, Val x, Val sum) { return k.fma(x, x, sum); };
  switch (variant.kind) {
  case NormKind::Rms: {
    Val mean = rowSum(k, a.rows, a.rowAt, a.channels, squares) / count;
    Val scale = k.f32(1) / k.sqrt(mean + eps);
    return writeRow(k, variant, a, [&](Val x) { return x * scale; });
  }
  case NormKind::Layer: {
    auto plain = [](Lanes, Val x, Val sum) { return sum + x; };
    Val mean = rowSum(k, a.rows, a.rowAt, a.channels, plain) / count;
    auto deviations = [&](Lanes lanes, Val x, Val sum) {
      Val d = lanes.keep(x - mean);
      return k.fma(d, d, sum);
    };
    Val variance = rowSum(k, a.rows, a.rowAt, a.channels, deviations) / count;
    Val scale = k.f32(1) / k.sqrt(variance + eps);
    return writeRow(k, variant, a, [&](Val x) { return (x - mean) * scale; });
  }
  case NormKind::L2: {
    // The second operand of max() wins when it is NaN.
    Val length = k.max(eps, k.sqrt(rowSum(k, a.rows, a.rowAt, a.channels, squares)));
    return writeRow(k, variant, a, [&](Val x) { return x / length; });
  }
  }
}

func::FuncOp kernelFor(ModuleOp module, const Variant &variant) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), f32 = b.getF32Type();
  Type weight = variant.weight ? variant.weight : f32, bias = variant.bias ? variant.bias : f32;
  // rows, its strides; result, its strides; weight; bias; eps; heads, channels; share; what is
  // added to the weight; from one head's numbers in weight and bias to the next's
  SmallVector<Type> types = {arrayOf(f32),
                             index,
                             index,
                             arrayOf(variant.result),
                             index,
                             index,
                             arrayOf(weight),
                             arrayOf(bias),
                             f32,
                             index,
                             index,
                             index,
                             index,
                             f32,
                             index};
  return getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    k.forLoop(a[11], a[12], 1, [&](Val row) {
      k.forLoop(0, a[9], 1, [&](Val head) {
        RowArrays arrays{a[0],  row * a[1] + head * a[2],
                         a[3],  row * a[4] + head * a[5],
                         a[6],  a[7],
                         a[10], head * a[14],
                         a[13]};
        emitRow(k, variant, arrays, a[8]);
      });
    });
  });
}

struct NormKernel : CPUKernelOpInterface::ExternalModel<NormKernel, NormOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<NormOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View rows = asHeads(k, step.view(op.getRows())), result = asHeads(k, step.view(destination));
    Variant variant{op.getKind(), {}, {}, result.element(), roundOf(op.getRound())};
    // An absent operand is passed as the rows, and not read.
    Val weight = rows.array, bias = rows.array;
    if (Value value = op.getWeight()) {
      weight = step.weight(value).array;
      variant.weight = cast<RankedTensorType>(value.getType()).getElementType();
    }
    if (Value value = op.getBias()) {
      bias = step.weight(value).array;
      variant.bias = cast<RankedTensorType>(value.getType()).getElementType();
    }
    double offset = op.getOffset() ? op.getOffset()->convertToDouble() : 0;
    variant.offset = offset != 0;
    Range share = step.range(result.sizes[0]);
    k.call(kernelFor(step.module(), variant),
           {rows.array, rows.strides[0], rows.strides[1], result.array, result.strides[0],
            result.strides[1], weight, bias, k.f32(op.getEps().convertToDouble()), rows.sizes[1],
            rows.sizes[2], share.begin, share.end, k.f32(offset),
            op.isGrouped() ? rows.sizes[2] : k.index(0)});
    return success();
  }
};

} // namespace

void registerNormKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    NormOp::attachInterface<NormKernel>(*context);
  });
}

} // namespace sluice::cpu
