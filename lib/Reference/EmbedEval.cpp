// SPDX-License-Identifier: Apache-2.0
//
// embed, gather, await: rows of a table by number. To the oracle a row on its way has arrived.

#include "Rules.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

static Tensor gatherRows(Operation *op, const Tensor &table, const Tensor &ids, Type element,
                         Frame &frame, int64_t offset = 0) {
  int64_t V = table.dim(0) - offset, C = table.dim(1), R = ids.dim(0);
  Tensor result(element, {R, C});
  result.accuracy = table.accuracy;
  result.roughened = table.roughened;
  if (table.accuracy == Accuracy::Bounded) {
    result.low.assign(R * C, 0.0);
    result.high.assign(R * C, 0.0);
  }
  for (int64_t r = 0; r < R; ++r) {
    int64_t id = ids.integers[r];
    if (id < 0 || id >= V) {
      frame.machine.refuse({Trap::Id, id, V, op->getLoc()});
      continue; // the row is left zero
    }
    for (int64_t c = 0; c < C; ++c)
      result.move(result.at({r, c}), table, table.at({id + offset, c}));
  }
  return result;
}

static LogicalResult evalEmbed(EmbedOp op, Frame &frame) {
  Type element = cast<ShapedType>(op.getResult().getType()).getElementType();
  return frame.give(op.getResult(),
                    gatherRows(op, frame.tensor(op.getTable()), frame.tensor(op.getIds()), element,
                               frame, static_cast<int64_t>(op.getOffset().value_or(0))));
}

static LogicalResult evalGather(GatherOp op, Frame &frame) {
  Type element = op.getResult().getType().getValue().getElementType();
  return frame.give(op.getResult(), gatherRows(op, frame.tensor(op.getTable()),
                                               frame.tensor(op.getIds()), element, frame));
}

static LogicalResult evalAwait(AwaitOp op, Frame &frame) {
  return frame.give(op.getResult(), frame.tensor(op.getFuture()));
}

void sluice::reference::addEmbedRules(RuleBook &book) {
  book.add<EmbedOp>(evalEmbed, /*moves=*/true);
  book.add<GatherOp>(evalGather, /*moves=*/true);
  book.add<AwaitOp>(evalAwait, /*moves=*/true);
}
