//===- LinearPages.cpp - page values are used up exactly once -------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Pages are written in place, so at any time only the newest value of them may be read. That holds
// when each value has one consumer, in its own block, and all its readers stand before that.
//===----------------------------------------------------------------------===//
#include "dialects/Sluice/Sluice.h"
#include "lib/Tensor/TensorContract.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace sluice::tensor {
namespace {

/// Whether this use makes the value old: everything does but reading by an attention.
bool consumes(OpOperand &use) { return !isa<AttentionOp>(use.getOwner()); }

LogicalResult checkLinear(Value pages, Location loc) {
  Block *home = pages.getParentBlock();
  Operation *consumer = nullptr;
  // Use lists have no order that means anything; find the first consumer in the block's order.
  unsigned consumers = 0;
  for (OpOperand &use : pages.getUses()) {
    if (!consumes(use))
      continue;
    ++consumers;
    Operation *owner = use.getOwner();
    if (owner->getBlock() != home) {
      auto error = owner->emitOpError(
          "expects to consume pages of its own block, but these are made outside of it; carry "
          "them through the loop's iter_args");
      error.attachNote(loc) << "the pages are made here";
      return error;
    }
    if (!consumer || owner->isBeforeInBlock(consumer))
      consumer = owner;
  }
  if (consumers == 0)
    return emitError(loc) << "expects pages to be consumed once (by an append, a yield or a "
                             "return), but nothing consumes "
                             "them";
  if (consumers > 1) {
    auto error = emitError(loc) << "expects pages to be consumed once, but they are consumed "
                                << consumers << " times";
    error.attachNote(consumer->getLoc()) << "the first to consume them";
    return error;
  }
  for (OpOperand &use : pages.getUses()) {
    if (consumes(use))
      continue;
    Operation *reader = home->findAncestorOpInBlock(*use.getOwner());
    if (reader && reader->isBeforeInBlock(consumer))
      continue;
    auto error = use.getOwner()->emitOpError(
        "expects to read pages before they are consumed, but they are old here");
    error.attachNote(consumer->getLoc()) << "they are consumed here";
    return error;
  }
  return success();
}
} // namespace

LogicalResult checkPages(Operation *op) {
  if (auto attention = dyn_cast<AttentionOp>(op);
      attention && attention.getPages() && attention.getMask().isAll())
    return op->emitOpError("expects a mask that hides later keys with pages, such as "
                           "#sluice.causal: with #sluice.all a row "
                           "would depend on how a sequence is cut into steps");
  for (Value result : op->getResults())
    if (isa<PagesType>(result.getType()) && failed(checkLinear(result, op->getLoc())))
      return failure();
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (BlockArgument argument : block.getArguments())
        if (isa<PagesType>(argument.getType()) && failed(checkLinear(argument, argument.getLoc())))
          return failure();
  return success();
}
} // namespace sluice::tensor
