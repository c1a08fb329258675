// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace sluice;

LogicalResult ClampOp::verify() {
  ShapedType result = outputType(*this);
  auto width = cast<ShapedType>(getWidth().getType());
  SmallVector<DimCheck::Dim> full = {{'R', "rows"}, {'C', "channels"}};
  DimCheck dims(*this);
  dims.shape(getRows().getType(), "rows", full);
  if (width.getRank() == 1)
    dims.shape(width, "width", {{'C', "channels"}});
  else
    dims.shape(width, "width", full);
  if (failed(dims.shape(result, "result", full).result()))
    return failure();
  Type element = getElementTypeOrSelf(getRows());
  if (!element.isF32() && !element.isBF16())
    return emitOpError() << "expects f32 or bf16, but found " << element << "  [R2]";
  for (Type other : {width.getElementType(), result.getElementType()})
    if (other != element)
      return emitOpError() << "expects one element type, but found " << element << " and " << other
                           << "  [R2]";
  return success();
}

/// c(x, w), the one place where the folder states the formula (the oracle and the lowering have
/// their own).
static APFloat clampValue(const APFloat &x, const APFloat &w, NanRule rule) {
  if (x.isNaN() || w.isNaN()) {
    if (rule == NanRule::Propagate)
      return APFloat::getNaN(x.getSemantics());
    return x.isNaN() ? APFloat::getZero(x.getSemantics()) : x;
  }
  APFloat magnitude = abs(x) <= abs(w) ? abs(x) : abs(w);
  return x.isNegative() ? neg(magnitude) : magnitude;
}

LogicalResult ClampOp::fold(FoldAdaptor adaptor, SmallVectorImpl<OpFoldResult> &results) {
  if (isBufferForm())
    return failure();
  auto width = dyn_cast_if_present<DenseFPElementsAttr>(adaptor.getWidth());
  if (!width)
    return failure();
  auto rows = dyn_cast_if_present<DenseFPElementsAttr>(adaptor.getRows());
  if (!rows) {
    // Channels that are open everywhere: clamp(x, inf) is x, unless a NaN x must become 0.
    bool open =
        llvm::all_of(width.getValues<APFloat>(), [](const APFloat &w) { return w.isInfinity(); });
    if (open && getNan() == NanRule::Propagate && getRows().getType() == getResult().getType()) {
      results.push_back(getRows());
      return success();
    }
    return failure();
  }
  auto type = cast<RankedTensorType>(getResult().getType());
  if (!type.hasStaticShape())
    return failure();
  auto xs = rows.getValues<APFloat>();
  auto ws = width.getValues<APFloat>();
  int64_t channels = type.getDimSize(1), count = type.getNumElements();
  bool perChannel = width.getType().getRank() == 1;
  SmallVector<APFloat> values;
  values.reserve(count);
  for (int64_t i = 0; i < count; ++i)
    values.push_back(clampValue(xs[i], ws[perChannel ? i % channels : i], getNan()));
  results.push_back(DenseFPElementsAttr::get(type, values));
  return success();
}

namespace {
/// clamp(clamp(x, w), w) is clamp(x, w) under either NaN rule: what the first lets pass, the second
/// does too.
struct DropRepeatedClamp : OpRewritePattern<ClampOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ClampOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getRows().getDefiningOp<ClampOp>();
    if (!inner || op.isBufferForm())
      return rewriter.notifyMatchFailure(op, "its rows do not come from a clamp");
    if (inner.getWidth() != op.getWidth())
      return rewriter.notifyMatchFailure(op, "the two clamps have different widths");
    if (inner.getNan() != op.getNan())
      return rewriter.notifyMatchFailure(op, "the two clamps have different NaN rules");
    rewriter.replaceOp(op, inner);
    return success();
  }
};
} // namespace

void ClampOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropRepeatedClamp>(context);
}

sluice::OperationCount ClampOp::countOperations() {
  return {2 * countOutputs(*this).perRow}; // minimum and maximum
}
