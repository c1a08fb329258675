// SPDX-License-Identifier: Apache-2.0
//
// route: scores of a row in a scratch array, then one search for the largest open one per choice.
// route.group: a counting sort of the choices. route.combine: lanes over the numbers of a row.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/RowLoops.h"

#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

constexpr int32_t kNone = std::numeric_limits<int32_t>::max();
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

//===-- Scores ------------------------------------------------------------------------------===//

/// sqrt(ln(1 + e^x)). For x below 0, 1 + e^x loses digits of e^x; dividing by what was really added
/// gives them back.
Val sqrtSoftplus(KernelBuilder &k, Val x) {
  Val power = exp(k, k.neg(k.abs(x))), sum = power + 1;
  Val added = sum - 1;
  Val small = added == k.constant(0, added.type());
  Val logarithm = k.select(small, power, log(k, sum) * (power / k.select(small, sum, added)));
  // max() gives its second operand when the first is NaN.
  return k.sqrt(k.max(k.constant(0, x.type()), x) + logarithm);
}

/// Writes the scores of the row at |at| to |scores|, whole vectors: what is behind the last expert
/// is 0.
void emitScores(KernelBuilder &k, RouteScore score, Val logits, Val at, int64_t experts,
                Val scores) {
  Val count = k.index(experts);
  if (score != RouteScore::Softmax) {
    forLanes(k, count, [&](Lanes lanes) {
      Val x = lanes.load(logits, at);
      if (score == RouteScore::Sigmoid)
        x = sigmoid(k, x);
      else if (score == RouteScore::SqrtSoftplus)
        x = sqrtSoftplus(k, x);
      k.store(lanes.keep(x), scores, lanes.i);
    });
    return;
  }
  Val most = k.laneMax(forLanes(k, count, {k.splat(kMinusInfinity)},
                                [&](Lanes lanes, ArrayRef<Val> most) -> SmallVector<Val> {
                                  Val x = lanes.load(logits, at);
                                  if (lanes.mask)
                                    x = k.select(lanes.mask, x, k.splat(kMinusInfinity));
                                  return {k.max(x, most[0])};
                                })[0]);
  Val sum = k.laneSum(
      forLanes(k, count, {k.splat(0)}, [&](Lanes lanes, ArrayRef<Val> sum) -> SmallVector<Val> {
        Val p = lanes.keep(exp(k, lanes.load(logits, at) - most));
        k.store(p, scores, lanes.i);
        return {sum[0] + p};
      })[0]);
  forLanes(k, count, [&](Lanes lanes) {
    k.store(lanes.keep(k.loadVector(scores, lanes.i) / sum), scores, lanes.i);
  });
}

/// A kernel that finds the open one of largest value among |count| from |base| on, of equal ones
/// the first, and closes it: its place (i32, counted from |base|). Values are not NaN.
func::FuncOp bestKernel(ModuleOp module) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), i32 = b.getI32Type();
  SmallVector<Type> types = {arrayOf(b.getF32Type()), arrayOf(i32), index, index};
  return getOrCreateKernel(
      module, "route_best", types, {i32}, [&](KernelBuilder &k, ArrayRef<Val> a) {
        SmallVector<Val> best =
            forLanes(k, a[3], {k.splat(kMinusInfinity), k.splatI32(kNone)},
                     [&](Lanes lanes, ArrayRef<Val> best) -> SmallVector<Val> {
                       Val x = lanes.load(a[0], a[2]), place = k.iota() + k.toI32(lanes.i);
                       Val open = lanes.mask ? k.maskedLoad(a[1], a[2] + lanes.i, lanes.mask)
                                             : k.loadVector(a[1], a[2] + lanes.i);
                       Val better = (open != 0) & ((x > best[0]) | (best[1] == kNone));
                       return {k.select(better, x, best[0]), k.select(better, place, best[1])};
                     });
        Val value = k.f32(kMinusInfinity), place = k.i32(kNone);
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          Val other = k.extract(best[0], lane), where = k.extract(best[1], lane);
          Val better = (other > value) | ((other == value) & (where < place));
          value = k.select(better, other, value);
          place = k.select(better, where, place);
        }
        k.store(k.i32(0), a[1], a[2] + k.toIndex(place));
        return SmallVector<Val>{place};
      });
}

