// SPDX-License-Identifier: Apache-2.0
//
// pool: one row per sequence.

#include "Rules.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

static LogicalResult evalPool(PoolOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Batch &batch = frame.batch(op.getBatch());
  int64_t S = batch.seqs(), C = rows.dim(1);
  if (rows.dim(0) != batch.rows())
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << rows.dim(0)
                          << " and the batch has " << batch.rows();
  Tensor result = Tensor::bounded(rows.element, {S, C});
  for (int64_t s = 0; s < S; ++s) {
    int64_t a = batch.rowStart[s], b = batch.rowStart[s + 1];
    if (a == b)
      continue; // zeros
    for (int64_t c = 0; c < C; ++c) {
      int64_t at = result.at({s, c});
      if (op.getKind() == PoolKind::First) {
        result.put(at, rows({a, c}));
      } else if (op.getKind() == PoolKind::Last) {
        result.put(at, rows({b - 1, c}));
      } else {
        double sum = 0, magnitude = 0, n = static_cast<double>(b - a);
        for (int64_t r = a; r < b; ++r) {
          sum += rows({r, c});
          magnitude += std::fabs(rows({r, c}));
        }
        result.put(at, sum / n, chain(b - a) * magnitude / n + 2 * u * std::fabs(sum / n));
      }
    }
  }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addPoolRules(RuleBook &book) { book.add<PoolOp>(evalPool); }
