// SPDX-License-Identifier: Apache-2.0
//
// linear: result[r, n] = f(sum over k of rows[r, k] * weight[n, k] + bias[n]) + residual[r, n].

#include "Rules.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

static LogicalResult evalLinear(LinearOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &weight = frame.tensor(op.getWeight());
  const Tensor *bias = op.getBias() ? &frame.tensor(op.getBias()) : nullptr;
  const Tensor *residual = op.getResidual() ? &frame.tensor(op.getResidual()) : nullptr;
  int64_t R = rows.dim(0), K = rows.dim(1), N = weight.dim(0);
  if (residual && residual->dim(0) != R)
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << R
                          << " and 'residual' has " << residual->dim(0);

  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), {R, N});
  for (int64_t r = 0; r < R; ++r)
    for (int64_t n = 0; n < N; ++n) {
      double sum = 0, magnitude = 0, flushed = 0;
      for (int64_t k = 0; k < K; ++k) {
        double x = rows({r, k}), w = weight({n, k});
        sum += x * w;
        magnitude += std::fabs(x * w);
        flushed += 1 + std::fabs(x) + std::fabs(w);
      }
      double before = sum, value, slack = chain(K) * magnitude;
      if (weight.element.isBF16())
        slack += tiny * flushed;
      if (bias) {
        before += (*bias)({n});
        slack += 2 * u * (magnitude + std::fabs((*bias)({n})));
      }
      value = before;
      if (auto function = op.getActivation()) {
        value = applyFunction(*function, before);
        slack = slack * functionSlope(*function, std::fabs(before) + slack) +
                functionSlack(*function, before);
      }
      if (residual) {
        value += (*residual)({r, n});
        slack += 2 * u * (std::fabs(value) + std::fabs((*residual)({r, n})));
      }
      result.put(result.at({r, n}), value, slack);
    }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addLinearRules(RuleBook &book) { book.add<LinearOp>(evalLinear); }
