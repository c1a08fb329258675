// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

using namespace mlir;
using namespace sluice;

LogicalResult NormOp::verify() {
  ShapedType result = outputType(*this);
  auto rows = cast<ShapedType>(getRows().getType());
  if (rows.getRank() != 2 && rows.getRank() != 3)
    return emitOpError() << "expects 'rows' to have the dims [R, C] or [R, H, C], but it has "
                         << rows.getRank() << (rows.getRank() == 1 ? " dim" : " dims") << "  [R1]";
  SmallVector<DimCheck::Dim> dims = {{'R', "rows"}, {'C', "channels"}};
  if (rows.getRank() == 3)
    dims.insert(dims.begin() + 1, {'H', "heads"});
  if (failed(DimCheck(*this)
                 .shape(rows, "rows", dims)
                 .shape(getWeight() ? getWeight().getType() : Type(), "weight", {{'C', "channels"}})
                 .shape(getBias() ? getBias().getType() : Type(), "bias", {{'C', "channels"}})
                 .shape(result, "result", dims)
                 .result()))
    return failure();
  if (getKind() == NormKind::L2 && (getWeight() || getBias()))
    return emitOpError("expects neither weight nor bias with 'l2'  [R2]");
  if (getBias() && !getWeight())
    return emitOpError("expects a weight where there is a bias  [R3]");
  double eps = getEps().convertToDouble();
  if (!std::isfinite(eps) || eps < 0)
    return emitOpError() << "expects 'eps' to be finite and not negative, but it is " << eps
                         << "  [R4]";
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
