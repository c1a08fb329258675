// SPDX-License-Identifier: Apache-2.0
//
// The linear kernel. Its loops, from outside in:
//
//   row tiles in blocks     activations of a block stay in L2
//     panels in blocks      partial sums of a block stay in a scratch array
//       inputs in blocks    as long as the packed activations have room; often all of them
//         panel steps       as many panels as the tile takes
//           parts of inputs in L1 or L2 from tile to tile
//             row tiles     LinearTiles.cpp; the first one widens halves for the others
//               epilogue    sums -> bias, activation, residual, rounding -> dest, after the last
//                           inputs
//
// Rows are divided into tiles as evenly as they go: 17 are 9 and 8, not 12 and 5, so that no row
// count is much dearer than its neighbours. There is a tile for every number of rows, and a whole
// tile's worth of rows or less reads its weights once, in one stream from memory.
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
  out << suffix();
  return text;
}

Type LinearVariant::weightType(MLIRContext *context) const {
  return weightTypeOf(formatOf(*this), context);
}

Type LinearVariant::rowType(MLIRContext *context) const {
  return rowTypeOf(formatOf(*this), context);
}

//===-- Emission ------------------------------------------------------------------------------===//

namespace {

class LinearEmitter {
public:
  LinearEmitter(KernelBuilder &k, ModuleOp module, const CPUMachine &machine,
                const LinearVariant &variant, Val weights, const LinearOperands &o)
      : k(k), module(module), machine(machine), variant(variant), weights(weights), o(o),
        format(formatOf(variant)) {}

  void emit();

private:
  /// The rows of a call in tiles: |larger| tiles of |size| + 1 rows, then the rest of |size| rows.
  struct Tiling {
    Val tiles, size, larger;
  };
  /// A block of sums, as run-time values: row tiles, panels, inputs [k, kEnd) and their number of
  /// units, padding included.
  struct Block {
    Val tile, tileEnd, row, rowEnd;
    Val panel, panelEnd;
    Val k, kEnd, kBlock, units;
    Val isWhole; ///< all inputs at once: panels need no sums of their own
    Val tileUnits() const { return units.in().alignUp(units, kLanes); }
  };

  /// Units [from, from + units) of a block, which tiles take at a time.
  struct Part {
    Val from, units;
    Val isAll;     ///< the whole block: a tile's sums are finished before the next one begins
    Val next = {}; ///< where tiles begin to fetch what comes after this part; empty: they stream
  };

  void emitTileBlock(Val tile, Val tileEnd);
  void emitPack(const Block &block);
  void emitOneTile(const Block &block);
  void emitManyTiles(const Block &block);
  TileOperands operandsAt(const Block &block, Val panel, Val fromUnit);
  SmallVector<TileShape> shapes(bool stream) const;
  void emitTiles(const TileOperands &shared, TileFormat tileFormat, const Block &block,
                 const Part &part, Val tile, Val tileEnd, Val rows, Val panel, Val panels);
  void emitEpilogue(const Block &block, Val row, Val rowEnd, Val panel, Val panelEnd, Val sumAt);

  Val rowOf(Val tile) { return tile * tiling.size + k.min(tile, tiling.larger); }
  /// The weights of the step after (panel, block.k), in the order of the loops.
  Val stepAfter(const Block &block, Val nextPanel);

  /// Formats that are widened to f32: by each tile in its registers, or by the first for others.
  bool widens() const { return format == TileFormat::Bf16 || format == TileFormat::F16; }
  /// Sixteen registers do not hold the largest tile and weights in the making.
  int64_t maxRows() const {
    int64_t most = machine.rowClasses.front().rows;
    return widens() && machine.vectorRegisters == 16 ? std::min<int64_t>(most, 5) : most;
  }
  /// Cache lines of a panel for kLanes units.
  int64_t linesPerChunk() const { return unitsPerStep(format) == 1 ? kLanes : kLanes / 2; }
  int64_t sumStride() const { return machine.blocking.panels * kLanes + kLanes; }

