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

//===-- Scalings ------------------------------------------------------------------------------===//

static LogicalResult verifyPositive(function_ref<InFlightDiagnostic()> emitError, StringRef name,
                                    const APFloat &value) {
  if (value.isFinite() && !value.isNegative() && !value.isZero())
    return success();
  return emitError() << "expects '" << name << "' to be finite and positive, but it is "
                     << value.convertToDouble();
}
static LogicalResult verifyOriginal(function_ref<InFlightDiagnostic()> emitError,
                                    int64_t original) {
  if (original > 0 && original <= std::numeric_limits<int32_t>::max())
    return success();
  return emitError() << "expects 'original' to be from 1 to 2147483647, but it is " << original;
}
static LogicalResult verifyMorePairs(function_ref<InFlightDiagnostic()> emitError, int64_t dims,
                                     StringRef name) {
  if (dims > 2)
    return success();
  return emitError() << "expects more than two rotated channels, because " << name
                     << " divides by their number less 2, but there are " << dims << "  [R6]";
}

LogicalResult RopeLinearAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat factor) {
  return verifyPositive(emitError, "factor", factor);
}

LogicalResult RopeNtkAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat factor) {
  return verifyPositive(emitError, "factor", factor);
}
LogicalResult RopeNtkAttr::verifyFor(int64_t dims,
                                     function_ref<InFlightDiagnostic()> emitError) const {
  return verifyMorePairs(emitError, dims, "#sluice.rope_ntk");
}

LogicalResult RopeDynamicAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat factor,
                                      int64_t original) {
  return failure(failed(verifyPositive(emitError, "factor", factor)) ||
                 failed(verifyOriginal(emitError, original)));
}
LogicalResult RopeDynamicAttr::verifyFor(int64_t dims,
                                         function_ref<InFlightDiagnostic()> emitError) const {
  return verifyMorePairs(emitError, dims, "#sluice.rope_dynamic");
}
bool RopeDynamicAttr::needsLength() const { return true; }

LogicalResult RopeLlama3Attr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat factor,
                                     APFloat low, APFloat high, int64_t original) {
  if (failed(verifyPositive(emitError, "factor", factor)) ||
      failed(verifyPositive(emitError, "low", low)) ||
      failed(verifyPositive(emitError, "high", high)) ||
      failed(verifyOriginal(emitError, original)))
    return failure();
  if (low.convertToDouble() < high.convertToDouble())
    return success();
  return emitError() << "expects 'low' below 'high', but they are " << low.convertToDouble()
                     << " and " << high.convertToDouble();
}

LogicalResult RopeYarnAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat factor,
                                   APFloat fast, APFloat slow, int64_t original, YarnCorners) {
  if (failed(verifyPositive(emitError, "factor", factor)) ||
      failed(verifyPositive(emitError, "fast", fast)) ||
      failed(verifyPositive(emitError, "slow", slow)) ||
      failed(verifyOriginal(emitError, original)))
    return failure();
  if (fast.convertToDouble() >= slow.convertToDouble())
    return success();
  return emitError() << "expects 'fast' to be at least 'slow', but they are "
                     << fast.convertToDouble() << " and " << slow.convertToDouble();
}

LogicalResult RopeLongropeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                       DenseF64ArrayAttr shortFactors,
                                       DenseF64ArrayAttr longFactors, int64_t original) {
  for (auto [factors, name] :
       {std::pair(shortFactors, "short_factors"), std::pair(longFactors, "long_factors")})
    for (double factor : factors.asArrayRef())
      if (!std::isfinite(factor) || factor <= 0)
        return emitError() << "expects finite and positive numbers in '" << name << "', but found "
                           << factor;
  return verifyOriginal(emitError, original);
}
LogicalResult RopeLongropeAttr::verifyFor(int64_t dims,
                                          function_ref<InFlightDiagnostic()> emitError) const {
  for (auto [factors, name] :
       {std::pair(getShortFactors(), "short_factors"), std::pair(getLongFactors(), "long_factors")})
    if (factors.size() != dims / 2)
      return emitError() << "expects a divisor for each of the " << dims / 2 << " pairs in '"
                         << name << "', but it has " << factors.size() << "  [R6]";
  return success();
}
bool RopeLongropeAttr::needsLength() const { return true; }

//===-- The op --------------------------------------------------------------------------------===//

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
  if (auto amplitude = getAmplitude();
      amplitude && (!amplitude->isFinite() || amplitude->convertToDouble() <= 0))
    return emitOpError() << "expects 'amplitude' to be finite and positive, but it is "
                         << amplitude->convertToDouble() << "  [R5]";
  RopeScalingAttrInterface scaling = getScalingAttr();
  if (isa_and_present<RopeYarnAttr>(Attribute(scaling)) && theta <= 1)
    return emitOpError() << "expects 'theta' above 1 with #sluice.rope_yarn, which divides by its "
                            "logarithm, but it is "
                         << theta << "  [R3]";
  if (scaling && failed(scaling.verifyFor(rotated, [&] { return emitOpError(); })))
    return failure();
  bool needsLength = scaling && scaling.needsLength();
  if (needsLength && !getBatch())
    return emitOpError() << "expects 'batch', because " << scaling
                         << " depends on the length of a sequence  [R7]";
  if (getBatch() && !needsLength)
    return emitOpError("expects no 'batch', because no scaling depends on the length of a sequence "
                       " [R7]");
  return success();
}

sluice::OperationCount RopeOp::countOperations() {
  auto rows = cast<ShapedType>(getRows().getType());
  // Four products and two sums for each pair; sine and cosine once for all heads.
  return {3 * rows.getDimSize(1) * getRotatedDims() + getRotatedDims()};
}
