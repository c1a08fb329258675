// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/AttentionTiles.h"
#include "lib/Target/CPU/AttentionWriter.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

//===-- Shapes
//------------------------------------------------------------------------------------===//

/// Queries of a narrow block: each has a sum per tile in a register, and the state of all of them
/// is worked out in the lanes of one vector.
int64_t AttentionVariant::narrowHeads() const {
  int64_t most = std::clamp<int64_t>(accumulators - 1, 1, 14);
  return llvm::divideCeil(group, llvm::divideCeil(group, most));
}

/// Queries of a wide block: enough that widening a tile is little beside using it.
static constexpr int64_t kWideQueries = 192;
/// Of the 1 MiB that compiled code may use.
static constexpr int64_t kWideBytes = 832 * 1024;

static int64_t wideBytes(const AttentionVariant &v, int64_t queries) {
  return 4 *
         (kCut * (v.tile.keySize + v.valueStride()) + queries * (v.keyStride() + v.valueStride()));
}

int64_t AttentionVariant::wideRows() const {
  int64_t rows = llvm::divideCeil(kWideQueries, group);
  while (rows > 0 && wideBytes(*this, rows * group + manyQueries()) > kWideBytes)
    rows -= llvm::divideCeil(rows, 4);
  return rows;
}

int64_t AttentionVariant::leastWideRows() const {
  // Values that are parts of the keys are turned into panels in any case.
  if (tile.shared)
    return 1;
  return std::max<int64_t>(group > narrowHeads() ? 1 : 2, llvm::divideCeil(4, group));
}

AttentionScratch::AttentionScratch(KernelBuilder &k, const AttentionVariant &variant) {
  Type f32 = k.f32Type(), i32 = k.i32Type(), index = k.builder().getIndexType();
  bool wide = variant.wideRows() > 0;
  int64_t most = variant.narrowHeads(), size = most;
  if (wide) {
    most = std::max(most, variant.manyQueries());
    // Every group may be one of few, and the last one may stand over.
    size = std::max(size, variant.wideRows() * variant.group + variant.manyQueries());
    keys = k.scratch(f32, kCut * variant.tile.keySize);
  }
  if (wide || variant.tile.shared)
    values = k.scratch(f32, kCut * variant.valueStride());
  int64_t groups = wide ? llvm::divideCeil(size, variant.fewQueries()) : 1;
  queries = k.scratch(f32, size * variant.keyStride());
  outputs = k.scratch(f32, size * variant.valueStride());
  // Narrow blocks take up to 8 tiles at once; those behind the last are written and not read.
  scores = k.scratch(f32, (kCut + 7 * kLanes) * most);
  visible = k.scratch(i32, kCut * most);
  tiles = k.scratch(index, kCutTiles);
  tileWords = k.scratch(index, kCutTiles);
  wholes = k.scratch(i32, kCutTiles);
  biases = k.scratch(f32, kLanes);
  maxima = k.scratch(f32, kLanes * groups);
  sums = k.scratch(f32, kLanes * groups);
  ever = k.scratch(i32, kLanes * groups);
  for (Val *lanes : {&cutMaxima, &cutSums, &keep, &take})
    *lanes = k.scratch(f32, kLanes);
  active = k.scratch(i32, kLanes);
  before = k.scratch(i32, kLanes);
}

//===-- Narrow
//------------------------------------------------------------------------------------===//

