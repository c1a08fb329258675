// SPDX-License-Identifier: Apache-2.0
//
// What a command reads and writes, from its descriptor alone: the one place that knows how argument
// blocks and results lie. The verifier, the functional simulator, the timing model and the traces
// all ask here.
#ifndef SLUICE_LIB_TARGET_PNM_EXTENTS_H
#define SLUICE_LIB_TARGET_PNM_EXTENTS_H

#include "sluice/Target/PNM/Program.h"

namespace sluice::pnm {

/// The parts of an argument block start at multiples of this.
inline constexpr uint64_t kPartAlign = 64;

struct Extents {
  uint64_t src0 = 0;             ///< most bytes of src0 from its offset on; 0: no src0
  uint64_t src1 = 0;             ///< bytes of the argument block
  uint64_t dst = 0;              ///< bytes of the result
  uint64_t part1 = 0, part2 = 0; ///< where the block's second and third part start
};

/// Of |command|, whose operands must name memories (or none). Numbers that are too large give 2^62.
Extents extentsOf(const Program &program, const Command &command);

/// Heads of the pages (or digests) that |command| reads; query heads that it serves.
uint64_t kvHeads(const Program &program, const Command &command);

/// attn_partial: how many states per query head there are room for.
uint64_t stateSlots(const Command &command);
/// Keys of |n1|, in cuts.
inline uint64_t cutsOf(uint64_t keys) { return (keys + kCutKeys - 1) / kCutKeys; }

/// search_topk: aux holds k in bits 0 to 15, the pages at the start that are always kept in 16 to
/// 23, those at the end in 24 to 30, and in 31 whether query heads of a group add (else the largest
/// counts).
struct SearchAux {
  uint32_t k, first, last;
  bool sum;
  explicit SearchAux(uint32_t aux)
      : k(aux & 0xffff), first(aux >> 16 & 0xff), last(aux >> 24 & 0x7f), sum(aux >> 31) {}
};

/// gather_reduce: aux holds the operation in bits 0 and 1 (sum, mean, max) and in 2 whether there
/// are weights.
enum class ReduceOp { Sum, Mean, Max };
struct ReduceAux {
  ReduceOp op;
  bool weighted;
  explicit ReduceAux(uint32_t aux) : op(ReduceOp(aux & 3)), weighted(aux >> 2 & 1) {}
};

/// Which of a memory's devices has what. Devices are counted from 0 inside the group.
struct Split {
  uint64_t begin = 0, end = 0;
};
/// Rows, heads or experts [begin, end) of |total| that device |index| of |count| has.
inline Split splitOf(uint64_t total, uint64_t index, uint64_t count) {
  auto at = [&](uint64_t i) {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(total) * i / count);
  };
  return {at(index), at(index + 1)};
}
/// The device that has page |page|: whole cuts of 256 keys go round.
inline uint64_t pageOwner(const Memory &memory, uint64_t page, uint64_t count) {
  uint64_t pagesPerCut = std::max<uint64_t>(1, kCutKeys / memory.dims[2]);
  return page / pagesPerCut % count;
}
/// Bytes that one device holds of |memory| at most.
uint64_t shardBytes(const Memory &memory, uint64_t count);

} // namespace sluice::pnm

#endif
