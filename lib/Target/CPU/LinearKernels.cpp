// SPDX-License-Identifier: Apache-2.0
//
// The linear kernel. Its loops, from outside in:
//
//   rows in blocks          activations of a block stay in L2
//     panels in blocks      partial sums of a block stay in a scratch array
//       inputs in blocks    weights of a block stay in L2, those of one step in L1
//         row classes       12 rows at a time, then what is left by 6, 4, 2, 1
//           panel steps     as many panels as the class takes; for many rows, halves are widened
//           here once
//             row tiles     LinearTiles.cpp
//       epilogue            scratch -> bias, activation, residual, rounding -> dest
//
// Sums leave the registers between k blocks as f32, so no blocking changes a bit. The epilogue
// works from the scratch array and only there: tiles are shared by all variants, and the
// destination may be of any type or be the residual itself.
#include "lib/Target/CPU/LinearKernels.h"

#include "lib/Target/CPU/LinearTiles.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

/// From this many row tiles on, weights are widened once for all of them and the next ones are
/// fetched ahead.
static constexpr int64_t kManyTiles = 4;

static TileFormat formatOf(const LinearVariant &variant) {
  switch (variant.weights) {
  case LinearVariant::Weights::F32:
    return TileFormat::F32;
  case LinearVariant::Weights::F16:
    return TileFormat::F16;
  case LinearVariant::Weights::Bf16:
    return variant.dot == Dot::Dpbf16 ? TileFormat::Dpbf16 : TileFormat::Bf16;
  }
  llvm_unreachable("covered switch");
}

//===-- Variants ------------------------------------------------------------------------------===//

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
  return weightTypeOf(formatOf(*this), context);
}

Type LinearVariant::rowType(MLIRContext *context) const {
  return rowTypeOf(formatOf(*this), context);
}

Type LinearVariant::destType(MLIRContext *context) const {
  if (dest == StoredAs::Bf16)
    return BFloat16Type::get(context);
  return Float32Type::get(context);
}

//===-- Emission ------------------------------------------------------------------------------===//

namespace {

class LinearEmitter {
public:
  LinearEmitter(KernelBuilder &k, ModuleOp module, const CPUMachine &machine,
                const LinearVariant &variant, const LinearOperands &o)
      : k(k), module(module), machine(machine), variant(variant), o(o), format(formatOf(variant)) {}

  void emit();

private:
  /// A block of sums, as run-time values: rows, panels, inputs [k, kEnd) and their number of units,
  /// padding included.
  struct Block {
    Val row, rowEnd, panel, panelEnd, k, kEnd, units;
  };

  void emitClass(const RowClass &rowClass, const Block &block, Val row, Val rowEnd);
  void emitTiles(int64_t rows, int64_t panels, const Block &block, Val row, Val rowEnd, Val panel,
                 bool many);
  void emitEpilogue(const Block &block);

  int64_t sumStride() const { return machine.blocking.panels * kLanes; }
  /// Formats that are widened in registers may also be widened once for many rows.
  bool mayWiden() const { return format == TileFormat::Bf16 || format == TileFormat::F16; }

  /// Sixteen registers do not hold the largest tile and weights in the making: it takes widened
  /// ones or is not used.
  bool onlyWidened(const RowClass &rowClass) const {
    return mayWiden() && machine.vectorRegisters == 16 && &rowClass == &machine.rowClasses.front();
  }

  KernelBuilder &k;
  ModuleOp module;
  const CPUMachine &machine;
  const LinearVariant &variant;
  const LinearOperands &o;
  TileFormat format;
  Val panelStride; ///< elements of a panel
  Val sums;        ///< scratch: partial sums of a block
  Val packed;      ///< scratch: rows of a block, packed
  Val widened;     ///< scratch: one step's weights as f32
};

} // namespace

/// From |from| in whole steps of |step|, as far as they go below |to|.
static Val wholeSteps(Val from, Val to, int64_t step) { return from + (to - from) / step * step; }

