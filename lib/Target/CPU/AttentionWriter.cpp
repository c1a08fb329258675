// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/AttentionWriter.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/RowLoops.h"

#include <limits>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

AttentionWriter::AttentionWriter(KernelBuilder &k, ModuleOp module, const AttentionVariant &variant,
                                 const AttentionOperands &a, const AttentionScratch &scratch,
                                 Val seq, Val row, Val rows, Val kvHead, Val firstHead, Val queries)
    : k(k), module(module), variant(variant), tile(variant.tile), a(a), scratch(scratch), seq(seq),
      row(row), rows(rows), kvHead(kvHead), firstHead(firstHead), queries(queries),
      sequence(makeSequence()) {}

MaskSequence AttentionWriter::makeSequence() {
  MaskSequence s;
  s.firstRow = number(a.rowStart, seq);
  s.past = variant.paged ? number(a.past, seq) : k.index(0);
  s.keys = s.past + number(a.rowStart, seq + 1) - s.firstRow;
  s.window = a.window;
  if (a.prefixes)
    s.prefix = number(a.prefixes, seq);
  s.segments = a.segments;
  s.parents = a.parents;
  return s;
}

Val AttentionWriter::rowOf(Val q) {
  return row + (firstHead + k.min(q, queries - 1)) / k.index(variant.group);
}

Val AttentionWriter::headOf(Val q) {
  return kvHead * variant.group + (firstHead + k.min(q, queries - 1)) % k.index(variant.group);
}

//===-- Keys
//--------------------------------------------------------------------------------------===//

void AttentionWriter::findKeys() {
  MaskCode mask = this->mask();
  firstKey = k.max(mask.firstKey(tokenOf(row)), k.index(0)) / kCut * kCut;
  endKey = k.max(mask.endKey(tokenOf(row + rows - 1)), k.index(0));
  if (variant.paged)
    checkPages();
}

/// Every page that the block will read is in the table and in the pool; else nothing is visible,
/// and the step ends in a trap record.
void AttentionWriter::checkPages() {
  Val slots = a.tilesPerPage * KVTile::kSlots;
  Val needed = k.ceilDiv(endKey, slots);
  Val first = number(a.pageStart, seq), entries = number(a.pageStart, seq + 1) - first;
  Val code = k.i32(SLUICE_TRAP_PAGE);
  Val enough = needed <= entries;
  k.ifThen(enough == k.i1(false),
           [&] { emitTrap(k, module, a.trap, code, a.location, needed - 1, entries); });
  Val readable = k.select(enough, needed, k.index(0));
  SmallVector<Val> good =
      k.forLoop(k.min(firstKey / slots, readable), readable, 1, {enough},
                [&](Val i, ArrayRef<Val> good) -> SmallVector<Val> {
                  Val page = number(a.pageTable, first + i);
                  Val inside = (page >= 0) & (page < a.pageCount);
                  k.ifThen(inside == k.i1(false), [&] {
                    emitTrap(k, module, a.trap, code, a.location, page, a.pageCount);
                  });
                  return {good[0] & inside};
                });
  endKey = k.select(good[0], endKey, k.index(0));
}

/// Where tile |number| of the sequence starts.
Val AttentionWriter::wordOfTile(Val t) {
  if (!variant.paged)
    return (a.tilesPerHead * kvHead + sequence.firstRow / KVTile::kSlots + seq + t) * tile.words();
  Val page = number(a.pageTable, number(a.pageStart, seq) + t / a.tilesPerPage);
  Val at =
      ((a.layer * a.pageCount + page) * a.kvHeads + kvHead) * a.tilesPerPage + t % a.tilesPerPage;
  return at * tile.words();
}

Val AttentionWriter::listTiles(Val cut) {
  MaskCode mask = this->mask();
  Val i0 = tokenOf(row), i1 = tokenOf(row + rows - 1);
  Val count = k.ceilDiv(k.min(endKey - cut, k.index(kCut)), KVTile::kSlots);
  return k.forLoop(0, count, 1, {k.index(0)}, [&](Val t, ArrayRef<Val> n) -> SmallVector<Val> {
    Val j = cut + t * KVTile::kSlots;
    Val some = mask.seen(i0, i1, j, j + (KVTile::kSlots - 1)).some;
    k.ifThen(some, [&] {
      k.store(t, scratch.tiles, n[0]);
      k.store(wordOfTile(j / KVTile::kSlots), scratch.tileWords, n[0]);
    });
    return {n[0] + k.toIndex(some)};
  })[0];
}

