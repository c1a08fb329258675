// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

using namespace mlir;
using namespace sluice;

LogicalResult LinearOp::verify() {
  ShapedType result = outputType(*this);
  if (failed(DimCheck(*this)
                 .shape(getRows().getType(), "rows", {{'R', "rows"}, {'K', "inputs"}})
                 .shape(getWeight().getType(), "weight", {{'N', "outputs"}, {'K', "inputs"}})
                 .shape(getBias() ? getBias().getType() : Type(), "bias", {{'N', "outputs"}})
                 .shape(getResidual() ? getResidual().getType() : Type(), "residual",
                        {{'R', "rows"}, {'N', "outputs"}})
                 .shape(result, "result", {{'R', "rows"}, {'N', "outputs"}})
                 .result()))
    return failure();

  Type rows = getElementTypeOrSelf(getRows());
  Type weight = getElementTypeOrSelf(getWeight());
  bool widened = isBufferForm() && rows.isF32();
  if (rows != (weight.isF16() ? Float32Type::get(getContext()) : weight) && !widened)
    return emitOpError() << "expects 'rows' of "
                         << (weight.isF16() ? "f32" : "the weight's element type")
                         << " for a weight of " << weight << ", but found " << rows
                         << "; round where the rows are made  [R2]";
  if (!result.getElementType().isF32())
    return emitOpError() << "expects a result of f32, but found " << result.getElementType()
                         << "  [R3]";
  if (getResidual() && !getElementTypeOrSelf(getResidual()).isF32())
    return emitOpError() << "expects 'residual' of f32, but found "
                         << getElementTypeOrSelf(getResidual()) << "  [R3]";
  if (getInputs() && !blocksOf(getWeight().getType()))
    return emitOpError() << "expects a weight with an encoding (#sluice.blocks) for 'inputs "
                         << stringifyRowCode(*getInputs()) << "', but found "
                         << getWeight().getType() << "  [R4]";
  return success();
}

sluice::OperationCount LinearOp::countOperations() {
  auto weight = cast<ShapedType>(getWeight().getType());
  int64_t epilogues = (getBias() ? 1 : 0) + (getResidual() ? 1 : 0) + (getActivation() ? 1 : 0);
  return {2 * weight.getNumElements() + epilogues * weight.getDimSize(0)};
}
