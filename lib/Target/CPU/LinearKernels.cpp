// SPDX-License-Identifier: Apache-2.0
//
// The linear kernel. Its loops, from outside in:
//
//   rows in blocks          activations of a block stay in L2
//     panels in blocks      partial sums of a block stay in a scratch array
//       inputs in blocks    weights of a block stay in L2, those of one step in L1
//         row classes       12 rows at a time, then what is left by 6, 4, 2, 1
//           panel steps     as many panels as the class takes
//             row tiles     a register tile: one chain of fma per sum, k ascending
//       epilogue            scratch -> bias, activation, residual, rounding -> dest
//
// Sums leave the registers between k blocks as f32, so no blocking changes a bit. The epilogue
// works from the scratch array and only there: a tile's code stays small, and the destination may
// be of any type or be the residual itself.
#include "lib/Target/CPU/LinearKernels.h"

#include "lib/Target/CPU/Intrinsics.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

//===-- Variants
//-----------------------------------------------------------------------------------------------===//

std::string LinearVariant::name() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "linear_" << (weights == Weights::F32 ? "f32" : weights == Weights::Bf16 ? "bf16" : "f16");
  if (weights == Weights::Bf16)
    out << "_" << sluice::stringify(dot);
  if (bias)
    out << "_bias_" << bias;
  if (activation != Activation::None)
    out << "_" << stringify(activation);
  if (residual)
    out << "_residual";
  out << (dest == StoredAs::F32    ? "_to_f32"
          : dest == StoredAs::Bf16 ? "_to_bf16"
                                   : "_to_bf16_in_f32");
  return text;
}

Type LinearVariant::weightType(MLIRContext *context) const {
  switch (weights) {
  case Weights::F32:
    return Float32Type::get(context);
  case Weights::Bf16:
    return BFloat16Type::get(context);
  case Weights::F16:
    return Float16Type::get(context);
  }
  llvm_unreachable("covered switch");
}

static bool usesDpbf16(const LinearVariant &variant) {
  return variant.weights == LinearVariant::Weights::Bf16 && variant.dot == Dot::Dpbf16;
}

Type LinearVariant::rowType(MLIRContext *context) const {
  if (usesDpbf16(*this))
    return BFloat16Type::get(context);
  return Float32Type::get(context);
}

Type LinearVariant::destType(MLIRContext *context) const {
  if (dest == StoredAs::Bf16)
    return BFloat16Type::get(context);
  return Float32Type::get(context);
}

//===-- Emission
//-----------------------------------------------------------------------------------------------===//

namespace {

class LinearEmitter {
public:
  LinearEmitter(KernelBuilder &k, const CPUMachine &machine, const LinearVariant &variant,
                const LinearOperands &o)
      : k(k), machine(machine), variant(variant), o(o) {}

  void emit();

private:
  /// A block of sums, as run-time values.
  struct Block {
    Val row, rowEnd, panel, panelEnd, k, kEnd;
  };

  void emitClass(const RowClass &rowClass, const Block &block, Val row, Val rowEnd);
  void emitTile(int64_t rows, int64_t panels, const Block &block, Val row, Val panel);
  void emitEpilogue(const Block &block);

  /// Steps of one k: |sums| is [panel][row].
  void step(MutableArrayRef<Val> sums, ArrayRef<Val> weightAt, ArrayRef<Val> rowAt, Val kk,
            int64_t more);
  void stepPair(MutableArrayRef<Val> sums, ArrayRef<Val> weightAt, ArrayRef<Val> rowAt, Val kk,
                int64_t more, bool onlyFirst);

  bool inPairs() const { return variant.weights != LinearVariant::Weights::F32; }
  Val scratchAt(const Block &block, Val row, Val panel) {
    return (row - block.row) * (machine.blocking.panels * kLanes) + (panel - block.panel) * kLanes;
  }

  KernelBuilder &k;
  const CPUMachine &machine;
  const LinearVariant &variant;
  const LinearOperands &o;
  Val panelStride; ///< elements of a panel
  Val sums;        ///< the scratch array
};

} // namespace

void LinearEmitter::step(MutableArrayRef<Val> sums, ArrayRef<Val> weightAt, ArrayRef<Val> rowAt,
                         Val kk, int64_t more) {
  SmallVector<Val> weights;
  for (Val at : weightAt)
    weights.push_back(k.loadVector(o.weights, at + (kk + more) * kLanes));
  for (auto [r, at] : llvm::enumerate(rowAt)) {
    Val x = k.broadcastLoad(o.rows, at + kk + more);
    for (auto [p, weight] : llvm::enumerate(weights)) {
      Val &sum = sums[p * rowAt.size() + r];
      sum = k.fma(x, weight, sum);
    }
  }
}

