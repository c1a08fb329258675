// SPDX-License-Identifier: Apache-2.0
//
// Lifetimes of buffers, from the accesses of phases.

#include "lib/Place/BufferEpochs.h"
#include "lib/Place/PhaseAccesses.h"

using namespace mlir;

namespace sluice::place {
namespace {

/// A use of a buffer: what does it, and when.
struct Use {
  Operation *op; ///< the phase
  unsigned epoch;
  bool whole; ///< a write that leaves nothing of what was there
};

/// A loop's first and last epoch, and whether no barrier separates its rounds.
struct LoopEpochs {
  unsigned first, last;
  bool open;
  bool skippable; ///< there may be no round at all
};

class EpochFinder {
public:
  explicit EpochFinder(TeamOp team) : team(team) { visit(team.getBody().front()); }

  llvm::MapVector<BufferOp, llvm::BitVector> find() {
    llvm::MapVector<BufferOp, llvm::BitVector> result;
    for (auto &[buffer, list] : uses)
      result[buffer] = throughSkippedLoops(life(list));
    return result;
  }

private:
  void visit(Block &block) {
    for (Operation &op : block) {
      if (isa<BarrierOp>(op)) {
        ++epoch;
      } else if (auto phase = dyn_cast<PhaseOp>(op)) {
        for (const Access &access : accessesOf(phase))
          if (auto buffer = access.memory.getDefiningOp<BufferOp>())
            uses[buffer].push_back({phase, epoch, access.whole});
      } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
        visit(loop);
      }
    }
  }

  void visit(scf::ForOp loop) {
    unsigned first = epoch;
    visit(*loop.getBody());
    // A barrier before the first phase of a round, or after the last one, separates it from its
    // neighbour.
    auto isWork = [](Operation &op) { return isa<BarrierOp, PhaseOp, scf::ForOp>(op); };
    auto work = llvm::make_filter_range(*loop.getBody(), isWork);
    auto back = llvm::make_filter_range(llvm::reverse(*loop.getBody()), isWork);
    bool closed = !work.empty() && (isa<BarrierOp>(*work.begin()) || isa<BarrierOp>(*back.begin()));
    loops[loop] = {first, epoch, !closed, !runsAtLeastOnce(loop)};
  }

  /// The innermost loop around all of `list`; null: the team itself.
  scf::ForOp innermostLoop(ArrayRef<Use> list) {
    auto loop = list.front().op->getParentOfType<scf::ForOp>();
    while (loop && !llvm::all_of(list, [&](const Use &use) { return loop->isAncestor(use.op); }))
      loop = loop->getParentOfType<scf::ForOp>();
    return loop;
  }

  llvm::BitVector life(ArrayRef<Use> list) {
    llvm::BitVector life(epoch + 1);
    scf::ForOp home = innermostLoop(list);
    Block &body = home ? *home.getBody() : team.getBody().front();
    // Seen from `body`, a use inside a deeper loop takes all of that loop.
    unsigned first = ~0u, last = 0;
    for (const Use &use : list) {
      Operation *here = body.findAncestorOpInBlock(*use.op);
      auto deeper = dyn_cast<scf::ForOp>(here);
      LoopEpochs span =
          deeper ? loops.lookup(deeper) : LoopEpochs{use.epoch, use.epoch, false, false};
      first = std::min(first, span.first);
      last = std::max(last, span.last);
    }
    if (!home) {
      life.set(first, last + 1);
      return life;
    }
    LoopEpochs round = loops.lookup(home);
    bool fresh = list.front().whole && list.front().op->getBlock() == &body;
    if (!fresh) {
      life.set(round.first, round.last + 1); // its content goes around the loop
      return life;
    }
    life.set(first, last + 1);
    if (round.open && last == round.last)
      life.set(round.first);
    return life;
  }

  /// What lives where a loop begins may meet what lives where it ends, if no round with its
  /// barriers comes between.
  llvm::BitVector throughSkippedLoops(llvm::BitVector life) const {
    bool grew;
    do {
      grew = false;
      for (auto &[loop, span] : loops)
        if (span.skippable && life.test(span.first) && !life.test(span.last)) {
          life.set(span.last);
          grew = true;
        }
    } while (grew);
    return life;
  }

  TeamOp team;
  unsigned epoch = 0;
  llvm::MapVector<BufferOp, SmallVector<Use>> uses;
  llvm::DenseMap<Operation *, LoopEpochs> loops;
};
} // namespace

llvm::MapVector<BufferOp, llvm::BitVector> findBufferEpochs(TeamOp team) {
  return EpochFinder(team).find();
}
} // namespace sluice::place