AttentionWriter::Run AttentionWriter::findRun(const Group &group, Val cut, Val tiles) {
  MaskCode mask = this->mask();
  Val i0 = tokenOf(rowOf(group.first)), i1 = tokenOf(rowOf(group.first + (group.size - 1)));
  SmallVector<Val> run = k.forLoop(
      0, tiles, 1, {tiles, k.index(0)}, [&](Val t, ArrayRef<Val> run) -> SmallVector<Val> {
        Val j = cut + k.load(scratch.tiles, t) * KVTile::kSlots;
        MaskCode::Seen seen = mask.seen(i0, i1, j, j + (KVTile::kSlots - 1));
        k.store(k.toI32(k.toIndex(seen.all)), scratch.wholes, t);
        return {k.select(seen.some, k.min(run[0], t), run[0]), k.select(seen.some, t + 1, run[1])};
      });
  return {run[0], run[1]};
}

//===-- Queries and state
//-------------------------------------------------------------------------===//

void AttentionWriter::packQueries(const Group &group) {
  Val into = queryAt(group);
  k.forLoop(0, group.size, 1, [&](Val q) {
    Val from = rowOf(group.first + q) * a.queryRow + headOf(group.first + q) * a.queryHead;
    forLanes(k, k.index(tile.keySize), [&](Lanes lanes) {
      k.store(lanes.load(a.query, from), scratch.queries, into + lanes.i * group.size + q * kLanes);
    });
  });
}

void AttentionWriter::clearState(const Group &group) {
  k.store(k.splat(kMinusInfinity), scratch.maxima, group.state);
  k.store(k.splat(0), scratch.sums, group.state);
  k.store(k.splatI32(0), scratch.ever, group.state);
  if (a.sinks)
    k.forLoop(0, group.size, 1, [&](Val q) {
      k.store(k.load(a.sinks, headOf(group.first + q)), scratch.maxima, group.state + q);
      k.store(k.f32(1), scratch.sums, group.state + q);
    });
}

//===-- Scores
//------------------------------------------------------------------------------------===//

Val AttentionWriter::relativeBias(Val head, Val i, Val j) {
  Val first = j - i + a.biasKeys / 2, at = head * a.biasKeys, last = a.biasKeys - 1;
  return k.choose((first >= 0) & (first + (kLanes - 1) <= last),
                  [&]() -> SmallVector<Val> { return {k.loadVector(a.bias, at + first)}; },
                  [&]() -> SmallVector<Val> {
                    k.forLoop(0, kLanes, 1, [&](Val lane) {
                      Val clamped = k.max(k.min(first + lane, last), k.index(0));
                      k.store(k.load(a.bias, at + clamped), scratch.biases, lane);
                    });
                    return {k.loadVector(scratch.biases, 0)};
                  })[0];
}

/// Pairs outside of the table are a trap when they are visible.
Val AttentionWriter::pairBias(Val head, Val i, Val j, Val seen) {
  Val known = k.firstLanes(a.biasKeys - j);
  Val inRows = i < a.biasRows;
  Val outside = k.select(inRows, seen & (known == k.firstLanes(k.index(0))), seen);
  k.ifThen(k.anyLane(outside) != k.i32(0), [&] {
    emitTrap(k, module, a.trap, k.i32(SLUICE_TRAP_POSITION), a.location,
             k.select(inRows, k.max(j, a.biasKeys), i), k.select(inRows, a.biasKeys, a.biasRows));
  });
  Val at = (head * a.biasRows + k.min(i, a.biasRows - 1)) * a.biasKeys;
  return k.maskedLoad(a.bias, at + j, known);
}

