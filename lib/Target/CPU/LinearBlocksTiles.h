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
  Val rows, rowAt; ///< the tile's first input of the range: f32, or codes as words of four
  Val rowStride;   ///< f32 only: from row to row. Words of codes are [word][row]
  Val rowScales, starts, blockAt; ///< codes only: the tile's first block, [block][row]
  Val dest, destAt, destStride;   ///< codes only: where the results will be, to fetch it meanwhile
  Val sums, sumAt;                ///< f32; panels kLanes apart
  Val blocks;                     ///< of the range
  Val aheadAt;    ///< words of later panels to fetch meanwhile (tiles of more than two rows)
  Val linesAhead; ///< codes only: so many lines of each block
  Val first;      ///< i1: sums start at +0; otherwise they go on from |sums|
};

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
/// inputs, then zeros up to |padded|, a multiple of 16. With a |list| the first row is its number
/// |sourceRow|, and |sourceAt| is where a row begins.
void callCopyRows(KernelBuilder &k, mlir::ModuleOp module, mlir::Type rows, Val source,
                  Val sourceAt, Val sourceStride, Val count, Val inputs, Val padded, Val dest,
                  Val destStride, const RowList &list = {}, Val sourceRow = {});

/// The same rows as codes, |blocks| of them, for tiles of |together| rows; scales, and what their
/// integer sums start at because weights lie with an offset. The rows are number |dest| and so on
/// of |words|, |scales| and |starts|: a tile whose first row is d starts at d strides, and there
/// everything lies as BlocksTile says.
void callEncodeRows(KernelBuilder &k, mlir::ModuleOp module, BlocksAttr encoding, int64_t together,
                    mlir::Type rows, Val source, Val sourceAt, Val sourceStride, Val count,
                    Val inputs, Val blocks, Val words, Val scales, Val starts, Val dest,
                    Val wordStride, Val blockStride, const RowList &list = {}, Val sourceRow = {});

} // namespace sluice::cpu

#endif
