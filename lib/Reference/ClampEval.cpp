// SPDX-License-Identifier: Apache-2.0
//
// clamp: result = copysign(min(|x|, |w|), x). Exact.

#include "Rules.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

static double clamp(double x, double w, NanRule nan) {
  if (nan == NanRule::Propagate) {
    if (std::isnan(x) || std::isnan(w))
      return std::nan("");
  } else {
    if (std::isnan(x))
      return 0.0; // a silent channel
    if (std::isnan(w))
      return x; // a channel without a width is open
  }
  double magnitude = std::fabs(x) < std::fabs(w) ? std::fabs(x) : std::fabs(w);
  return std::copysign(magnitude, x);
}

static LogicalResult evalClamp(ClampOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &width = frame.tensor(op.getWidth());
  int64_t R = rows.dim(0), C = rows.dim(1);
  bool perChannel = width.rank() == 1;
  if (!perChannel && width.dim(0) != R)
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << R
                          << " and 'width' has " << width.dim(0);
  Tensor result(rows.element, {R, C});
  for (int64_t r = 0; r < R; ++r)
    for (int64_t c = 0; c < C; ++c)
      result.put(result.at({r, c}),
                 clamp(rows({r, c}), perChannel ? width({c}) : width({r, c}), op.getNan()));
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addClampRules(RuleBook &book) { book.add<ClampOp>(evalClamp); }
