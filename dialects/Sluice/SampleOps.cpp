// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"

using namespace mlir;
using namespace sluice;

/// Token ids are i32.
static LogicalResult verifyTokens(Operation *op, ShapedType tokens) {
  if (tokens.getElementType().isInteger(32))
    return success();
  return op->emitOpError() << "expects tokens of i32, but found " << tokens.getElementType()
                           << "  [R2]";
}

static LogicalResult verifyLogits(Operation *op, Value logits) {
  if (getElementTypeOrSelf(logits).isF32())
    return success();
  return op->emitOpError() << "expects 'logits' of f32, but found " << getElementTypeOrSelf(logits)
                           << "  [R2]";
}

LogicalResult SampleArgmaxOp::verify() {
  ShapedType tokens = outputType(*this);
  if (failed(DimCheck(*this)
                 .shape(getLogits().getType(), "logits", {{'A', "asked rows"}, {'V', "vocabulary"}})
                 .shape(tokens, "result", {{'A', "asked rows"}})
                 .result()))
    return failure();
  return failure(failed(verifyLogits(*this, getLogits())) || failed(verifyTokens(*this, tokens)));
}

LogicalResult SampleDrawOp::verify() {
  ShapedType tokens = outputType(*this, 0), state = outputType(*this, 1);
  if (failed(DimCheck(*this)
                 .shape(getLogits().getType(), "logits", {{'A', "asked rows"}, {'V', "vocabulary"}})
                 .shape(getTemperature().getType(), "temperature", {{'A', "asked rows"}})
                 .shape(getRng().getType(), "rng", {{'A', "asked rows"}})
                 .shape(tokens, "tokens", {{'A', "asked rows"}})
                 .shape(state, "new rng", {{'A', "asked rows"}})
                 .result()))
    return failure();
  if (failed(verifyLogits(*this, getLogits())) || failed(verifyTokens(*this, tokens)))
    return failure();
  if (!getElementTypeOrSelf(getTemperature()).isF32())
    return emitOpError() << "expects 'temperature' of f32, but found "
                         << getElementTypeOrSelf(getTemperature()) << "  [R2]";
  if (!state.getElementType().isInteger(64))
    return emitOpError() << "expects a new random state of i64, but found "
                         << state.getElementType() << "  [R2]";
  return success();
}

sluice::OperationCount SampleArgmaxOp::countOperations() { return {elementsOfRow(getLogits())}; }

sluice::OperationCount SampleDrawOp::countOperations() {
  // Division by the temperature, maximum, difference, exp, sum, and the sum again up to the draw.
  return {6 * elementsOfRow(getLogits())};
}
