// SPDX-License-Identifier: Apache-2.0
//
// norm: each row divided by a statistic of itself, then weight and bias.

#include "Rules.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

static LogicalResult evalNorm(NormOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor *weight = op.getWeight() ? &frame.tensor(op.getWeight()) : nullptr;
  const Tensor *bias = op.getBias() ? &frame.tensor(op.getBias()) : nullptr;
  double eps = op.getEps().convertToDouble();
  int64_t C = rows.shape.back();
  int64_t heads = op.isGrouped() ? rows.shape[1] : 1;
  double offset = op.getOffset() ? op.getOffset()->convertToDouble() : 0;

  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), rows.shape);
  for (int64_t first = 0; first < rows.count(); first += C) {
    const double *x = rows.numbers.data() + first;
    int64_t group = first / C % heads * C; // of the head's numbers in weight and bias
    double mean = 0, magnitude = 0;
    for (int64_t c = 0; c < C; ++c) {
      mean += x[c] / static_cast<double>(C);
      magnitude += std::fabs(x[c]) / static_cast<double>(C);
    }
    if (op.getKind() != NormKind::Layer)
      mean = 0;
    double squares = 0;
    for (int64_t c = 0; c < C; ++c)
      squares += (x[c] - mean) * (x[c] - mean);
    // std::max would lose a NaN.
    double root = std::sqrt(squares);
    double divisor = op.getKind() == NormKind::L2
                         ? (root < eps ? eps : root)
                         : std::sqrt(squares / static_cast<double>(C) + eps);
    double meanError = op.getKind() == NormKind::Layer ? tree(C) * magnitude / divisor : 0;

    for (int64_t c = 0; c < C; ++c) {
      double y = (x[c] - mean) / divisor;
      double slack = meanError + (tree(C) + meanError * meanError + 8 * u) * std::fabs(y);
      if (weight) {
        double factor = offset + (*weight)({group + c});
        slack = slack * std::fabs(factor) + (offset != 0 ? u * std::fabs(y * factor) : 0);
        y *= factor;
      }
      double value = bias ? y + (*bias)({group + c}) : y;
      result.put(first + c, value, slack + 2 * u * (std::fabs(y) + std::fabs(value)));
    }
  }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addNormRules(RuleBook &book) { book.add<NormOp>(evalNorm); }
