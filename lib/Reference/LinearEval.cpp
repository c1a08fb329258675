// SPDX-License-Identifier: Apache-2.0
//
// linear: result[r, n] = f(sum over k of rows[r, k] * weight[n, k] + bias[n]) + residual[r, n].

#include "Rules.h"
#include "sluice/Reference/BlockCodes.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

/// One sum over k and what is known about an honest one of it.
namespace {
struct Sum {
  double value = 0, magnitude = 0, slack = 0;
};
} // namespace

static Sum sumOf(const Tensor &rows, const Tensor &weight, int64_t r, int64_t n) {
  Sum sum;
  double flushed = 0;
  for (int64_t k = 0; k < rows.dim(1); ++k) {
    double x = rows({r, k}), w = weight({n, k});
    sum.value += x * w;
    sum.magnitude += std::fabs(x * w);
    flushed += 1 + std::fabs(x) + std::fabs(w);
  }
  sum.slack = chain(rows.dim(1)) * sum.magnitude;
  // dpbf16 flushes denormals; an encoded weight is f32 here.
  if (weight.element.isBF16())
    sum.slack += tiny * flushed;
  return sum;
}

/// The same with rows as codes: exact within a block, rounded once for the product of the scales
/// and once for the step.
static Sum sumOf(const BlockCodes &rows, const Tensor &weight, int64_t r, int64_t n) {
  Sum sum;
  for (int64_t block = 0; block < rows.blocks(); ++block) {
    int64_t begin = block * rows.columns, end = std::min(begin + rows.columns, rows.inputs);
    double part = 0;
    for (int64_t k = begin; k < end; ++k)
      part += rows.code(r, k) * weight({n, k});
    part *= rows.scale(r, block);
    sum.value += part;
    sum.magnitude += std::fabs(part);
  }
  sum.slack =
      (chain(rows.blocks()) + 2 * u) * sum.magnitude + tiny * static_cast<double>(rows.blocks());
  return sum;
}

static LogicalResult evalLinear(LinearOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &weight = frame.tensor(op.getWeight());
  const Tensor *bias = op.getBias() ? &frame.tensor(op.getBias()) : nullptr;
  const Tensor *residual = op.getResidual() ? &frame.tensor(op.getResidual()) : nullptr;
  int64_t R = rows.dim(0), N = weight.dim(0);
  if (residual && residual->dim(0) != R)
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << R
                          << " and 'residual' has " << residual->dim(0);

  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), {R, N});
  std::optional<BlockCodes> coded;
  if (op.getInputs())
    coded = encodeRows(rows, blocksOf(op.getWeight().getType()).getColumns());
  for (int64_t r = 0; r < R; ++r)
    for (int64_t n = 0; n < N; ++n) {
      Sum sum = coded ? sumOf(*coded, weight, r, n) : sumOf(rows, weight, r, n);
      double before = sum.value, value, magnitude = sum.magnitude, slack = sum.slack;
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
