// SPDX-License-Identifier: Apache-2.0
//
// sample: from logits to token ids.

#include "Rules.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

/// The smallest v with the largest logit; NaN is never the largest.
static int64_t argmax(const Tensor &logits, int64_t a) {
  int64_t best = 0;
  double max = -std::numeric_limits<double>::infinity();
  bool found = false;
  for (int64_t v = 0; v < logits.dim(1); ++v) {
    double x = logits({a, v});
    if (std::isnan(x) || (found && !(x > max)))
      continue;
    best = v;
    max = x;
    found = true;
  }
  return best;
}

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// The smallest v whose chain of weights passes u times their sum; nothing when no weight is
/// positive.
static std::optional<int64_t> draw(const Tensor &logits, int64_t a, float temperature, double u) {
  int64_t V = logits.dim(1);
  float max = static_cast<float>(logits({a, argmax(logits, a)}));
  std::vector<double> sums(V);
  double sum = 0;
  for (int64_t v = 0; v < V; ++v) {
    float exponent = (static_cast<float>(logits({a, v})) - max) / temperature;
    float weight = static_cast<float>(std::exp(static_cast<double>(exponent)));
    sum += std::isnan(weight) ? 0 : weight;
    sums[v] = sum;
  }
  for (int64_t v = 0; v < V && sum > 0; ++v)
    if (sums[v] > u * sum)
      return v;
  return std::nullopt;
}

static LogicalResult evalArgmax(SampleArgmaxOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits());
  Tensor result(cast<ShapedType>(op.getResult().getType()).getElementType(), {logits.dim(0)});
  for (int64_t a = 0; a < logits.dim(0); ++a)
    result.integers[a] = argmax(logits, a);
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalDraw(SampleDrawOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits());
  const Tensor &temperature = frame.tensor(op.getTemperature());
  const Tensor &rng = frame.tensor(op.getRng());
  int64_t A = logits.dim(0);
  for (auto [tensor, name] : {std::pair(&temperature, "temperature"), std::pair(&rng, "rng")})
    if (tensor->dim(0) != A)
      return op.emitError() << "expects dim A (asked rows) to agree, but 'logits' has " << A
                            << " and '" << name << "' has " << tensor->dim(0);
  Tensor tokens(cast<ShapedType>(op.getDrawn()[0].getType()).getElementType(), {A});
  Tensor states(rng.element, {A});
  for (int64_t a = 0; a < A; ++a) {
    float T = static_cast<float>(temperature({a}));
    uint64_t state = static_cast<uint64_t>(rng.integers[a]);
    std::optional<int64_t> token;
    if (T > 0) {
      state += 0x9E3779B97F4A7C15u;
      token = draw(logits, a, T, static_cast<double>(mix(state) >> 11) * 0x1p-53);
    }
    tokens.integers[a] = token ? *token : argmax(logits, a);
    states.integers[a] = static_cast<int64_t>(state);
  }
  if (failed(frame.give(op.getDrawn()[0], std::move(tokens))))
    return failure();
  return frame.give(op.getDrawn()[1], std::move(states));
}

void sluice::reference::addSampleRules(RuleBook &book) {
  book.add<SampleArgmaxOp>(evalArgmax);
  book.add<SampleDrawOp>(evalDraw);
}
