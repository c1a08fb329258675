// SPDX-License-Identifier: Apache-2.0
//
// batch.positions: the position that the caller gave each row.

#include "Rules.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

static LogicalResult evalPositions(BatchPositionsOp op, Frame &frame) {
  const Batch &batch = frame.batch(op.getBatch());
  Tensor result(cast<ShapedType>(op.getResult().getType()).getElementType(), {batch.rows()});
  result.integers = batch.position;
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addBatchRules(RuleBook &book) { book.add<BatchPositionsOp>(evalPositions); }