void LinearEmitter::emit() {
  const LinearBlocking &blocking = machine.blocking;
  sums = k.scratch(k.f32Type(), blocking.rows * sumStride());
  packed = k.scratch(unitTypeOf(format, module.getContext()), blocking.rows * blocking.k);
  if (mayWiden())
    widened =
        k.scratch(k.f32Type(), machine.rowClasses.front().panels.front() * blocking.k * kLanes);
  panelStride = k.alignUp(o.inputs, groupOf(format)) * kLanes;
  // A few rows take each weight once from memory, and a block of inputs would only break its stream
  // into pieces. The scratch array for rows bounds it.
  static constexpr int64_t kFewRows = 2;
  Val kBlock = k.select(o.rowCount <= kFewRows, k.index(blocking.rows / kFewRows * blocking.k),
                        k.index(blocking.k));

  k.forLoop(0, o.rowCount, blocking.rows, [&](Val row) {
    Val rowEnd = k.min(row + blocking.rows, o.rowCount);
    k.forLoop(o.firstPanel, o.endPanel, blocking.panels, [&](Val panel) {
      Block block;
      block.row = row, block.rowEnd = rowEnd;
      block.panel = panel, block.panelEnd = k.min(panel + blocking.panels, o.endPanel);
      k.forLoop(0, o.inputs, kBlock, [&](Val kk) {
        block.k = kk, block.kEnd = k.min(kk + kBlock, o.inputs);
        block.units = k.alignUp(block.kEnd - kk, groupOf(format)) / inputsPerUnit(format);
        Val from = row;
        for (const RowClass &rowClass : machine.rowClasses) {
          Val to = wholeSteps(from, rowEnd, rowClass.rows);
          if (onlyWidened(rowClass))
            to = k.select(to - from >= kManyTiles * rowClass.rows, to, from);
          k.ifThen(from < to, [&] { emitClass(rowClass, block, from, to); });
          from = to;
        }
      });
      emitEpilogue(block);
    });
  });
}

void LinearEmitter::emitClass(const RowClass &rowClass, const Block &block, Val row, Val rowEnd) {
  Val tiles = (rowEnd - row) / rowClass.rows;
  callPack(k, module, format, rowClass.rows, o.rows, row * o.rowStride + block.k, o.rowStride,
           tiles, block.kEnd - block.k, packed, k.index(0), k.alignUp(block.units, kLanes));
  Val panel = block.panel;
  for (int64_t panels : rowClass.panels) {
    Val panelEnd = wholeSteps(panel, block.panelEnd, panels);
    auto steps = [&](bool many) {
      k.forLoop(panel, panelEnd, panels,
                [&](Val p) { emitTiles(rowClass.rows, panels, block, row, rowEnd, p, many); });
    };
    if (onlyWidened(rowClass))
      steps(true);
    else if (&rowClass == &machine.rowClasses.front())
      k.ifElse(tiles >= kManyTiles, [&] { steps(true); }, [&] { steps(false); });
    else
      steps(false);
    panel = panelEnd;
  }
}

/// All row tiles of a class against some panels.
void LinearEmitter::emitTiles(int64_t rows, int64_t panels, const Block &block, Val row, Val rowEnd,
                              Val panel, bool many) {
  const LinearBlocking &blocking = machine.blocking;
  TileFormat tileFormat = format;
  TileOperands t;
  t.weights = o.weights, t.weightAt = panel * panelStride + block.k * kLanes,
  t.panelStride = panelStride;
  t.rows = packed, t.sums = sums, t.units = block.units, t.first = block.k == 0;
  Val next;
  if (many) {
    if (mayWiden()) {
      tileFormat = TileFormat::F32;
      callWiden(k, module, format, panels, blocking.k * kLanes, o.weights, t.weightAt, panelStride,
                block.units, widened);
      t.weights = widened, t.weightAt = k.index(0), t.panelStride = k.index(blocking.k * kLanes);
    }
    // The next step's weights are fetched while this one's row tiles pass, a part with each tile.
    t.ahead = o.weights, t.aheadStride = panelStride;
    next = k.select(panel + panels < o.endPanel, panel + panels, panel) * panelStride +
           block.k * kLanes;
  }
  Val tileUnits = k.alignUp(block.units, kLanes);
  k.forLoop(row, rowEnd, rows, [&](Val r) {
    t.rowAt = (r - row) * tileUnits;
    t.sumAt = (r - block.row) * sumStride() + (panel - block.panel) * kLanes;
    if (many)
      t.aheadAt =
          next + (r - row) / rows *
                     (blocking.k / inputsPerUnit(tileFormat) / 8 * groupOf(format) * kLanes);
    callTile(k, module, tileFormat, rows, panels, sumStride(), t);
  });
}

void LinearEmitter::emitEpilogue(const Block &block) {
  k.forLoop(block.panel, block.panelEnd, 1, [&](Val panel) {
    Val column = panel * kLanes;
    Val mask = k.firstLanes(o.outputs - column);
    Val bias;
    if (variant.bias)
      bias = k.extend(k.maskedLoad(o.bias, column, mask));
    k.forLoop(block.row, block.rowEnd, 1, [&](Val row) {
      Val value =
          k.loadVector(sums, (row - block.row) * sumStride() + (panel - block.panel) * kLanes);
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

void callLinear(KernelBuilder &k, ModuleOp module, const CPUMachine &machine,
                const LinearVariant &variant, const LinearOperands &operands) {
  assert((formatOf(variant) != TileFormat::Dpbf16 || machine.hasDpbf16) &&
         "this machine has no vdpbf16ps");
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
        LinearEmitter(inner, module, machine, variant, o).emit();
      });
  k.call(kernel, arguments);
}

} // namespace sluice::cpu
