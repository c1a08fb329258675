// SPDX-License-Identifier: Apache-2.0
//
// The pieces of a linear layer on encoded panels that do the work: how rows are made ready,
// register tiles, and the decoding of panels. Each is a kernel of its own, shared by all layers of
// a module that have the same encoding.
#ifndef SLUICE_LIB_TARGET_CPU_LINEARBLOCKSTILES_H
#define SLUICE_LIB_TARGET_CPU_LINEARBLOCKSTILES_H

#include "lib/Target/CPU/LinearBlocks.h"

namespace sluice::cpu {

/// What all tiles need: arrays, and element offsets into them.
struct BlocksTile {
  Val words, wordAt,
      wordStride; ///< the first panel's first word of the range; words from panel to panel
  Val scales, scaleAt, scaleStride; ///< the first panel's scale of the range's first block
  Val rows, rowAt, rowStride; ///< row 0's first input of the range: f32, or codes as words of four
  Val rowScales, starts, blockAt, blockStride; ///< codes only: row 0's first block of the range
  Val sums, sumAt;                             ///< f32; panels kLanes apart
  Val blocks;                                  ///< of the range
  Val aheadAt; ///< words of later panels to fetch meanwhile (tiles of more than two rows)
  Val first;   ///< i1: sums start at +0; otherwise they go on from |sums|
};

/// So many tiles of rows together fetch the next panels of codes; each fetches so many lines of a
/// block.
inline constexpr int64_t kTilesAhead = 16;
int64_t linesAhead(BlocksAttr blocks, int64_t panels);

/// Rows as f32: decodes in registers. |sumStride| is fixed per module.
void callDecodingTile(KernelBuilder &k, mlir::ModuleOp module, BlocksAttr blocks, int64_t rows,
                      int64_t panels, int64_t sumStride, const BlocksTile &tile);

/// Rows as codes.
void callCodedTile(KernelBuilder &k, mlir::ModuleOp module, const CPUMachine &machine,
                   BlocksAttr blocks, int64_t rows, int64_t panels, int64_t sumStride,
                   const BlocksTile &tile);

/// Decodes |panels| panels, |tile.blocks| blocks of them, into f32 panels at the start of |dest|,
/// |destStride| apart.
void callDecode(KernelBuilder &k, mlir::ModuleOp module, BlocksAttr blocks, int64_t panels,
                int64_t destStride, const BlocksTile &tile, Val dest);

/// f32 rows against f32 panels that callDecode made: |inputs| steps, a line fetched ahead every
/// |chunk| of them.
void callDecodedTile(KernelBuilder &k, mlir::ModuleOp module, int64_t rows, int64_t panels,
                     int64_t chunk, int64_t destStride, int64_t sumStride, Val decoded, Val inputs,
                     const BlocksTile &tile);

/// |count| rows from |source|[sourceAt], as f32 at |dest|, |destStride| apart: their next |inputs|
/// inputs, then zeros up to |padded|, a multiple of 16.
void callCopyRows(KernelBuilder &k, mlir::ModuleOp module, mlir::Type rows, Val source,
                  Val sourceAt, Val sourceStride, Val count, Val inputs, Val padded, Val dest,
                  Val destStride);

/// The same rows as codes, |blocks| of them; scales, and what their integer sums start at because
/// weights lie with an offset.
void callEncodeRows(KernelBuilder &k, mlir::ModuleOp module, BlocksAttr encoding, mlir::Type rows,
                    Val source, Val sourceAt, Val sourceStride, Val count, Val inputs, Val blocks,
                    Val codes, Val codeStride, Val scales, Val starts, Val blockStride);

} // namespace sluice::cpu

#endif
