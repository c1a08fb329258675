// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

using namespace mlir;
using namespace sluice;

//===-- heads.linear --------------------------------------------------------------------------===//

int64_t HeadsLinearOp::getBlockRows() {
  int64_t heads = cast<ShapedType>(getRows().getType()).getDimSize(1);
  return cast<ShapedType>(getWeight().getType()).getDimSize(0) / heads;
}

LogicalResult HeadsLinearOp::verify() {
  ShapedType result = outputType(*this);
  bool plain = getTurn() == HeadsTurn::Plain;
  DimCheck::Dim columns =
      plain ? DimCheck::Dim{'K', "inputs of a head"} : DimCheck::Dim{'N', "outputs of a head"};
  if (failed(
          DimCheck(*this)
              .shape(getRows().getType(), "rows",
                     {{'R', "rows"}, {'H', "heads"}, {'K', "inputs of a head"}})
              .shape(getWeight().getType(), "weight", {{'M', "outputs"}, columns})
              .shape(result, "result", {{'R', "rows"}, {'H', "heads"}, {'N', "outputs of a head"}})
              .result()))
    return failure();
  auto rows = cast<ShapedType>(getRows().getType());
  auto weight = cast<ShapedType>(getWeight().getType());
  int64_t heads = rows.getDimSize(1), outputs = weight.getDimSize(0);
  int64_t used = plain ? result.getDimSize(2) : rows.getDimSize(2);
  for (int64_t size : {heads, outputs, used, weight.getDimSize(1)})
    if (ShapedType::isDynamic(size) || size <= 0)
      return emitOpError("expects static sizes above 0 but for R (rows)  [R2]");
  if (outputs % heads != 0)
    return emitOpError() << "expects M (outputs of the weight) to be a multiple of H (heads), but "
                            "they are "
                         << outputs << " and " << heads << "  [R2]";
  auto first = static_cast<int64_t>(getFirst());
  int64_t block = outputs / heads;
  if (first < 0 || first > block || used > block - first)
    return emitOpError() << "expects the " << used << " rows from 'first' on to end within the "
                         << block << " rows of the weight that a head has, but 'first' is " << first
                         << "  [R2]";
  if (!rows.getElementType().isF32())
    return emitOpError() << "expects 'rows' of f32, but found " << rows.getElementType()
                         << "  [R3]";
  return verifyRounded(*this, "R3");
}

sluice::OperationCount HeadsLinearOp::countOperations() {
  auto rows = cast<ShapedType>(getRows().getType());
  return {2 * rows.getDimSize(1) * rows.getDimSize(2) * outputType(*this).getDimSize(2)};
}

//===-- heads.join ----------------------------------------------------------------------------===//

LogicalResult HeadsJoinOp::verify() {
  ShapedType result = outputType(*this);
  if (getPieces().size() < 2)
    return emitOpError() << "expects at least two pieces, but found " << getPieces().size()
                         << "  [R1]";
  DimCheck dims(*this);
  dims.shape(result, "result", {{'R', "rows"}, {'H', "heads"}, {'D', "channels"}});
  int64_t channels = 0;
  for (auto [i, piece] : llvm::enumerate(getPieces())) {
    auto type = cast<ShapedType>(piece.getType());
    std::string name = llvm::formatv("piece {0}", i);
    bool one = type.getRank() == 3 && type.getDimSize(1) == 1;
    DimCheck::Dim heads = one ? DimCheck::Dim{'1', "the one head"} : DimCheck::Dim{'H', "heads"};
    // A letter of its own for each piece's channels.
    dims.shape(type, name, {{'R', "rows"}, heads, {static_cast<char>('a' + i % 26), "channels"}});
    if (failed(dims.result()))
      return failure();
    if (type.isDynamicDim(1) || type.isDynamicDim(2))
      return emitOpError() << "expects static heads and channels, but " << name << " is " << type
                           << "  [R2]";
    if (type.getElementType() != result.getElementType())
      return emitOpError() << "expects pieces and result of one element type, but " << name
                           << " is of " << type.getElementType() << " and the result of "
                           << result.getElementType() << "  [R4]";
    channels += type.getDimSize(2);
  }
  if (failed(dims.result()))
    return failure();
  if (channels != result.getDimSize(2))
    return emitOpError() << "expects the pieces' channels to add up to D (channels) of the result, "
                         << result.getDimSize(2) << ", but they are " << channels << "  [R3]";
  return success();
}
