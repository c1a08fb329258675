// SPDX-License-Identifier: Apache-2.0
//
// The loops around the tiles of LinearBlocksTiles.h, from outside in:
//
//   rows in blocks            rows of a block, copied or encoded, stay in L2
//     panels in blocks        partial sums of a block stay in a scratch array
//       inputs in blocks      as many as the scratch for rows holds: all of them for few rows, and
//                             for codes, unless there are very many
//         row classes         the largest first
//           panel steps       for many rows, panels are decoded here once
//             row tiles
//       epilogue              scratch -> bias, activation, residual, rounding -> dest
//
// Sums leave registers as f32 and come back, so no blocking changes a bit.
#include "lib/Target/CPU/LinearBlocks.h"

#include "lib/Target/CPU/LinearBlocksTiles.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

std::string BlocksVariant::name() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "linear_" << format() << "_" << rows << (codedRows ? "_coded" : "");
  out << suffix();
  return text;
}

PanelShape::PanelShape(KernelBuilder &k, BlocksAttr encoding, Val inputs) {
  // As BlocksAttr::getPanelBytes, for inputs that are known when the kernel runs.
  int64_t columns = encoding.getColumns(), words = columns / encoding.getCodesPerWord() * kLanes;
  blocks = k.ceilDiv(inputs, columns);
  scalesAt = blocks * (words * 2);
  scaleStride = scalesAt + k.alignUp(blocks * kLanes, 32);
  wordStride = scaleStride / 2;
}

namespace {

/// Rows as f32: rows of a block, panels of a block, and what the scratch for rows holds for as many
/// rows.
constexpr int64_t kRows = 96, kPanels = 32, kInputs = 512;
/// Up to so many rows all inputs are taken at once, so that each panel is one stream. More rows
/// meet panels that are decoded into a scratch array, which holds kInputs.
constexpr int64_t kFewRows = 3;
/// Rows are apart by an odd number of cache lines.
constexpr int64_t kPad = 16;

/// Rows as codes: so many bytes of them stay in L2 (a quarter of it or half), so that weights come
/// from memory once for as many rows as they hold, at most kMostRows.
constexpr int64_t kCodedBytes = 640 << 10, kRowsOfTile = 12, kMostRows = 43 * kRowsOfTile;

/// With some rows the classes take a panel one after the other; few panels stay in L2 until the
/// last has had them, so that memory is read once.
constexpr int64_t kFewPanels = 4;
// Codes, sums, and a scale and a start per group, of which the smallest have 32 inputs, are on a
// stack of 1 MiB (docs/Contracts.md, section 7) next to the entry's frame.
static_assert(kCodedBytes + kMostRows * (kFewPanels + 1) * kLanes * 4 + kCodedBytes / 32 * 8 <=
              (1 << 20) - (48 << 10));

class BlocksEmitter {
public:
  BlocksEmitter(KernelBuilder &k, ModuleOp module, const CPUMachine &machine,
                const BlocksVariant &variant, const BlocksWeights &weights, const LinearOperands &o)
      : k(k), module(module), machine(machine), variant(variant), weights(weights), o(o),
        shape(k, variant.blocks, o.inputs) {}

  void emit();

private:
  /// A block of sums, as run-time values: rows, panels, and the blocks [from, to) of inputs.
  struct Part {
    Val row, rowEnd, panel, panelEnd, from, to;
  };
  void emitRows(const Part &part);
  void forClasses(const Part &part,
                  llvm::function_ref<void(const RowClass &, Val row, Val rowEnd)> body);
  void emitClass(const RowClass &rowClass, bool decoded, const Part &part, Val row, Val rowEnd);
  void emitStep(int64_t rows, int64_t panels, bool decoded, const Part &part, Val row, Val rowEnd,
                Val panel);
  SmallVector<RowClass> rowClasses() const;

  int64_t columns() const { return variant.blocks.getColumns(); }
  /// Inputs of a block of inputs: what fits for a tile of codes.
  int64_t inputsPerPart() const {
    return variant.codedRows ? kCodedBytes / kRowsOfTile / columns() * columns()
                             : std::max(kInputs, columns());
  }
  /// Sums of a row.
  int64_t sumStride() const { return (variant.codedRows ? kFewPanels : kPanels) * kLanes + kLanes; }

  KernelBuilder &k;
  ModuleOp module;
  const CPUMachine &machine;
  const BlocksVariant &variant;
  const BlocksWeights &weights;
  const LinearOperands &o;
  PanelShape shape;
  Val sums;           ///< scratch: partial sums of a block
  Val copied;         ///< scratch: f32 rows
  Val rowWords;       ///< scratch: rows as codes, in words of four
  Val scales, starts; ///< scratch: per row and block, of codes
  Val decoded;        ///< scratch: panels of a step
  Val rowStride;      ///< elements of |copied| or |rowWords|
  Val blockStride;    ///< elements of |scales| and |starts|
};

} // namespace

