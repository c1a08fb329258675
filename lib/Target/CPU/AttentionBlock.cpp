// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/AttentionBlock.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/RowLoops.h"

#include <limits>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

static constexpr int64_t kCut = SLUICE_CUT_KEYS;
static constexpr int64_t kCutTiles = kCut / KVTile::kSlots;
static constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

AttentionScratch::AttentionScratch(KernelBuilder &k, const AttentionVariant &variant,
                                   int64_t count) {
  queries = k.scratch(k.f32Type(), variant.tile.keySize * count);
  scores = k.scratch(k.f32Type(), kCut * count);
  tiles = k.scratch(k.builder().getIndexType(), kCutTiles);
  outputs = k.scratch(k.f32Type(), llvm::alignTo(variant.tile.valueSize, kLanes) * count);
  visible = k.scratch(k.i32Type(), kLanes);
  for (Val *lanes : {&maxima, &sums, &cutMaxima, &cutSums, &keep, &take})
    *lanes = k.scratch(k.f32Type(), kLanes);
}

namespace {

class BlockWriter {
public:
  BlockWriter(KernelBuilder &k, ModuleOp module, const AttentionVariant &variant,
              const AttentionOperands &a, const AttentionScratch &scratch, int64_t rows, Val seq,
              Val row, Val last, Val kvHead, Val firstHead)
      : k(k), module(module), variant(variant), tile(variant.tile), a(a), scratch(scratch),
        rows(rows), heads(variant.headsPerBlock()), queries(rows * heads), seq(seq), row(row),
        last(last), kvHead(kvHead), firstHead(firstHead) {}

  void write();

private:
  //===-- Steps, in order
  void countVisible();
  void checkPages();
  void packQueries();
  void clearState();
  void writeCut(Val firstKey);
  void findTiles(Val firstTile, Val count);
  void writeScores(Val tiles);
  void writeSoftmax(Val firstKey);
  void mergeSums(Val firstKey);
  void writeValues(Val firstKey);
  void writeChannels(Val firstKey, int64_t firstVector, int64_t vectors);
  void writeResults();

  //===-- Details
  Val number(Val array, Val at) { return k.toIndex(k.load(array, at)); }
  /// Head of the model that query |q| of the block is; beyond the group, its last one again.
  Val headOf(int64_t q);
  int64_t rowOf(int64_t q) const { return q / heads; }
  /// Row |r| of the block; beyond the last one, that one again, which gives its results again.
  Val rowAt(int64_t r) { return r == 0 ? row : k.min(row + r, last); }
  /// How many of the cut's keys row |r| of the block sees.
  Val seenInCut(int64_t r, Val firstKey);
  /// The one or two f32 vectors in 16 words.
  SmallVector<Val, 2> numbersIn(Val words);
  int64_t outputAt(int64_t q, int64_t vector) const {
    return q * llvm::alignTo(tile.valueSize, kLanes) + vector * kLanes;
  }
  Val loadValues(Val at, int64_t vector);
  int64_t lanesOf(int64_t vector) const {
    return std::min<int64_t>(kLanes, tile.valueSize - vector * kLanes);
  }

  KernelBuilder &k;
  ModuleOp module;
  const AttentionVariant &variant;
  const KVTile &tile;
  const AttentionOperands &a;
  const AttentionScratch &scratch;
  int64_t rows, heads, queries;
  Val seq, row, last, kvHead, firstHead;