  KernelBuilder &k;
  ModuleOp module;
  const CPUMachine &machine;
  const LinearVariant &variant;
  Val weights;
  const LinearOperands &o;
  TileFormat format;
  Tiling tiling;
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
  sums = k.scratch(k.f32Type(), (2 * blocking.tiles - 1) * maxRows() * sumStride());
  packed = k.scratch(unitTypeOf(format, module.getContext()), blocking.packed);
  if (widens())
    widened =
        k.scratch(k.f32Type(), machine.rowClasses.front().panels.front() * blocking.k * kLanes);
  panelStride = k.alignUp(o.inputs, groupOf(format)) * kLanes;

  k.ifThen((o.rowCount > 0) & (o.firstPanel < o.endPanel), [&] {
    tiling.tiles = k.ceilDiv(o.rowCount, maxRows());
    tiling.size = o.rowCount / tiling.tiles;
    tiling.larger = o.rowCount % tiling.tiles;
    Val blocks = k.max(tiling.tiles / blocking.tiles, k.index(1));
    k.forLoop(0, blocks, 1, [&](Val i) {
      emitTileBlock(i * tiling.tiles / blocks, (i + 1) * tiling.tiles / blocks);
    });
  });
}

void LinearEmitter::emitTileBlock(Val tile, Val tileEnd) {
  const LinearBlocking &blocking = machine.blocking;
  Block block;
  block.tile = tile, block.tileEnd = tileEnd;
  block.row = rowOf(tile), block.rowEnd = rowOf(tileEnd);

  // As many inputs as have room, in blocks of nearly one size.
  int64_t chunk = kLanes * inputsPerUnit(format);
  Val most = k.index(blocking.packed) / (block.rowEnd - block.row) / kLanes * chunk;
  Val kBlocks = k.ceilDiv(o.inputs, most);
  block.kBlock = k.alignUp(k.ceilDiv(o.inputs, kBlocks), chunk);
  block.isWhole = block.kBlock >= o.inputs;
  Val panelBlock = k.select(block.isWhole, o.endPanel - o.firstPanel, k.index(blocking.panels));

  k.forLoop(o.firstPanel, o.endPanel, panelBlock, [&](Val panel) {
    block.panel = panel, block.panelEnd = k.min(panel + panelBlock, o.endPanel);
    k.forLoop(0, o.inputs, block.kBlock, [&](Val kk) {
      block.k = kk, block.kEnd = k.min(kk + block.kBlock, o.inputs);
      block.units = k.alignUp(block.kEnd - kk, groupOf(format)) / inputsPerUnit(format);
      emitPack(block);
      k.ifElse(tileEnd - tile > 1, [&] { emitManyTiles(block); }, [&] { emitOneTile(block); });
    });
  });
}

void LinearEmitter::emitPack(const Block &block) {
  auto pack = [&](Val tile, Val tileEnd, Val size) {
    Val row = rowOf(tile);
    Val at = o.rowList ? block.k : row * o.rowStride + block.k;
    callPack(k, module, format, size, o.rows, at, o.rowStride, tileEnd - tile, block.kEnd - block.k,
             packed, (row - block.row) * block.tileUnits(), block.tileUnits(), o.rowList, row);
  };
  Val larger = k.max(k.min(block.tileEnd, tiling.larger), block.tile);
  k.ifThen(block.tile < larger, [&] { pack(block.tile, larger, tiling.size + 1); });
  k.ifThen(larger < block.tileEnd, [&] { pack(larger, block.tileEnd, tiling.size); });
}

Val LinearEmitter::stepAfter(const Block &block, Val nextPanel) {
  Val isLastPanel = nextPanel >= block.panelEnd, isLastK = block.kEnd >= o.inputs;
  Val isLast = isLastK & (block.panelEnd >= o.endPanel);
  Val panel = k.select(
      isLastPanel, k.select(isLast, o.firstPanel, k.select(isLastK, block.panelEnd, block.panel)),
      nextPanel);
  Val input = k.select(isLastPanel, k.select(isLastK, k.index(0), block.kEnd), block.k);
  return panel * panelStride + input * kLanes;
}

/// A tile alone: the weights go by once.
void LinearEmitter::emitOneTile(const Block &block) {
  Val size = block.rowEnd - block.row, panel = block.panel;
  size_t widths = 0;
  for (const RowClass &rowClass : machine.rowClasses)
    widths = std::max(widths, rowClass.panels.size());
  for (size_t width = 0; width < widths; ++width) {
    Val panels = k.index(1);
    for (const RowClass &rowClass : machine.rowClasses)
      if (width < rowClass.panels.size())
        panels = k.select(size == rowClass.rows, k.index(rowClass.panels[width]), panels);
    Val panelEnd = panel + (block.panelEnd - panel) / panels * panels;
    k.forLoop(panel, panelEnd, panels, [&](Val p) {
      TileOperands t = operandsAt(block, p, k.index(0));
      t.ahead.follows = stepAfter(block, p + panels);
      Part all{k.index(0), block.units, k.i1(true)};
      emitTiles(t, format, block, all, block.tile, block.tileEnd, size, p, panels);
    });
    panel = panelEnd;
  }
}

/// Several tiles of one size or two neighbouring ones.
void LinearEmitter::emitManyTiles(const Block &block) {
  const LinearBlocking &blocking = machine.blocking;
  Val larger = k.max(k.min(block.tileEnd, tiling.larger), block.tile);
  Val tiles = block.tileEnd - block.tile;
  // Once for the larger ones, once for the others.
  auto emitSized = [&](const TileOperands &t, TileFormat tileFormat, const Part &part, Val begin,
                       Val panel, Val panels) {
    k.forLoop(0, 2, 1, [&](Val which) {
      Val isLarger = which == 0;
      emitTiles(t, tileFormat, block, part, k.select(isLarger, begin, k.max(begin, larger)),
                k.select(isLarger, larger, block.tileEnd),
                k.select(isLarger, tiling.size + 1, tiling.size), panel, panels);
    });
  };

  // Whole chunks, nearly one size.
  static constexpr int64_t kFewTiles = 3;
  Val atATime = k.select(tiles <= kFewTiles, k.index(blocking.kFew), k.index(blocking.k));
  Val partUnits = k.alignUp(k.ceilDiv(block.units, k.ceilDiv(block.units, atATime)), kLanes);
  int64_t panels = machine.rowClasses.front().panels.front();
  Val panelEnd = wholeSteps(block.panel, block.panelEnd, panels);
  k.forLoop(block.panel, panelEnd, panels, [&](Val p) {
    k.forLoop(0, block.units, partUnits, [&](Val from) {
      Part part;
      part.from = from, part.units = k.min(partUnits, block.units - from);
      part.isAll = partUnits >= block.units;
      TileOperands t = operandsAt(block, p, from);
      t.units = part.units;
      // The next part's weights are fetched while this one's tiles pass, a part with each.
      t.ahead.weights = weights, t.ahead.panelStride = panelStride;
      t.ahead.lines = k.ceilDiv(k.index(linesPerChunk()), tiles);
      part.next = k.select(from + part.units < block.units,
                           t.weightAt + part.units * inputsPerUnit(format) * kLanes,
                           stepAfter(block, p + panels));
      if (!widens())
        return emitSized(t, format, part, block.tile, p, k.index(panels));
      // The first tile leaves what it widens to the others.
      t.widened = widened, t.widenedStride = blocking.k * kLanes;
      emitTiles(t, format, block, part, block.tile, block.tile + 1,
                k.select(block.tile < larger, tiling.size + 1, tiling.size), p, k.index(panels));
      t.widened = Val();
      t.weights = widened, t.weightAt = k.index(0), t.panelStride = k.index(t.widenedStride);
      emitSized(t, TileFormat::F32, part, block.tile + 1, p, k.index(panels));
    });
  });
  // What is left is a panel at most per share: not worth tiles of its own.
  k.forLoop(panelEnd, block.panelEnd, 1, [&](Val p) {
    TileOperands t = operandsAt(block, p, k.index(0));
    t.ahead.follows = t.weightAt;
    Part all{k.index(0), block.units, k.i1(true)};
    emitSized(t, format, all, block.tile, p, k.index(1));
  });
}

TileOperands LinearEmitter::operandsAt(const Block &block, Val panel, Val fromUnit) {
  TileOperands t;
  t.weights = weights, t.panelStride = panelStride;
  t.weightAt = panel * panelStride + (block.k + fromUnit * inputsPerUnit(format)) * kLanes;
  t.rows = packed, t.sums = sums, t.units = block.units;
  t.first = (block.k == 0) & (fromUnit == 0);
  return t;
}

/// The shapes of a format's tiles that stream, or of those that fetch for later.
SmallVector<TileShape> LinearEmitter::shapes(bool stream) const {
  SmallVector<TileShape> all;
  for (const RowClass &rowClass : machine.rowClasses) {
    if (rowClass.rows > maxRows())
      continue;
    if (stream)
      for (int64_t panels : rowClass.panels)
        all.push_back({rowClass.rows, panels});
    else if (rowClass.rows >= (maxRows() + 1) / 2) // the least that two or more tiles have
      all.push_back({rowClass.rows, machine.rowClasses.front().panels.front()});
  }
  return all;
}

/// Tiles of |rows| against |panels| panels, over a part of the block's inputs.
void LinearEmitter::emitTiles(const TileOperands &shared, TileFormat tileFormat, const Block &block,
                              const Part &part, Val tile, Val tileEnd, Val rows, Val panel,
                              Val panels) {
  TileOperands t = shared;
  k.forLoop(tile, tileEnd, 1, [&](Val i) {
    Val row = rowOf(i);
    t.rowAt = (row - block.row) * block.tileUnits() + part.from * rows;
    t.sumAt = k.select(part.isAll & block.isWhole, k.index(0), (row - block.row) * sumStride()) +
              k.select(block.isWhole, k.index(0), (panel - block.panel) * kLanes);
    if (part.next) {
      int64_t line = 64 * 8 / cast<MemRefType>(t.ahead.weights.type()).getElementTypeBitWidth();
      Val before = (i - block.tile) * shared.ahead.lines; // lines per chunk by other tiles
      t.ahead.at = part.next + before * k.ceilDiv(part.units, kLanes) * line;
      t.ahead.lines = k.select(before < linesPerChunk(), shared.ahead.lines, k.index(0));
    }
    callTile(k, module, tileFormat, shapes(/*stream=*/!part.next), rows, panels, sumStride(), t);
    k.ifThen((block.kEnd >= o.inputs) & (part.from + part.units >= block.units),
             [&] { emitEpilogue(block, row, row + rows, panel, panel + panels, t.sumAt); });
  });
}

/// Calls the kernel that finishes the sums at |sumAt| of some rows and panels.
void LinearEmitter::emitEpilogue(const Block &block, Val row, Val rowEnd, Val panel, Val panelEnd,
                                 Val sumAt) {
  SmallVector<Val> arguments = {sums, sumAt, row, rowEnd, panel, panelEnd};
  arguments.append(o.list());
  SmallVector<Type> types =
      llvm::map_to_vector(arguments, [](Val argument) { return argument.type(); });
  func::FuncOp kernel = getOrCreateKernel(
      module, variant.name() + "_epilogue", types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        emitFinish(inner, machine, variant, LinearOperands::of(v.drop_front(6), variant), v[0],
                   v[1], sumStride(), v[2], v[3], v[4], v[5]);
      });
  k.call(kernel, arguments);
}

void callLinear(KernelBuilder &k, ModuleOp module, const CPUMachine &machine,
                const LinearVariant &variant, Val weights, const LinearOperands &operands) {
  assert((formatOf(variant) != TileFormat::Dpbf16 || machine.hasDpbf16) &&
         "this machine has no vdpbf16ps");
  [[maybe_unused]] MLIRContext *context = module.getContext();
  assert(weights.type() == arrayOf(variant.weightType(context)) &&
         operands.rows.type() == arrayOf(variant.rowType(context)) &&
         operands.dest.type() == arrayOf(variant.destType(context)) &&
         "arrays of the types that the variant says");
  SmallVector<Val> arguments = {weights};
  arguments.append(operands.list());
  SmallVector<Type> types = llvm::map_to_vector(arguments, [](Val v) { return v.type(); });
  func::FuncOp kernel =
      getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        LinearOperands o = LinearOperands::of(v.drop_front(), variant);
        LinearEmitter(inner, module, machine, variant, v[0], o).emit();
      });
  k.call(kernel, arguments);
}

} // namespace sluice::cpu
