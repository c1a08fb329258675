// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"

using namespace mlir;
using namespace sluice;

LogicalResult EmbedOp::verify() {
  ShapedType result = outputType(*this);
  if (failed(DimCheck(*this)
                 .shape(getTable().getType(), "table", {{'V', "table rows"}, {'C', "channels"}})
                 .shape(getIds().getType(), "ids", {{'R', "rows"}})
                 .shape(result, "result", {{'R', "rows"}, {'C', "channels"}})
                 .result()))
    return failure();
  Type table = getElementTypeOrSelf(getTable());
  bool encoded = static_cast<bool>(blocksOf(getTable().getType()));
  if (!result.getElementType().isF32() && (encoded || result.getElementType() != table)) {
    auto error = emitOpError("expects a result of f32");
    if (!encoded)
      error << " or of the table's " << table;
    return error << ", but found " << result.getElementType() << "  [R2]";
  }
  if (auto offset = getOffset()) {
    int64_t rows = cast<ShapedType>(getTable().getType()).getDimSize(0);
    if (static_cast<int64_t>(*offset) < 0 ||
        (!ShapedType::isDynamic(rows) && static_cast<int64_t>(*offset) >= rows))
      return emitOpError() << "expects 'offset' in [0, V (table rows)), but it is "
                           << static_cast<int64_t>(*offset) << "  [R3]";
  }
  return success();
}

LogicalResult GatherOp::verify() {
  RankedTensorType value = getResult().getType().getValue();
  if (failed(DimCheck(*this)
                 .shape(getTable().getType(), "table", {{'V', "table rows"}, {'C', "channels"}})
                 .shape(getIds().getType(), "ids", {{'R', "rows"}})
                 .shape(value, "result", {{'R', "rows"}, {'C', "channels"}})
                 .result()))
    return failure();
  if (value.getElementType() != getElementTypeOrSelf(getTable()))
    return emitOpError() << "expects a value of the table's " << getElementTypeOrSelf(getTable())
                         << ", but found " << value.getElementType() << "  [R2]";
  if (!getResult().hasOneUse() || !isa<AwaitOp>(*getResult().user_begin()))
    return emitOpError("expects exactly one use of the result, a sluice.await  [R3]");
  return success();
}

LogicalResult AwaitOp::verify() {
  if (getResult().getType() != getFuture().getType().getValue())
    return emitOpError() << "expects the future's type " << getFuture().getType().getValue()
                         << ", but found " << getResult().getType() << "  [R1]";
  return success();
}

sluice::OperationCount EmbedOp::countOperations() { return {}; }
