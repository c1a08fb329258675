// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

using namespace mlir;
using namespace sluice;

bool NormOp::isGrouped() {
  auto rows = cast<ShapedType>(getRows().getType());
  auto weight = getWeight() ? dyn_cast<ShapedType>(getWeight().getType()) : nullptr;
  if (rows.getRank() != 3 || !weight || weight.getRank() != 1 || rows.isDynamicDim(1) ||
      rows.isDynamicDim(2) || rows.getDimSize(1) == 1)
    return false;
  return weight.getDimSize(0) == rows.getDimSize(1) * rows.getDimSize(2);
}

LogicalResult NormOp::verify() {
  ShapedType result = outputType(*this);
  auto rows = cast<ShapedType>(getRows().getType());
  if (rows.getRank() != 2 && rows.getRank() != 3)
    return emitOpError() << "expects 'rows' to have the dims [R, C] or [R, H, C], but it has "
                         << rows.getRank() << (rows.getRank() == 1 ? " dim" : " dims") << "  [R1]";
  SmallVector<DimCheck::Dim> dims = {{'R', "rows"}, {'C', "channels"}};
  if (rows.getRank() == 3)
    dims.insert(dims.begin() + 1, {'H', "heads"});
  DimCheck check(*this);
  check.shape(rows, "rows", dims).shape(result, "result", dims);
  DimCheck::Dim channels =
      isGrouped() ? DimCheck::Dim{'G', "channels of all heads"} : DimCheck::Dim{'C', "channels"};
  check.shape(getWeight() ? getWeight().getType() : Type(), "weight", {channels})
      .shape(getBias() ? getBias().getType() : Type(), "bias", {channels});
  if (failed(check.result()))
    return failure();
  if (getKind() == NormKind::L2 && (getWeight() || getBias()))
    return emitOpError("expects neither weight nor bias with 'l2'  [R2]");
  if (getBias() && !getWeight())
    return emitOpError("expects a weight where there is a bias  [R3]");
  double eps = getEps().convertToDouble();
  if (!std::isfinite(eps) || eps < 0)
    return emitOpError() << "expects 'eps' to be finite and not negative, but it is " << eps
                         << "  [R4]";
  if (auto offset = getOffset()) {
    if (!getWeight())
      return emitOpError("expects a weight where there is an 'offset'  [R6]");
    if (!offset->isFinite())
      return emitOpError() << "expects 'offset' to be finite, but it is "
                           << offset->convertToDouble() << "  [R6]";
  }
  if (!rows.getElementType().isF32())
    return emitOpError() << "expects 'rows' of f32, but found " << rows.getElementType()
                         << "  [R5]";
  return verifyRounded(*this, "R5");
}

sluice::OperationCount NormOp::countOperations() {
  // A square sum is two for each number, a mean one more and its subtraction another.
  int64_t each =
      3 + (getKind() == NormKind::Layer ? 2 : 0) + (getWeight() ? 1 : 0) + (getBias() ? 1 : 0);
  return {each * elementsOfRow(getRows())};
}
