// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

using namespace mlir;
using namespace sluice;

LogicalResult ActivationOp::verify() {
  ShapedType result = outputType(*this);
  auto rows = cast<ShapedType>(getRows().getType());
  DimCheck dims(*this);
  auto shapeOf = [&](DimCheck::Dim last) {
    SmallVector<DimCheck::Dim> all = {{'R', "rows"}};
    if (rows.getRank() == 3)
      all.push_back({'H', "parts of a row"});
    all.push_back(last);
    return all;
  };
  if (getGated()) {
    if (failed(dims.shape(rows, "rows", shapeOf({'C', "channels"}))
                   .shape(result, "result", shapeOf({'F', "gated channels"}))
                   .result()))
      return failure();
    int64_t size = rows.getShape().back();
    if (!ShapedType::isDynamic(size) && size % 2 != 0)
      return emitOpError() << "expects an even number of channels to gate, but 'rows' has " << size
                           << "  [R2]";
    if (!ShapedType::isDynamic(size) &&
        failed(dims.size(size / 2, "half of rows", {'F', "gated channels"}).result()))
      return failure();
  } else if (failed(dims.shape(rows, "rows", shapeOf({'C', "channels"}))
                        .shape(result, "result", shapeOf({'C', "channels"}))
                        .result())) {
    return failure();
  }
  if (!rows.getElementType().isF32())
    return emitOpError() << "expects 'rows' of f32, but found " << rows.getElementType()
                         << "  [R3]";
  if ((getLimit() || getUpOffset()) && !getGated())
    return emitOpError() << "expects 'gated' with '" << (getLimit() ? "limit" : "up_offset")
                         << "'  [R4]";
  if (auto limit = getLimit(); limit && (limit->isNaN() || limit->convertToDouble() <= 0))
    return emitOpError() << "expects 'limit' to be positive, but it is " << limit->convertToDouble()
                         << "  [R4]";
  if (auto offset = getUpOffset(); offset && !offset->isFinite())
    return emitOpError() << "expects 'up_offset' to be finite, but it is "
                         << offset->convertToDouble() << "  [R4]";
  for (auto [scale, name] :
       {std::pair(getInputScale(), "input_scale"), std::pair(getOutputScale(), "output_scale")})
    if (scale && (!scale->isFinite() || scale->isZero()))
      return emitOpError() << "expects '" << name << "' to be finite and not zero, but it is "
                           << scale->convertToDouble() << "  [R5]";
  return verifyRounded(*this, "R3");
}

LogicalResult AddOp::verify() {
  ShapedType result = outputType(*this);
  SmallVector<DimCheck::Dim> dims = {{'R', "rows"}, {'C', "channels"}};
  if (failed(DimCheck(*this)
                 .shape(getLhs().getType(), "lhs", dims)
                 .shape(getRhs().getType(), "rhs", dims)
                 .shape(result, "result", dims)
                 .result()))
    return failure();
  for (Type type :
       {getElementTypeOrSelf(getLhs()), getElementTypeOrSelf(getRhs()), result.getElementType()})
    if (!type.isF32())
      return emitOpError() << "expects f32 only, but found " << type << "  [R2]";
  return success();
}

sluice::OperationCount ActivationOp::countOperations() {
  return {(getGated() ? 2 : 1) * countOutputs(*this).perRow};
}
