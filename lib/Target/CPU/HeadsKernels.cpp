// SPDX-License-Identifier: Apache-2.0
//
// heads.linear and heads.join. The weight of heads.linear lies in rows, because it is read both
// ways round: `turned`, a row of it is a row of outputs and is read as it lies; `plain`, 16 rows
// are turned in registers into a panel, once for all rows of the head. Items are (row, head), head
// by head.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/RowLoops.h"
#include "lib/Target/CPU/TurnLanes.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// Inputs of a head of a plain layer, at most: its panel of 16 outputs is on the stack.
constexpr int64_t kMostInputs = 8192;
/// Rows that share what is read of the weight.
constexpr int64_t kRowsTogether = 4;

struct HeadsVariant {
  HeadsTurn turn;
  int64_t block, first; ///< weight rows of a head, and the first that is used
  int64_t inputs, outputs;
  Type weight, result, round;

  std::string name() const {
    return llvm::formatv("heads_linear_{0}_{1}x{2}_at_{3}_of_{4}_{5}_to_{6}",
                         stringifyHeadsTurn(turn), outputs, inputs, first, block, nameOf(weight),
                         nameOf(result, round));
  }
};

/// One head of some rows.
struct HeadRows {
  Val rows, rowAt, rowStride;
  Val weight, weightAt; ///< the first number that is used
  Val result, resultAt, resultStride;
};

/// Chains of |count| rows from |row| on for |vectors| vectors of outputs; |weights| gives those of
/// input k.
void emitProducts(KernelBuilder &k, const HeadsVariant &v, const HeadRows &h, Val row,
                  int64_t count, Val column, ArrayRef<Val> masks,
                  llvm::function_ref<SmallVector<Val>(Val input)> weights) {
  auto vectors = static_cast<int64_t>(masks.size());
  SmallVector<Val> sums(count * vectors, k.splat(0));
  sums = k.reductionLoop(0, v.inputs, 1, sums, [&](Val input, ArrayRef<Val> sums) {
    SmallVector<Val> next(sums), w = weights(input);
    for (int64_t r = 0; r < count; ++r) {
      Val x = k.broadcastLoad(h.rows, h.rowAt + (row + r) * h.rowStride + input);
      for (int64_t i = 0; i < vectors; ++i)
        next[r * vectors + i] = k.fma(x, w[i], next[r * vectors + i]);
    }
    return next;
  });
  for (int64_t r = 0; r < count; ++r)
    for (int64_t i = 0; i < vectors; ++i)
      Lanes{column + i * kLanes, masks[i]}.store(roundTo(sums[r * vectors + i], v.round), h.result,
                                                 h.resultAt + (row + r) * h.resultStride);
}

/// |body| for rows [0, count), several at a time and then one by one.
void forRows(KernelBuilder &k, Val count, llvm::function_ref<void(Val row, int64_t rows)> body) {
  Val whole = count / kRowsTogether * kRowsTogether;
  k.forLoop(0, whole, kRowsTogether, [&](Val row) { body(row, kRowsTogether); });
  k.forLoop(whole, count, 1, [&](Val row) { body(row, 1); });
}

/// Lanes of the last vector of |n| numbers; empty when it is whole.
Val tailMask(KernelBuilder &k, int64_t n) {
  return n % kLanes ? k.firstLanes(k.index(n % kLanes)) : Val();
}

void emitTurned(KernelBuilder &k, const HeadsVariant &v, const HeadRows &h, Val count) {
  auto columns = [&](Val column, ArrayRef<Val> masks) {
    forRows(k, count, [&](Val row, int64_t rows) {
      emitProducts(k, v, h, row, rows, column, masks, [&](Val input) {
        SmallVector<Val> w;
        for (auto [i, mask] : llvm::enumerate(masks)) {
          Val at = h.weightAt + input * v.outputs + column + static_cast<int64_t>(i) * kLanes;
          w.push_back(
              k.extend(mask ? k.maskedLoad(h.weight, at, mask) : k.loadVector(h.weight, at)));
        }
        return w;
      });
    });
  };
  int64_t pairs = v.outputs / (2 * kLanes) * (2 * kLanes);
  k.forLoop(0, pairs, 2 * kLanes, [&](Val column) { columns(column, {Val(), Val()}); });
  if (v.outputs - pairs >= kLanes)
    columns(k.index(pairs), {Val()});
  if (v.outputs % kLanes)
    columns(k.index(v.outputs / kLanes * kLanes), {tailMask(k, v.outputs)});
}

void emitPlain(KernelBuilder &k, const HeadsVariant &v, const HeadRows &h, Val panel, Val count) {
  auto outputs = [&](Val first, Val mask) {
    // 16 inputs of 16 outputs; |lanes| of the inputs are there.
    auto square = [&](Val input, int64_t lanes) {
      SmallVector<Val> rows;
      for (int64_t i = 0; i < kLanes; ++i) {
        Val row = k.min(first + i, k.index(v.outputs - 1));
        Val at = h.weightAt + row * v.inputs + input;
        rows.push_back(k.extend(lanes == kLanes
                                    ? k.loadVector(h.weight, at)
                                    : k.maskedLoad(h.weight, at, k.firstLanes(k.index(lanes)))));
      }
      SmallVector<Val> turned = turnLanes(k, rows);
      for (int64_t i = 0; i < lanes; ++i)
        k.store(turned[i], panel, (input + i) * kLanes);
    };
    int64_t whole = v.inputs / kLanes * kLanes;
    k.forLoop(0, whole, kLanes, [&](Val input) { square(input, kLanes); });
    if (whole < v.inputs)
      square(k.index(whole), v.inputs - whole);
    forRows(k, count, [&](Val row, int64_t rows) {
      emitProducts(k, v, h, row, rows, first, {mask}, [&](Val input) -> SmallVector<Val> {
        return {k.loadVector(panel, input * kLanes)};
      });
    });
  };
  int64_t whole = v.outputs / kLanes * kLanes;
  k.forLoop(0, whole, kLanes, [&](Val first) { outputs(first, Val()); });
  if (whole < v.outputs)
    outputs(k.index(whole), tailMask(k, v.outputs));
}

