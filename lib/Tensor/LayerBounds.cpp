//===- LayerBounds.cpp - layer numbers stay within the stack --------------===//
// SPDX-License-Identifier: Apache-2.0
//
// A layer number selects memory by multiplication, without a check at run time; so its range is
// proved here, from constants, counters of loops with constant bounds, and sums and products of
// these.
//===----------------------------------------------------------------------===//
#include "dialects/Sluice/Sluice.h"
#include "lib/Tensor/TensorContract.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace sluice::tensor {
namespace {

/// Both ends are reached.
struct Range {
  int64_t first, last;
};

std::optional<int64_t> constantIndex(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)) && constant.getSignificantBits() <= 64)
    return constant.getSExtValue();
  return std::nullopt;
}

std::optional<Range> rangeOf(Value value) {
  if (auto constant = constantIndex(value))
    return Range{*constant, *constant};
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || argument != loop.getInductionVar())
      return std::nullopt;
    auto first = constantIndex(loop.getLowerBound()), end = constantIndex(loop.getUpperBound()),
         step = constantIndex(loop.getStep());
    if (!first || !end || !step || *step <= 0)
      return std::nullopt;
    // A loop that does not run selects nothing.
    int64_t trips = *end > *first ? (*end - *first - 1) / *step : 0;
    return Range{*first, *first + trips * *step};
  }
  Operation *op = value.getDefiningOp();
  if (!isa<arith::AddIOp, arith::MulIOp>(op))
    return std::nullopt;
  auto lhs = rangeOf(op->getOperand(0)), rhs = rangeOf(op->getOperand(1));
  if (!lhs || !rhs || lhs->first < 0 || rhs->first < 0)
    return std::nullopt;
  bool sum = isa<arith::AddIOp>(op);
  Range range;
  if (sum ? llvm::AddOverflow(lhs->first, rhs->first, range.first) ||
                llvm::AddOverflow(lhs->last, rhs->last, range.last)
          : llvm::MulOverflow(lhs->first, rhs->first, range.first) ||
                llvm::MulOverflow(lhs->last, rhs->last, range.last))
    return std::nullopt;
  return range;
}

LogicalResult checkLayer(Operation *op, Value layer, int64_t layers, Location declared) {
  std::optional<Range> range = rangeOf(layer);
  if (range && range->first >= 0 && range->last < layers)
    return success();
  auto error = op->emitOpError() << "expects a layer number provably in [0, " << layers
                                 << "), but ";
  if (range)
    error << "it goes from " << range->first << " to " << range->last;
  else
    error << "it is neither a constant, nor the counter of a loop with constant bounds, nor a sum "
             "of these";
  error.attachNote(declared) << "the layers are declared here";
  return error;
}
} // namespace

LogicalResult checkLayers(Operation *op) {
  if (auto use = dyn_cast<ParamUseOp>(op); use && use.getLayer()) {
    auto param = SymbolTable::lookupNearestSymbolFrom<ParamOp>(op, use.getParamAttr());
    return checkLayer(op, use.getLayer(), *param.getStack(), param.getLoc());
  }
  Value layer;
  PagesType pages;
  if (auto append = dyn_cast<CacheAppendOp>(op)) {
    layer = append.getLayer();
    pages = append.getPages().getType();
  } else if (auto attention = dyn_cast<AttentionOp>(op); attention && attention.getPages()) {
    layer = attention.getLayer();
    pages = attention.getPages().getType();
  } else {
    return success();
  }
  auto kv = SymbolTable::lookupNearestSymbolFrom<KVOp>(op, pages.getSymbol());
  return checkLayer(op, layer, kv.getLayers(), kv.getLoc());
}
} // namespace sluice::tensor