namespace {

class NarrowWriter : public AttentionWriter {
public:
  using AttentionWriter::AttentionWriter;
  void write();

private:
  void writeScores(const Group &group, Run run);
  void writeValues(const Group &group, Val cut, Run run);
  Val loadValues(Val at, Val vector);
};

void NarrowWriter::writeScores(const Group &group, Run run) {
  // Few queries alone would wait for their own sums: then several tiles are under way at once.
  int64_t size = group.size;
  int64_t together =
      llvm::bit_floor<uint64_t>(std::clamp<int64_t>(variant.accumulators * 2 / 3 / size, 1, 8));
  Val last = run.end - 1;
  k.forLoop(run.first, run.end, together, [&](Val first) {
    SmallVector<Val> at;
    for (int64_t t = 0; t < together; ++t)
      at.push_back(k.load(scratch.tileWords, k.min(first + t, last)));
    // One step of every chain: channels from |channel| on, the first |count| of their words.
    auto step = [&](Val channel, int64_t count, ArrayRef<Val> sums) {
      SmallVector<Val> next(sums);
      SmallVector<SmallVector<Val, 2>> keys;
      for (Val start : at)
        keys.push_back(
            numbersIn(k, tile, k.loadVector(a.words, start + channel / tile.group * kLanes)));
      for (int64_t c = 0; c < count; ++c)
        for (int64_t q = 0; q < size; ++q) {
          Val d = channel + c;
          Val x = k.broadcastLoad(scratch.queries,
                                  d / kLanes * (kLanes * size) + d % kLanes + q * kLanes);
          for (int64_t t = 0; t < together; ++t)
            next[t * size + q] = k.fma(x, keys[t][c], next[t * size + q]);
        }
      return next;
    };
    SmallVector<Val> sums(size * together, k.splat(0));
    int64_t whole = tile.keySize / tile.group * tile.group;
    sums = k.reductionLoop(0, whole, tile.group, sums, [&](Val channel, ArrayRef<Val> sums) {
      return step(channel, tile.group, sums);
    });
    if (whole < tile.keySize)
      sums = step(k.index(whole), 1, sums);
    for (int64_t t = 0; t < together; ++t)
      for (int64_t q = 0; q < size; ++q)
        k.store(sums[t * size + q] * a.scale, scratch.scores,
                scoreAt(group, first + t) + q * kLanes);
  });
}

/// The words of 16 channels; |vector| may be the last one of a tile and not full.
Val NarrowWriter::loadValues(Val at, Val vector) {
  int64_t rest = tile.valueSize % kLanes;
  Val start = at + vector * kLanes;
  if (rest == 0)
    return k.loadVector(a.words, start);
  return k.maskedLoad(a.words, start, k.firstLanes(k.index(tile.valueSize) - vector * kLanes));
}

void NarrowWriter::writeValues(const Group &group, Val cut, Run run) {
  int64_t size = group.size, all = variant.valueStride() / kLanes;
  // Slots that lie together.
  int64_t pair = tile.shared ? 1 : tile.group;
  if (tile.shared)
    k.forLoop(run.first, run.end, 1, [&](Val t) {
      Val first = cut + k.load(scratch.tiles, t) * KVTile::kSlots;
      callTurnTile(k, module, tile, a.words, k.load(scratch.tileWords, t), sequence.keys - first,
                   scratch.values, t * (KVTile::kSlots * kLanes), k.index(kCut * kLanes));
    });
  // The one or two slots from |slot| on, of a tile that starts at |start|.
  auto startOf = [&](Val t) {
    return tile.shared ? t * (KVTile::kSlots * kLanes)
                       : k.load(scratch.tileWords, t) + tile.keyWords();
  };
  auto slotsAt = [&](Val start, Val slot, Val vector) -> SmallVector<Val, 2> {
    if (tile.shared)
      return {k.loadVector(scratch.values, start + vector * (kCut * kLanes) + slot * kLanes)};
    return numbersIn(k, tile, loadValues(start + slot / tile.group * tile.valueSize, vector));
  };
  int64_t most = std::clamp<int64_t>(variant.accumulators / size, 1, all);
  int64_t each = llvm::divideCeil(all, llvm::divideCeil(all, most));
  // All rows of the block see the same: a tile is walked whole, or slot by slot.
  auto load = [&](Val t, Val slot, Val vector) {
    if (tile.shared)
      return slotsAt(startOf(t), slot, vector).front();
    Val at = startOf(t) + slot / tile.group * tile.valueSize;
    Val words = loadValues(at, vector);
    if (tile.group == 1)
      return words;
    Val shift = k.toI32(slot % 2 * 16); // the second of a pair stands in the high half
    return k.bitcast((words >> shift) << 16, k.f32Type());
  };
  auto channels = [&](Val firstVector, int64_t vectors) {
    SmallVector<Val> sums(size * vectors, k.splat(0));
    sums = k.reductionLoop(run.first, run.end, 1, sums, [&](Val t, ArrayRef<Val> sums) {
      Val start = startOf(t);
      return k.choose(
          k.load(scratch.wholes, t) != k.i32(0),
          [&] {
            return k.reductionLoop(
                0, KVTile::kSlots, pair, sums, [&](Val slot, ArrayRef<Val> sums) {
                  SmallVector<Val> next(sums);
                  for (int64_t v = 0; v < vectors; ++v) {
                    for (auto [i, values] : llvm::enumerate(slotsAt(start, slot, firstVector + v)))
                      for (int64_t q = 0; q < size; ++q) {
                        Val weight = k.broadcastLoad(scratch.scores,
                                                     scoreAt(group, t) + slot +
                                                         (q * kLanes + static_cast<int64_t>(i)));
                        Val &sum = next[q * vectors + v];
                        sum = k.fma(weight, values, sum);
                      }
                  }
                  return next;
                });
          },
          [&] { return addHidden(group, t, vectors, firstVector, sums, load); });
    });
    storeAll(group, vectors, firstVector, sums);
  };
  int64_t full = all / each * each;
  k.forLoop(0, full, each, [&](Val first) { channels(first, each); });
  if (full < all)
    channels(k.index(full), all - full);
}

void NarrowWriter::write() {
  Group group{variant.narrowHeads(), k.index(0), k.index(0)};
  findKeys();
  packQueries(group);
  clearState(group);
  k.forLoop(firstKey, endKey, kCut, [&](Val cut) {
    Val tiles = listTiles(cut);
    k.ifThen(tiles > 0, [&] {
      Run run = findRun(group, cut, tiles);
      writeScores(group, run);
      modifyScores(group, cut, run);
      writeSoftmax(group, run);
      mergeSums(group);
      writeValues(group, cut, run);
    });
  });
  writeResults(group);
}

//===-- Wide
//--------------------------------------------------------------------------------------===//

class WideWriter : public AttentionWriter {
public:
  using AttentionWriter::AttentionWriter;
  void write();

private:
  /// Calls |write| for the groups of the block, in order.
  void forGroups(llvm::function_ref<void(const Group &)> write);
  /// Widens the tiles of the list; gives an f32 that is NaN when a value is not finite.
  Val widen(Val cut, Val tiles);
  void writeScores(const Group &group, Run run);
  void writeValues(const Group &group, Run run, Val odd);