//===-- route -------------------------------------------------------------------------------===//

struct RouteVariant {
  RouteScore score;
  RouteWeigh weigh;
  int64_t experts, top, groups, openGroups; ///< groups: 0 without
  bool topTwo, capped;
  Type bias; ///< null without

  static RouteVariant of(RouteOp op) {
    return {op.getScore(),
            op.getWeigh(),
            op.getExperts(),
            static_cast<int64_t>(op.getTop()),
            static_cast<int64_t>(op.getGroups().value_or(0)),
            static_cast<int64_t>(op.getTopGroups().value_or(0)),
            op.getGroupScore() == GroupScore::TopTwo,
            op.getBatchDependent(),
            op.getBias() ? getElementTypeOrSelf(op.getBias()) : Type()};
  }
  std::string name() const {
    std::string text = llvm::formatv("route_{0}_{1}_of_{2}_{3}", stringifyRouteScore(score), top,
                                     experts, stringifyRouteWeigh(weigh));
    if (groups)
      text += llvm::formatv("_groups_{0}_of_{1}{2}", openGroups, groups, topTwo ? "_top_two" : "");
    if (bias)
      text += "_bias_" + nameOf(bias);
    return text + (capped ? "_capped" : "");
  }
};

Val withoutNan(KernelBuilder &k, Val x) { return k.select(x == x, x, k.splat(kMinusInfinity)); }

/// What the kernel of a row works on.
struct RouteScratch {
  Val scores;   ///< f32 [E]
  Val compared; ///< f32 [E]
  Val open;     ///< i32 [E]
  Val worth, openGroup;
  Val chosen; ///< f32 [C]
  Val load;   ///< i32 [E], when capped
};

/// Leaves the experts of the best groups open.
void emitGroups(KernelBuilder &k, ModuleOp module, const RouteVariant &v, const RouteScratch &s) {
  int64_t size = v.experts / v.groups;
  func::FuncOp best = bestKernel(module);
  // Two largest of s + bias, or of s where that is not what is compared.
  Val values = v.topTwo && !v.bias ? s.scores : s.compared;
  Val count = k.index(size);
  k.forLoop(0, v.groups, 1, [&](Val g) {
    Val base = g * size;
    auto take = [&] {
      Val place = k.call(best, {values, s.open, base, count})[0];
      Val x = k.load(values, base + k.toIndex(place));
      return k.select(x == x, x, k.f32(kMinusInfinity));
    };
    Val worth = take();
    if (v.topTwo)
      worth = worth + take();
    k.store(worth, s.worth, g);
    k.store(k.i32(1), s.openGroup, g);
  });
  forLanes(k, k.index(v.experts), [&](Lanes lanes) { k.store(k.splatI32(0), s.open, lanes.i); });
  k.forLoop(0, v.openGroups, 1, [&](Val) {
    Val g = k.toIndex(k.call(best, {s.worth, s.openGroup, k.index(0), k.index(v.groups)})[0]);
    k.forLoop(0, size, 1, [&](Val i) { k.store(k.i32(1), s.open, g * size + i); });
  });
}

/// The weights of the chosen scores, times |scale|, at |into|.
void emitWeights(KernelBuilder &k, const RouteVariant &v, Val chosen, Val scale, Val into, Val at) {
  if (v.weigh == RouteWeigh::Score)
    return k.forLoop(0, v.top, 1, [&](Val c) { k.store(k.load(chosen, c) * scale, into, at + c); });
  if (v.weigh == RouteWeigh::Softmax) {
    Val most = k.forLoop(0, v.top, 1, {k.f32(kMinusInfinity)},
                         [&](Val c, ArrayRef<Val> most) -> SmallVector<Val> {
                           return {k.max(k.load(chosen, c), most[0])};
                         })[0];
    k.forLoop(0, v.top, 1, [&](Val c) { k.store(exp(k, k.load(chosen, c) - most), chosen, c); });
  }
  Val sum = k.forLoop(0, v.top, 1, {k.f32(0)}, [&](Val c, ArrayRef<Val> sum) -> SmallVector<Val> {
    return {sum[0] + k.load(chosen, c)};
  })[0];
  if (v.weigh == RouteWeigh::Sum)
    sum = sum + k.f32(1e-20f);
  k.forLoop(0, v.top, 1, [&](Val c) { k.store(k.load(chosen, c) / sum * scale, into, at + c); });
}

