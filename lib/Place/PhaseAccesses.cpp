// SPDX-License-Identifier: Apache-2.0
//
// Accesses follow from the effects that ops declare; only whether they stay within an item is known
// here.

#include "lib/Place/PhaseAccesses.h"

using namespace mlir;

namespace sluice::place {
namespace {

/// Whether `memref` shows all of the memory: reshapes do, slices may not.
bool showsAll(Value memref) {
  while (Operation *op = memref.getDefiningOp()) {
    if (isa<memref::ExpandShapeOp, memref::CollapseShapeOp>(op))
      memref = op->getOperand(0);
    else
      return !isa<memref::SubViewOp>(op);
  }
  return true;
}

/// Whether the op reads rows of `operand` that belong to other items.
bool reachesAcross(Operation *op, Value operand) {
  if (auto embed = dyn_cast<EmbedOp>(op))
    return operand == embed.getTable();
  if (auto pool = dyn_cast<PoolOp>(op))
    return operand == pool.getRows();
  if (auto linear = dyn_cast<LinearOp>(op))
    return operand == linear.getRows();
  if (auto experts = dyn_cast<RouteExpertsOp>(op))
    return !llvm::is_contained(experts.getInto(), operand);
  if (auto route = dyn_cast<RouteOp>(op))
    return route.getBatchDependent();
  if (isa<RouteGroupOp>(op))
    return true;
  // All but the query is read by every row of a sequence.
  if (auto attention = dyn_cast<AttentionOp>(op))
    return operand != attention.getQuery() && !llvm::is_contained(attention.getInto(), operand);
  return false;
}

void add(SmallVectorImpl<Access> &accesses, Operation *op, Value operand, bool write) {
  accesses.push_back(
      {viewedMemory(operand), write, !reachesAcross(op, operand), write && showsAll(operand), op});
}
} // namespace

Value viewedMemory(Value memref) {
  while (Operation *op = memref.getDefiningOp()) {
    if (!isa<memref::SubViewOp, memref::ExpandShapeOp, memref::CollapseShapeOp, memref::CastOp>(op))
      break;
    memref = op->getOperand(0);
  }
  return memref;
}

SmallVector<Access> accessesOf(Operation *op) {
  SmallVector<Access> reads, writes;
  // These declare effects on memory at large.
  if (auto pack = dyn_cast<CachePackOp>(op)) {
    add(reads, op, pack.getKey(), false);
    add(reads, op, pack.getValue(), false);
    add(writes, op, pack.getInto(), true);
  } else if (auto submit = dyn_cast<SubmitOp>(op)) {
    add(reads, op, submit.getIds(), false);
    add(writes, op, submit.getInto(), true);
  } else if (auto await = dyn_cast<AwaitOp>(op)) {
    // Not a new value: it completes what the request began.
    add(writes, op, await.getInto(), true);
    writes.back().whole = false;
  } else if (auto interface = dyn_cast<MemoryEffectOpInterface>(op)) {
    SmallVector<MemoryEffects::EffectInstance> effects;
    interface.getEffects(effects);
    for (const MemoryEffects::EffectInstance &effect : effects)
      if (Value operand = effect.getValue()) {
        bool write = isa<MemoryEffects::Write>(effect.getEffect());
        add(write ? writes : reads, op, operand, write);
      }
  }
  // An append fills some slots; what other steps wrote stays.
  if (isa<CacheAppendOp>(op))
    for (Access &access : writes)
      access.whole = false;
  reads.append(writes);
  return reads;
}

SmallVector<Access> accessesOf(PhaseOp phase) {
  SmallVector<Access> all;
  for (Operation &op : phase.getBody().front())
    all.append(accessesOf(&op));
  return all;
}

bool runsAtLeastOnce(scf::ForOp loop) {
  std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
  return from && to && *from < *to;
}
} // namespace sluice::place