  static constexpr int64_t kTogether = 2; ///< tiles, or vectors of channels, of a product
};

void WideWriter::forGroups(llvm::function_ref<void(const Group &)> write) {
  int64_t many = variant.manyQueries(), few = variant.fewQueries();
  k.whileLoop(
      {k.index(0), k.index(0)}, [&](ArrayRef<Val> at) { return at[0] < queries; },
      [&](ArrayRef<Val> at) -> SmallVector<Val> {
        auto one = [&](int64_t size) -> SmallVector<Val> {
          write(Group{size, at[0], at[1]});
          return {at[0] + size, at[1] + kLanes};
        };
        if (many == few)
          return one(many);
        return k.choose(
            queries - at[0] > many - few, [&] { return one(many); }, [&] { return one(few); });
      });
}

Val WideWriter::widen(Val cut, Val tiles) {
  return k.forLoop(0, tiles, 1, {k.f32(0)}, [&](Val t, ArrayRef<Val> odd) -> SmallVector<Val> {
    Val first = cut + k.load(scratch.tiles, t) * KVTile::kSlots;
    Val found =
        callWidenTile(k, module, tile, a.words, k.load(scratch.tileWords, t), sequence.keys - first,
                      scratch.keys, t * (tile.keySize * kLanes), scratch.values,
                      t * (KVTile::kSlots * kLanes), k.index(kCut * kLanes));
    return {odd[0] + found};
  })[0];
}

void WideWriter::writeScores(const Group &group, Run run) {
  auto product = [&](Val t, int64_t tiles) {
    ScoreTileOperands o;
    o.queries = scratch.queries, o.queryAt = queryAt(group);
    o.keys = scratch.keys, o.keyAt = t * (tile.keySize * kLanes);
    o.keyStride = k.index(tile.keySize * kLanes), o.channels = k.index(tile.keySize);
    o.scale = a.scale;
    o.scores = scratch.scores, o.scoreAt = scoreAt(group, t);
    callScoreTile(k, module, group.size, tiles, o);
  };
  Val pairs = run.first + (run.end - run.first) / kTogether * kTogether;
  k.forLoop(run.first, pairs, kTogether, [&](Val t) { product(t, kTogether); });
  k.ifThen(pairs < run.end, [&] { product(pairs, 1); });
}

void WideWriter::writeValues(const Group &group, Run run, Val odd) {
  int64_t all = variant.valueStride() / kLanes;
  auto product = [&](Val vector, int64_t vectors) {
    ValueTileOperands o;
    o.weights = scratch.scores, o.weightAt = scoreAt(group, run.first);
    o.values = scratch.values;
    o.valueAt = vector * (kCut * kLanes) + run.first * (KVTile::kSlots * kLanes);
    o.valueStride = k.index(kCut * kLanes);
    o.slots = (run.end - run.first) * KVTile::kSlots;
    o.outputs = scratch.outputs, o.outputAt = outputAt(group) + vector * kLanes;
    o.outputStride = k.index(variant.valueStride());
    o.keep = scratch.keep, o.take = scratch.take, o.active = scratch.active;
    o.before = scratch.before;
    o.stateAt = k.index(0);
    callValueTile(k, module, group.size, vectors, o);
  };
  k.ifElse(
      odd == 0,
      [&] {
        int64_t pairs = all / kTogether * kTogether;
        k.forLoop(0, pairs, kTogether, [&](Val vector) { product(vector, kTogether); });
        if (pairs < all)
          product(k.index(pairs), 1);
      },
      [&] {
        k.forLoop(0, all, 1, [&](Val vector) {
          SmallVector<Val> sums(group.size, k.splat(0));
          sums = k.reductionLoop(run.first, run.end, 1, sums, [&](Val t, ArrayRef<Val> sums) {
            return addHidden(group, t, 1, vector, sums, [&](Val t, Val slot, Val vector) {
              return k.loadVector(scratch.values,
                                  vector * (kCut * kLanes) + (t * KVTile::kSlots + slot) * kLanes);
            });
          });
          storeAll(group, 1, vector, sums);
        });
      });
}

void WideWriter::write() {
  findKeys();
  forGroups([&](const Group &group) {
    packQueries(group);
    clearState(group);
  });
  k.forLoop(firstKey, endKey, kCut, [&](Val cut) {
    Val tiles = listTiles(cut);
    k.ifThen(tiles > 0, [&] {
      Val odd = widen(cut, tiles);
      forGroups([&](const Group &group) {
        Run run = findRun(group, cut, tiles);
        k.ifThen(run.first < run.end, [&] {
          writeScores(group, run);
          modifyScores(group, cut, run);
          writeSoftmax(group, run);
          mergeSums(group);
          writeValues(group, run, odd);
        });
      });
    });
  });
  forGroups([&](const Group &group) { writeResults(group); });
}

} // namespace

void emitNarrowAttention(KernelBuilder &k, ModuleOp module, const AttentionVariant &variant,
                         const AttentionOperands &operands, const AttentionScratch &scratch,
                         Val seq, Val row, Val kvHead, Val firstHead) {
  Val heads = k.min(k.index(variant.narrowHeads()), k.index(variant.group) - firstHead);
  NarrowWriter(k, module, variant, operands, scratch, seq, row, k.index(1), kvHead, firstHead,
               heads)
      .write();
}

void emitWideAttention(KernelBuilder &k, ModuleOp module, const AttentionVariant &variant,
                       const AttentionOperands &operands, const AttentionScratch &scratch, Val seq,
                       Val row, Val rows, Val kvHead) {
  WideWriter(k, module, variant, operands, scratch, seq, row, rows, kvHead, k.index(0),
             rows * variant.group)
      .write();
}

} // namespace sluice::cpu
