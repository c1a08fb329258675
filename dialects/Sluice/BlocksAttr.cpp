// SPDX-License-Identifier: Apache-2.0
//
// #sluice.blocks: what it accepts, and how many bytes it takes.

#include "dialects/Sluice/Sluice.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

using sluice::BlocksAttr;

LogicalResult BlocksAttr::verify(function_ref<InFlightDiagnostic()> emitError, Type element,
                                 int64_t rows, int64_t columns, Type scale) {
  bool isFloat = isa<Float4E2M1FNType>(element);
  if (!element.isSignlessInteger(8) && !element.isSignlessInteger(4) && !isFloat)
    return emitError() << "expects codes of i8, i4 or f4E2M1FN, but found " << element << "  [R1]";
  if (isFloat ? !isa<Float8E8M0FNUType>(scale) : !scale.isBF16())
    return emitError() << "expects scales of " << (isFloat ? "f8E8M0FNU" : "bf16")
                       << " for codes of " << element << ", but found " << scale << "  [R1]";
  if (rows != 1)
    return emitError() << "expects blocks of one output for codes of " << element
                       << ", but 'rows' is " << rows << "  [R1]";
  if (isFloat && columns != 32)
    return emitError() << "expects 'columns' to be 32 for codes of " << element << ", but it is "
                       << columns << "  [R2]";
  if (columns < 32 || columns > 1024 || !llvm::isPowerOf2_64(columns))
    return emitError() << "expects 'columns' to be a power of two from 32 to 1024, but it is "
                       << columns << "  [R2]";
  return success();
}

LogicalResult BlocksAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType,
                                         function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() < 2 || shape.size() > 4)
    return emitError() << "expects a weight of two dims (beside L and E) for codes, but it has "
                       << shape.size() << "  [R3]";
  if (!elementType.isF32() && !elementType.isBF16() && !elementType.isF16())
    return emitError() << "expects a weight of f32, bf16 or f16 for codes, but found "
                       << elementType << "  [R3]";
  return success();
}

int64_t BlocksAttr::getBits() const { return getElement().getIntOrFloatBitWidth(); }

int64_t BlocksAttr::getPanelBytes(int64_t inputs) const {
  int64_t scales = getBlockCount(inputs) * 16 * getScale().getIntOrFloatBitWidth() / 8;
  return getScalesAt(inputs) + llvm::alignTo(scales, 64);
}

std::string BlocksAttr::describe() const {
  if (isFloat())
    return "mxfp4 in groups of " + std::to_string(getColumns());
  return "int" + std::to_string(getBits()) + " in groups of " + std::to_string(getColumns());
}

BlocksAttr sluice::blocksOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_if_present<BlocksAttr>(tensor.getEncoding()) : BlocksAttr();
}
