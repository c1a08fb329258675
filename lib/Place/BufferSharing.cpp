// SPDX-License-Identifier: Apache-2.0
//
// Lifetimes of tensors, and the greedy joining of those that never live at once.

#include "lib/Place/BufferSharing.h"
#include "dialects/Sluice/Sluice.h"
#include "lib/Place/BufferTypes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace sluice::place {

Value viewedTensor(Value tensor) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (isa<mlir::tensor::ExtractSliceOp, mlir::tensor::ExpandShapeOp,
            mlir::tensor::CollapseShapeOp, ::sluice::AwaitOp>(op))
      tensor = op->getOperand(0);
    else
      break;
  }
  return tensor;
}

static RankedTensorType rowsType(Value tensor) {
  if (auto future = dyn_cast<FutureType>(tensor.getType()))
    return future.getValue();
  return dyn_cast<RankedTensorType>(tensor.getType());
}

Type storedElement(Value tensor) {
  Type element = rowsType(tensor).getElementType();
  Operation *op = tensor.getDefiningOp();
  if (op && isa<NormOp, ActivationOp, AttentionOp, LinearOp>(op) && op->hasAttr("round"))
    return Float32Type::get(element.getContext());
  return element;
}

namespace {
/// Whether a buffer-form op may write output `result` over the operand `use`.
bool mayOverwrite(OpOperand &use, Value result) {
  Operation *op = use.getOwner();
  Value operand = use.get();
  if (auto linear = dyn_cast<LinearOp>(op))
    return operand == linear.getResidual() && operand != linear.getRows();
  if (auto combine = dyn_cast<RouteCombineOp>(op))
    return operand == combine.getResidual() && operand != combine.getRows() &&
           operand != combine.getWeights();
  if (isa<RouteOp, RouteExpertsOp>(op))
    return false;
  if (auto norm = dyn_cast<NormOp>(op))
    return operand == norm.getRows();
  if (auto activation = dyn_cast<ActivationOp>(op))
    return operand == activation.getRows() && !activation.getGated();
  if (auto clamp = dyn_cast<ClampOp>(op))
    return operand == clamp.getRows() && operand != clamp.getWidth();
  if (auto rope = dyn_cast<RopeOp>(op))
    return operand == rope.getRows();
  if (auto draw = dyn_cast<SampleDrawOp>(op))
    return operand == draw.getRng() && result == draw.getDrawn()[1];
  return isa<arith::AddFOp>(op);
}
} // namespace

BufferSharing::BufferSharing(func::FuncOp func, const RowExtents &extents)
    : func(func), extents(extents) {
  numberOps(func.getBody().front());
  func.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      for (Value carried : loop.getRegionIterArgs())
        addOwner(carried, begins[op]);
      for (Value result : loop.getResults())
        addOwner(result, ends[op]);
    } else if (isa<ComputeOpInterface, GatherOp, arith::AddFOp>(op)) {
      for (Value result : op->getResults())
        addOwner(result, begins[op]);
    }
  });
  joinLoops();
  joinInPlace();
  claimResults();

  llvm::DenseSet<unsigned> seen;
  for (auto &[tensor, life] : lives)
    if (seen.insert(life.group).second)
      leaders.push_back(tensor);
}

void BufferSharing::numberOps(Block &block) {
  for (Operation &op : block) {
    begins[&op] = ++clock;
    opAt[clock] = &op;
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        numberOps(inner);
    ends[&op] = op.getNumRegions() ? ++clock : begins[&op];
    opAt[ends[&op]] = &op;
  }
}

/// The last number at which `tensor`, made in `home`, is read, itself or through a view.
int64_t BufferSharing::lastUse(Value tensor, Block *home) const {
  int64_t last = 0;
  for (OpOperand &use : tensor.getUses()) {
    Operation *user = use.getOwner();
    int64_t at = begins.lookup(user);
    if (auto yield = dyn_cast<scf::YieldOp>(user); yield && user->getBlock() == home)
      at = ends.lookup(yield->getParentOp());
    // Used in a loop that it was not made in: needed in every round.
    if (Operation *ancestor = home->findAncestorOpInBlock(*user); ancestor && ancestor != user)
      at = ends.lookup(ancestor);
    last = std::max(last, at);
    for (Value result : user->getResults())
      if ((isa<RankedTensorType, FutureType>(result.getType())) && viewedTensor(result) != result &&
          viewedTensor(result) == viewedTensor(tensor))
        last = std::max(last, lastUse(result, home));
  }
  return last;
}