/// Rows and result with the strides of each, weight, number of rows, share.
func::FuncOp linearKernel(ModuleOp module, const HeadsVariant &v) {
  Builder b(module.getContext());
  Type index = b.getIndexType();
  SmallVector<Type> types = {arrayOf(b.getF32Type()),
                             index,
                             index,
                             arrayOf(v.weight),
                             arrayOf(v.result),
                             index,
                             index,
                             index,
                             index,
                             index};
  return getOrCreateKernel(module, v.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    Val panel;
    if (v.turn == HeadsTurn::Plain)
      panel = k.scratch(k.f32Type(), v.inputs * kLanes);
    Val rowCount = a[7], end = a[9];
    int64_t columns = v.turn == HeadsTurn::Plain ? v.inputs : v.outputs;
    k.whileLoop(
        {a[8]}, [&](ArrayRef<Val> item) { return item[0] < end; },
        [&](ArrayRef<Val> item) -> SmallVector<Val> {
          Val head = item[0] / rowCount, row = item[0] % rowCount;
          Val count = k.min(rowCount - row, end - item[0]);
          HeadRows h{
              a[0], row * a[1] + head * a[2], a[1], a[3], (head * v.block + v.first) * columns,
              a[4], row * a[5] + head * a[6], a[5]};
          if (v.turn == HeadsTurn::Plain)
            emitPlain(k, v, h, panel, count);
          else
            emitTurned(k, v, h, count);
          return {item[0] + count};
        });
  });
}

struct HeadsLinearKernel : CPUKernelOpInterface::ExternalModel<HeadsLinearKernel, HeadsLinearOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<HeadsLinearOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, {place::Share::Heads})) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    WeightView weight = step.weight(op.getWeight());
    if (weight.layout != Layout::Rows)
      return op.emitOpError("expects a weight in layout 'rows' on the cpu, but it is in layout '")
             << stringifyLayout(weight.layout) << "'";
    View rows = step.view(op.getRows()), result = step.view(destination);
    auto rowsType = cast<MemRefType>(op.getRows().getType());
    HeadsVariant variant{op.getTurn(),
                         op.getBlockRows(),
                         static_cast<int64_t>(op.getFirst()),
                         rowsType.getDimSize(2),
                         cast<MemRefType>(destination.getType()).getDimSize(2),
                         weight.type.getElementType(),
                         result.element(),
                         roundOf(op.getRound())};
    if (variant.turn == HeadsTurn::Plain && variant.inputs > kMostInputs)
      return op.emitOpError() << "expects at most " << kMostInputs
                              << " inputs of a head on the cpu, but it has " << variant.inputs;
    Range share = step.range(result.sizes[0] * rowsType.getDimSize(1));
    k.call(linearKernel(step.module(), variant),
           {rows.array, rows.strides[0], rows.strides[1], weight.array, result.array,
            result.strides[0], result.strides[1], result.sizes[0], share.begin, share.end});
    return success();
  }
};

/// Piece and result with the strides of each (0 between heads of a piece that has one), where the
/// piece's channels start in the result; heads, channels; share.
func::FuncOp joinKernel(ModuleOp module, Type element) {
  Builder b(module.getContext());
  Type array = arrayOf(element), index = b.getIndexType();
  SmallVector<Type> types = {array, index, index, array, index, index,
                             index, index, index, index, index};
  return getOrCreateKernel(
      module, "heads_join_" + nameOf(element), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
        k.forLoop(a[9], a[10], 1, [&](Val row) {
          k.forLoop(0, a[7], 1, [&](Val head) {
            Val from = row * a[1] + head * a[2], into = row * a[4] + head * a[5] + a[6];
            forLanes(k, a[8], [&](Lanes lanes) { lanes.copy(a[0], from, a[3], into); });
          });
        });
      });
}

struct HeadsJoinKernel : CPUKernelOpInterface::ExternalModel<HeadsJoinKernel, HeadsJoinOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<HeadsJoinOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View result = step.view(destination);
    Range share = step.range(result.sizes[0]);
    int64_t offset = 0;
    for (Value operand : op.getPieces()) {
      if (failed(expectUnitStride(op, operand, "piece")))
        return failure();
      View piece = step.view(operand);
      if (piece.element() != result.element())
        return op.emitOpError("expects pieces that are kept as ")
               << result.element() << ", as its result is, but one is kept as " << piece.element();
      auto type = cast<MemRefType>(operand.getType());
      k.call(joinKernel(step.module(), result.element()),
             {piece.array, piece.strides[0],
              type.getDimSize(1) == 1 ? k.index(0) : piece.strides[1], result.array,
              result.strides[0], result.strides[1], k.index(offset), result.sizes[1],
              piece.sizes[2], share.begin, share.end});
      offset += type.getDimSize(2);
    }
    return success();
  }
};

} // namespace

void registerHeadsKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    HeadsLinearOp::attachInterface<HeadsLinearKernel>(*context);
    HeadsJoinOp::attachInterface<HeadsJoinKernel>(*context);
  });
}

} // namespace sluice::cpu
