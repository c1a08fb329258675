// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

using namespace mlir;
using namespace sluice;

LogicalResult PoolOp::verify() {
  ShapedType result = outputType(*this);
  if (failed(DimCheck(*this)
                 .shape(getRows().getType(), "rows", {{'R', "rows"}, {'C', "channels"}})
                 .shape(result, "result", {{'S', "sequences"}, {'C', "channels"}})
                 .result()))
    return failure();
  if (!getElementTypeOrSelf(getRows()).isF32() || !result.getElementType().isF32())
    return emitOpError() << "expects rows and result of f32, but found "
                         << getElementTypeOrSelf(getRows()) << " and " << result.getElementType()
                         << "  [R2]";
  return success();
}

sluice::OperationCount PoolOp::countOperations() {
  return {getKind() == PoolKind::Mean ? elementsOfRow(getRows()) : 0};
}
