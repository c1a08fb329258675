// SPDX-License-Identifier: Apache-2.0
//
// The loops around the tiles of LinearBlocksTiles.h, from outside in:
//
//   rows in blocks            rows of a block, copied or encoded, stay in L2
//     panels in blocks        partial sums of a block stay in a scratch array
//       inputs in blocks      as many as the scratch for rows holds: all of them for few rows
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

/// Rows of a block, panels of a block, and what the scratch for rows holds for as many rows.
constexpr int64_t kRows = 96, kPanels = 32, kPanelsOfFew = 4;
constexpr int64_t kSumStride = kPanels * kLanes + kLanes;
/// Inputs of a block of inputs, for many rows: f32 and codes.
constexpr int64_t kInputs = 512, kCodedInputs = 2048;
/// Up to so many rows all inputs are taken at once (what fits for eight), so that each panel is one
/// stream. More rows than three meet panels that are decoded into a scratch array, which holds
/// kInputs.
constexpr int64_t kFewCodedRows = 8, kFewRows = 3;
/// Rows are apart by an odd number of cache lines.
constexpr int64_t kPad = 16;

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
  void emitClass(const RowClass &rowClass, bool decoded, const Part &part, Val row, Val rowEnd);
  void emitStep(int64_t rows, int64_t panels, bool decoded, const Part &part, Val row, Val rowEnd,
                Val panel);
  SmallVector<RowClass> rowClasses() const;

  int64_t columns() const { return variant.blocks.getColumns(); }
  /// Inputs of a block of inputs, for many rows.
  int64_t inputsPerPart() const {
    return std::max(variant.codedRows ? kCodedInputs : kInputs, columns());
  }

  KernelBuilder &k;
  ModuleOp module;
  const CPUMachine &machine;
  const BlocksVariant &variant;
  const BlocksWeights &weights;
  const LinearOperands &o;
  PanelShape shape;
  Val sums;            ///< scratch: partial sums of a block
  Val copied;          ///< scratch: f32 rows
  Val codes, rowWords; ///< scratch: rows as codes; the same as words of four
  Val scales, starts;  ///< scratch: per row and block, of codes
  Val decoded;         ///< scratch: panels of a step
  Val rowStride;       ///< elements of |copied| or |rowWords|
  Val blockStride;     ///< elements of |scales| and |starts|
};

} // namespace

/// From |from| in whole steps of |step|, as far as they go below |to|.
static Val wholeSteps(Val from, Val to, int64_t step) { return from + (to - from) / step * step; }

SmallVector<RowClass> BlocksEmitter::rowClasses() const {
  bool many = machine.vectorRegisters == 32 && machine.vectorBytes == 64;
  // Codes need an integer and an f32 sum for each number of a tile.
  if (variant.codedRows)
    return many ? SmallVector<RowClass>{{6, {2, 1}}, {4, {2, 1}}, {2, {4, 2, 1}}, {1, {4, 2, 1}}}
                : SmallVector<RowClass>{{2, {1}}, {1, {1}}};
  return many ? SmallVector<RowClass>{{12, {2, 1}}, {6, {2, 1}}, {4, {1}}, {2, {2, 1}}, {1, {2, 1}}}
              : SmallVector<RowClass>{{4, {1}}, {2, {1}}, {1, {1}}};
}

