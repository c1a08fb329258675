// SPDX-License-Identifier: Apache-2.0
//
// linalg on tensors: the escape hatch. The body is run once per point of the iteration space, in
// order.

#include "Rules.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

/// The bounds of the loops: each must be a plain dim of some operand.
static FailureOr<SmallVector<int64_t>> loopBounds(linalg::GenericOp op, Frame &frame) {
  SmallVector<int64_t> bounds(op.getNumLoops(), -1);
  for (auto [operand, map] : llvm::zip(op->getOperands(), op.getIndexingMapsArray())) {
    const Tensor &tensor = frame.tensor(operand);
    for (auto [i, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        continue;
      int64_t &bound = bounds[dim.getPosition()];
      if (bound >= 0 && bound != tensor.dim(i))
        return FailureOr<SmallVector<int64_t>>(
            op.emitError() << "expects one size per loop, but loop " << dim.getPosition() << " has "
                           << bound << " and " << tensor.dim(i));
      bound = tensor.dim(i);
    }
  }
  if (llvm::is_contained(bounds, -1))
    return FailureOr<SmallVector<int64_t>>(
        op.emitError("expects each loop to be a plain dim of some operand"));
  return bounds;
}

static LogicalResult evalGeneric(linalg::GenericOp op, Frame &frame) {
  FailureOr<SmallVector<int64_t>> bounds = loopBounds(op, frame);
  if (failed(bounds))
    return failure();
  SmallVector<Tensor> tensors; // inputs, then the results as they grow
  for (Value operand : op->getOperands())
    tensors.push_back(frame.tensor(operand));
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  int64_t inputs = op.getNumDpsInputs();
  Block &body = op.getRegion().front();
  Builder builder(op.getContext());

  SmallVector<int64_t> index(bounds->size(), 0);
  bool done = llvm::is_contained(*bounds, 0);
  while (!done) {
    SmallVector<Datum> arguments;
    SmallVector<int64_t> positions;
    for (auto [tensor, map] : llvm::zip(tensors, maps)) {
      SmallVector<int64_t> at = map.compose(index);
      positions.push_back(tensor.at(at));
      auto element = std::make_shared<Tensor>(tensor.element, ArrayRef<int64_t>());
      if (tensor.isFloat())
        element->numbers[0] = tensor.numbers[positions.back()];
      else
        element->integers[0] = tensor.integers[positions.back()];
      arguments.push_back(std::shared_ptr<const Tensor>(element));
    }
    for (auto loop : body.getOps<linalg::IndexOp>())
      frame.bind(loop.getResult(), std::make_shared<const Tensor>(Tensor::scalar(
                                       builder.getIndexType(), index[loop.getDim()])));
    FailureOr<SmallVector<Datum>> yielded = frame.machine.run(body, arguments, frame);
    if (failed(yielded))
      return failure();
    for (auto [i, datum] : llvm::enumerate(*yielded))
      tensors[inputs + i].move(positions[inputs + i],
                               *std::get<std::shared_ptr<const Tensor>>(datum), 0);
    int64_t i = static_cast<int64_t>(index.size()) - 1;
    while (i >= 0 && ++index[i] == (*bounds)[i])
      index[i--] = 0;
    done = i < 0;
  }
  for (auto [i, result] : llvm::enumerate(op.getResults())) {
    Tensor tensor = std::move(tensors[inputs + i]);
    tensor.accuracy = Accuracy::Exact; // each step is rounded as the text says; inexact operands
                                       // are seen by the caller
    tensor.low.clear();
    tensor.high.clear();
    if (failed(frame.give(result, std::move(tensor))))
      return failure();
  }
  return success();
}

static LogicalResult evalFill(linalg::FillOp op, Frame &frame) {
  const Tensor &value = frame.tensor(op.getInputs()[0]);
  const Tensor &shape = frame.tensor(op.getOutputs()[0]);
  Tensor result(shape.element, shape.shape);
  for (int64_t i = 0; i < result.count(); ++i)
    result.move(i, value, 0);
  return frame.give(op->getResult(0), std::move(result));
}

void sluice::reference::addLinalgRules(RuleBook &book) {
  book.add<linalg::GenericOp>(evalGeneric);
  book.add<linalg::FillOp>(evalFill);
  // Bound by the op around it at each point.
  book.add("linalg.index", [](Operation *, Frame &) { return success(); }, /*moves=*/true);
}
