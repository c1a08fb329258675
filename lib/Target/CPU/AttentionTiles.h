// SPDX-License-Identifier: Apache-2.0
//
// AttentionTiles: the arithmetic of attention over many queries, as matrix products on f32 panels
// in scratch memory. A panel is [n][16]: a tile of keys by channels, or 16 channels of the values
// by slots. The other side is packed in chunks: [n / 16][rows][16], one pointer for all rows.
#ifndef SLUICE_LIB_TARGET_CPU_ATTENTIONTILES_H
#define SLUICE_LIB_TARGET_CPU_ATTENTIONTILES_H

#include "lib/Target/CPU/KVTile.h"

namespace sluice::cpu {

/// Scores of |rows| queries and |tiles| tiles of keys: scores[t][row][lane] = scale * chain over
/// the channels.
struct ScoreTileOperands {
  Val queries, queryAt; ///< chunks
  Val keys, keyAt;      ///< panels, |keyStride| apart
  Val keyStride, channels;
  Val scale;
  Val scores, scoreAt;
};
void callScoreTile(KernelBuilder &k, mlir::ModuleOp module, int64_t rows, int64_t tiles,
                   const ScoreTileOperands &operands);

/// Outputs of |rows| queries in |vectors| vectors of channels: o = o * keep + take * chain over the
/// slots, for rows that are active; o counts as 0 where there was none before.
struct ValueTileOperands {
  Val weights, weightAt; ///< chunks
  Val values, valueAt;   ///< panels, |valueStride| apart
  Val valueStride, slots;
  Val outputs, outputAt; ///< |outputStride| between rows
  Val outputStride;
  Val keep, take, active, before, stateAt; ///< f32, f32, i32, i32, one per row
};
void callValueTile(KernelBuilder &k, mlir::ModuleOp module, int64_t rows, int64_t vectors,
                   const ValueTileOperands &operands);

/// A KV tile at word |tileAt| as f32: its keys as a panel at |keyAt|, its values as 16 slots of
/// panels at |valueAt|, |valueStride| apart. Values of slots from |count| on become zeros, and
/// those of channels behind the last. Gives an f32 that is NaN when a value of the others is not
/// finite.
Val callWidenTile(KernelBuilder &k, mlir::ModuleOp module, const KVTile &tile, Val words,
                  Val tileAt, Val count, Val keys, Val keyAt, Val values, Val valueAt,
                  Val valueStride);

/// The values of a KV tile that are parts of its keys: the same panels as callWidenTile's, with the
/// same result.
Val callTurnTile(KernelBuilder &k, mlir::ModuleOp module, const KVTile &tile, Val words, Val tileAt,
                 Val count, Val values, Val valueAt, Val valueStride);

/// The one or two f32 vectors in 16 words of a tile.
llvm::SmallVector<Val, 2> numbersIn(KernelBuilder &k, const KVTile &tile, Val words);

} // namespace sluice::cpu

#endif