  SmallVector<Val> seen; ///< keys that each row of the block sees
};

Val BlockWriter::headOf(int64_t q) {
  Val inGroup = k.min(firstHead + q % heads, k.index(variant.group - 1));
  return kvHead * variant.group + inGroup;
}

void BlockWriter::countVisible() {
  Val first = number(a.rowStart, seq);
  Val before = variant.paged ? number(a.past, seq) : k.index(0);
  for (int64_t r = 0; r < rows; ++r)
    seen.push_back(variant.causal ? before + (rowAt(r) - first) + 1
                                  : before + number(a.rowStart, seq + 1) - first);
  if (variant.paged)
    checkPages();
  Val visible = k.splatI32(0);
  for (int64_t r = 0; r < rows; ++r) {
    Val lane = k.iota();
    Val mine = (lane >= k.splatI32(static_cast<int32_t>(r * heads))) &
               (lane < k.splatI32(static_cast<int32_t>((r + 1) * heads)));
    visible = k.select(mine, k.broadcast(k.toI32(seen[r])), visible);
  }
  k.store(visible, scratch.visible, 0);
}

/// Every page that the block will read is in the table and in the pool; else nothing is visible,
/// and the step ends in a trap record.
void BlockWriter::checkPages() {
  Val slots = a.tilesPerPage * KVTile::kSlots;
  Val needed = k.ceilDiv(seen.back(), slots);
  Val first = number(a.pageStart, seq), entries = number(a.pageStart, seq + 1) - first;
  Val code = k.i32(SLUICE_TRAP_PAGE);
  Val enough = needed <= entries;
  k.ifThen(enough == k.i1(false),
           [&] { emitTrap(k, module, a.trap, code, a.location, needed - 1, entries); });
  Val readable = k.select(enough, needed, k.index(0));
  SmallVector<Val> good =
      k.forLoop(0, readable, 1, {enough}, [&](Val i, ArrayRef<Val> good) -> SmallVector<Val> {
        Val page = number(a.pageTable, first + i);
        Val inside = (page >= 0) & (page < a.pageCount);
        k.ifThen(inside == k.i1(false),
                 [&] { emitTrap(k, module, a.trap, code, a.location, page, a.pageCount); });
        return {good[0] & inside};
      });
  for (Val &keys : seen)
    keys = k.select(good[0], keys, k.index(0));
}

void BlockWriter::packQueries() {
  SmallVector<Val> from;
  for (int64_t q = 0; q < queries; ++q)
    from.push_back(rowAt(rowOf(q)) * a.queryRow + headOf(q) * a.queryHead);
  k.forLoop(0, tile.keySize, 1, [&](Val d) {
    for (int64_t q = 0; q < queries; ++q)
      k.store(k.load(a.query, from[q] + d), scratch.queries, d * queries + q);
  });
}

void BlockWriter::clearState() {
  k.store(k.splat(kMinusInfinity), scratch.maxima, 0);
  k.store(k.splat(0), scratch.sums, 0);
  k.store(k.splat(0), scratch.cutMaxima, 0);
  k.store(k.splat(0), scratch.cutSums, 0);
  k.forLoop(0, outputAt(queries, 0), kLanes,
            [&](Val i) { k.store(k.splat(0), scratch.outputs, i); });
}

Val BlockWriter::seenInCut(int64_t r, Val firstKey) {
  Val left = k.min(seen[r] - firstKey, k.index(kCut));
  return rows == 1 ? left : k.max(left, k.index(0));
}

void BlockWriter::findTiles(Val firstTile, Val count) {
  if (!variant.paged) {
    Val first =
        a.tilesPerHead * kvHead + number(a.rowStart, seq) / KVTile::kSlots + seq + firstTile;
    return k.forLoop(0, count, 1,
                     [&](Val i) { k.store((first + i) * tile.words(), scratch.tiles, i); });
  }
  Val entries = number(a.pageStart, seq);
  k.forLoop(0, count, 1, [&](Val i) {
    Val t = firstTile + i;
    Val page = number(a.pageTable, entries + t / a.tilesPerPage);
    Val at =
        ((a.layer * a.pageCount + page) * a.kvHeads + kvHead) * a.tilesPerPage + t % a.tilesPerPage;
    k.store(at * tile.words(), scratch.tiles, i);
  });
}

SmallVector<Val, 2> BlockWriter::numbersIn(Val words) {
  if (tile.group == 1)
    return {words};
  return {k.pairFirst(words), k.pairSecond(words)};
}

void BlockWriter::writeScores(Val tiles) {
  // Few queries alone would wait for their own sums: then several tiles are under way at once.
  int64_t together =
      llvm::bit_floor<uint64_t>(std::clamp<int64_t>(variant.accumulators * 2 / 3 / queries, 1, 8));
  Val last = tiles - 1;
  k.forLoop(0, tiles, together, [&](Val first) {
    SmallVector<Val> at;
    for (int64_t t = 0; t < together; ++t)
      at.push_back(k.load(scratch.tiles, k.min(first + t, last)));
    // One step of every chain: channels from |channel| on, the first |count| of their words.
    auto step = [&](Val channel, int64_t count, ArrayRef<Val> sums) {
      SmallVector<Val> next(sums);
      SmallVector<SmallVector<Val, 2>> keys;
      for (Val start : at)
        keys.push_back(
            numbersIn(k.loadVector(a.words, start + channel / tile.group * KVTile::kSlots)));
      for (int64_t c = 0; c < count; ++c)
        for (int64_t q = 0; q < queries; ++q) {
          Val x = k.broadcastLoad(scratch.queries, (channel + c) * queries + q);
          for (int64_t t = 0; t < together; ++t)
            next[t * queries + q] = k.fma(x, keys[t][c], next[t * queries + q]);
        }
      return next;
    };
    SmallVector<Val> sums(queries * together, k.splat(0));
    int64_t whole = tile.keySize / tile.group * tile.group;
    sums = k.reductionLoop(0, whole, tile.group, sums, [&](Val channel, ArrayRef<Val> sums) {
      return step(channel, tile.group, sums);
    });
    if (whole < tile.keySize)
      sums = step(k.index(whole), 1, sums);
    for (int64_t t = 0; t < together; ++t)
      for (int64_t q = 0; q < queries; ++q)
        k.store(sums[t * queries + q] * a.scale, scratch.scores,
                (first + t) * KVTile::kSlots + q * kCut);
  });
}

void BlockWriter::writeSoftmax(Val firstKey) {
  for (int64_t r = 0; r < rows; ++r) {
    Val keys = seenInCut(r, firstKey);
    auto softmax = [&](int64_t q) {
      Val at = k.index(q * kCut);
      // Hidden keys may hold anything; a NaN of a visible one comes back out of exp.
      SmallVector<Val> top =
          k.forLoop(0, keys, kLanes, {k.splat(kMinusInfinity)},
                    [&](Val i, ArrayRef<Val> top) -> SmallVector<Val> {
                      Val score = k.loadVector(scratch.scores, at + i);
                      score = k.select(k.firstLanes(keys - i), score, k.splat(kMinusInfinity));
                      return {k.max(score, top[0])};
                    });
      Val maximum = k.laneMax(top[0]);
      SmallVector<Val> sum = k.forLoop(
          0, keys, kLanes, {k.splat(0)}, [&](Val i, ArrayRef<Val> sum) -> SmallVector<Val> {
            Val weight = exp(k, k.loadVector(scratch.scores, at + i) - maximum);
            weight = k.select(k.firstLanes(keys - i), weight, k.splat(0));
            k.store(weight, scratch.scores, at + i);
            return {sum[0] + weight};
          });
      k.store(maximum, scratch.cutMaxima, q);
      k.store(k.laneSum(sum[0]), scratch.cutSums, q);
    };
    for (int64_t q = r * heads; q < (r + 1) * heads; ++q)
      softmax(q);
  }
}

/// All queries at once, one per lane; a query that sees nothing of the cut skips it.
void BlockWriter::mergeSums(Val firstKey) {
  auto lanes = [&](Val array) { return k.loadVector(array, 0); };
  Val active = lanes(scratch.visible) > k.toI32(firstKey);
  Val before = lanes(scratch.maxima), cut = lanes(scratch.cutMaxima);
  Val now = k.max(before, cut);
  Val keep = exp(k, before - now), take = exp(k, cut - now);
  Val sums = k.fma(lanes(scratch.sums), keep, lanes(scratch.cutSums) * take);
  k.store(k.select(active, now, before), scratch.maxima, 0);
  k.store(k.select(active, sums, lanes(scratch.sums)), scratch.sums, 0);
  k.store(keep, scratch.keep, 0);
  k.store(take, scratch.take, 0);
}

Val BlockWriter::loadValues(Val at, int64_t vector) {
  Val start = at + vector * kLanes;
  int64_t lanes = lanesOf(vector);
  return lanes == kLanes ? k.loadVector(a.words, start)
                         : k.maskedLoad(a.words, start, k.firstLanes(k.index(lanes)));
}

void BlockWriter::writeChannels(Val firstKey, int64_t firstVector, int64_t vectors) {
  auto sumOf = [&](int64_t q, int64_t v) { return q * vectors + v; };
  // Tiles that every query sees whole.
  Val common = seenInCut(0, firstKey) / KVTile::kSlots;
  SmallVector<Val> sums(queries * vectors, k.splat(0));
  sums = k.reductionLoop(0, common, 1, sums, [&](Val t, ArrayRef<Val> sums) {
    Val at = k.load(scratch.tiles, t) + tile.keyWords();
    return k.reductionLoop(0, KVTile::kSlots, tile.group, sums, [&](Val slot, ArrayRef<Val> sums) {
      SmallVector<Val> next(sums);
      for (int64_t v = 0; v < vectors; ++v) {
        Val words = loadValues(at + slot / tile.group * tile.valueSize, firstVector + v);
        for (auto [i, values] : llvm::enumerate(numbersIn(words)))
          for (int64_t q = 0; q < queries; ++q) {
            Val weight = k.broadcastLoad(scratch.scores, t * KVTile::kSlots + slot +
                                                             (q * kCut + static_cast<int64_t>(i)));
            Val &sum = next[sumOf(q, v)];
            sum = k.fma(weight, values, sum);
          }
      }
      return next;
    });
  });
  // The rest slot by slot, for each row as far as it sees: what is behind may be anything.
  for (int64_t r = 0; r < rows; ++r) {
    int64_t first = sumOf(r * heads, 0), count = heads * vectors;
    SmallVector<Val> mine(ArrayRef(sums).slice(first, count));
    mine = k.reductionLoop(common * KVTile::kSlots, seenInCut(r, firstKey), 1, mine,
                           [&](Val slot, ArrayRef<Val> sums) {
                             SmallVector<Val> next(sums);
                             Val inTile = slot % KVTile::kSlots;
                             Val at = k.load(scratch.tiles, slot / KVTile::kSlots) +
                                      tile.keyWords() + inTile / tile.group * tile.valueSize;
                             for (int64_t v = 0; v < vectors; ++v) {
                               Val values = loadValues(at, firstVector + v);
                               if (tile.group == 2) {
                                 // The second of a pair stands in the high half.
                                 Val shift = k.toI32(slot % 2 * 16);
                                 values = k.bitcast((values >> shift) << 16, k.f32Type());
                               }
                               for (int64_t h = 0; h < heads; ++h) {
                                 Val weight =
                                     k.broadcastLoad(scratch.scores, slot + (r * heads + h) * kCut);
                                 Val &sum = next[h * vectors + v];
                                 sum = k.fma(weight, values, sum);
                               }
                             }
                             return next;
                           });
    std::copy(mine.begin(), mine.end(), sums.begin() + first);
  }
  for (int64_t q = 0; q < queries; ++q) {
    Val keep = k.load(scratch.keep, q), take = k.load(scratch.take, q);
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t at = outputAt(q, firstVector + v);
      Val before = k.loadVector(scratch.outputs, at);
      Val now = k.fma(before, k.broadcast(keep), sums[sumOf(q, v)] * take);
      if (rows > 1)
        now = k.select(seen[rowOf(q)] > firstKey, now, before);
      k.store(now, scratch.outputs, at);
    }
  }
}

