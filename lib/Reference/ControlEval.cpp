// SPDX-License-Identifier: Apache-2.0
//
// scf and func: loops, branches and calls.

#include "Rules.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

static void bindResults(Operation *op, ArrayRef<Datum> data, Frame &frame) {
  for (auto [result, datum] : llvm::zip_equal(op->getResults(), data))
    frame.bind(result, datum);
}

static LogicalResult evalFor(scf::ForOp op, Frame &frame) {
  int64_t lower = frame.integer(op.getLowerBound());
  int64_t upper = frame.integer(op.getUpperBound());
  int64_t step = frame.integer(op.getStep());
  if (step <= 0)
    return op.emitError() << "expects a positive step, but it is " << step;
  SmallVector<Datum> carried;
  for (Value init : op.getInitArgs())
    carried.push_back(frame.datum(init));
  for (int64_t i = lower; i < upper; i += step) {
    SmallVector<Datum> arguments = {
        std::make_shared<const Tensor>(Tensor::scalar(op.getInductionVar().getType(), i))};
    arguments.append(carried);
    FailureOr<SmallVector<Datum>> yielded = frame.machine.run(*op.getBody(), arguments, frame);
    if (failed(yielded))
      return failure();
    carried = std::move(*yielded);
  }
  bindResults(op, carried, frame);
  return success();
}

static LogicalResult evalIf(scf::IfOp op, Frame &frame) {
  Region &region = frame.integer(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return success();
  FailureOr<SmallVector<Datum>> yielded = frame.machine.run(region.front(), {}, frame);
  if (failed(yielded))
    return failure();
  bindResults(op, *yielded, frame);
  return success();
}

static LogicalResult evalCall(func::CallOp op, Frame &frame) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, op.getCalleeAttr());
  SmallVector<Datum> arguments;
  for (Value operand : op.getOperands())
    arguments.push_back(frame.datum(operand));
  FailureOr<SmallVector<Datum>> results = frame.machine.call(callee, arguments);
  if (failed(results))
    return failure();
  bindResults(op, *results, frame);
  return success();
}

void sluice::reference::addControlRules(RuleBook &book) {
  book.add<scf::ForOp>(evalFor, /*moves=*/true);
  book.add<scf::IfOp>(evalIf, /*moves=*/true);
  book.add<func::CallOp>(evalCall, /*moves=*/true);
}
