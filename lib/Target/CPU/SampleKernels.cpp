// SPDX-License-Identifier: Apache-2.0
//
// sample.argmax and sample.draw: one row of logits, one token. The argmax keeps the first greatest
// number of each lane and then the first of the lanes; a draw walks the running sum of the weights
// twice, once for the total and once for the token.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/RowLoops.h"

#include <limits>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

constexpr int32_t kNone = std::numeric_limits<int32_t>::max();
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// The greatest logit of a row and its first place (i32). A row of NaN gives -inf and place 0.
struct Best {
  Val value, place;
};

Best bestOf(KernelBuilder &k, Val logits, Val at, Val count) {
  SmallVector<Val> best =
      forLanes(k, count, {k.splat(kMinusInfinity), k.splatI32(kNone)},
               [&](Lanes lanes, ArrayRef<Val> best) -> SmallVector<Val> {
                 Val x = lanes.load(logits, at), place = k.iota() + k.toI32(lanes.i);
                 // Of a lane's first number that is not NaN, any value is a gain: -inf too.
                 Val better = (x > best[0]) | ((best[1] == kNone) & (x == x));
                 if (lanes.mask)
                   better = better & lanes.mask;
                 return {k.select(better, x, best[0]), k.select(better, place, best[1])};
               });
  Val value = k.f32(kMinusInfinity), place = k.i32(kNone);
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    Val other = k.extract(best[0], lane), where = k.extract(best[1], lane);
    Val better = (other > value) | ((other == value) & (where < place));
    value = k.select(better, other, value);
    place = k.select(better, where, place);
  }
  return {value, k.select(place == kNone, k.i32(0), place)};
}

//===-- argmax
//------------------------------------------------------------------------------------===//

/// Logits and their stride; tokens and their stride; vocabulary; share.
func::FuncOp argmaxKernel(ModuleOp module) {
  Builder b(module.getContext());
  Type index = b.getIndexType();
  SmallVector<Type> types = {
      arrayOf(b.getF32Type()), index, arrayOf(b.getI32Type()), index, index, index, index};
  return getOrCreateKernel(module, "sample_argmax", types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    k.forLoop(a[5], a[6], 1,
              [&](Val row) { k.store(bestOf(k, a[0], row * a[1], a[4]).place, a[2], row * a[3]); });
  });
}

struct ArgmaxKernel : CPUKernelOpInterface::ExternalModel<ArgmaxKernel, SampleArgmaxOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<SampleArgmaxOp>(operation);
    KernelBuilder &k = step.builder();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getLogits(), "logits")))
      return failure();
    View logits = step.view(op.getLogits()), tokens = step.view(op.getInto().front());
    Range share = step.range(tokens.sizes[0]);
    k.call(argmaxKernel(step.module()),
           {logits.array, logits.strides[0], tokens.array, tokens.strides[0], logits.sizes[1],
            share.begin, share.end});
    return success();
  }
};

//===-- draw
//--------------------------------------------------------------------------------------===//

Val toF64(KernelBuilder &k, Val f32) {
  return k.val(arith::ExtFOp::create(k.builder(), k.location(), k.builder().getF64Type(), f32,
                                     arith::FastMathFlagsAttr()));
}

/// splitmix64's finaliser.
Val mix(KernelBuilder &k, Val z) {
  z = (z ^ (z >> 30)) * k.i64(static_cast<int64_t>(0xBF58476D1CE4E5B9));
  z = (z ^ (z >> 27)) * k.i64(static_cast<int64_t>(0x94D049BB133111EB));
  return z ^ (z >> 31);
}

/// The chain of sums of a row's weights exp((logit - max) / temperature): |visit| gets each sum
/// (f64), its place (index) and what is carried beside the sum.
class Weights {
public:
  Weights(KernelBuilder &k, Val logits, Val at, Val count, Val max, Val temperature, Val block)
      : k(k), logits(logits), at(at), count(count), max(max), temperature(temperature),
        block(block) {}

