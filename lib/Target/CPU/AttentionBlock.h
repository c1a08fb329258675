// SPDX-License-Identifier: Apache-2.0
//
// AttentionBlock: neighbouring rows of a sequence against all keys that they see.
//
// The queries of a block are its rows times the query heads of one kv head: all read the same
// tiles. Query q of a block is row q / group, head q % group. Cut by cut (256 keys at absolute
// multiples of 256), with the tiles of the cut that no row sees left out:
//
//   scores   lanes are 16 keys, one chain over the channels per lane; then cap, biases, mask
//   softmax  of the cut: its maximum m, p = exp(score - m), their sum l
//   values   lanes are 16 channels, one chain over the slots per lane
//   merge    into the running (m, l, o)
//
// A block is one of two forms. A *narrow* one has one row and so few heads that their sums fit into
// registers: it reads each word of a tile once, from where it lies. A *wide* one has many queries:
// it widens the tiles of a cut into f32 panels once, and then takes its queries in groups, each a
// pair of matrix products with the softmax between them, in the nearest cache.
//
// What a query gets depends on nothing but its own keys: not on the other queries of the block, not
// on its form (docs/Contracts.md, section 4).
#ifndef SLUICE_LIB_TARGET_CPU_ATTENTIONBLOCK_H
#define SLUICE_LIB_TARGET_CPU_ATTENTIONBLOCK_H

#include "lib/Target/CPU/AttentionMask.h"
#include "lib/Target/CPU/KVTile.h"

namespace sluice::cpu {

/// What an attention kernel is specialised for.
struct AttentionVariant {
  KVTile tile;
  bool paged;
  int64_t group; ///< query heads per kv head
  MaskAttrInterface mask;
  bool window = false, softcap = false, slopes = false, sinks = false, lse = false;
  int64_t biasRank = 0;               ///< 0: none
  mlir::Type result = {}, round = {}; ///< round may be null
  int64_t accumulators = 0;           ///< StepContext::accumulators
  bool scales = false;                ///< the machine has scaleByPower()

  std::string name() const;
  /// Query heads that a narrow block takes together: all of a group, or an even part of a large
  /// one.
  int64_t narrowHeads() const;
  /// Queries of a group of a wide block: many, and the few that may be left.
  int64_t manyQueries() const { return std::max<int64_t>(1, accumulators / 2); }
  int64_t fewQueries() const { return std::max<int64_t>(1, manyQueries() / 3); }
  /// Rows of a wide block; 0 when its panels would not fit on the stack.
  int64_t wideRows() const;
  /// Rows from which on a wide block is quicker than narrow ones.
  int64_t leastWideRows() const;
  /// Values that are parts of the keys are turned into panels of a cut, which are on the stack.
  static constexpr int64_t kMostSharedValues = 768;
  bool fits() const { return !tile.shared || tile.valueSize <= kMostSharedValues; }
  int64_t keyStride() const { return llvm::alignTo(tile.keySize, kLanes); }
  int64_t valueStride() const { return llvm::alignTo(tile.valueSize, kLanes); }
  /// Scores are more than products.
  bool modifiesScores() const { return softcap || slopes || biasRank != 0; }
};

/// Arguments of an attention kernel. Those that a variant does not have are empty.
struct AttentionOperands {
  Val query, queryRow, queryHead; ///< array, strides
  Val result, resultRow, resultHead;
  Val lse, lseRow;
  Val words;                                   ///< pages or tiles, in words (KVTile)
  Val tilesPerHead;                            ///< tiles only
  Val layer, pageCount, kvHeads, tilesPerPage; ///< pages only
  Val rowStart, rowSeq, past, pageStart, pageTable;
  Val rows, scale;
  Val window, segments, parents, prefixes;
  Val cap, inverseCap, slopes, sinks;
  Val bias, biasRows, biasKeys; ///< [H, rows, keys]; rows is 1 for a relative one
  Val trap, location;
  Val begin, end; ///< items: kv head * rows + row

  static llvm::SmallVector<mlir::Type> types(mlir::Builder &b, const AttentionVariant &variant);
  static AttentionOperands from(mlir::Builder &b, const AttentionVariant &variant,
                                llvm::ArrayRef<Val> values);
  llvm::SmallVector<Val> values(mlir::Builder &b, const AttentionVariant &variant) const;
};

/// Scratch memory of a kernel.
struct AttentionScratch {
  AttentionScratch(KernelBuilder &k, const AttentionVariant &variant);
  Val queries;            ///< per group [D / 16][queries][16]
  Val scores;             ///< of a group, [tile][query][16]; then the weights
  Val visible;            ///< i32 like scores: where a tile is not seen whole, 1 for seen keys
  Val tiles;              ///< index [16]: which tiles of the cut are read
  Val tileWords;          ///< index [16]: where they start, in words
  Val wholes;             ///< i32 [16]: 1 when the group sees all of it
  Val outputs;            ///< [query][E rounded up to 16]
  Val keys, values;       ///< panels of a cut: of wide blocks; of narrow ones, values that are
                          ///< parts of the keys
  Val biases;             ///< f32 [16]
  Val maxima, sums;       ///< f32 [group][16], running
  Val ever;               ///< i32 [group][16]: whether a query has seen anything
  Val cutMaxima, cutSums; ///< f32 [16], of the cut
  Val keep, take;         ///< f32 [16]: factors of the old and of the cut's outputs
  Val active, before;     ///< i32 [16]: whether a query sees something of the cut; saw before
};

/// Writes the code of a narrow block: row |row| of sequence |seq|, heads of |kvHead| from
/// |firstHead| (counted inside the group) on.
void emitNarrowAttention(KernelBuilder &k, mlir::ModuleOp module, const AttentionVariant &variant,
                         const AttentionOperands &operands, const AttentionScratch &scratch,
                         Val seq, Val row, Val kvHead, Val firstHead);

/// Writes the code of a wide block: |rows| rows from |row| on, at most wideRows().
void emitWideAttention(KernelBuilder &k, mlir::ModuleOp module, const AttentionVariant &variant,
                       const AttentionOperands &operands, const AttentionScratch &scratch, Val seq,
                       Val row, Val rows, Val kvHead);

} // namespace sluice::cpu

#endif
