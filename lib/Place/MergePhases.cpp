//===- MergePhases.cpp - join neighbouring phases that divide the same rows ===//
// SPDX-License-Identifier: Apache-2.0
//
//   place.phase "rope" share rows { A }                place.phase "rope+append" share rows { A B }
//   place.phase "append" share rows { B }       ==>
//
// A worker does A and then B for its own rows. That is right where every memory that both touch is
// touched row by row; it saves a barrier, and B's rows are still in the cache. Before: the placed
// stage without barriers. After: no two neighbouring phases of that kind are left. Leaves alone:
// shares that are not rows of something, and phases whose rows are not the same number.
//===----------------------------------------------------------------------===//
#include "lib/Place/PhaseAccesses.h"
#include "sluice/Place/Passes.h"

using namespace mlir;

namespace sluice::place {
#define GEN_PASS_DEF_MERGEPHASESPASS
#include "sluice/Place/Passes.h.inc"
namespace {

bool dividesRows(Share share) {
  return share == Share::Rows || share == Share::Seqs || share == Share::Asked;
}

/// The leading dimension that an op's items count; dynamic ones of one share are equal.
int64_t itemCount(Operation *op) {
  auto accesses = accessesOf(op); // reverse() does not keep a temporary alive
  for (const Access &access : llvm::reverse(accesses))
    if (auto type = dyn_cast<MemRefType>(access.memory.getType());
        type && !type.getElementType().isInteger(8))
      return type.getDimSize(0);
  return ShapedType::kDynamic;
}

/// Whether a worker may go on with `second` when it has done its own items of `first`.
bool mayMerge(PhaseOp first, PhaseOp second) {
  if (first.getShare() != second.getShare() || !dividesRows(first.getShare()))
    return false;
  if (itemCount(&first.getBody().front().front()) != itemCount(&second.getBody().front().front()))
    return false;
  for (const Access &a : accessesOf(first))
    for (const Access &b : accessesOf(second))
      if (a.memory == b.memory && (a.write || b.write) && !(a.itemwise && b.itemwise))
        return false;
  return true;
}

/// "rope+append"; each word once.
std::string joinNames(StringRef first, StringRef second) {
  SmallVector<StringRef> words;
  first.split(words, '+');
  SmallVector<StringRef> more;
  second.split(more, '+');
  for (StringRef word : more)
    if (!llvm::is_contained(words, word))
      words.push_back(word);
  return llvm::join(words, "+");
}

void mergeInto(PhaseOp first, PhaseOp second) {
  // What stands between is pure and knows nothing of `first`: it can come before.
  for (Operation *op = first->getNextNode(); op != second;) {
    Operation *next = op->getNextNode();
    op->moveBefore(first);
    op = next;
  }
  Block &body = first.getBody().front();
  body.getOperations().splice(body.end(), second.getBody().front().getOperations());
  first.setName(joinNames(first.getName(), second.getName()));
  first->setLoc(FusedLoc::get(first.getContext(), {first.getLoc(), second.getLoc()}));
  second.erase();
}

void mergeIn(Block &block) {
  PhaseOp last;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto phase = dyn_cast<PhaseOp>(op)) {
      if (last && mayMerge(last, phase))
        mergeInto(last, phase);
      else
        last = phase;
      continue;
    }
    if (auto loop = dyn_cast<scf::ForOp>(op))
      mergeIn(*loop.getBody());
    if (!isPure(&op))
      last = nullptr; // a loop, a barrier
  }
}

struct MergePhases : impl::MergePhasesPassBase<MergePhases> {
  void runOnOperation() override {
    getOperation().walk([](TeamOp team) { mergeIn(team.getBody().front()); });
  }
};
} // namespace
} // namespace sluice::place
