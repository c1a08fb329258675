// SPDX-License-Identifier: Apache-2.0
//
// The pieces of a linear layer that do the work: register tiles (some rows against some panels over
// a range of inputs, one chain of fma per sum) and the copy that feeds them. Each is a kernel
// of its own, shared by all linear kernels of a module, whatever their epilogue.
//
// Another weight format may reuse them in two ways: as a further TileFormat, which says how a step
// of a panel becomes vectors of f32 (splitPairs in LinearTiles.cpp), or by writing a few panels as
// f32 into a scratch array and calling F32 tiles on that.
#ifndef SLUICE_LIB_TARGET_CPU_LINEARTILES_H
#define SLUICE_LIB_TARGET_CPU_LINEARTILES_H

#include "lib/Target/CPU/LinearLayer.h"

namespace sluice::cpu {

/// What a tile multiplies: panels of f32; panels of bf16 or f16 pairs, widened in registers; pairs
/// by vdpbf16ps.
///
/// A *unit* is what is broadcast from a row: one f32, or a pair of bf16 for Dpbf16. Tiles count in
/// units.
enum class TileFormat { F32, Bf16, F16, Dpbf16 };

/// Inputs per group of a panel, per unit, and units that a step of a tile takes.
inline int64_t groupOf(TileFormat format) { return format == TileFormat::F32 ? 1 : 2; }
inline int64_t inputsPerUnit(TileFormat format) { return format == TileFormat::Dpbf16 ? 2 : 1; }
inline int64_t unitsPerStep(TileFormat format) { return groupOf(format) / inputsPerUnit(format); }

mlir::Type weightTypeOf(TileFormat format, mlir::MLIRContext *context);
/// Rows as they lie in memory, and units.
mlir::Type rowTypeOf(TileFormat format, mlir::MLIRContext *context);
mlir::Type unitTypeOf(TileFormat format, mlir::MLIRContext *context);

/// Where a tile fetches weights that are not its own, while it works.
struct TileAhead {
  /// Into L2, |lines| cache lines of each panel for every chunk of kLanes units, for a later step.
  /// Empty: the tile is the only one that reads its weights, takes them from memory, and fetches
  /// them into L1 itself.
  Val weights, at, panelStride, lines;
  /// Of a tile that streams: what follows its weights in memory's order of use, as an element of
  /// its own weights.
  Val follows;
};

/// Arrays and element offsets into them.
struct TileOperands {
  Val weights, weightAt, panelStride; ///< |weightAt|: the first panel's element of the first unit
  Val rows,
      rowAt; ///< packed units: chunks of kLanes units of row 0, row 1, ..., then the next chunk
  Val sums, sumAt; ///< rows |sumStride| apart, panels kLanes apart
  Val units;       ///< a multiple of unitsPerStep
  Val first;       ///< i1: sums start at zero; otherwise they go on from |sums|
  TileAhead ahead;
  /// Pairs only, and not with a tile that streams: where the tile leaves its weights as f32 for
  /// others, panels |widenedStride| apart from the start. Stores cost nothing beside the
  /// multiply-adds, so this is cheaper than widening apart. May be empty.
  Val widened;
  int64_t widenedStride = 0;
};

/// Rows and panels of a tile.
struct TileShape {
  int64_t rows, panels;
};

/// Calls the tile of |rows| x |panels|, which is one of |shapes|: always the same ones for the same
/// format and kind of tile. |sumStride| is fixed per module.
void callTile(KernelBuilder &k, mlir::ModuleOp module, TileFormat format,
              llvm::ArrayRef<TileShape> shapes, Val rows, Val panels, int64_t sumStride,
              const TileOperands &operands);

/// Packs |tiles| x |rows| rows for tiles of |rows|: their inputs [from, to), zeros up to a whole
/// chunk, at |dest|[destAt]; tiles are rows x |tileUnits| units apart. |rows| is at least 1.
/// With a |list| the first row is its number |sourceRow|, and |sourceAt| is where a row begins.
void callPack(KernelBuilder &k, mlir::ModuleOp module, TileFormat format, Val rows, Val source,
              Val sourceAt, Val sourceStride, Val tiles, Val inputs, Val dest, Val destAt,
              Val tileUnits, const RowList &list = {}, Val sourceRow = {});

} // namespace sluice::cpu

#endif
