//===- CheckPlacedStage.cpp - the contract at the end of the stage --------===//
// SPDX-License-Identifier: Apache-2.0
//
// Changes nothing; fails with a sentence. What it lets pass is what a target may rely on
// (docs/Contracts.md, section 2). Races are looked for by address, not by buffer, so a wrong memory
// plan is found here and not at run time. The search is written apart from the passes that place
// barriers and addresses.
//===----------------------------------------------------------------------===//
#include "lib/Place/BufferTypes.h"
#include "lib/Place/PhaseAccesses.h"
#include "sluice/Place/Passes.h"

using namespace mlir;

namespace sluice::place {
#define GEN_PASS_DEF_CHECKPLACEDSTAGEPASS
#include "sluice/Place/Passes.h.inc"
namespace {

bool endsBefore(BufferOp first, BufferOp second) {
  ExtentAttr at = *first.getAt(), size = first.getSize(), next = *second.getAt();
  return at.getRow() + size.getRow() <= next.getRow() &&
         at.getSeq() + size.getSeq() <= next.getSeq() &&
         at.getFixed() + size.getFixed() <= next.getFixed();
}

/// Whether two memories may have bytes in common, for some session.
bool mayOverlap(Value a, Value b) {
  if (a == b)
    return true;
  auto first = a.getDefiningOp<BufferOp>(), second = b.getDefiningOp<BufferOp>();
  return first && second && !endsBefore(first, second) && !endsBefore(second, first);
}

LogicalResult checkForm(Operation *op) {
  if (auto compute = dyn_cast<ComputeOpInterface>(op); compute && !compute.isBufferForm())
    return op->emitOpError("expects buffer form at the placed stage, but gives a tensor");
  if (isa<ParamUseOp>(op))
    return success();
  for (Value result : op->getResults())
    if (isa<RankedTensorType, PagesType, FutureType>(result.getType()))
      return op->emitOpError() << "expects no tensors but weights at the placed stage, but gives a "
                               << result.getType();
  if (isWork(op) && !isa<PhaseOp>(op->getParentOp()))
    return op->emitOpError("expects to stand in a place.phase, which says who does it");
  return success();
}

/// `linear` is a sluice.linear or a sluice.route.experts.
template <typename Layer>
LogicalResult checkLinear(Layer linear) {
  ParamOp param = paramOf(linear.getWeight());
  if (!param || param.getLayout() != Layout::Panel)
    return linear.emitOpError(
        "expects its weight to be a param with layout 'panel'; run place-choose-layouts");
  // A weight of codes has one way to be multiplied.
  if (blocksOf(linear.getWeight().getType()))
    return success();
  auto schedule = dyn_cast_or_null<PanelsAttr>(linear.getScheduleAttr());
  if (!schedule)
    return linear.emitOpError(
        "expects 'schedule' to be a #place.panels; run place-choose-schedules");
  Type rows = getElementTypeOrSelf(linear.getRows()),
       weight = getElementTypeOrSelf(linear.getWeight());
  bool pairs = schedule.getDot() == Dot::Dpbf16;
  if (pairs && !weight.isBF16())
    return linear.emitOpError() << "expects bf16 weights for 'dot = dpbf16', but they are "
                                << weight;
  if (pairs ? !rows.isBF16() : !rows.isF32())
    return linear.emitOpError() << "expects rows kept as "
                                << (pairs ? "bf16 for 'dot = dpbf16'" : "f32 for 'dot = fma'")
                                << ", but they are " << rows;
  return success();
}

/// All numbers of an address are multiples of a cache line, once `row` is multiplied by 16 rows.
bool isAligned(ExtentAttr at) {
  return at.getRow() % (kLineBytes / 16) == 0 && at.getSeq() % kLineBytes == 0 &&
         at.getFixed() % kLineBytes == 0;
}

LogicalResult checkBuffer(BufferOp buffer, ExtentAttr arena) {
  if (!buffer.getAt())
    return buffer.emitOpError("expects an address ('at'); run place-plan-memory");
  ExtentAttr at = *buffer.getAt(), size = buffer.getSize();
  if (!isAligned(at) || at.getRow() < 0 || at.getSeq() < 0 || at.getFixed() < 0)
    return buffer.emitOpError()
           << "expects an address at multiples of 64 bytes (4 for 'row'), but it is " << at;
  if (at.getRow() + size.getRow() > arena.getRow() ||
      at.getSeq() + size.getSeq() > arena.getSeq() ||
      at.getFixed() + size.getFixed() > arena.getFixed())
    return buffer.emitOpError() << "expects to end inside the arena " << arena << ", but starts at "
                                << at << " with size " << size;
  return success();
}

/// (R2) of place.phase.
LogicalResult checkPhase(PhaseOp phase) {
  SmallVector<Access> accesses = accessesOf(phase);
  bool rows = phase.getShare() == Share::Rows || phase.getShare() == Share::Seqs ||
              phase.getShare() == Share::Asked || phase.getShare() == Share::One;
  for (auto [i, a] : llvm::enumerate(accesses))
    for (const Access &b : ArrayRef(accesses).drop_front(i + 1)) {
      if (a.op == b.op || !(a.write || b.write) || !mayOverlap(a.memory, b.memory))
        continue;
      if (phase.getShare() == Share::One ||
          (rows && a.memory == b.memory && a.itemwise && b.itemwise))
        continue;
      auto error = b.op->emitOpError(
          "expects what another op of the phase touches to be touched item by item, with a share "
          "that divides rows, when one of the two writes  [R2]");
      error.attachNote(a.op->getLoc()) << "this op touches it too";
      return error;
    }
  return success();
}

/// Finds phases that conflict with no barrier between them.
class RaceFinder {
public:
  /// Walks `block` with the accesses that may have happened since the last barrier; fails at the
  /// first race.
  LogicalResult walk(Block &block, SmallVectorImpl<Access> &open) {
    for (Operation &op : block) {
      if (isa<BarrierOp>(op)) {
        open.clear();
      } else if (auto phase = dyn_cast<PhaseOp>(op)) {
        if (failed(visit(phase, open)))
          return failure();
      } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
        // Twice around: the second round meets what the first one left. No more can come: what is
        // open at the end of a round came in with it or was added by it.
        SmallVector<Access> before(open.begin(), open.end());
        if (failed(walk(*loop.getBody(), open)) || failed(walk(*loop.getBody(), open)))
          return failure();
        if (!runsAtLeastOnce(loop))
          open.append(before);
      }
    }
    return success();
  }

private:
  LogicalResult visit(PhaseOp phase, SmallVectorImpl<Access> &open) {
    SmallVector<Access> own = accessesOf(phase);
    for (const Access &mine : own)
      for (const Access &other : open) {
        if (!(mine.write || other.write) || !mayOverlap(mine.memory, other.memory))
          continue;
        auto error = mine.op->emitOpError()
                     << "expects a barrier between its phase \"" << phase.getName()
                     << "\" and one that touches the same memory, when one of the two writes";
        error.attachNote(other.op->getLoc())
            << "touched here, with no barrier in between on some path";
        return error;
      }
    open.append(own);
    return success();
  }
};

struct CheckPlacedStage : impl::CheckPlacedStagePassBase<CheckPlacedStage> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    bool failed = false;
    auto check = [&](LogicalResult result) { failed |= mlir::failed(result); };
    for (auto param : module.getOps<ParamOp>())
      if (!param.getLayout())
        check(param.emitOpError("expects a layout at the placed stage; run place-choose-layouts"));
    module.walk([&](Operation *op) { check(checkForm(op)); });
    module.walk([&](LinearOp linear) { check(checkLinear(linear)); });
    module.walk([&](RouteExpertsOp experts) { check(checkLinear(experts)); });
    for (auto func : module.getOps<func::FuncOp>())
      check(checkFunction(func));
    if (failed)
      signalPassFailure();
  }

  LogicalResult checkFunction(func::FuncOp func) {
    SmallVector<TeamOp> teams(func.getOps<TeamOp>());
    if (teams.size() != 1) {
      if (teams.empty() && !func->hasAttr("sluice.export"))
        return success();
      return func.emitOpError() << "expects exactly one place.team at the placed stage, but has "
                                << teams.size();
    }
    auto arena = func->getAttrOfType<ExtentAttr>("place.arena");
    if (!arena)
      return func.emitOpError(
          "expects 'place.arena', the size of the step's memory; run place-plan-memory");
    for (auto buffer : func.getOps<BufferOp>())
      if (failed(checkBuffer(buffer, arena)))
        return failure();
    WalkResult phases = func.walk([](PhaseOp phase) {
      return failed(checkPhase(phase)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (phases.wasInterrupted())
      return failure();
    SmallVector<Access> open;
    return RaceFinder().walk(teams.front().getBody().front(), open);
  }
};
} // namespace
} // namespace sluice::place