Val AttentionWriter::biased(Val score, Val q, Val i, Val j, Val seen) {
  if (variant.softcap)
    score = tanh(k, score * a.inverseCap) * a.cap;
  if (a.slopes) {
    Val distance = k.toF32(k.iota() + k.broadcast(k.toI32(j - i)));
    score = k.fma(k.load(a.slopes, headOf(q)), distance, score);
  }
  if (variant.biasRank == 2)
    score = score + relativeBias(headOf(q), i, j);
  if (variant.biasRank == 3)
    score = score + pairBias(headOf(q), i, j, seen);
  return score;
}

void AttentionWriter::modifyScores(const Group &group, Val cut, Run run) {
  MaskCode mask = this->mask();
  SmallVector<Val> whole = k.forLoop(run.first, run.end, 1, {k.i32(0), k.i32(1)},
                                     [&](Val t, ArrayRef<Val> whole) -> SmallVector<Val> {
                                       Val is = k.load(scratch.wholes, t);
                                       return {whole[0] | is, whole[1] & is};
                                     });
  // Who sees a tile whole is active; the others are when a lane of theirs is visible.
  k.store(k.broadcast(whole[0]), scratch.active, 0);
  auto modify = [&] {
    k.forLoop(run.first, run.end, 1, [&](Val t) {
      Val j = cut + k.load(scratch.tiles, t) * KVTile::kSlots;
      auto modifyTile = [&] {
        k.forLoop(0, group.size, 1, [&](Val q) {
          Val at = scoreAt(group, t) + q * kLanes;
          Val i = tokenOf(rowOf(group.first + q));
          Val seen = mask.lanes(i, j);
          Val score = biased(k.loadVector(scratch.scores, at), group.first + q, i, j, seen);
          // Hidden keys may hold anything; a NaN of a visible one comes back out of exp.
          k.store(k.select(seen, score, k.splat(kMinusInfinity)), scratch.scores, at);
          Val bits = k.select(seen, k.splatI32(1), k.splatI32(0));
          k.store(bits, scratch.visible, at);
          k.store(k.anyLane(seen) | k.load(scratch.active, q), scratch.active, q);
        });
      };
      if (variant.modifiesScores())
        modifyTile();
      else
        k.ifThen(k.load(scratch.wholes, t) == k.i32(0), modifyTile);
    });
  };
  if (variant.modifiesScores())
    modify();
  else
    k.ifThen(whole[1] == k.i32(0), modify);
}

/// Some queries at a time, so that one's chain of steps hides in the others'.
void AttentionWriter::writeSoftmax(const Group &group, Run run) {
  constexpr int64_t kTogether = 4;
  for (int64_t first = 0; first < group.size; first += kTogether) {
    int64_t count = std::min(kTogether, group.size - first);
    auto at = [&](Val t, int64_t q) { return scoreAt(group, t) + (first + q) * kLanes; };
    SmallVector<Val> tops(count, k.splat(kMinusInfinity)), sums(count, k.splat(0)), maxima;
    tops = k.forLoop(run.first, run.end, 1, tops, [&](Val t, ArrayRef<Val> tops) {
      SmallVector<Val> next;
      for (int64_t q = 0; q < count; ++q)
        next.push_back(k.max(k.loadVector(scratch.scores, at(t, q)), tops[q]));
      return next;
    });
    for (Val top : tops)
      maxima.push_back(k.laneMax(top));
    sums = k.forLoop(run.first, run.end, 1, sums, [&](Val t, ArrayRef<Val> sums) {
      SmallVector<Val> next;
      for (int64_t q = 0; q < count; ++q) {
        Val score = k.loadVector(scratch.scores, at(t, q));
        Val weight = weightOf(k, score - maxima[q], variant.scales);
        k.store(weight, scratch.scores, at(t, q));
        next.push_back(sums[q] + weight);
      }
      return next;
    });
    for (int64_t q = 0; q < count; ++q) {
      k.store(maxima[q], scratch.cutMaxima, first + q);
      k.store(k.laneSum(sums[q]), scratch.cutSums, first + q);
    }
  }
}