void BlocksEmitter::emit() {
  int64_t most = inputsPerPart(), room = kRows * (most + 4 * kPad);
  sums = k.scratch(k.f32Type(), kRows * kSumStride);
  Val few = o.rowCount <= (variant.codedRows ? kFewCodedRows : kFewRows);
  int64_t mostFew = kRows * most / kFewCodedRows / columns() * columns();
  Val perPart = k.select(few, k.index(mostFew / columns()), k.index(most / columns()));
  // A stride that fits what is really there keeps few rows close together.
  Val inputsThere = k.min(perPart, shape.blocks) * columns();
  blockStride = k.min(perPart, shape.blocks);
  if (variant.codedRows) {
    codes = k.scratch(k.builder().getI8Type(), room);
    rowWords = k.view(codes, 0, k.i32Type(), room / 4);
    scales = k.scratch(k.f32Type(), kRows * most / columns());
    starts = k.scratch(k.i32Type(), kRows * most / columns());
    rowStride = inputsThere / 4 + kPad;
  } else {
    copied = k.scratch(k.f32Type(), room);
    rowStride = inputsThere + kPad;
    decoded = k.scratch(k.f32Type(), rowClasses().front().panels.front() * most * kLanes);
  }

  // With some rows the classes take a panel one after the other; few panels stay in L2 until the
  // last has had them, so that memory is read once.
  Val panelsAtOnce = k.select(few & (o.rowCount >= 2), k.index(kPanelsOfFew), k.index(kPanels));
  Val isWhole = shape.blocks <= perPart;
  k.forLoop(0, o.rowCount, kRows, [&](Val row) {
    Part part;
    part.row = row, part.rowEnd = k.min(row + kRows, o.rowCount);
    part.from = k.index(0), part.to = shape.blocks;
    k.ifThen(isWhole, [&] { emitRows(part); });
    k.forLoop(o.firstPanel, o.endPanel, panelsAtOnce, [&](Val panel) {
      part.panel = panel, part.panelEnd = k.min(panel + panelsAtOnce, o.endPanel);
      k.forLoop(0, shape.blocks, perPart, [&](Val from) {
        part.from = from, part.to = k.min(from + perPart, shape.blocks);
        k.ifElse(isWhole, [] {}, [&] { emitRows(part); });
        Val at = row;
        for (const RowClass &rowClass : rowClasses()) {
          Val to = wholeSteps(at, part.rowEnd, rowClass.rows);
          k.ifThen(at < to, [&] {
            bool decoded = !variant.codedRows && rowClass.rows > 2;
            emitClass(rowClass, decoded, part, at, to);
          });
          at = to;
        }
      });
      emitFinish(k, machine, variant, o, sums, k.index(0), kSumStride, part.row, part.rowEnd,
                 part.panel, part.panelEnd);
    });
  });
}

void BlocksEmitter::emitRows(const Part &part) {
  Val begin = part.from * columns(), padded = (part.to - part.from) * columns();
  Val count = part.rowEnd - part.row;
  Val sourceAt = part.row * o.rowStride + begin;
  if (variant.codedRows)
    callEncodeRows(k, module, variant.blocks, variant.rows, o.rows, sourceAt, o.rowStride, count,
                   o.inputs - begin, part.to - part.from, codes, rowStride * 4, scales, starts,
                   blockStride);
  else
    callCopyRows(k, module, variant.rows, o.rows, sourceAt, o.rowStride, count,
                 k.min(o.inputs - begin, padded), padded, copied, rowStride);
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
  int64_t destStride = inputsPerPart() * kLanes;
  if (decode)
    callDecode(k, module, variant.blocks, panels, destStride, t, decoded);
  k.forLoop(row, rowEnd, rows, [&](Val r) {
    t.rowAt = (r - part.row) * rowStride;
    t.sumAt = (r - part.row) * kSumStride + (panel - part.panel) * kLanes;
    // The next panels are fetched while this step's row tiles pass, a part with each tile. Behind
    // the last panel the address is wrong and harmless.
    Val tile = (r - row) / rows;
    if (decode) {
      t.aheadAt = t.wordAt + shape.wordStride * panels + tile * (inputsPerPart() / chunk * kLanes);
    } else {
      Val line = tile % kTilesAhead * linesAhead(variant.blocks, panels);
      t.aheadAt = t.wordAt + shape.wordStride * (line / words + panels) + line % words * kLanes;
    }
    if (variant.codedRows) {
      t.rowScales = scales, t.starts = starts;
      t.blockAt = (r - part.row) * blockStride, t.blockStride = blockStride;
      callCodedTile(k, module, machine, variant.blocks, rows, panels, kSumStride, t);
    } else if (decode) {
      callDecodedTile(k, module, rows, panels, chunk, destStride, kSumStride, decoded,
                      t.blocks * columns(), t);
    } else {
      callDecodingTile(k, module, variant.blocks, rows, panels, kSumStride, t);
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