/// From |from| in whole steps of |step|, as far as they go below |to|.
static Val wholeSteps(Val from, Val to, int64_t step) { return from + (to - from) / step * step; }

SmallVector<RowClass> BlocksEmitter::rowClasses() const {
  bool many = machine.vectorRegisters == 32 && machine.vectorBytes == 64;
  // Codes need an integer in a register for each number of a tile, and a few for what joins sums.
  if (variant.codedRows)
    return many ? SmallVector<RowClass>{{12, {2, 1}},
                                        {8, {2, 1}},
                                        {4, {2, 1}},
                                        {2, {4, 2, 1}},
                                        {1, {4, 2, 1}}}
                : SmallVector<RowClass>{{2, {1}}, {1, {1}}};
  return many ? SmallVector<RowClass>{{12, {2, 1}}, {6, {2, 1}}, {4, {1}}, {2, {2, 1}}, {1, {2, 1}}}
              : SmallVector<RowClass>{{4, {1}}, {2, {1}}, {1, {1}}};
}

void BlocksEmitter::emit() {
  int64_t most = inputsPerPart();
  Val perPart, rowsAtOnce, panelsAtOnce;
  if (variant.codedRows) {
    perPart = k.index(most / columns());
    blockStride = k.min(perPart, shape.blocks);
    rowStride = blockStride * (columns() / 4);
    // As many rows as have room, divided evenly.
    Val room = k.min(k.index(kMostRows), k.index(kCodedBytes / 4) / rowStride);
    Val times = k.ceilDiv(o.rowCount, k.max(room / kRowsOfTile, k.index(1)) * kRowsOfTile);
    rowsAtOnce = k.alignUp(k.ceilDiv(o.rowCount, k.max(times, k.index(1))), kRowsOfTile);
    panelsAtOnce = k.index(kFewPanels);
    sums = k.scratch(k.f32Type(), kMostRows * sumStride());
    rowWords = k.scratch(k.i32Type(), kCodedBytes / 4);
    scales = k.scratch(k.f32Type(), kCodedBytes / columns());
    starts = k.scratch(k.i32Type(), kCodedBytes / columns());
  } else {
    int64_t room = kRows * (most + 4 * kPad);
    Val few = o.rowCount <= kFewRows;
    int64_t mostFew = kRows * most / 8 / columns() * columns();
    perPart = k.select(few, k.index(mostFew / columns()), k.index(most / columns()));
    // A stride that fits what is really there keeps few rows close together.
    rowStride = k.min(perPart, shape.blocks) * columns() + kPad;
    rowsAtOnce = k.index(kRows);
    panelsAtOnce = k.select(few & (o.rowCount >= 2), k.index(kFewPanels), k.index(kPanels));
    sums = k.scratch(k.f32Type(), kRows * sumStride());
    copied = k.scratch(k.f32Type(), room);
    decoded = k.scratch(k.f32Type(), rowClasses().front().panels.front() * most * kLanes);
  }

  Val isWhole = shape.blocks <= perPart;
  k.forLoop(0, o.rowCount, rowsAtOnce, [&](Val row) {
    Part part;
    part.row = row, part.rowEnd = k.min(row + rowsAtOnce, o.rowCount);
    part.from = k.index(0), part.to = shape.blocks;
    k.ifThen(isWhole, [&] { emitRows(part); });
    k.forLoop(o.firstPanel, o.endPanel, panelsAtOnce, [&](Val panel) {
      part.panel = panel, part.panelEnd = k.min(panel + panelsAtOnce, o.endPanel);
      k.forLoop(0, shape.blocks, perPart, [&](Val from) {
        part.from = from, part.to = k.min(from + perPart, shape.blocks);
        k.ifElse(isWhole, [] {}, [&] { emitRows(part); });
        forClasses(part, [&](const RowClass &rowClass, Val at, Val to) {
          bool decoded = !variant.codedRows && rowClass.rows > 2;
          emitClass(rowClass, decoded, part, at, to);
        });
      });
      emitFinish(k, machine, variant, o, sums, k.index(0), sumStride(), part.row, part.rowEnd,
                 part.panel, part.panelEnd);
    });
  });
}

void BlocksEmitter::forClasses(
    const Part &part, llvm::function_ref<void(const RowClass &, Val row, Val rowEnd)> body) {
  Val at = part.row;
  for (const RowClass &rowClass : rowClasses()) {
    Val to = wholeSteps(at, part.rowEnd, rowClass.rows);
    k.ifThen(at < to, [&] { body(rowClass, at, to); });
    at = to;
  }
}