/// The two halves of a vector of f16 pairs as f32.
static std::pair<Val, Val> splitF16Pairs(KernelBuilder &k, Val pairs) {
  OpBuilder &b = k.builder();
  Val words = k.bitcast(pairs, k.i32Type());
  auto narrow = [&](Val word) {
    Val half = k.val(
        arith::TruncIOp::create(b, k.location(), VectorType::get({kLanes}, b.getI16Type()), word));
    return k.f16ToF32(k.bitcast(half, b.getF16Type()));
  };
  return {narrow(words), narrow(words >> 16)};
}

void LinearEmitter::stepPair(MutableArrayRef<Val> sums, ArrayRef<Val> weightAt, ArrayRef<Val> rowAt,
                             Val kk, int64_t more, bool onlyFirst) {
  SmallVector<Val> pairs;
  for (Val at : weightAt)
    pairs.push_back(k.loadVector(o.weights, at + (kk + more) * kLanes, 2 * kLanes));

  if (usesDpbf16(variant)) {
    for (auto [r, at] : llvm::enumerate(rowAt)) {
      Val x = onlyFirst ? broadcastBf16PairFirst(k, o.rows, at + kk + more)
                        : broadcastBf16Pair(k, o.rows, at + kk + more);
      for (auto [p, pair] : llvm::enumerate(pairs)) {
        Val &sum = sums[p * rowAt.size() + r];
        sum = dpbf16(k, sum, x, pair);
      }
    }
    return;
  }

  SmallVector<std::pair<Val, Val>> weights;
  for (Val pair : pairs)
    weights.push_back(variant.weights == LinearVariant::Weights::F16
                          ? splitF16Pairs(k, pair)
                          : std::pair(k.pairFirst(pair), k.pairSecond(pair)));
  for (int64_t half : {0, 1}) {
    for (auto [r, at] : llvm::enumerate(rowAt)) {
      // The second of an odd last pair is padding: zero by zero, which still counts (-0 becomes
      // +0).
      Val x = half && onlyFirst ? k.splat(0) : k.broadcastLoad(o.rows, at + kk + (more + half));
      for (auto [p, weight] : llvm::enumerate(weights)) {
        Val &sum = sums[p * rowAt.size() + r];
        sum = k.fma(x, half ? weight.second : weight.first, sum);
      }
    }
  }
}

void LinearEmitter::emitTile(int64_t rows, int64_t panels, const Block &block, Val row, Val panel) {
  SmallVector<Val> weightAt, rowAt, sumAt;
  for (int64_t p = 0; p < panels; ++p)
    weightAt.push_back((panel + p) * panelStride);
  for (int64_t r = 0; r < rows; ++r)
    rowAt.push_back((row + r) * o.rowStride);
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t r = 0; r < rows; ++r)
      sumAt.push_back(scratchAt(block, row + r, panel + p));

  SmallVector<Val> acc = k.choose(
      block.k == 0, [&] { return SmallVector<Val>(sumAt.size(), k.splat(0)); },
      [&] { return llvm::map_to_vector(sumAt, [&](Val at) { return k.loadVector(sums, at); }); });

  int64_t group = inPairs() ? 2 : 1;
  // Enough work per turn to hide the loop, few enough instructions to stay in the decoded cache.
  int64_t turn = rows * panels >= 16 ? group : 4 * group;
  Val whole = block.k + (block.kEnd - block.k) / turn * turn;
  auto stepsAt = [&](SmallVector<Val> &sums, Val kk, int64_t count) {
    for (int64_t more = 0; more < count; more += group)
      if (inPairs())
        stepPair(sums, weightAt, rowAt, kk, more, /*onlyFirst=*/false);
      else
        step(sums, weightAt, rowAt, kk, more);
  };
  acc = k.reductionLoop(block.k, whole, turn, acc, [&](Val kk, ArrayRef<Val> carried) {
    SmallVector<Val> next(carried);
    stepsAt(next, kk, turn);
    return next;
  });
  Val evenEnd = inPairs() ? whole + (block.kEnd - whole) / 2 * 2 : block.kEnd;
  acc = k.reductionLoop(whole, evenEnd, group, acc, [&](Val kk, ArrayRef<Val> carried) {
    SmallVector<Val> next(carried);
    stepsAt(next, kk, group);
    return next;
  });
  if (inPairs())
    acc = k.choose(
        evenEnd < block.kEnd,
        [&] {
          SmallVector<Val> next(acc);
          stepPair(next, weightAt, rowAt, evenEnd, 0, /*onlyFirst=*/true);
          return next;
        },
        [&] { return acc; });

  for (auto [at, sum] : llvm::zip(sumAt, acc))
    k.store(sum, sums, at);
}

void LinearEmitter::emitClass(const RowClass &rowClass, const Block &block, Val row, Val rowEnd) {
  Val panel = block.panel;
  for (int64_t panels : rowClass.panels) {
    Val panelEnd = panel + (block.panelEnd - panel) / panels * panels;
    k.forLoop(panel, panelEnd, panels, [&](Val p) {
      k.forLoop(row, rowEnd, rowClass.rows,
                [&](Val r) { emitTile(rowClass.rows, panels, block, r, p); });
    });
    panel = panelEnd;
  }
}