/// Logits and their stride; ids and theirs; weights and theirs; share; scale; capacity; bias.
func::FuncOp routeKernel(ModuleOp module, const RouteVariant &v) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), f32 = b.getF32Type(), f32s = arrayOf(f32);
  SmallVector<Type> types = {f32s, index, arrayOf(b.getI32Type()), index, f32s, index, index, index,
                             f32,  index};
  if (v.bias)
    types.push_back(arrayOf(v.bias));
  return getOrCreateKernel(module, v.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    auto room = [](int64_t count) { return static_cast<int64_t>(llvm::alignTo(count, kLanes)); };
    RouteScratch s;
    s.scores = k.scratch(k.f32Type(), room(v.experts));
    s.compared = k.scratch(k.f32Type(), room(v.experts));
    s.open = k.scratch(k.i32Type(), room(v.experts));
    s.chosen = k.scratch(k.f32Type(), room(v.top));
    if (v.groups) {
      s.worth = k.scratch(k.f32Type(), room(v.groups));
      s.openGroup = k.scratch(k.i32Type(), room(v.groups));
    }
    Val experts = k.index(v.experts);
    if (v.capped) {
      s.load = k.scratch(k.i32Type(), room(v.experts));
      forLanes(k, experts, [&](Lanes lanes) { k.store(k.splatI32(0), s.load, lanes.i); });
    }
    func::FuncOp best = bestKernel(module);
    k.forLoop(a[6], a[7], 1, [&](Val row) {
      Val at = row * a[1];
      emitScores(k, v.score, a[0], at, v.experts, s.scores);
      forLanes(k, experts, [&](Lanes lanes) {
        Val x = v.bias ? k.loadVector(s.scores, lanes.i) + lanes.load(a[10], k.index(0))
                       : lanes.load(a[0], at);
        k.store(withoutNan(k, x), s.compared, lanes.i);
        k.store(k.splatI32(1), s.open, lanes.i);
      });
      if (v.groups)
        emitGroups(k, module, v, s);
      Val idAt = row * a[3], weightAt = row * a[5];
      k.forLoop(0, v.top, 1, [&](Val c) {
        Val id = k.call(best, {s.compared, s.open, k.index(0), experts})[0];
        k.store(id, a[2], idAt + c);
        k.store(k.load(s.scores, k.toIndex(id)), s.chosen, c);
      });
      emitWeights(k, v, s.chosen, a[8], a[4], weightAt);
      if (!v.capped)
        return;
      k.forLoop(0, v.top, 1, [&](Val c) {
        Val expert = k.toIndex(k.load(a[2], idAt + c)), taken = k.load(s.load, expert);
        k.store(taken + 1, s.load, expert);
        k.ifThen(k.toIndex(taken) >= a[9], [&] {
          k.store(k.i32(-1), a[2], idAt + c);
          k.store(k.f32(0), a[4], weightAt + c);
        });
      });
    });
  });
}

/// Experts choose: the same arguments without a bias, all rows. The weights' buffer holds the
/// scores meanwhile.
func::FuncOp chooseKernel(ModuleOp module, const RouteVariant &v) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), f32 = b.getF32Type(), f32s = arrayOf(f32);
  SmallVector<Type> types = {f32s, index, arrayOf(b.getI32Type()), index, f32s, index, index, index,
                             f32,  index};
  std::string name = v.name() + "_by_experts";
  return getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    Val scores = k.scratch(k.f32Type(), static_cast<int64_t>(llvm::alignTo(v.experts, kLanes)));
    Val rows = a[7];
    k.forLoop(0, rows, 1, [&](Val row) {
      emitScores(k, v.score, a[0], row * a[1], v.experts, scores);
      k.forLoop(0, v.experts, 1, [&](Val e) {
        k.store(k.load(scores, e), a[4], row * a[5] + e);
        k.store(k.i32(-1), a[2], row * a[3] + e);
      });
    });
    k.forLoop(0, v.experts, 1, [&](Val e) {
      k.forLoop(0, k.min(a[9], rows), 1, [&](Val) {
        SmallVector<Val> best = k.forLoop(
            0, rows, 1, {k.f32(kMinusInfinity), k.i32(kNone)},
            [&](Val row, ArrayRef<Val> best) -> SmallVector<Val> {
              Val x = k.load(a[4], row * a[5] + e), free = k.load(a[2], row * a[3] + e) == -1;
              Val better = free & ((x > best[0]) | (best[1] == kNone));
              // NaN is below everything: of two that are not greater the first stays.
              Val value = k.select(x == x, x, k.f32(kMinusInfinity));
              return {k.select(better, value, best[0]), k.select(better, k.toI32(row), best[1])};
            });
        k.store(k.toI32(e), a[2], k.toIndex(best[1]) * a[3] + e);
      });
    });
    k.forLoop(0, rows, 1, [&](Val row) {
      k.forLoop(0, v.experts, 1, [&](Val e) {
        Val at = row * a[5] + e, isChosen = k.load(a[2], row * a[3] + e) != -1;
        k.store(k.select(isChosen, k.load(a[4], at) * a[8], k.f32(0)), a[4], at);
      });
    });
  });
}

