// SPDX-License-Identifier: Apache-2.0
//
// AttentionMask: what a mask says about a block of queries and a tile of keys (nothing, all, or
// some of it is visible), and which keys of a tile one query sees. Masks combine by and/or: so do
// both answers.
#ifndef SLUICE_LIB_TARGET_CPU_ATTENTIONMASK_H
#define SLUICE_LIB_TARGET_CPU_ATTENTIONMASK_H

#include "dialects/Sluice/Sluice.h"
#include "lib/Target/CPU/KernelBuilder.h"

namespace sluice::cpu {

/// The sequence that a mask is asked about. Tokens (queries i and keys j) are counted from its
/// start, cached ones included; all of type index.
struct MaskSequence {
  Val past;              ///< keys from before this step
  Val keys;              ///< all keys; none is visible behind them
  Val firstRow;          ///< of the step's rows, the first one of the sequence
  Val window;            ///< index; may be empty
  Val prefix;            ///< index; may be empty
  Val segments, parents; ///< i32 per row of the step; may be empty
};

class MaskCode {
public:
  MaskCode(KernelBuilder &k, MaskAttrInterface mask, const MaskSequence &sequence)
      : k(k), mask(mask), s(sequence) {}

  struct Seen {
    Val some, all; ///< i1; |some| may be set without need, |all| may be clear without need
  };
  /// Of keys [j0, j1] by queries [i0, i1].
  Seen seen(Val i0, Val i1, Val j0, Val j1) const;
  /// vector<16xi1>: the keys j, j + 1, ... that query i sees.
  Val lanes(Val i, Val j) const;
  /// No query in [i0, i1] sees a key outside of [first, end).
  Val firstKey(Val i0) const;
  Val endKey(Val i1) const;

private:
  Seen seenBy(mlir::Attribute mask, Val i0, Val i1, Val j0, Val j1) const;
  Seen seenInSegments(Val i0, Val i1, Val j0, Val j1) const;
  Val lanesOf(mlir::Attribute mask, Val i, Val j) const;
  Val lanesOfSegment(Val i, Val j) const;
  Val lanesOfTree(Val i, Val j) const;
  Val firstKeyOf(mlir::Attribute mask, Val i0) const;
  Val endKeyOf(mlir::Attribute mask, Val i1) const;
  /// Least and largest segment of tokens [first, last], both of this step.
  std::pair<Val, Val> segmentsOf(Val first, Val last) const;
  Val rowOf(Val token) const { return s.firstRow + (token - s.past); }
  Val splat(Val number) const { return k.broadcast(k.toI32(number)); }

  KernelBuilder &k;
  MaskAttrInterface mask;
  MaskSequence s;
};

} // namespace sluice::cpu

#endif
