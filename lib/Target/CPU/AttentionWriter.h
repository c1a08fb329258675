// SPDX-License-Identifier: Apache-2.0
//
// AttentionWriter: what narrow and wide blocks have in common, one method per step
// (AttentionBlock.h).
#ifndef SLUICE_LIB_TARGET_CPU_ATTENTIONWRITER_H
#define SLUICE_LIB_TARGET_CPU_ATTENTIONWRITER_H

#include "lib/Target/CPU/AttentionBlock.h"

namespace sluice::cpu {

inline constexpr int64_t kCut = SLUICE_CUT_KEYS;
inline constexpr int64_t kCutTiles = kCut / KVTile::kSlots;

class AttentionWriter {
public:
  AttentionWriter(KernelBuilder &k, mlir::ModuleOp module, const AttentionVariant &variant,
                  const AttentionOperands &a, const AttentionScratch &scratch, Val seq, Val row,
                  Val rows, Val kvHead, Val firstHead, Val queries);

  /// Queries that are worked on together, one per lane of their state.
  struct Group {
    int64_t size;
    Val first; ///< its first query
    Val state; ///< of its lanes in arrays per group
  };
  /// Tiles of the cut's list, [first, end).
  struct Run {
    Val first, end;
  };

  /// The run of keys that the block may see, in |firstKey| and |endKey|; pages are checked.
  void findKeys();
  /// Fills the list of tiles of the cut at |firstKey| that one of the block's rows may see, and
  /// where they start; gives their number.
  Val listTiles(Val firstKey);
  /// Which of the list's tiles the group sees; sets |wholes|.
  Run findRun(const Group &group, Val firstKey, Val tiles);

  void packQueries(const Group &group);
  void clearState(const Group &group);
  /// Cap, biases and mask, on the scores of tiles that need it.
  void modifyScores(const Group &group, Val firstKey, Run run);
  void writeSoftmax(const Group &group, Run run);
  void mergeSums(const Group &group);
  /// The values of tile |t| of the list join |sums| (per query and vector); a slot that is hidden
  /// is not multiplied by zero but left out, because it may hold anything. |load| gives the 16
  /// channels of a vector in a slot.
  llvm::SmallVector<Val> addHidden(const Group &group, Val t, int64_t vectors, Val firstVector,
                                   llvm::ArrayRef<Val> sums,
                                   llvm::function_ref<Val(Val t, Val slot, Val vector)> load);
  /// Merges the sums of a cut into the outputs.
  void storeAll(const Group &group, int64_t vectors, Val firstVector, llvm::ArrayRef<Val> sums);
  void writeResults(const Group &group);

  /// Row of the step, and head of the model, of query |q|; beyond the last query, that one again.
  Val rowOf(Val q);
  Val headOf(Val q);
  /// |row| as token of its sequence.
  Val tokenOf(Val row) { return sequence.past + (row - sequence.firstRow); }
  Val queryAt(const Group &group) { return group.first * variant.keyStride(); }
  Val outputAt(const Group &group) { return group.first * variant.valueStride(); }
  Val scoreAt(const Group &group, Val tile) { return tile * (group.size * kLanes); }

  KernelBuilder &k;
  mlir::ModuleOp module;
  const AttentionVariant &variant;
  const KVTile &tile;
  const AttentionOperands &a;
  const AttentionScratch &scratch;
  Val seq, row, rows, kvHead, firstHead, queries;
  MaskSequence sequence;
  Val firstKey, endKey;

private:
  MaskSequence makeSequence();
  MaskCode mask() { return MaskCode(k, variant.mask, sequence); }
  void checkPages();
  Val number(Val array, Val at) { return k.toIndex(k.load(array, at)); }
  Val wordOfTile(Val number);
  Val biased(Val score, Val q, Val i, Val j, Val seen);
  Val relativeBias(Val head, Val i, Val j);
  Val pairBias(Val head, Val i, Val j, Val seen);
};

} // namespace sluice::cpu

#endif
