// SPDX-License-Identifier: Apache-2.0
//
// param.use: a weight, or one layer of a stacked weight, from the evaluator's source.

#include "Rules.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

static LogicalResult evalParamUse(ParamUseOp op, Frame &frame) {
  auto param = SymbolTable::lookupNearestSymbolFrom<ParamOp>(op, op.getParamAttr());
  int64_t layer = op.getLayer() ? frame.integer(op.getLayer()) : 0;
  int64_t layers = param.getStack().value_or(1);
  if (layer < 0 || layer >= layers)
    return op.emitError() << "expects a layer number below " << layers << ", but it is " << layer;
  FailureOr<std::shared_ptr<const Tensor>> weight = frame.machine.weight(param, layer);
  if (failed(weight))
    return failure();
  frame.bind(op.getResult(), *weight);
  return success();
}

void sluice::reference::addParamRules(RuleBook &book) { book.add<ParamUseOp>(evalParamUse); }