void BufferSharing::addOwner(Value tensor, int64_t begin) {
  if (!rowsType(tensor))
    return;
  unsigned group = members.size();
  int64_t end = std::max(begin, lastUse(tensor, tensor.getParentBlock()));
  lives[tensor] = {begin, end, group};
  members.push_back({tensor});
}

/// `before` ends and `after` begins at number `at`: whether the one may be written over the other
/// there.
bool BufferSharing::meetInPlace(Value before, Value after, int64_t at) const {
  Operation *op = opAt.lookup(at);
  // What goes into a loop, around it and out of it only changes its name.
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (auto [init, carried, yielded, result] :
         llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getYieldedValues(),
                         loop.getResults()))
      if ((after == carried && before == init) || (after == result && before == yielded))
        return true;
    return false;
  }
  return llvm::all_of(op->getOpOperands(), [&](OpOperand &use) {
    if (!isa<RankedTensorType>(use.get().getType()) || viewedTensor(use.get()) != before)
      return true;
    return use.get() == before && mayOverwrite(use, after);
  });
}

bool BufferSharing::liveTogether(Value a, Value b) const {
  Life first = lives.lookup(a), second = lives.lookup(b);
  if (first.begin > second.begin) {
    std::swap(first, second);
    std::swap(a, b);
  }
  if (first.begin == second.begin)
    return true;
  if (first.end != second.begin)
    return first.end > second.begin;
  return !meetInPlace(a, b, first.end);
}

/// Joins the groups of `a` and `b` if both own memory of one type and no two members live at once.
bool BufferSharing::join(Value a, Value b) {
  auto first = lives.find(a), second = lives.find(b);
  if (first == lives.end() || second == lives.end())
    return false;
  unsigned kept = first->second.group, gone = second->second.group;
  if (kept == gone)
    return true;
  if (rowsType(a).getShape() != rowsType(b).getShape() || storedElement(a) != storedElement(b) ||
      extents.of(a) != extents.of(b))
    return false;
  for (Value one : members[kept])
    for (Value other : members[gone])
      if (liveTogether(one, other))
        return false;
  for (Value tensor : members[gone])
    lives[tensor].group = kept;
  llvm::append_range(members[kept], members[gone]);
  members[gone].clear();
  return true;
}

void BufferSharing::joinLoops() {
  // Inner loops first: an outer loop's value that an inner one carries joins as a whole.
  func.walk<WalkOrder::PostOrder>([&](scf::ForOp loop) {
    for (auto [init, carried, yielded, result] :
         llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getYieldedValues(),
                         loop.getResults())) {
      if (!isa<RankedTensorType>(carried.getType()))
        continue;
      bool same = join(carried, result);
      assert(same && "a loop's result is what it carried last");
      (void)same;
      join(carried, yielded);
      join(carried, init);
    }
  });
}

void BufferSharing::joinInPlace() {
  func.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!isa<ComputeOpInterface, arith::AddFOp>(op))
      return;
    for (OpOperand &use : op->getOpOperands())
      for (Value result : op->getResults())
        if (lives.contains(use.get()) && lives.contains(result) && mayOverwrite(use, result))
          join(use.get(), result);
  });
}

/// Results are made where the caller wants them, except when rows that a linear layer reads would
/// alias in the cache.
void BufferSharing::claimResults() {
  Operation *ret = func.getBody().front().getTerminator();
  unsigned number = 0;
  for (Value value : ret->getOperands()) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    unsigned result = number++;
    auto life = lives.find(value);
    if (life == lives.end() || storedElement(value) != rowsType(value).getElementType())
      continue;
    unsigned group = life->second.group;
    bool read = llvm::any_of(members[group], [](Value tensor) {
      return llvm::any_of(tensor.getUses(), [&](OpOperand &use) {
        auto linear = dyn_cast<LinearOp>(use.getOwner());
        auto experts = dyn_cast<RouteExpertsOp>(use.getOwner());
        return (linear && linear.getRows() == tensor) || (experts && experts.getRows() == tensor);
      });
    });
    if (read && wantsPadding(rowsType(value)))
      continue;
    results.try_emplace(group, result);
  }
}

std::optional<unsigned> BufferSharing::groupOf(Value tensor) const {
  auto found = lives.find(tensor);
  if (found == lives.end())
    return std::nullopt;
  return found->second.group;
}

std::optional<unsigned> BufferSharing::resultOf(unsigned group) const {
  auto found = results.find(group);
  if (found == results.end())
    return std::nullopt;
  return found->second;
}
} // namespace sluice::place
