// SPDX-License-Identifier: Apache-2.0
//
// rope: pairs of channels rotated by an f32 angle that grows with the position, at frequencies that
// may be scaled.

#include "Rules.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

namespace {
/// The frequencies of one op, as models are trained with them: the exponent, the power and the
/// result are rounded to f32; what a scaling does between is not.
class Frequencies {
public:
  explicit Frequencies(RopeOp op)
      : scaling(op.getScalingAttr()), dims(op.getRotatedDims()),
        theta(op.getTheta().convertToDouble()) {}

  /// Of `pair` in a sequence of `length`; `slack` is how far a target that works it out in f32 at
  /// run time may be off, relatively.
  float of(int64_t pair, int64_t length, double &slack) const {
    slack = 0;
    double base = theta;
    if (auto ntk = dyn_cast_or_null<RopeNtkAttr>(scaling))
      base *= std::pow(ntk.getFactor().convertToDouble(), widen());
    double power = powerOf(base, pair), plain = static_cast<float>(1.0 / power);
    if (auto linear = dyn_cast_or_null<RopeLinearAttr>(scaling))
      return static_cast<float>(plain / linear.getFactor().convertToDouble());
    if (auto dynamic = dyn_cast_or_null<RopeDynamicAttr>(scaling)) {
      double original = static_cast<double>(dynamic.getOriginal());
      if (length <= dynamic.getOriginal())
        return static_cast<float>(plain);
      double growth = 1 + dynamic.getFactor().convertToDouble() *
                              (static_cast<double>(length) - original) / original;
      double exponent = 2.0 * static_cast<double>(pair) / static_cast<double>(dims - 2);
      slack = (8 + 8 * exponent * (1 + std::log(growth))) * u;
      return static_cast<float>(plain * std::pow(growth, -exponent));
    }
    if (auto llama3 = dyn_cast_or_null<RopeLlama3Attr>(scaling))
      return static_cast<float>(ofLlama3(llama3, plain));
    if (auto yarn = dyn_cast_or_null<RopeYarnAttr>(scaling))
      return static_cast<float>(ofYarn(yarn, pair, power, plain));
    if (auto longrope = dyn_cast_or_null<RopeLongropeAttr>(scaling)) {
      auto divisors =
          length > longrope.getOriginal() ? longrope.getLongFactors() : longrope.getShortFactors();
      return static_cast<float>(1.0 / (static_cast<float>(divisors[pair]) * power));
    }
    return static_cast<float>(plain);
  }

private:
  double widen() const { return static_cast<double>(dims) / static_cast<double>(dims - 2); }

  double powerOf(double base, int64_t pair) const {
    float exponent = static_cast<float>(2 * pair) / static_cast<float>(dims);
    return static_cast<float>(std::pow(base, static_cast<double>(exponent)));
  }

  static double ofLlama3(RopeLlama3Attr llama3, double plain) {
    double factor = llama3.getFactor().convertToDouble(), low = llama3.getLow().convertToDouble(),
           high = llama3.getHigh().convertToDouble();
    double turns = static_cast<double>(llama3.getOriginal()) * plain / (2 * M_PI);
    double share = std::min(1.0, std::max(0.0, (turns - low) / (high - low)));
    return (1 - share) * plain / factor + share * plain;
  }

  double ofYarn(RopeYarnAttr yarn, int64_t pair, double power, double plain) const {
    double size = static_cast<double>(dims);
    auto corner = [&](const APFloat &turns) {
      return size *
             std::log(static_cast<double>(yarn.getOriginal()) /
                      (turns.convertToDouble() * 2 * M_PI)) /
             (2 * std::log(theta));
    };
    double low = corner(yarn.getFast()), high = corner(yarn.getSlow());
    if (yarn.getCorners() == YarnCorners::Whole)
      low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0), high = std::min(high, size - 1);
    if (low == high)
      high += 0.001;
    double ramp = std::min(1.0, std::max(0.0, (static_cast<double>(pair) - low) / (high - low)));
    return ramp / (yarn.getFactor().convertToDouble() * power) + (1 - ramp) * plain;
  }

  Attribute scaling;
  int64_t dims;
  double theta;
};
} // namespace

static LogicalResult evalRope(RopeOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &positions = frame.tensor(op.getPositions());
  int64_t R = rows.dim(0), H = rows.dim(1);
  if (positions.dim(0) != R)
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << R
                          << " and 'positions' has " << positions.dim(0);
  const Batch *batch = op.getBatch() ? &frame.batch(op.getBatch()) : nullptr;
  if (batch && batch->rows() != R)
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << R
                          << " and 'batch' has " << batch->rows();
  int64_t dims = op.getRotatedDims();
  Frequencies frequencies(op);
  auto given = op.getAmplitude();
  double amplitude = given ? given->convertToDouble() : 1.0;

  Tensor result = Tensor::bounded(rows.element, rows.shape);
  for (int64_t i = 0; i < rows.count(); ++i)
    result.put(i, rows.numbers[i]); // channels from `dims` on
  for (int64_t r = 0; r < R; ++r) {
    int64_t length = 0;
    if (batch)
      length = positions.integers[batch->rowStart[batch->sequenceOf(r) + 1] - 1] + 1;
    for (int64_t i = 0; i < dims / 2; ++i) {
      double relative;
      float frequency = frequencies.of(i, length, relative);
      double angle = static_cast<float>(positions.integers[r]) * frequency; // rounded to f32
      double turn = relative * std::fabs(angle) + (relative != 0 ? 2 * u * std::fabs(angle) : 0);
      bool halves = op.getPairing() == RopePairing::Halves;
      for (int64_t h = 0; h < H; ++h) {
        int64_t a = rows.at({r, h, halves ? i : 2 * i});
        int64_t b = rows.at({r, h, halves ? i + dims / 2 : 2 * i + 1});
        double xa = rows.numbers[a], xb = rows.numbers[b];
        double slack = angle == 0 ? 0 : (sine + turn + 2 * u) * (std::fabs(xa) + std::fabs(xb));
        if (given)
          slack = amplitude * (slack + 2 * u * (std::fabs(xa) + std::fabs(xb)));
        result.put(a, amplitude * (xa * std::cos(angle) - xb * std::sin(angle)), slack);
        result.put(b, amplitude * (xb * std::cos(angle) + xa * std::sin(angle)), slack);
      }
    }
  }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addRopeRules(RuleBook &book) { book.add<RopeOp>(evalRope); }
