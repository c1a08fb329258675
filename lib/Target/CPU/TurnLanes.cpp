// SPDX-License-Identifier: Apache-2.0
//
// A number of the square has an address of 8 bits, those of its vector and then those of its lane.
// Interleaving vectors i and i + 8 into vectors 2i and 2i + 1 rotates the address by one bit; four
// times, and vector and lane have changed places.
#include "lib/Target/CPU/TurnLanes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

SmallVector<Val> turnLanes(KernelBuilder &k, ArrayRef<Val> square) {
  constexpr int64_t half = kLanes / 2;
  assert(square.size() == kLanes && "as many vectors as lanes");
  SmallVector<int64_t> low, high;
  for (int64_t lane = 0; lane < half; ++lane) {
    low.append({lane, lane + kLanes});
    high.append({lane + half, lane + half + kLanes});
  }
  SmallVector<Val> now(square);
  for (int64_t rotated = 1; rotated < kLanes; rotated *= 2) {
    SmallVector<Val> next;
    for (int64_t i = 0; i < half; ++i)
      for (ArrayRef<int64_t> lanes : {ArrayRef(low), ArrayRef(high)})
        next.push_back(k.val(
            vector::ShuffleOp::create(k.builder(), k.location(), now[i], now[i + half], lanes)));
    now = std::move(next);
  }
  return now;
}

} // namespace sluice::cpu
