//===- PlanMemory.cpp - every buffer gets an address in the arena ---------===//
// SPDX-License-Identifier: Apache-2.0
//
//   %a = place.buffer "rows" size <row = 64, ...>        %a = place.buffer "rows" size <row = 64,
//   ...> at <row = 0, ...> %b = place.buffer "rows" size <row = 96, ...>  ==>   %b = place.buffer
//   "rows" size <row = 96, ...> at <row = 0, ...>
//
// Sizes are affine in what a session is made for (rows, sequences), so addresses are too. Buffers
// whose lives have no epoch in common share a slot; a slot is as large as its largest buffer in
// each of row, seq and fixed; slots follow one another. Largest first, each buffer goes into the
// slot that grows least. Before: the placed stage with barriers. After: every buffer has `at`, the
// function `place.arena`. Leaves alone: functions in which buffers have addresses already, as in a
// file of the placed stage.
//===----------------------------------------------------------------------===//
#include "lib/Place/BufferEpochs.h"
#include "sluice/Place/Passes.h"

using namespace mlir;

namespace sluice::place {
#define GEN_PASS_DEF_PLANMEMORYPASS
#include "sluice/Place/Passes.h.inc"
namespace {

/// Bytes of one row, of one sequence, and of neither.
struct Bytes {
  int64_t row = 0, seq = 0, fixed = 0;

  Bytes() = default;
  Bytes(ExtentAttr extent) : row(extent.getRow()), seq(extent.getSeq()), fixed(extent.getFixed()) {}

  Bytes max(Bytes other) const {
    Bytes result = *this;
    result.row = std::max(row, other.row);
    result.seq = std::max(seq, other.seq);
    result.fixed = std::max(fixed, other.fixed);
    return result;
  }
  void add(Bytes other) {
    row += other.row;
    seq += other.seq;
    fixed += other.fixed;
  }
  /// In a session of middle size: only there to rank choices.
  int64_t typical() const { return row * 512 + seq * 8 + fixed; }
  ExtentAttr attribute(MLIRContext *context) const {
    return ExtentAttr::get(context, row, seq, fixed);
  }
};

struct Slot {
  Bytes size;
  llvm::BitVector used;
  SmallVector<BufferOp> buffers;
};

/// Divides the buffers among slots.
SmallVector<Slot> packSlots(const llvm::MapVector<BufferOp, llvm::BitVector> &epochs) {
  // Largest first; in program order where they are equal.
  SmallVector<std::pair<int64_t, unsigned>> order;
  for (auto [i, entry] : llvm::enumerate(epochs))
    order.push_back({-Bytes(BufferOp(entry.first).getSize()).typical(), static_cast<unsigned>(i)});
  llvm::sort(order);
  SmallVector<Slot> slots;
  for (auto [negated, index] : order) {
    const auto &[key, life] = epochs.begin()[index];
    BufferOp buffer = key;
    Bytes size = buffer.getSize();
    Slot *best = nullptr;
    int64_t leastGrowth = size.typical(); // what a slot of its own would cost
    for (Slot &slot : slots) {
      int64_t growth = slot.size.max(size).typical() - slot.size.typical();
      if (!slot.used.anyCommon(life) && growth < leastGrowth) {
        best = &slot;
        leastGrowth = growth;
      }
    }
    if (!best) {
      slots.push_back({Bytes(), llvm::BitVector(life.size()), {}});
      best = &slots.back();
    }
    best->size = best->size.max(size);
    best->used |= life;
    best->buffers.push_back(buffer);
  }
  return slots;
}

struct PlanMemory : impl::PlanMemoryPassBase<PlanMemory> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    SmallVector<TeamOp> teams(func.getOps<TeamOp>());
    if (teams.size() != 1 || func->hasAttr("place.arena"))
      return;
    SmallVector<Slot> slots = packSlots(findBufferEpochs(teams.front()));
    Bytes end;
    for (Slot &slot : slots) {
      for (BufferOp buffer : slot.buffers)
        buffer.setAtAttr(end.attribute(&getContext()));
      end.add(slot.size);
      bufferCount += slot.buffers.size();
    }
    slotCount += slots.size();
    func->setAttr("place.arena", end.attribute(&getContext()));
    // A buffer that nothing touches needs no memory.
    for (BufferOp buffer : llvm::make_early_inc_range(func.getOps<BufferOp>()))
      if (buffer->use_empty())
        buffer.erase();
      else if (!buffer.getAt())
        buffer.setAtAttr(Bytes().attribute(&getContext()));
  }
};
} // namespace
} // namespace sluice::place