/// All queries at once, one per lane; a query that sees nothing of the cut skips it.
void AttentionWriter::mergeSums(const Group &group) {
  Val active = k.loadVector(scratch.active, 0) != 0;
  Val ever = k.loadVector(scratch.ever, group.state);
  Val before = k.loadVector(scratch.maxima, group.state), cut = k.loadVector(scratch.cutMaxima, 0);
  Val sumBefore = k.loadVector(scratch.sums, group.state);
  Val now = k.max(before, cut);
  Val keep = weightOf(k, before - now, variant.scales);
  Val take = weightOf(k, cut - now, variant.scales);
  Val sums = k.fma(sumBefore, keep, k.loadVector(scratch.cutSums, 0) * take);
  k.store(k.select(active, now, before), scratch.maxima, group.state);
  k.store(k.select(active, sums, sumBefore), scratch.sums, group.state);
  k.store(k.select(active, k.splatI32(1), ever), scratch.ever, group.state);
  k.store(ever, scratch.before, 0);
  k.store(keep, scratch.keep, 0);
  k.store(take, scratch.take, 0);
}

//===-- Values and results
//------------------------------------------------------------------------===//

SmallVector<Val>
AttentionWriter::addHidden(const Group &group, Val t, int64_t vectors, Val firstVector,
                           ArrayRef<Val> sums,
                           llvm::function_ref<Val(Val t, Val slot, Val vector)> load) {
  Val whole = k.load(scratch.wholes, t) != k.i32(0);
  return k.reductionLoop(0, KVTile::kSlots, 1, sums, [&](Val slot, ArrayRef<Val> sums) {
    SmallVector<Val> next(sums), channels;
    for (int64_t v = 0; v < vectors; ++v)
      channels.push_back(load(t, slot, firstVector + v));
    for (int64_t q = 0; q < group.size; ++q) {
      Val at = scoreAt(group, t) + slot + q * kLanes;
      Val weight = k.broadcastLoad(scratch.scores, at);
      Val seen = whole | (k.load(scratch.visible, at) != k.i32(0));
      for (int64_t v = 0; v < vectors; ++v) {
        Val &sum = next[q * vectors + v];
        sum = k.select(seen, k.fma(weight, channels[v], sum), sum);
      }
    }
    return next;
  });
}

void AttentionWriter::storeAll(const Group &group, int64_t vectors, Val firstVector,
                               ArrayRef<Val> sums) {
  for (int64_t q = 0; q < group.size; ++q) {
    Val keep = k.broadcast(k.load(scratch.keep, q)), take = k.load(scratch.take, q);
    Val active = k.load(scratch.active, q) != k.i32(0);
    Val isThere = k.load(scratch.before, q) != k.i32(0);
    for (int64_t v = 0; v < vectors; ++v) {
      Val at = outputAt(group) + (firstVector + v) * kLanes + q * variant.valueStride();
      Val before = k.select(isThere, k.loadVector(scratch.outputs, at), k.splat(0));
      Val now = k.fma(before, keep, sums[q * vectors + v] * take);
      k.store(k.select(active, now, before), scratch.outputs, at);
    }
  }
}

void AttentionWriter::writeResults(const Group &group) {
  Val here = k.min(k.index(group.size), queries - group.first);
  k.forLoop(0, here, 1, [&](Val q) {
    Val at = rowOf(group.first + q) * a.resultRow + headOf(group.first + q) * a.resultHead;
    Val sum = k.load(scratch.sums, group.state + q);
    Val some = k.load(scratch.ever, group.state + q) != k.i32(0);
    Val from = outputAt(group) + q * variant.valueStride();
    forLanes(k, k.index(tile.valueSize), [&](Lanes lanes) {
      Val output = k.loadVector(scratch.outputs, from + lanes.i) / sum;
      output = roundTo(k.select(some, output, k.splat(0)), variant.round);
      lanes.store(output, a.result, at);
    });
    if (a.lse) {
      Val total = k.load(scratch.maxima, group.state + q) + log(k, sum);
      Val lse = a.sinks ? total : k.select(some, total, k.f32(kMinusInfinity));
      k.store(lse, a.lse, rowOf(group.first + q) * a.lseRow + headOf(group.first + q));
    }
  });
}

} // namespace sluice::cpu