void BlockWriter::writeValues(Val firstKey) {
  int64_t all = llvm::divideCeil(tile.valueSize, kLanes);
  int64_t most = std::clamp<int64_t>(variant.accumulators / queries, 1, all);
  int64_t parts = llvm::divideCeil(all, most), each = llvm::divideCeil(all, parts);
  for (int64_t first = 0; first < all; first += each)
    writeChannels(firstKey, first, std::min(each, all - first));
}

void BlockWriter::writeCut(Val firstKey) {
  Val keys = k.min(seen.back() - firstKey, k.index(kCut));
  Val tiles = k.ceilDiv(keys, KVTile::kSlots);
  findTiles(firstKey / KVTile::kSlots, tiles);
  writeScores(tiles);
  writeSoftmax(firstKey);
  mergeSums(firstKey);
  writeValues(firstKey);
}

void BlockWriter::writeResults() {
  for (int64_t q = 0; q < queries; ++q) {
    Val at = rowAt(rowOf(q)) * a.resultRow + headOf(q) * a.resultHead;
    Val sum = k.load(scratch.sums, q), some = seen[rowOf(q)] > 0;
    for (int64_t v = 0; v * kLanes < tile.valueSize; ++v) {
      Val output = k.loadVector(scratch.outputs, outputAt(q, v)) / sum;
      output = roundTo(k.select(some, output, k.splat(0)), variant.round);
      int64_t count = lanesOf(v);
      Lanes lanes{k.index(v * kLanes), count == kLanes ? Val() : k.firstLanes(k.index(count))};
      lanes.store(output, a.result, at);
    }
  }
}

void BlockWriter::write() {
  countVisible();
  packQueries();
  clearState();
  k.forLoop(0, seen.back(), kCut, [&](Val firstKey) { writeCut(firstKey); });
  writeResults();
}

} // namespace

void emitAttentionBlock(KernelBuilder &k, ModuleOp module, const AttentionVariant &variant,
                        const AttentionOperands &operands, const AttentionScratch &scratch,
                        int64_t rows, Val seq, Val row, Val last, Val kvHead, Val firstHead) {
  BlockWriter(k, module, variant, operands, scratch, rows, seq, row, last, kvHead, firstHead)
      .write();
}

} // namespace sluice::cpu