/// Rows that an expert takes of |rows|, as RouteOp::capacityOf says.
Val capacityOf(KernelBuilder &k, RouteOp op, Val rows) {
  if (auto capacity = op.getCapacity())
    return k.index(static_cast<int64_t>(*capacity));
  if (!op.getCapacityFactor())
    return rows;
  OpBuilder &b = k.builder();
  Type f64 = b.getF64Type();
  auto toF64 = [&](Val integer) {
    return k.val(arith::SIToFPOp::create(b, k.location(), f64, integer));
  };
  Val all = toF64(k.toI64(rows));
  Val wanted =
      all * op.getCapacityFactor()->convertToDouble() / static_cast<double>(op.getExperts());
  wanted = k.select(wanted < all, wanted, all);
  Val whole = k.val(arith::FPToSIOp::create(b, k.location(), b.getI64Type(), wanted));
  return k.toIndex(k.select(toF64(whole) < wanted, whole + 1, whole));
}

struct RouteKernel : CPUKernelOpInterface::ExternalModel<RouteKernel, RouteOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<RouteOp>(operation);
    KernelBuilder &k = step.builder();
    bool together = op.getBatchDependent();
    if (failed(step.expectShare(op, together ? ArrayRef<place::Share>() : ArrayRef(kRowShares))) ||
        failed(expectUnitStride(op, op.getLogits(), "logits")) ||
        failed(expectUnitStride(op, op.getInto()[0], "into")) ||
        failed(expectUnitStride(op, op.getInto()[1], "into")))
      return failure();
    RouteVariant variant = RouteVariant::of(op);
    View logits = step.view(op.getLogits());
    View ids = step.view(op.getInto()[0]), weights = step.view(op.getInto()[1]);
    Val rows = ids.sizes[0];
    Range share = step.range(rows);
    Val scale = k.f32(op.getScale() ? static_cast<float>(op.getScale()->convertToDouble()) : 1);
    SmallVector<Val> arguments = {
        logits.array,       logits.strides[0], ids.array, ids.strides[0], weights.array,
        weights.strides[0], share.begin,       share.end, scale,          capacityOf(k, op, rows)};
    if (op.getBias())
      arguments.push_back(step.weight(op.getBias()).array);
    k.call(op.expertsChoose() ? chooseKernel(step.module(), variant)
                              : routeKernel(step.module(), variant),
           arguments);
    return success();
  }
};

//===-- route.group -------------------------------------------------------------------------===//

