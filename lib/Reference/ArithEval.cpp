// SPDX-License-Identifier: Apache-2.0
//
// arith and math: elementwise, on scalars and tensors alike. Floats are rounded to their type after
// every op; integers wrap around.

#include "Rules.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

namespace {

unsigned widthOf(Type type) {
  return isa<IndexType>(type) ? 64 : cast<IntegerType>(type).getWidth();
}

/// `value` as the rule of Tensor says: sign-extended, except i1, which is 0 or 1.
int64_t wrap(Type type, uint64_t value) {
  unsigned width = widthOf(type);
  if (width == 1)
    return static_cast<int64_t>(value & 1);
  return width >= 64 ? static_cast<int64_t>(value) : llvm::SignExtend64(value, width);
}

uint64_t unsignedOf(Type type, int64_t value) {
  unsigned width = widthOf(type);
  return width >= 64 ? static_cast<uint64_t>(value)
                     : static_cast<uint64_t>(value) & llvm::maskTrailingOnes<uint64_t>(width);
}

/// An empty result of the op's element type, in the shape of its first operand. Fails where
/// operands differ.
FailureOr<Tensor> resultLike(Operation *op, Frame &frame) {
  const Tensor &first = frame.tensor(op->getOperands().back());
  for (Value operand : op->getOperands()) {
    const Tensor &other = frame.tensor(operand);
    // arith.select may have a scalar condition.
    if (other.shape != first.shape && !(isa<arith::SelectOp>(op) && other.rank() == 0))
      return FailureOr<Tensor>(
          op->emitError("expects operands of one shape, but their sizes differ when evaluated"));
  }
  return Tensor(getElementTypeOrSelf(op->getResult(0).getType()), first.shape);
}

using FloatRule = double (*)(const double *x);
using IntegerRule = uint64_t (*)(Type type, const int64_t *x);

/// floats -> float
void addFloat(RuleBook &book, StringRef name, FloatRule rule) {
  book.add(name, [rule](Operation *op, Frame &frame) -> LogicalResult {
    FailureOr<Tensor> result = resultLike(op, frame);
    if (failed(result))
      return failure();
    for (int64_t i = 0; i < result->count(); ++i) {
      double x[3];
      for (auto [k, operand] : llvm::enumerate(op->getOperands()))
        x[k] = frame.tensor(operand).numbers[i];
      result->put(i, rule(x));
    }
    return frame.give(op->getResult(0), std::move(*result));
  });
}

/// integers -> integer
void addInteger(RuleBook &book, StringRef name, IntegerRule rule) {
  book.add(name, [rule](Operation *op, Frame &frame) -> LogicalResult {
    FailureOr<Tensor> result = resultLike(op, frame);
    if (failed(result))
      return failure();
    for (int64_t i = 0; i < result->count(); ++i) {
      int64_t x[2];
      for (auto [k, operand] : llvm::enumerate(op->getOperands()))
        x[k] = frame.tensor(operand).integers[i];
      result->integers[i] = wrap(result->element, rule(result->element, x));
    }
    return frame.give(op->getResult(0), std::move(*result));
  });
}

/// integer division: what would be undefined is an error.
void addDivision(RuleBook &book, StringRef name, int64_t (*rule)(int64_t, int64_t)) {
  book.add(name, [rule](Operation *op, Frame &frame) -> LogicalResult {
    FailureOr<Tensor> result = resultLike(op, frame);
    if (failed(result))
      return failure();
    const Tensor &lhs = frame.tensor(op->getOperand(0)), &rhs = frame.tensor(op->getOperand(1));
    for (int64_t i = 0; i < result->count(); ++i) {
      if (rhs.integers[i] == 0 || (rhs.integers[i] == -1 && lhs.integers[i] == INT64_MIN))
        return op->emitError() << "expects a division that has a result, but it is "
                               << lhs.integers[i] << " by " << rhs.integers[i];
      result->integers[i] =
          wrap(result->element, static_cast<uint64_t>(rule(lhs.integers[i], rhs.integers[i])));
    }
    return frame.give(op->getResult(0), std::move(*result));
  });
}

LogicalResult evalConstant(arith::ConstantOp op, Frame &frame) {
  Type element = getElementTypeOrSelf(op.getType());
  if (auto number = dyn_cast<FloatAttr>(op.getValue()))
    return frame.give(op.getResult(), Tensor::scalar(element, number.getValueAsDouble()));
  if (auto integer = dyn_cast<IntegerAttr>(op.getValue()))
    return frame.give(op.getResult(),
                      Tensor::scalar(element, wrap(element, integer.getValue().getZExtValue())));
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense)
    return op.emitError("the reference evaluates constants that are numbers or dense");
  return frame.give(op.getResult(), Tensor::constant(dense));
}