void LinearEmitter::emitEpilogue(const Block &block) {
  k.forLoop(block.panel, block.panelEnd, 1, [&](Val panel) {
    Val column = panel * kLanes;
    Val mask = k.firstLanes(o.outputs - column);
    Val bias;
    if (variant.bias)
      bias = k.extend(k.maskedLoad(o.bias, column, mask));
    k.forLoop(block.row, block.rowEnd, 1, [&](Val row) {
      Val value = k.loadVector(sums, scratchAt(block, row, panel));
      if (bias)
        value = value + bias;
      value = activate(k, variant.activation, value);
      if (variant.residual)
        value = value + k.maskedLoad(o.residual, row * o.residualStride + column, mask);
      if (variant.dest == StoredAs::RoundedF32)
        value = k.roundToBf16(value);
      else if (variant.dest == StoredAs::Bf16)
        value = k.f32ToBf16(value);
      Val at = row * o.destStride + column;
      if (machine.maskedStores)
        k.maskedStore(value, o.dest, at, mask);
      else
        k.ifElse(
            column + kLanes <= o.outputs, [&] { k.store(value, o.dest, at); },
            [&] { k.maskedStore(value, o.dest, at, mask); });
    });
  });
}

void LinearEmitter::emit() {
  const LinearBlocking &blocking = machine.blocking;
  sums = k.scratch(k.f32Type(), blocking.rows * blocking.panels * kLanes);
  panelStride = inPairs() ? k.alignUp(o.inputs, 2) * kLanes : o.inputs * kLanes;
  // A few rows take each weight once from memory; cutting k would only break its stream into
  // pieces.
  Val kBlock = k.select(o.rowCount <= 2, k.max(o.inputs, k.index(1)), k.index(blocking.k));

  k.forLoop(0, o.rowCount, blocking.rows, [&](Val row) {
    Val rowEnd = k.min(row + blocking.rows, o.rowCount);
    k.forLoop(o.firstPanel, o.endPanel, blocking.panels, [&](Val panel) {
      Block block;
      block.row = row, block.rowEnd = rowEnd;
      block.panel = panel, block.panelEnd = k.min(panel + blocking.panels, o.endPanel);
      k.forLoop(0, o.inputs, kBlock, [&](Val kk) {
        block.k = kk, block.kEnd = k.min(kk + kBlock, o.inputs);
        Val from = row;
        for (const RowClass &rowClass : machine.rowClasses) {
          Val to = from + (rowEnd - from) / rowClass.rows * rowClass.rows;
          k.ifThen(from < to, [&] { emitClass(rowClass, block, from, to); });
          from = to;
        }
      });
      emitEpilogue(block);
    });
  });
}

void callLinear(KernelBuilder &k, ModuleOp module, const CPUMachine &machine,
                const LinearVariant &variant, const LinearOperands &operands) {
  assert((!usesDpbf16(variant) || machine.hasDpbf16) && "this machine has no vdpbf16ps");
  MLIRContext *context = module.getContext();
  Type index = IndexType::get(context), f32 = Float32Type::get(context);
  SmallVector<Type> types = {arrayOf(variant.weightType(context)),
                             arrayOf(variant.rowType(context)),
                             index,
                             arrayOf(variant.destType(context)),
                             index,
                             index,
                             index,
                             index,
                             index,
                             index};
  SmallVector<Val> arguments = {operands.weights, operands.rows,       operands.rowStride,
                                operands.dest,    operands.destStride, operands.rowCount,
                                operands.inputs,  operands.outputs,    operands.firstPanel,
                                operands.endPanel};
  if (variant.bias) {
    types.push_back(arrayOf(variant.bias));
    arguments.push_back(operands.bias);
  }
  if (variant.residual) {
    types.append({arrayOf(f32), index});
    arguments.append({operands.residual, operands.residualStride});
  }
  func::FuncOp kernel = getOrCreateKernel(
      module, variant.name(), types, [&](KernelBuilder &inner, ArrayRef<Val> values) {
        LinearOperands o;
        o.weights = values[0], o.rows = values[1], o.rowStride = values[2], o.dest = values[3],
        o.destStride = values[4];
        o.rowCount = values[5], o.inputs = values[6], o.outputs = values[7],
        o.firstPanel = values[8], o.endPanel = values[9];
        size_t next = 10;
        if (variant.bias)
          o.bias = values[next++];
        if (variant.residual)
          o.residual = values[next++], o.residualStride = values[next++];
        LinearEmitter(inner, machine, variant, o).emit();
      });
  k.call(kernel, arguments);
}

} // namespace sluice::cpu