/// Ids and their strides; order; start; rows; choices.
func::FuncOp groupKernel(ModuleOp module, int64_t experts) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), i32s = arrayOf(b.getI32Type());
  SmallVector<Type> types = {i32s, index, index, i32s, i32s, index, index};
  std::string name = llvm::formatv("route_group_{0}", experts);
  return getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    // Loads, then where the next choice of each expert goes; the last place is for no expert.
    Val next = k.scratch(k.i32Type(), experts + 1);
    auto forChoices = [&](llvm::function_ref<void(Val, Val, Val)> visit) {
      k.forLoop(0, a[5], 1, [&](Val row) {
        k.forLoop(0, a[6], 1, [&](Val c) {
          Val id = k.load(a[0], row * a[1] + c * a[2]);
          Val isExpert = (id >= 0) & (id < static_cast<int32_t>(experts));
          visit(row, c, k.select(isExpert, k.toIndex(id), k.index(experts)));
        });
      });
    };
    k.forLoop(0, experts + 1, 1, [&](Val e) { k.store(k.i32(0), next, e); });
    forChoices([&](Val, Val, Val e) { k.store(k.load(next, e) + 1, next, e); });
    k.forLoop(0, experts + 1, 1, {k.i32(0)}, [&](Val e, ArrayRef<Val> before) -> SmallVector<Val> {
      Val load = k.load(next, e);
      k.store(before[0], a[4], e);
      k.store(before[0], next, e);
      return {before[0] + load};
    });
    forChoices([&](Val row, Val c, Val e) {
      Val place = k.load(next, e), at = k.toIndex(place) * 2;
      k.store(place + 1, next, e);
      k.store(k.toI32(row), a[3], at);
      k.store(k.toI32(c), a[3], at + 1);
    });
  });
}

struct GroupKernel : CPUKernelOpInterface::ExternalModel<GroupKernel, RouteGroupOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<RouteGroupOp>(operation);
    if (failed(step.expectShare(op, {})))
      return failure();
    View ids = step.view(op.getIds());
    View order = step.view(op.getInto()[0]), start = step.view(op.getInto()[1]);
    int64_t experts = cast<MemRefType>(op.getInto()[1].getType()).getDimSize(0) - 1;
    KernelBuilder &k = step.builder();
    // One item, not rows: without rows the loads are still to be written.
    Range share = step.range(k.index(1));
    k.ifThen(share.begin < share.end, [&] {
      k.call(groupKernel(step.module(), experts),
             {ids.array, ids.strides[0], ids.strides[1], order.array, start.array, ids.sizes[0],
              ids.sizes[1]});
    });
    return success();
  }
};

//===-- route.combine -----------------------------------------------------------------------===//

/// Rows and their strides; weights and their strides; result and its stride; choices and numbers;
/// share; residual and its stride.
func::FuncOp combineKernel(ModuleOp module, bool residual) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), f32s = arrayOf(b.getF32Type());
  SmallVector<Type> types = {f32s, index, index, f32s,  index, index,
                             f32s, index, index, index, index, index};
  if (residual)
    types.append({f32s, index});
  StringRef name = residual ? "route_combine_residual" : "route_combine";
  return getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    k.forLoop(a[10], a[11], 1, [&](Val row) {
      forLanes(k, a[9], [&](Lanes lanes) {
        Val sum =
            k.forLoop(0, a[8], 1, {k.splat(0)}, [&](Val c, ArrayRef<Val> sum) -> SmallVector<Val> {
              Val weight = k.broadcastLoad(a[3], row * a[4] + c * a[5]);
              Val x = lanes.load(a[0], row * a[1] + c * a[2]);
              return {k.fma(weight, x, sum[0])};
            })[0];
        if (residual)
          sum = sum + lanes.load(a[12], row * a[13]);
        lanes.store(sum, a[6], row * a[7]);
      });
    });
  });
}

struct CombineKernel : CPUKernelOpInterface::ExternalModel<CombineKernel, RouteCombineOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<RouteCombineOp>(operation);
    Value destination = op.getInto().front(), residual = op.getResidual();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, destination, "into")) ||
        (residual && failed(expectUnitStride(op, residual, "residual"))))
      return failure();
    View rows = step.view(op.getRows()), weights = step.view(op.getWeights());
    View result = step.view(destination);
    Range share = step.range(result.sizes[0]);
    SmallVector<Val> arguments = {rows.array,      rows.strides[0],    rows.strides[1],
                                  weights.array,   weights.strides[0], weights.strides[1],
                                  result.array,    result.strides[0],  rows.sizes[1],
                                  result.sizes[1], share.begin,        share.end};
    if (residual) {
      View more = step.view(residual);
      arguments.append({more.array, more.strides[0]});
    }
    step.builder().call(combineKernel(step.module(), static_cast<bool>(residual)), arguments);
    return success();
  }
};

} // namespace

void registerRouteKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    RouteOp::attachInterface<RouteKernel>(*context);
    RouteGroupOp::attachInterface<GroupKernel>(*context);
    RouteCombineOp::attachInterface<CombineKernel>(*context);
  });
}

} // namespace sluice::cpu
