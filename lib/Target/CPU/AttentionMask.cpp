// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/AttentionMask.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using llvm::SmallVector;

namespace sluice::cpu {

//===-- Blocks of queries and tiles of keys
//-------------------------------------------------------===//

MaskCode::Seen MaskCode::seen(Val i0, Val i1, Val j0, Val j1) const {
  Seen seen = seenBy(mask, i0, i1, j0, j1);
  seen.some = seen.some & (j0 < s.keys);
  seen.all = seen.all & (j1 < s.keys);
  if (s.window) {
    Val none = s.window <= k.index(0);
    seen.some = seen.some & (none | (i0 - j1 < s.window));
    seen.all = seen.all & (none | (i1 - j0 < s.window));
  }
  return seen;
}

MaskCode::Seen MaskCode::seenBy(Attribute mask, Val i0, Val i1, Val j0, Val j1) const {
  auto combine = [&](ArrayRef<Attribute> masks, auto join) {
    Seen seen = seenBy(masks.front(), i0, i1, j0, j1);
    for (Attribute other : masks.drop_front()) {
      Seen more = seenBy(other, i0, i1, j0, j1);
      seen = {join(seen.some, more.some), join(seen.all, more.all)};
    }
    return seen;
  };
  return llvm::TypeSwitch<Attribute, Seen>(mask)
      .Case([&](AllAttr) { return Seen{k.i1(true), k.i1(true)}; })
      .Case([&](CausalAttr) { return Seen{j0 <= i1, j1 <= i0}; })
      .Case([&](WindowAttr a) { return Seen{i0 - j1 < a.getKeys(), i1 - j0 < a.getKeys()}; })
      .Case([&](AheadAttr a) { return Seen{j0 - i1 <= a.getKeys(), j1 - i0 <= a.getKeys()}; })
      .Case([&](PrefixAttr a) { return Seen{j0 < a.getKeys(), j1 < a.getKeys()}; })
      .Case([&](PrefixesAttr) { return Seen{j0 < s.prefix, j1 < s.prefix}; })
      .Case([&](SegmentAttr) { return seenInSegments(i0, i1, j0, j1); })
      .Case([&](TreeAttr) { return Seen{j0 <= i1, j1 < s.past}; }) // ancestors come before
      .Case([&](AndAttr a) { return combine(a.getMasks(), [](Val x, Val y) { return x & y; }); })
      .Case([&](OrAttr a) { return combine(a.getMasks(), [](Val x, Val y) { return x | y; }); });
}

std::pair<Val, Val> MaskCode::segmentsOf(Val first, Val last) const {
  SmallVector<Val> range = k.forLoop(
      first, last + 1, 1,
      {k.i32(std::numeric_limits<int32_t>::max()), k.i32(std::numeric_limits<int32_t>::min())},
      [&](Val token, llvm::ArrayRef<Val> range) -> SmallVector<Val> {
        Val segment = k.load(s.segments, rowOf(token));
        return {k.min(segment, range[0]), k.max(segment, range[1])};
      });
  return {range[0], range[1]};
}

MaskCode::Seen MaskCode::seenInSegments(Val i0, Val i1, Val j0, Val j1) const {
  Val first = k.max(j0, s.past), last = k.min(j1, s.keys - 1);
  auto [leastQuery, largestQuery] = segmentsOf(i0, i1);
  auto [leastKey, largestKey] = segmentsOf(first, last);
  Val some = (first <= last) & (leastQuery <= largestKey) & (leastKey <= largestQuery);
  Val all = (j0 >= s.past) & (leastQuery == largestQuery) & (leastKey == largestKey) &
            (leastQuery == leastKey);
  return {some, some & all};
}

Val MaskCode::firstKey(Val i0) const {
  Val first = firstKeyOf(mask, i0);
  if (s.window)
    first = k.select(s.window <= k.index(0), first, k.max(first, i0 - s.window + 1));
  return first;
}

Val MaskCode::firstKeyOf(Attribute mask, Val i0) const {
  auto combine = [&](ArrayRef<Attribute> masks, bool largest) {
    Val first = firstKeyOf(masks.front(), i0);
    for (Attribute other : masks.drop_front()) {
      Val more = firstKeyOf(other, i0);
      first = largest ? k.max(first, more) : k.min(first, more);
    }
    return first;
  };
  return llvm::TypeSwitch<Attribute, Val>(mask)
      .Case([&](WindowAttr a) { return k.max(i0 - a.getKeys() + 1, k.index(0)); })
      .Case([&](SegmentAttr) { return s.past; })
      .Case([&](AndAttr a) { return combine(a.getMasks(), true); })
      .Case([&](OrAttr a) { return combine(a.getMasks(), false); })
      .Default([&](Attribute) { return k.index(0); });
}

Val MaskCode::endKey(Val i1) const { return k.min(endKeyOf(mask, i1), s.keys); }

Val MaskCode::endKeyOf(Attribute mask, Val i1) const {
  auto combine = [&](ArrayRef<Attribute> masks, bool largest) {
    Val end = endKeyOf(masks.front(), i1);
    for (Attribute other : masks.drop_front()) {
      Val more = endKeyOf(other, i1);
      end = largest ? k.max(end, more) : k.min(end, more);
    }
    return end;
  };
  return llvm::TypeSwitch<Attribute, Val>(mask)
      .Case<CausalAttr, TreeAttr>([&](Attribute) { return i1 + 1; })
      .Case([&](AheadAttr a) { return i1 + (a.getKeys() + 1); })
      .Case([&](PrefixAttr a) { return k.index(a.getKeys()); })
      .Case([&](PrefixesAttr) { return s.prefix; })
      .Case([&](AndAttr a) { return combine(a.getMasks(), false); })
      .Case([&](OrAttr a) { return combine(a.getMasks(), true); })
      .Default([&](Attribute) { return s.keys; });
}

//===-- One query
//---------------------------------------------------------------------------------===//

Val MaskCode::lanes(Val i, Val j) const {
  Val seen = lanesOf(mask, i, j) & k.firstLanes(s.keys - j);
  if (s.window) {
    // i - j - lane < window, where there is one.
    Val none = s.window <= k.index(0);
    Val least = k.select(none, k.index(0), k.min(i - j - s.window + 1, k.index(kLanes)));
    seen = seen & (k.iota() >= splat(least));
  }
  return seen;
}

Val MaskCode::lanesOf(Attribute mask, Val i, Val j) const {
  auto combine = [&](ArrayRef<Attribute> masks, auto join) {
    Val seen = lanesOf(masks.front(), i, j);
    for (Attribute other : masks.drop_front())
      seen = join(seen, lanesOf(other, i, j));
    return seen;
  };
  return llvm::TypeSwitch<Attribute, Val>(mask)
      .Case([&](AllAttr) { return k.firstLanes(k.index(kLanes)); })
      .Case([&](CausalAttr) { return k.firstLanes(i - j + 1); })
      .Case([&](WindowAttr a) {
        // Clamped before it is narrowed: distances may need more than 32 bits.
        Val least = k.min(i - j - a.getKeys() + 1, k.index(kLanes));
        return k.iota() >= splat(k.max(least, k.index(0)));
      })
      .Case([&](AheadAttr a) { return k.firstLanes(i - j + (a.getKeys() + 1)); })
      .Case([&](PrefixAttr a) { return k.firstLanes(k.index(a.getKeys()) - j); })
      .Case([&](PrefixesAttr) { return k.firstLanes(s.prefix - j); })
      .Case([&](SegmentAttr) { return lanesOfSegment(i, j); })
      .Case([&](TreeAttr) { return lanesOfTree(i, j); })
      .Case([&](AndAttr a) { return combine(a.getMasks(), [](Val x, Val y) { return x & y; }); })
      .Case([&](OrAttr a) { return combine(a.getMasks(), [](Val x, Val y) { return x | y; }); });
}

Val MaskCode::lanesOfSegment(Val i, Val j) const {
  Val isNew = k.iota() >= splat(k.max(k.min(s.past - j, k.index(kLanes)), k.index(0)));
  isNew = isNew & k.firstLanes(s.keys - j);
  // Lanes of other keys are not touched.
  Val keys = k.maskedLoad(s.segments, rowOf(j), isNew);
  return isNew & (keys == k.broadcast(k.load(s.segments, rowOf(i))));
}

/// Follows the parents of i down to the tile; a bit for each key of it that is met.
Val MaskCode::lanesOfTree(Val i, Val j) const {
  Val base = j - s.past; // may be negative: keys from before this step
  Val stop = k.max(base, k.index(0));
  SmallVector<Val> last = k.whileLoop(
      {i - s.past, k.i32(0)}, [&](llvm::ArrayRef<Val> c) { return c[0] >= stop; },
      [&](llvm::ArrayRef<Val> c) -> SmallVector<Val> {
        Val row = c[0], lane = row - base;
        Val inTile = lane < k.index(kLanes);
        Val bit = k.i32(1) << k.toI32(k.select(inTile, lane, k.index(0)));
        Val parent = k.toIndex(k.load(s.parents, s.firstRow + row));
        Val next = k.select((parent >= 0) & (parent < row), parent, k.index(-1));
        return {next, c[1] | k.select(inTile, bit, k.i32(0))};
      });
  Val isMet = ((k.broadcast(last[1]) >> k.iota()) & 1) != 0;
  return isMet | k.firstLanes(s.past - j);
}

} // namespace sluice::cpu
