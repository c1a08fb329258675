// SPDX-License-Identifier: Apache-2.0
//
// KVTile: where the numbers of 16 remembered keys and values lie (docs/Contracts.md, section 3).
//
// A tile is counted in words of 4 bytes, each one f32 or a pair of bf16, so that one kernel walks
// both: g = 1 or 2 numbers per word.
//
//   keys     [ceil(D/g)][16 slots]      word (d/g, slot) holds channels d, d + 1 of one slot
//   values   [16/g slots][E]            word (slot/g, e) holds channel e of slots slot, slot + 1;
//                                       absent where they are parts of the keys
//
// So the scores of 16 keys are one vector whose lanes never meet, and so are 16 channels of a
// result; both walk memory in order.
#ifndef SLUICE_LIB_TARGET_CPU_KVTILE_H
#define SLUICE_LIB_TARGET_CPU_KVTILE_H

#include "lib/Target/CPU/StepContext.h"
#include "sluice-rt/kernel_abi.h"
#include "llvm/Support/MathExtras.h"

namespace sluice::cpu {

struct KVTile {
  KVTile(int64_t keySize, int64_t valueSize, mlir::Type element, bool shared = false)
      : keySize(keySize), valueSize(valueSize), group(element.isF32() ? 1 : 2), shared(shared) {}

  static constexpr int64_t kSlots = SLUICE_TILE_SLOTS;

  int64_t keySize, valueSize; ///< D and E
  int64_t group;              ///< numbers per word
  bool shared;                ///< a value is the first numbers of its key, and lies nowhere else

  int64_t keyWords() const { return llvm::divideCeil(keySize, group) * kSlots; }
  int64_t valueWords() const { return shared ? 0 : kSlots / group * valueSize; }
  /// Of the whole tile, which is a multiple of 64 bytes.
  int64_t words() const { return llvm::alignTo(keyWords() + valueWords(), 16); }
};

/// Tiles of one kv head in the scratch that `cache.pack` fills: sequence s owns those from
/// row_start[s]/16 + s on.
Val tilesPerHead(StepContext &step);

} // namespace sluice::cpu

#endif
