// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/AttentionTiles.h"
#include "lib/Target/CPU/TurnLanes.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

SmallVector<Val, 2> numbersIn(KernelBuilder &k, const KVTile &tile, Val words) {
  if (tile.group == 1)
    return {words};
  return {k.pairFirst(words), k.pairSecond(words)};
}

/// sums[row * panels + panel], each one chain over [0, n).
static SmallVector<Val> product(KernelBuilder &k, int64_t rows, int64_t panels, Val chunks,
                                Val chunkAt, Val matrix, Val matrixAt, Val panelStride, Val n) {
  SmallVector<Val> panelAt;
  for (int64_t p = 0; p < panels; ++p)
    panelAt.push_back(matrixAt + panelStride * p);
  auto step = [&](Val i, Val rowAt, ArrayRef<Val> sums) {
    SmallVector<Val> next(sums), column;
    for (Val at : panelAt)
      column.push_back(k.loadVector(matrix, at + i * kLanes));
    for (int64_t r = 0; r < rows; ++r) {
      Val x = k.broadcastLoad(chunks, rowAt + r * kLanes);
      for (int64_t p = 0; p < panels; ++p)
        next[r * panels + p] = k.fma(x, column[p], next[r * panels + p]);
    }
    return next;
  };
  // As in a tile of a linear layer: chunks outside, and no step beside another inside, which would
  // tempt the scheduler to load ahead until the sums no longer fit.
  SmallVector<Val> sums(rows * panels, k.splat(0));
  Val whole = n / kLanes * kLanes;
  sums = k.reductionLoop(0, whole, kLanes, sums, [&](Val chunk, ArrayRef<Val> outer) {
    Val at = chunkAt + chunk * rows;
    return k.reductionLoop(0, kLanes, 1, outer, [&](Val part, ArrayRef<Val> sums) {
      return step(chunk + part, at + part, sums);
    });
  });
  return k.reductionLoop(whole, n, 1, sums, [&](Val i, ArrayRef<Val> sums) {
    return step(i, chunkAt + whole * rows + (i - whole), sums);
  });
}

void callScoreTile(KernelBuilder &k, ModuleOp module, int64_t rows, int64_t tiles,
                   const ScoreTileOperands &o) {
  Type f32s = arrayOf(k.f32Type()), index = k.builder().getIndexType();
  Type types[] = {f32s, index, f32s, index, index, index, k.f32Type(), f32s, index};
  std::string name = llvm::formatv("attention_scores_{0}x{1}", rows, tiles);
  func::FuncOp kernel =
      getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
        SmallVector<Val> sums = product(k, rows, tiles, a[0], a[1], a[2], a[3], a[4], a[5]);
        for (int64_t t = 0; t < tiles; ++t)
          for (int64_t r = 0; r < rows; ++r)
            k.store(sums[r * tiles + t] * a[6], a[7], a[8] + (t * rows + r) * kLanes);
      });
  k.call(kernel, {o.queries, o.queryAt, o.keys, o.keyAt, o.keyStride, o.channels, o.scale, o.scores,
                  o.scoreAt});
}

void callValueTile(KernelBuilder &k, ModuleOp module, int64_t rows, int64_t vectors,
                   const ValueTileOperands &o) {
  Type f32s = arrayOf(k.f32Type()), index = k.builder().getIndexType();
  Type numbers = arrayOf(k.i32Type());
  Type types[] = {f32s,  index, f32s, index, index,   index,   f32s,
                  index, index, f32s, f32s,  numbers, numbers, index};
  std::string name = llvm::formatv("attention_values_{0}x{1}", rows, vectors);
  func::FuncOp kernel =
      getOrCreateKernel(module, name, types, [&](KernelBuilder &k, ArrayRef<Val> a) {
        SmallVector<Val> sums = product(k, rows, vectors, a[0], a[1], a[2], a[3], a[4], a[5]);
        for (int64_t r = 0; r < rows; ++r) {
          Val at = a[13] + r, keep = k.load(a[9], at), take = k.load(a[10], at);
          Val active = k.load(a[11], at) != k.i32(0);
          Val isThere = k.load(a[12], at) != k.i32(0);
          for (int64_t v = 0; v < vectors; ++v) {
            Val outputAt = a[7] + a[8] * r + v * kLanes;
            Val before = k.select(isThere, k.loadVector(a[6], outputAt), k.splat(0));
            Val now = k.fma(before, k.broadcast(keep), sums[r * vectors + v] * take);
            k.store(k.select(active, now, before), a[6], outputAt);
          }
        }
      });
  k.call(kernel, {o.weights, o.weightAt, o.values, o.valueAt, o.valueStride, o.slots, o.outputs,
                  o.outputAt, o.outputStride, o.keep, o.take, o.active, o.before, o.stateAt});
}