LogicalResult evalCmpF(arith::CmpFOp op, Frame &frame) {
  FailureOr<Tensor> result = resultLike(op, frame);
  if (failed(result))
    return failure();
  const Tensor &lhs = frame.tensor(op.getLhs()), &rhs = frame.tensor(op.getRhs());
  for (int64_t i = 0; i < result->count(); ++i)
    result->integers[i] = arith::applyCmpPredicate(op.getPredicate(), APFloat(lhs.numbers[i]),
                                                   APFloat(rhs.numbers[i]));
  return frame.give(op.getResult(), std::move(*result));
}

LogicalResult evalCmpI(arith::CmpIOp op, Frame &frame) {
  FailureOr<Tensor> result = resultLike(op, frame);
  if (failed(result))
    return failure();
  const Tensor &lhs = frame.tensor(op.getLhs()), &rhs = frame.tensor(op.getRhs());
  auto bits = [&](int64_t value) {
    unsigned width = widthOf(lhs.element);
    return APInt(width, unsignedOf(lhs.element, value));
  };
  for (int64_t i = 0; i < result->count(); ++i)
    result->integers[i] =
        arith::applyCmpPredicate(op.getPredicate(), bits(lhs.integers[i]), bits(rhs.integers[i]));
  return frame.give(op.getResult(), std::move(*result));
}

LogicalResult evalSelect(arith::SelectOp op, Frame &frame) {
  FailureOr<Tensor> result = resultLike(op, frame);
  if (failed(result))
    return failure();
  const Tensor &condition = frame.tensor(op.getCondition());
  const Tensor &yes = frame.tensor(op.getTrueValue()), &no = frame.tensor(op.getFalseValue());
  for (int64_t i = 0; i < result->count(); ++i)
    result->move(i, condition.integers[condition.rank() == 0 ? 0 : i] ? yes : no, i);
  return frame.give(op.getResult(), std::move(*result));
}

/// Conversions, by the kinds of the two types. `sign`: how the integer is read, or written.
LogicalResult convert(Operation *op, Frame &frame, bool isUnsigned) {
  FailureOr<Tensor> result = resultLike(op, frame);
  if (failed(result))
    return failure();
  const Tensor &source = frame.tensor(op->getOperand(0));
  for (int64_t i = 0; i < result->count(); ++i) {
    if (source.isFloat() && result->isFloat()) {
      result->put(i, source.numbers[i]);
    } else if (source.isFloat()) {
      double whole = std::trunc(source.numbers[i]);
      unsigned width = widthOf(result->element);
      double low = isUnsigned ? 0 : -std::ldexp(1.0, width - 1),
             high = std::ldexp(1.0, isUnsigned ? width : width - 1);
      if (!(whole >= low && whole < high))
        return op->emitError() << "expects a number that fits " << result->element << ", but it is "
                               << source.numbers[i];
      result->integers[i] =
          wrap(result->element, isUnsigned ? static_cast<uint64_t>(whole)
                                           : static_cast<uint64_t>(static_cast<int64_t>(whole)));
    } else {
      // i1 is kept as 0 or 1, but true is -1 where it is signed.
      int64_t value = source.integers[i];
      if (!isUnsigned && widthOf(source.element) == 1)
        value = -value;
      uint64_t bits = isUnsigned ? unsignedOf(source.element, value) : static_cast<uint64_t>(value);
      if (result->isFloat())
        result->put(i, isUnsigned ? static_cast<double>(bits) : static_cast<double>(value));
      else
        result->integers[i] = wrap(result->element, bits);
    }
  }
  return frame.give(op->getResult(0), std::move(*result));
}

double larger(double a, double b) { return a > b || (a == b && !std::signbit(a)) ? a : b; }
double smaller(double a, double b) { return a < b || (a == b && std::signbit(a)) ? a : b; }

