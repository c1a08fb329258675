// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

using namespace mlir;
using namespace sluice;

int64_t RopeOp::getRotatedDims() {
  if (auto dims = getDims())
    return *dims;
  return cast<ShapedType>(getRows().getType()).getDimSize(2);
}

LogicalResult RopeOp::verify() {
  ShapedType result = outputType(*this);
  SmallVector<DimCheck::Dim> dims = {{'R', "rows"}, {'H', "heads"}, {'D', "head size"}};
  if (failed(DimCheck(*this)
                 .shape(getRows().getType(), "rows", dims)
                 .shape(getPositions().getType(), "positions", {{'R', "rows"}})
                 .shape(result, "result", dims)
                 .result()))
    return failure();
  int64_t size = cast<ShapedType>(getRows().getType()).getDimSize(2);
  int64_t rotated = getRotatedDims();
  if (ShapedType::isDynamic(size))
    return emitOpError("expects a static dim D (head size)  [R2]");
  if (rotated <= 0 || rotated % 2 != 0 || rotated > size)
    return emitOpError() << "expects an even number of rotated channels of at most D (head size) = "
                         << size << ", but it is " << rotated << "  [R2]";
  double theta = getTheta().convertToDouble();
  if (!std::isfinite(theta) || theta <= 0)
    return emitOpError() << "expects 'theta' to be finite and positive, but it is " << theta
                         << "  [R3]";
  if (!getElementTypeOrSelf(getRows()).isF32() || !result.getElementType().isF32())
    return emitOpError() << "expects rows and result of f32, but found "
                         << getElementTypeOrSelf(getRows()) << " and " << result.getElementType()
                         << "  [R4]";
  return success();
}

sluice::OperationCount RopeOp::countOperations() {
  auto rows = cast<ShapedType>(getRows().getType());
  // Four products and two sums for each pair; sine and cosine once for all heads.
  return {3 * rows.getDimSize(1) * getRotatedDims() + getRotatedDims()};
}
