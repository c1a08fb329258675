// SPDX-License-Identifier: Apache-2.0
//
// Inference of row extents: values that must agree are joined, then named by the ops that know.

#include "lib/Place/RowExtents.h"
#include "dialects/Sluice/Sluice.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace sluice::place {
namespace {

/// Whether the leading dimension of `type` (of a future: of its rows) has to be found out.
bool isDynamicRows(Type type) {
  if (auto future = dyn_cast<FutureType>(type))
    type = future.getValue();
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() > 0 && tensor.isDynamicDim(0);
}

/// Calls `join` for each pair of values whose leading dimensions are equal because of `op`.
void forEachPair(Operation *op, function_ref<void(Value, Value)> join) {
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (auto [init, carried, yielded, result] :
         llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getYieldedValues(),
                         loop.getResults())) {
      join(init, carried);
      join(init, yielded);
      join(init, result);
    }
  } else if (auto embed = dyn_cast<EmbedOp>(op)) {
    join(embed.getIds(), embed.getResult()); // the table's rows are its own
  } else if (auto gather = dyn_cast<GatherOp>(op)) {
    join(gather.getIds(), gather.getResult());
  } else if (isa<ComputeOpInterface, CacheAppendOp, ::sluice::AwaitOp, arith::AddFOp,
                 mlir::tensor::ExtractSliceOp, mlir::tensor::ExpandShapeOp,
                 mlir::tensor::CollapseShapeOp>(op) &&
             !isa<PoolOp>(op)) {
    // These relate row r to row r. Returns and yields relate nothing.
    Value first;
    auto joinAll = [&](ValueRange values) {
      auto attention = dyn_cast<AttentionOp>(op);
      for (Value value : values) {
        if (!isDynamicRows(value.getType()) || (attention && value == attention.getPrefixes()))
          continue;
        if (first)
          join(first, value);
        else
          first = value;
      }
    };
    joinAll(op->getOperands());
    joinAll(op->getResults());
  }
}

/// Calls `name` for each value whose extent `op` knows.
void forEachKnown(Operation *op, function_ref<void(Value, Extent)> name) {
  if (isa<AttentionOp, CacheAppendOp, BatchPositionsOp>(op)) {
    auto attention = dyn_cast<AttentionOp>(op);
    for (Value operand : op->getOperands())
      name(operand, attention && operand == attention.getPrefixes() ? Extent::Seqs : Extent::Rows);
    for (Value result : op->getResults())
      name(result, Extent::Rows);
  } else if (auto pool = dyn_cast<PoolOp>(op)) {
    name(pool.getRows(), Extent::Rows);
    name(pool.getResult(), Extent::Seqs);
  }
}
} // namespace

StringRef stringify(Extent extent) {
  switch (extent) {
  case Extent::Rows:
    return "rows";
  case Extent::Seqs:
    return "seqs";
  case Extent::Asked:
    return "asked";
  case Extent::Fixed:
    return "fixed";
  }
  llvm_unreachable("extent");
}

FailureOr<RowExtents> RowExtents::infer(func::FuncOp func) {
  RowExtents result;
  auto count = [&](Value value) {
    if (isDynamicRows(value.getType()))
      result.number.try_emplace(value, result.number.size());
  };
  llvm::for_each(func.getArguments(), count);
  func.walk([&](Operation *op) {
    llvm::for_each(op->getResults(), count);
    if (auto loop = dyn_cast<scf::ForOp>(op))
      llvm::for_each(loop.getRegionIterArgs(), count);
  });

  result.classes.grow(result.number.size());
  auto join = [&](Value a, Value b) {
    auto first = result.number.find(a), second = result.number.find(b);
    if (first != result.number.end() && second != result.number.end())
      result.classes.join(first->second, second->second);
  };
  func.walk([&](Operation *op) { forEachPair(op, join); });
  result.classes.compress();

  bool conflict = false;
  auto name = [&](Operation *op, Value value, Extent extent) {
    auto found = result.number.find(value);
    if (found == result.number.end() || conflict)
      return;
    auto [entry, inserted] = result.extents.try_emplace(result.classes[found->second], extent);
    if (inserted || entry->second == extent)
      return;
    op->emitOpError() << "expects a tensor of " << stringify(extent)
                      << ", but its leading dim counts " << stringify(entry->second);
    conflict = true;
  };
  for (BlockArgument argument : func.getArguments())
    if (auto called = func.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "sluice.name");
        called && called.getValue() == "ask")
      name(func, argument, Extent::Asked);
  func.walk([&](Operation *op) {
    forEachKnown(op, [&](Value value, Extent extent) { name(op, value, extent); });
  });
  if (conflict)
    return failure();

  // Sampling is done for asked rows, when nothing else says what its rows are.
  func.walk([&](Operation *op) {
    if (!isa<SampleArgmaxOp, SampleDrawOp>(op))
      return;
    for (Value operand : op->getOperands())
      if (auto found = result.number.find(operand); found != result.number.end())
        result.extents.try_emplace(result.classes[found->second], Extent::Asked);
  });
  return result;
}

Extent RowExtents::of(Value tensor) const {
  auto found = number.find(tensor);
  if (found == number.end())
    return Extent::Fixed;
  auto extent = extents.find(classes[found->second]);
  return extent == extents.end() ? Extent::Rows : extent->second;
}
} // namespace sluice::place
