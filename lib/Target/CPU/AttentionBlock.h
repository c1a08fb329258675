// SPDX-License-Identifier: Apache-2.0
//
// AttentionBlock: a few queries against all keys that they see.
//
// The queries of a block are |rows| neighbouring rows of a sequence times |heads| query heads of
// one kv head: all read the same tiles, so each word of a tile is loaded once and used rows * heads
// times. Cut by cut (256 keys at absolute multiples of 256):
//
//   scores   lanes are 16 keys, one chain over the channels per lane
//   softmax  of the cut: its maximum m, p = exp(score - m), their sum l
//   values   lanes are 16 channels, one chain over the slots per lane
//   merge    into the running (m, l, o)
//
// What a query gets depends on nothing but its own keys: not on the other queries of the block, not
// on which block shape it fell into (docs/Contracts.md, section 4).
#ifndef SLUICE_LIB_TARGET_CPU_ATTENTIONBLOCK_H
#define SLUICE_LIB_TARGET_CPU_ATTENTIONBLOCK_H

#include "lib/Target/CPU/KVTile.h"

namespace sluice::cpu {

/// What an attention kernel is specialised for.
struct AttentionVariant {
  KVTile tile;
  bool paged, causal;
  int64_t group;            ///< query heads per kv head
  mlir::Type result, round; ///< round may be null
  int64_t accumulators;     ///< StepContext::accumulators

  std::string name() const;
  /// Query heads that a block takes together: all of a group, or an even part of a large one.
  int64_t headsPerBlock() const;
  int64_t headChunks() const { return llvm::divideCeil(group, headsPerBlock()); }
  /// Rows of a full block.
  int64_t rowsPerBlock() const;
};

/// Arguments of an attention kernel.
struct AttentionOperands {
  Val query, queryRow, queryHead; ///< array, strides
  Val result, resultRow, resultHead;
  Val words;                                   ///< pages or tiles, in words (KVTile)
  Val tilesPerHead;                            ///< tiles only
  Val layer, pageCount, kvHeads, tilesPerPage; ///< pages only
  Val rowStart, rowSeq, past, pageStart, pageTable;
  Val rows, scale;
  Val trap, location;
  Val begin, end; ///< items: kv head * rows + row

  static llvm::SmallVector<mlir::Type> types(mlir::Builder &b, const AttentionVariant &variant);
  static AttentionOperands from(llvm::ArrayRef<Val> values);
  llvm::SmallVector<Val> values() const;
};

/// Scratch memory of a kernel, for blocks of up to |queries| queries.
struct AttentionScratch {
  AttentionScratch(KernelBuilder &k, const AttentionVariant &variant, int64_t queries);
  Val queries;            ///< [D][queries of the block]
  Val scores;             ///< [queries][256]; then the weights
  Val tiles;              ///< index [16]: where the cut's tiles start, in words
  Val outputs;            ///< [queries][E rounded up to 16]
  Val visible;            ///< i32 [16]: keys that each query sees; 0 in lanes without a query
  Val maxima, sums;       ///< f32 [16], running
  Val cutMaxima, cutSums; ///< f32 [16], of the cut
  Val keep, take;         ///< f32 [16]: factors of the old and of the cut's outputs
};

/// Writes the code of one block: |rows| rows from |row| on of sequence |seq|, but none behind
/// |last|, and heads of |kvHead| from |firstHead| (counted inside the group) on.
void emitAttentionBlock(KernelBuilder &k, mlir::ModuleOp module, const AttentionVariant &variant,
                        const AttentionOperands &operands, const AttentionScratch &scratch,
                        int64_t rows, Val seq, Val row, Val last, Val kvHead, Val firstHead);

} // namespace sluice::cpu

#endif
