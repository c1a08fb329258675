// SPDX-License-Identifier: Apache-2.0
//
// rope: pairs of channels rotated by an f32 angle that grows with the position.

#include "Rules.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

/// The angle as models are trained with it: every step of its computation is rounded to f32, the
/// exponent included.
static double angleOf(int64_t position, int64_t pair, int64_t dims, double theta) {
  float exponent = static_cast<float>(2 * pair) / static_cast<float>(dims);
  float power = static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
  float frequency = 1.0f / power;
  return static_cast<float>(position) * frequency;
}

static LogicalResult evalRope(RopeOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &positions = frame.tensor(op.getPositions());
  int64_t R = rows.dim(0), H = rows.dim(1);
  if (positions.dim(0) != R)
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << R
                          << " and 'positions' has " << positions.dim(0);
  int64_t dims = op.getRotatedDims();
  double theta = op.getTheta().convertToDouble();

  Tensor result = Tensor::bounded(rows.element, rows.shape);
  for (int64_t i = 0; i < rows.count(); ++i)
    result.put(i, rows.numbers[i]); // channels from `dims` on
  for (int64_t r = 0; r < R; ++r)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < dims / 2; ++i) {
        bool halves = op.getPairing() == RopePairing::Halves;
        int64_t a = rows.at({r, h, halves ? i : 2 * i});
        int64_t b = rows.at({r, h, halves ? i + dims / 2 : 2 * i + 1});
        double angle = angleOf(positions.integers[r], i, dims, theta);
        double xa = rows.numbers[a], xb = rows.numbers[b];
        double slack = angle == 0 ? 0 : (sine + 2 * u) * (std::fabs(xa) + std::fabs(xb));
        result.put(a, xa * std::cos(angle) - xb * std::sin(angle), slack);
        result.put(b, xb * std::cos(angle) + xa * std::sin(angle), slack);
      }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addRopeRules(RuleBook &book) { book.add<RopeOp>(evalRope); }