  SmallVector<Val>
  walk(ArrayRef<Val> init,
       llvm::function_ref<SmallVector<Val>(Val sum, Val place, ArrayRef<Val>)> visit) const {
    SmallVector<Val> carried = {k.constant(0, k.builder().getF64Type())};
    carried.append(init.begin(), init.end());
    return k.forLoop(0, count, kLanes, carried, [&](Val i, ArrayRef<Val> carried) {
      // A block of weights by vectors, then its chain.
      Val mask = k.firstLanes(count - i);
      Val x = k.maskedLoad(logits, at + i, mask);
      Val weight = exp(k, (x - max) / temperature);
      k.store(k.select(weight == weight, weight, k.splat(0)), block, 0);
      return k.forLoop(0, k.min(count - i, k.index(kLanes)), 1, carried,
                       [&](Val j, ArrayRef<Val> carried) {
                         Val sum = carried[0] + toF64(k, k.load(block, j));
                         SmallVector<Val> next = {sum};
                         next.append(visit(sum, i + j, carried.drop_front()));
                         return next;
                       });
    });
  }

private:
  KernelBuilder &k;
  Val logits, at, count, max, temperature, block;
};

/// The token and the new state of a row.
std::pair<Val, Val> draw(KernelBuilder &k, const Weights &weights, Val state, Val fallback) {
  Val next = state + k.i64(static_cast<int64_t>(0x9E3779B97F4A7C15));
  Type f64 = k.builder().getF64Type();
  Val fraction = k.val(arith::SIToFPOp::create(k.builder(), k.location(), f64, mix(k, next) >> 11));
  Val total = weights.walk({}, [](Val, Val, ArrayRef<Val>) { return SmallVector<Val>(); })[0];
  Val bound = fraction * 0x1p-53 * total;
  SmallVector<Val> found = weights.walk(
      {k.i32(kNone)}, [&](Val sum, Val place, ArrayRef<Val> found) -> SmallVector<Val> {
        Val first = (sum > bound) & (found[0] == kNone);
        return {k.select(first, k.toI32(place), found[0])};
      });
  Val none = (found[1] == kNone) | ((total > k.constant(0, f64)) == k.i1(false));
  return {k.select(none, fallback, found[1]), next};
}

/// Logits and their stride; temperatures, states, tokens and new states with the stride of each;
/// vocabulary; share.
func::FuncOp drawKernel(ModuleOp module) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), f32s = arrayOf(b.getF32Type());
  Type tokens = arrayOf(b.getI32Type()), states = arrayOf(b.getI64Type());
  SmallVector<Type> types = {f32s,  index,  f32s,  index, states, index, tokens,
                             index, states, index, index, index,  index};
  return getOrCreateKernel(module, "sample_draw", types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    Val block = k.scratch(k.f32Type(), kLanes);
    k.forLoop(a[11], a[12], 1, [&](Val row) {
      Val at = row * a[1], count = a[10];
      Best best = bestOf(k, a[0], at, count);
      Val temperature = k.load(a[2], row * a[3]), state = k.load(a[4], row * a[5]);
      SmallVector<Val> drawn = k.choose(
          temperature > k.f32(0),
          [&]() -> SmallVector<Val> {
            Weights weights(k, a[0], at, count, best.value, temperature, block);
            auto [token, next] = draw(k, weights, state, best.place);
            return {token, next};
          },
          [&]() -> SmallVector<Val> { return {best.place, state}; });
      k.store(drawn[0], a[6], row * a[7]);
      k.store(drawn[1], a[8], row * a[9]);
    });
  });
}

struct DrawKernel : CPUKernelOpInterface::ExternalModel<DrawKernel, SampleDrawOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<SampleDrawOp>(operation);
    KernelBuilder &k = step.builder();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getLogits(), "logits")))
      return failure();
    View logits = step.view(op.getLogits()), temperature = step.view(op.getTemperature());
    View before = step.view(op.getRng());
    View tokens = step.view(op.getInto()[0]), after = step.view(op.getInto()[1]);
    Range share = step.range(tokens.sizes[0]);
    k.call(drawKernel(step.module()),
           {logits.array, logits.strides[0], temperature.array, temperature.strides[0],
            before.array, before.strides[0], tokens.array, tokens.strides[0], after.array,
            after.strides[0], logits.sizes[1], share.begin, share.end});
    return success();
  }
};

} // namespace

void registerSampleKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    SampleArgmaxOp::attachInterface<ArgmaxKernel>(*context);
    SampleDrawOp::attachInterface<DrawKernel>(*context);
  });
}

} // namespace sluice::cpu