void addFloats(RuleBook &book) {
  addFloat(book, "arith.addf", [](const double *x) { return x[0] + x[1]; });
  addFloat(book, "arith.subf", [](const double *x) { return x[0] - x[1]; });
  addFloat(book, "arith.mulf", [](const double *x) { return x[0] * x[1]; });
  addFloat(book, "arith.divf", [](const double *x) { return x[0] / x[1]; });
  addFloat(book, "arith.negf", [](const double *x) { return -x[0]; });
  addFloat(book, "arith.maximumf", [](const double *x) {
    return std::isnan(x[0]) || std::isnan(x[1]) ? std::nan("") : larger(x[0], x[1]);
  });
  addFloat(book, "arith.minimumf", [](const double *x) {
    return std::isnan(x[0]) || std::isnan(x[1]) ? std::nan("") : smaller(x[0], x[1]);
  });
  addFloat(book, "arith.maxnumf", [](const double *x) {
    return std::isnan(x[0]) ? x[1] : std::isnan(x[1]) ? x[0] : larger(x[0], x[1]);
  });
  addFloat(book, "arith.minnumf", [](const double *x) {
    return std::isnan(x[0]) ? x[1] : std::isnan(x[1]) ? x[0] : smaller(x[0], x[1]);
  });
  addFloat(book, "math.absf", [](const double *x) { return std::fabs(x[0]); });
  addFloat(book, "math.copysign", [](const double *x) { return std::copysign(x[0], x[1]); });
  addFloat(book, "math.fma", [](const double *x) { return std::fma(x[0], x[1], x[2]); });
  addFloat(book, "math.sqrt", [](const double *x) { return std::sqrt(x[0]); });
  addFloat(book, "math.rsqrt", [](const double *x) { return 1 / std::sqrt(x[0]); });
  addFloat(book, "math.exp", [](const double *x) { return std::exp(x[0]); });
  addFloat(book, "math.log", [](const double *x) { return std::log(x[0]); });
  addFloat(book, "math.tanh", [](const double *x) { return std::tanh(x[0]); });
  addFloat(book, "math.erf", [](const double *x) { return std::erf(x[0]); });
  addFloat(book, "math.sin", [](const double *x) { return std::sin(x[0]); });
  addFloat(book, "math.cos", [](const double *x) { return std::cos(x[0]); });
  addFloat(book, "math.powf", [](const double *x) { return std::pow(x[0], x[1]); });
}

void addIntegers(RuleBook &book) {
  addInteger(book, "arith.addi",
             [](Type, const int64_t *x) { return uint64_t(x[0]) + uint64_t(x[1]); });
  addInteger(book, "arith.subi",
             [](Type, const int64_t *x) { return uint64_t(x[0]) - uint64_t(x[1]); });
  addInteger(book, "arith.muli",
             [](Type, const int64_t *x) { return uint64_t(x[0]) * uint64_t(x[1]); });
  addInteger(book, "arith.andi", [](Type, const int64_t *x) { return uint64_t(x[0] & x[1]); });
  addInteger(book, "arith.ori", [](Type, const int64_t *x) { return uint64_t(x[0] | x[1]); });
  addInteger(book, "arith.xori", [](Type, const int64_t *x) { return uint64_t(x[0] ^ x[1]); });
  addInteger(book, "arith.maxsi",
             [](Type, const int64_t *x) { return uint64_t(std::max(x[0], x[1])); });
  addInteger(book, "arith.minsi",
             [](Type, const int64_t *x) { return uint64_t(std::min(x[0], x[1])); });
  addDivision(book, "arith.divsi", [](int64_t a, int64_t b) { return a / b; });
  addDivision(book, "arith.remsi", [](int64_t a, int64_t b) { return a % b; });
}

} // namespace

void sluice::reference::addArithRules(RuleBook &book) {
  book.add<arith::ConstantOp>(evalConstant);
  book.add<arith::CmpFOp>(evalCmpF);
  book.add<arith::CmpIOp>(evalCmpI);
  book.add<arith::SelectOp>(evalSelect);
  addFloats(book);
  addIntegers(book);
  for (StringRef name : {"arith.extf", "arith.truncf", "arith.sitofp", "arith.fptosi",
                         "arith.extsi", "arith.trunci", "arith.index_cast"})
    book.add(name,
             [](Operation *op, Frame &frame) { return convert(op, frame, /*isUnsigned=*/false); });
  for (StringRef name : {"arith.uitofp", "arith.fptoui", "arith.extui", "arith.index_castui"})
    book.add(name,
             [](Operation *op, Frame &frame) { return convert(op, frame, /*isUnsigned=*/true); });
}