/// Values as 16 slots of panels, out of keys: |channel| gives channel first + i of 16 slots, with
/// |first| a multiple of 16.
static Val turnValues(KernelBuilder &k, const KVTile &tile,
                      llvm::function_ref<Val(Val first, int64_t i)> channel, Val count, Val values,
                      Val valueAt, Val valueStride) {
  auto vector = [&](Val first, int64_t channels, Val odd) {
    SmallVector<Val> square;
    for (int64_t i = 0; i < kLanes; ++i)
      square.push_back(i < channels ? channel(first, i) : k.splat(0));
    Val panel = valueAt + first / kLanes * valueStride;
    for (auto [i, numbers] : llvm::enumerate(turnLanes(k, square))) {
      auto slot = static_cast<int64_t>(i);
      Val kept = k.select(k.index(slot) < count, numbers, k.splat(0));
      k.store(kept, values, panel + slot * kLanes);
      odd = k.fma(kept, k.splat(0), odd);
    }
    return odd;
  };
  int64_t whole = tile.valueSize / kLanes * kLanes;
  Val odd = k.forLoop(0, whole, kLanes, {k.splat(0)},
                      [&](Val first, ArrayRef<Val> odd) -> SmallVector<Val> {
                        return {vector(first, kLanes, odd[0])};
                      })[0];
  if (whole < tile.valueSize)
    odd = vector(k.index(whole), tile.valueSize - whole, odd);
  return k.laneSum(odd);
}

Val callTurnTile(KernelBuilder &k, ModuleOp module, const KVTile &tile, Val words, Val tileAt,
                 Val count, Val values, Val valueAt, Val valueStride) {
  Type f32s = arrayOf(k.f32Type()), index = k.builder().getIndexType();
  Type types[] = {words.type(), index, index, f32s, index, index};
  std::string name =
      llvm::formatv("attention_turn_{0}_{1}", tile.group == 1 ? "f32" : "bf16", tile.valueSize);
  func::FuncOp kernel =
      getOrCreateKernel(module, name, types, {k.f32Type()},
                        [&](KernelBuilder &k, ArrayRef<Val> a) -> SmallVector<Val> {
                          auto channel = [&](Val first, int64_t i) {
                            Val at = a[1] + (first + i) / tile.group * kLanes;
                            return numbersIn(k, tile, k.loadVector(a[0], at))[i % tile.group];
                          };
                          return {turnValues(k, tile, channel, a[2], a[3], a[4], a[5])};
                        });
  return k.call(kernel, {words, tileAt, count, values, valueAt, valueStride})[0];
}

Val callWidenTile(KernelBuilder &k, ModuleOp module, const KVTile &tile, Val words, Val tileAt,
                  Val count, Val keys, Val keyAt, Val values, Val valueAt, Val valueStride) {
  Type f32s = arrayOf(k.f32Type()), index = k.builder().getIndexType();
  Type types[] = {words.type(), index, index, f32s, index, f32s, index, index};
  std::string name =
      llvm::formatv("attention_widen_{0}_{1}x{2}{3}", tile.group == 1 ? "f32" : "bf16",
                    tile.keySize, tile.valueSize, tile.shared ? "_shared" : "");
  func::FuncOp kernel = getOrCreateKernel(
      module, name, types, {k.f32Type()},
      [&](KernelBuilder &k, ArrayRef<Val> a) -> SmallVector<Val> {
        Val words = a[0], tileAt = a[1], count = a[2], keys = a[3], keyAt = a[4], values = a[5],
            valueAt = a[6], valueStride = a[7];
        // The last pair of an odd number of channels has one that nothing reads.
        k.forLoop(0, tile.keySize / tile.group * tile.group, tile.group, [&](Val d) {
          Val at = tileAt + d / tile.group * kLanes;
          for (auto [i, numbers] : llvm::enumerate(numbersIn(k, tile, k.loadVector(words, at))))
            k.store(numbers, keys, keyAt + d * kLanes + static_cast<int64_t>(i) * kLanes);
        });
        if (int64_t rest = tile.keySize % tile.group) {
          int64_t d = tile.keySize - rest;
          Val last = k.loadVector(words, tileAt + d / tile.group * kLanes);
          k.store(numbersIn(k, tile, last).front(), keys, keyAt + d * kLanes);
        }
        if (tile.shared)
          return {turnValues(
              k, tile,
              [&](Val first, int64_t i) {
                return k.loadVector(keys, keyAt + (first + i) * kLanes);
              },
              count, values, valueAt, valueStride)};
        SmallVector<Val> odd =
            k.forLoop(0, KVTile::kSlots, tile.group, {k.splat(0)},
                      [&](Val slot, ArrayRef<Val> odd) -> SmallVector<Val> {
                        Val sum = odd[0];
                        Val row = tileAt + (slot / tile.group * tile.valueSize + tile.keyWords());
                        for (int64_t e = 0; e < tile.valueSize; e += kLanes) {
                          int64_t lanes = std::min<int64_t>(kLanes, tile.valueSize - e);
                          Val vector = lanes == kLanes ? k.loadVector(words, row + e)
                                                       : k.maskedLoad(words, row + e,
                                                                      k.firstLanes(k.index(lanes)));
                          Val panel = valueAt + valueStride * (e / kLanes) + slot * kLanes;
                          for (auto [i, numbers] : llvm::enumerate(numbersIn(k, tile, vector))) {
                            auto more = static_cast<int64_t>(i);
                            numbers = k.select(slot + more < count, numbers, k.splat(0));
                            k.store(numbers, values, panel + more * kLanes);
                            sum = k.fma(numbers, k.splat(0), sum);
                          }
                        }
                        return {sum};
                      });
        return {k.laneSum(odd[0])};
      });
  return k.call(kernel, {words, tileAt, count, keys, keyAt, values, valueAt, valueStride})[0];
}

} // namespace sluice::cpu
