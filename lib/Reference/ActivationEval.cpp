// SPDX-License-Identifier: Apache-2.0
//
// activation, add: elementwise functions, plain or gated, and the sum of rows.

#include "Rules.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// x times a factor in [0, 1] that vanishes faster than x grows.
static double weigh(double x, double factor) {
  return factor == 0 && !std::isnan(x) ? 0 : x * factor;
}

double sluice::reference::applyFunction(Function function, double x) {
  switch (function) {
  case Function::Silu:
    return weigh(x, sigmoid(x));
  case Function::GeluErf:
    return weigh(x, 0.5 * std::erfc(-x / std::sqrt(2.0))); // 1 + erf(z) without cancellation
  case Function::GeluTanh: {
    double z = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return weigh(x, sigmoid(2 * z)); // (1 + tanh z) / 2
  }
  case Function::QuickGelu:
    return weigh(x, sigmoid(1.702 * x));
  case Function::Relu:
    return x < 0 ? 0 : x;
  case Function::Relu2:
    return x < 0 ? 0 : x * x;
  case Function::Tanh:
    return std::tanh(x);
  case Function::Sigmoid:
    return sigmoid(x);
  case Function::Identity:
    return x;
  }
  llvm_unreachable("every function has a case");
}

double sluice::reference::functionSlack(Function function, double x) {
  double f = std::fabs(applyFunction(function, x)), size = std::fabs(x);
  // Far from zero f is 0, x or a constant; the bound needs no infinite factor there.
  if (!std::isfinite(x))
    return 0;
  switch (function) {
  case Function::Silu:
  case Function::Sigmoid:
    return 16 * u * f + tiny * (1 + size);
  case Function::QuickGelu:
    return (16 + 2 * size) * u * f + tiny * (1 + size);
  case Function::GeluErf:
  case Function::GeluTanh:
    return 8 * u * size;
  case Function::Tanh:
    return 8 * u;
  case Function::Relu:
  case Function::Identity:
    return 0;
  case Function::Relu2:
    return 2 * u * f;
  }
  llvm_unreachable("every function has a case");
}

double sluice::reference::functionSlope(Function function, double x) {
  switch (function) {
  case Function::Sigmoid:
    return 0.25;
  case Function::Relu2:
    return 2 * std::fabs(x);
  default:
    return 1.2; // silu, gelu and quick_gelu overshoot 1 a little
  }
}

static LogicalResult evalActivation(ActivationOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  int64_t C = rows.shape.back(), R = C ? rows.count() / C : 0; // parts of rows count as rows
  if (op.getGated() && C % 2 != 0)
    return op.emitError() << "expects an even number of channels to gate, but 'rows' has " << C;
  int64_t F = op.getGated() ? C / 2 : C;
  Function function = op.getFunction();
  // f32 numbers, as the definition says: near up_offset = -x the difference shows.
  auto number = [](std::optional<APFloat> given, double otherwise) {
    return given ? double(static_cast<float>(given->convertToDouble())) : otherwise;
  };
  double inputScale = number(op.getInputScale(), 1), outputScale = number(op.getOutputScale(), 1),
         limit = number(op.getLimit(), HUGE_VAL), upOffset = number(op.getUpOffset(), 0);
  SmallVector<int64_t> shape(rows.shape);
  shape.back() = F;
  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), shape);
  for (int64_t r = 0; r < R; ++r)
    for (int64_t j = 0; j < F; ++j) {
      double x = rows.numbers[r * C + j];
      if (x > limit) // not std::min, which would lose a NaN
        x = limit;
      x *= inputScale;
      double value = applyFunction(function, x), slack = functionSlack(function, x);
      if (op.getInputScale() && std::isfinite(x))
        slack += 2 * u * std::fabs(x) * functionSlope(function, x);
      if (op.getGated()) {
        double gate = rows.numbers[r * C + F + j];
        gate = (gate > limit ? limit : gate < -limit ? -limit : gate) + upOffset;
        value *= gate;
        slack = slack * std::fabs(gate) + (op.getUpOffset() ? 4 : 2) * u * std::fabs(value);
      }
      if (op.getOutputScale()) {
        value *= outputScale;
        slack = slack * std::fabs(outputScale) + 2 * u * std::fabs(value);
      }
      result.put(r * F + j, value, slack);
    }
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalAdd(AddOp op, Frame &frame) {
  const Tensor &lhs = frame.tensor(op.getLhs());
  const Tensor &rhs = frame.tensor(op.getRhs());
  if (lhs.dim(0) != rhs.dim(0))
    return op.emitError() << "expects dim R (rows) to agree, but 'lhs' has " << lhs.dim(0)
                          << " and 'rhs' has " << rhs.dim(0);
  Tensor result(lhs.element, lhs.shape);
  for (int64_t i = 0; i < result.count(); ++i)
    result.put(i, lhs.numbers[i] + rhs.numbers[i]);
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addActivationRules(RuleBook &book) {
  book.add<ActivationOp>(evalActivation);
  book.add<AddOp>(evalAdd);
}
