//===- InsertBarriers.cpp - separate phases that conflict -----------------===//
// SPDX-License-Identifier: Apache-2.0
//
//   place.phase "a" share rows { ... into %x }             place.phase "a" ...
//   place.phase "b" share columns { reads %x }      ==>    place.barrier
//                                                          place.phase "b" ...
//
// Walks the team with the set of memories that phases have touched since the last barrier, on some
// path. A phase that touches one of them, when one of the two writes, gets a barrier before it,
// which empties the set. A loop is walked until the set that its end hands to its beginning does
// not grow. Before: the placed stage with or without barriers. After: conflicting phases are
// separated on every path.
//===----------------------------------------------------------------------===//
#include "lib/Place/PhaseAccesses.h"
#include "sluice/Place/Passes.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace sluice::place {
#define GEN_PASS_DEF_INSERTBARRIERSPASS
#include "sluice/Place/Passes.h.inc"
namespace {

/// Memories touched since the last barrier; true: written.
using Touched = llvm::SmallMapVector<Value, bool, 16>;

/// Adds `more` to `touched`; says whether it grew.
bool unite(Touched &touched, const Touched &more) {
  bool grew = false;
  for (auto [memory, written] : more) {
    auto [entry, inserted] = touched.try_emplace(memory, written);
    grew |= inserted || (written && !entry->second);
    entry->second |= written;
  }
  return grew;
}

class BarrierFinder {
public:
  void walk(Block &block, Touched &touched) {
    for (Operation &op : block) {
      if (auto phase = dyn_cast<PhaseOp>(op))
        visit(phase, touched);
      else if (isa<BarrierOp>(op))
        touched.clear();
      else if (auto loop = dyn_cast<scf::ForOp>(op))
        visit(loop, touched);
    }
  }

  /// The phases that need a barrier before them. A phase that is visited again is judged anew: the
  /// last visit has seen the most.
  llvm::SmallSetVector<Operation *, 16> needed;

private:
  void visit(PhaseOp phase, Touched &touched) {
    Touched own;
    for (const Access &access : accessesOf(phase))
      own[access.memory] |= access.write;
    bool conflict = llvm::any_of(own, [&](auto &entry) {
      auto found = touched.find(entry.first);
      return found != touched.end() && (entry.second || found->second);
    });
    needed.remove(phase);
    if (conflict) {
      needed.insert(phase);
      touched.clear();
    }
    unite(touched, own);
  }

  void visit(scf::ForOp loop, Touched &touched) {
    Touched entry = touched, end;
    do {
      unite(entry, end);
      end = entry;
      walk(*loop.getBody(), end);
      Touched grown = entry;
      if (!unite(grown, end))
        break;
    } while (true);
    if (runsAtLeastOnce(loop))
      touched = std::move(end);
    else
      unite(touched, end);
  }
};

struct InsertBarriers : impl::InsertBarriersPassBase<InsertBarriers> {
  void runOnOperation() override {
    getOperation().walk([](TeamOp team) {
      BarrierFinder finder;
      Touched touched;
      finder.walk(team.getBody().front(), touched);
      for (Operation *phase : finder.needed) {
        OpBuilder builder(phase);
        BarrierOp::create(builder, phase->getLoc());
      }
    });
  }
};
} // namespace
} // namespace sluice::place
