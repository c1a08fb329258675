// SPDX-License-Identifier: Apache-2.0
//
// Walks a function op by op. The one thing it does beside dispatch is to pass on how exact numbers
// are.

#include "sluice/Reference/Evaluator.h"
#include "sluice/Reference/BlockCodes.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

//===-- Frame
//--------------------------------------------------------------------------------------===//

const Datum &Frame::datum(Value value) const {
  auto found = values.find(value);
  assert(found != values.end() && "a value is bound before it is used");
  return found->second;
}

const Tensor &Frame::tensor(Value value) const {
  return *std::get<std::shared_ptr<const Tensor>>(datum(value));
}
const Batch &Frame::batch(Value value) const {
  return *std::get<std::shared_ptr<const Batch>>(datum(value));
}
const Pages &Frame::pages(Value value) const {
  return *std::get<std::shared_ptr<const Pages>>(datum(value));
}
int64_t Frame::integer(Value value) const { return tensor(value).integers[0]; }

void Frame::bind(Value value, Datum datum) { values[value] = std::move(datum); }

LogicalResult Frame::give(Value value, Tensor tensor) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (auto future = dyn_cast<FutureType>(value.getType()))
    type = future.getValue();
  if (type) {
    bool agrees = type.getRank() == tensor.rank();
    for (int64_t i = 0; agrees && i < type.getRank(); ++i)
      agrees = type.isDynamicDim(i) || type.getDimSize(i) == tensor.dim(i);
    if (!agrees) {
      auto error = emitError(value.getLoc())
                   << "expects a value of " << type << ", but its sizes are [";
      llvm::interleaveComma(tensor.shape, error);
      return error << "] when evaluated";
    }
  }
  bind(value, std::make_shared<const Tensor>(std::move(tensor)));
  return success();
}

void Frame::give(Value value, Pages pages) {
  bind(value, std::make_shared<const Pages>(std::move(pages)));
}

//===-- Evaluator
//----------------------------------------------------------------------------------===//

namespace {
struct Exactness {
  Accuracy accuracy = Accuracy::Exact;
  unsigned roughened = 0;
};

Exactness exactnessOf(const Datum &datum) {
  if (auto *tensor = std::get_if<std::shared_ptr<const Tensor>>(&datum))
    return {(*tensor)->accuracy, (*tensor)->roughened};
  if (auto *pages = std::get_if<std::shared_ptr<const Pages>>(&datum))
    return {(*pages)->accuracy, (*pages)->roughened};
  return {};
}

/// A rule's bounds hold for exact operands. Where one was inexact, the result is part of a program.
Datum spoil(const Datum &datum, unsigned roughened) {
  if (auto *pages = std::get_if<std::shared_ptr<const Pages>>(&datum)) {
    auto spoiled = std::make_shared<Pages>(**pages);
    spoiled->accuracy = Accuracy::Program;
    spoiled->roughened |= roughened | (spoiled->elementType().isF32() ? 0 : kRoundedTo16Bits);
    return Datum(std::shared_ptr<const Pages>(spoiled));
  }
  if (auto *tensor = std::get_if<std::shared_ptr<const Tensor>>(&datum)) {
    auto spoiled = std::make_shared<Tensor>(**tensor);
    spoiled->accuracy = Accuracy::Program;
    spoiled->low.clear();
    spoiled->high.clear();
    spoiled->roughened |= roughened;
    return Datum(std::shared_ptr<const Tensor>(spoiled));
  }
  return datum;
}

bool isRough(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isBF16() || element.isF16();
}
} // namespace

LogicalResult Evaluator::run(Operation *op, Frame &frame) {
  const RuleBook::Entry *entry = RuleBook::all().lookup(op->getName().getStringRef());
  if (!entry)
    return op->emitError() << "the reference has no rule for '" << op->getName()
                           << "'; it evaluates the tensor stage (dialects/README.md)";
  if (failed(entry->rule(op, frame)))
    return failure();
  if (entry->moves)
    return success();
  bool inexact = false;
  unsigned roughened = 0;
  // Codes of rows are a rounding too, and a rougher one.
  auto linear = dyn_cast<LinearOp>(op);
  auto experts = dyn_cast<RouteExpertsOp>(op);
  bool encodesRows = (linear && linear.getInputs()) || (experts && experts.getInputs());
  for (Value operand : op->getOperands()) {
    Exactness exactness = exactnessOf(frame.datum(operand));
    roughened |= exactness.roughened;
    if (exactness.accuracy == Accuracy::Exact)
      continue;
    inexact = true;
    // A weight of 16 bits is given; a row of 16 bits that is not exact was rounded on the way.
    roughened |=
        (isRough(operand.getType()) ? kRoundedTo16Bits : 0) | (encodesRows ? kRoundedToCodes : 0);
  }
  if (inexact)
    for (Value result : op->getResults())
      frame.bind(result, spoil(frame.datum(result),
                               roughened | (isRough(result.getType()) ? kRoundedTo16Bits : 0)));
  return success();
}

FailureOr<SmallVector<Datum>> Evaluator::run(Block &block, ArrayRef<Datum> arguments,
                                             Frame &frame) {
  for (auto [argument, datum] : llvm::zip_equal(block.getArguments(), arguments))
    frame.bind(argument, datum);
  for (Operation &op : block) {
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      SmallVector<Datum> results;
      for (Value operand : op.getOperands())
        results.push_back(frame.datum(operand));
      return results;
    }
    if (failed(run(&op, frame)))
      return failure();
  }
  return SmallVector<Datum>();
}

FailureOr<SmallVector<Datum>> Evaluator::call(func::FuncOp function, ArrayRef<Datum> arguments) {
  if (function.isExternal())
    return FailureOr<SmallVector<Datum>>(function.emitError()
                                         << "expects a function with a body to evaluate, but '"
                                         << function.getName() << "' is a declaration");
  if (!function.getBody().hasOneBlock())
    return FailureOr<SmallVector<Datum>>(function.emitError(
        "expects one block per function; control flow is scf.for and scf.if at the tensor stage"));
  Frame frame(*this);
  return run(function.getBody().front(), arguments, frame);
}

FailureOr<std::shared_ptr<const Tensor>> Evaluator::weight(ParamOp param, int64_t layer) {
  auto &slot = cache[{param.getOperation(), layer}];
  if (slot)
    return slot;
  if (!weights)
    return FailureOr<std::shared_ptr<const Tensor>>(
        param.emitError("expects weights, but the reference was given no source of weights"));
  FailureOr<Tensor> tensor = weights->read(param, layer);
  if (failed(tensor))
    return failure();
  if (BlocksAttr blocks = blocksOf(param.getTensorType())) {
    if (llvm::any_of(tensor->numbers, [](double number) { return !(std::fabs(number) < 0x1p100); }))
      return FailureOr<std::shared_ptr<const Tensor>>(param.emitError(
          "expects weights below 2^100 to make codes of, but found NaN, Inf or more"));
    // Experts stand one under another.
    SmallVector<int64_t> shape(tensor->shape);
    int64_t inputs = shape.back();
    Tensor outputs = tensor->reshaped({tensor->count() / inputs, inputs});
    tensor = decodeBlocks(encodeBlocks(outputs, blocks), param.getContext()).reshaped(shape);
  }
  slot = std::make_shared<const Tensor>(std::move(*tensor));
  return slot;
}