void BlocksEmitter::emitRows(const Part &part) {
  Val begin = part.from * columns(), padded = (part.to - part.from) * columns();
  if (variant.codedRows)
    forClasses(part, [&](const RowClass &rowClass, Val row, Val rowEnd) {
      callEncodeRows(k, module, variant.blocks, rowClass.rows, variant.rows, o.rows,
                     o.rowList ? begin : row * o.rowStride + begin, o.rowStride, rowEnd - row,
                     o.inputs - begin, part.to - part.from, rowWords, scales, starts,
                     row - part.row, rowStride, blockStride, o.rowList, row);
    });
  else
    callCopyRows(k, module, variant.rows, o.rows,
                 o.rowList ? begin : part.row * o.rowStride + begin, o.rowStride,
                 part.rowEnd - part.row, k.min(o.inputs - begin, padded), padded, copied, rowStride,
                 o.rowList, part.row);
}

void BlocksEmitter::emitClass(const RowClass &rowClass, bool decoded, const Part &part, Val row,
                              Val rowEnd) {
  Val panel = part.panel;
  for (int64_t panels : rowClass.panels) {
    Val panelEnd = wholeSteps(panel, part.panelEnd, panels);
    k.forLoop(panel, panelEnd, panels,
              [&](Val p) { emitStep(rowClass.rows, panels, decoded, part, row, rowEnd, p); });
    panel = panelEnd;
  }
}

void BlocksEmitter::emitStep(int64_t rows, int64_t panels, bool decode, const Part &part, Val row,
                             Val rowEnd, Val panel) {
  int64_t words = columns() / variant.blocks.getCodesPerWord(), perBlock = words * kLanes;
  int64_t chunk = variant.blocks.getBits() == 8 ? 16 : 32;
  BlocksTile t;
  t.words = weights.words, t.wordAt = panel * shape.wordStride + part.from * perBlock,
  t.wordStride = shape.wordStride;
  t.scales = weights.scales;
  t.scaleAt = panel * shape.scaleStride + shape.scalesAt + part.from * kLanes;
  t.scaleStride = shape.scaleStride;
  t.rows = variant.codedRows ? rowWords : copied;
  t.rowStride = rowStride;
  t.sums = sums, t.blocks = part.to - part.from, t.first = part.from == 0;
  t.aheadAt = t.wordAt;
  int64_t destStride = inputsPerPart() * kLanes;
  if (decode)
    callDecode(k, module, variant.blocks, panels, destStride, t, decoded);
  // Of each block of them, so many lines: a power of two, so that they are of one panel.
  Val lines = k.index(panels * words);
  for (int64_t tiles = 2; tiles <= 32; tiles *= 2)
    lines = k.select(rowEnd - row >= tiles * rows,
                     k.index(std::max<int64_t>(1, panels * words / tiles)), lines);
  k.forLoop(row, rowEnd, rows, [&](Val r) {
    t.rowAt = (r - part.row) * rowStride;
    t.sumAt = (r - part.row) * sumStride() + (panel - part.panel) * kLanes;
    // The next panels are fetched while this step's row tiles pass, a part with each tile. Behind
    // the last panel the address is wrong and harmless.
    Val tile = (r - row) / rows;
    if (decode)
      t.aheadAt = t.wordAt + shape.wordStride * panels + tile * (inputsPerPart() / chunk * kLanes);
    if (variant.codedRows) {
      Val line = tile * lines;
      t.aheadAt = t.wordAt + shape.wordStride * (line / words + panels) + line % words * kLanes;
      t.linesAhead = k.select((row == part.row) & (line < panels * words), lines, k.index(0));
      t.rowScales = scales, t.starts = starts;
      t.blockAt = (r - part.row) * blockStride;
      t.dest = o.dest, t.destAt = r * o.destStride + panel * kLanes, t.destStride = o.destStride;
      callCodedTile(k, module, machine, variant.blocks, rows, panels, sumStride(), t);
    } else if (decode) {
      callDecodedTile(k, module, rows, panels, chunk, destStride, sumStride(), decoded,
                      t.blocks * columns(), t);
    } else {
      callDecodingTile(k, module, variant.blocks, rows, panels, sumStride(), t);
    }
  });
}

void callLinearBlocks(KernelBuilder &k, ModuleOp module, const CPUMachine &machine,
                      const BlocksVariant &variant, const BlocksWeights &weights,
                      const LinearOperands &operands) {
  SmallVector<Val> arguments = {weights.words, weights.scales};
  arguments.append(operands.list());
  SmallVector<Type> types = llvm::map_to_vector(arguments, [](Val v) { return v.type(); });
  func::FuncOp kernel =
      getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        LinearOperands o = LinearOperands::of(v.drop_front(2), variant);
        BlocksEmitter(inner, module, machine, variant, {v[0], v[1]}, o).emit();
      });
  k.call(kernel, arguments);
}

} // namespace sluice::cpu
