// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/Sluice.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sluice;

RankedTensorType ParamOp::getLayerType() {
  RankedTensorType type = getTensorType();
  if (!getStack())
    return type;
  return RankedTensorType::get(type.getShape().drop_front(), type.getElementType(),
                               type.getEncoding());
}

RankedTensorType ParamOp::getBlockType() {
  RankedTensorType type = getLayerType();
  if (!getExperts())
    return type;
  return RankedTensorType::get(type.getShape().drop_front(), type.getElementType(),
                               type.getEncoding());
}

std::string ParamOp::nameOfSource(StringRef source, int64_t block) {
  std::string name = source.str();
  size_t from = 0;
  auto fill = [&](int64_t number) {
    from = name.find("{}", from);
    if (from != std::string::npos)
      name.replace(from, 2, std::to_string(number));
  };
  int64_t layer = block / getBlocksOfLayer();
  if (getStack())
    fill(getLayers() ? (*getLayers())[layer] : layer);
  if (getExperts())
    fill(block % getBlocksOfLayer());
  return name;
}

bool ParamOp::holdsAllExperts(StringRef source) {
  return getExperts() && source.count("{}") == (getStack() ? 1u : 0u);
}

/// Numbers of a param, at most (docs/Limits.md): so that sizes in bytes, padding included, are far
/// from the end of 64 bits.
static constexpr uint64_t maxParamNumbers = uint64_t(1) << 46;

LogicalResult ParamOp::verify() {
  if (getSources().empty())
    return emitOpError("expects at least one source, but has none  [R1]");
  if (getSources().size() != getSourceRows().size())
    return emitOpError() << "expects one row count per source, but has " << getSources().size()
                         << " sources and " << getSourceRows().size() << " row counts  [R1]";

  RankedTensorType type = getTensorType();
  if (!type.hasStaticShape() || llvm::is_contained(type.getShape(), 0))
    return emitOpError() << "expects a static shape without zeros, but has " << type << "  [R4]";
  uint64_t numbers = 1;
  for (int64_t size : type.getShape())
    numbers = llvm::SaturatingMultiply<uint64_t>(numbers, size);
  if (numbers > maxParamNumbers)
    return emitOpError() << "expects at most 2^46 numbers, but has " << type << "  [R4]";
  if (auto stack = getStack()) {
    if (static_cast<int64_t>(*stack) <= 0)
      return emitOpError() << "expects a positive number of layers, but 'stack' is "
                           << static_cast<int64_t>(*stack) << "  [R2]";
    if (type.getRank() == 0 || type.getDimSize(0) != static_cast<int64_t>(*stack))
      return emitOpError() << "expects dim L (layers) to lead the type, but 'stack' is " << *stack
                           << " and the type is " << type << "  [R2]";
  }
  if (auto experts = getExperts()) {
    if (static_cast<int64_t>(*experts) <= 0)
      return emitOpError() << "expects a positive number of experts, but 'experts' is "
                           << static_cast<int64_t>(*experts) << "  [R2]";
    if (getLayerType().getRank() == 0 ||
        getLayerType().getDimSize(0) != static_cast<int64_t>(*experts))
      return emitOpError()
             << "expects dim E (experts) to lead the type (after L), but 'experts' is " << *experts
             << " and the type is " << type << "  [R2]";
  }
  RankedTensorType layer = getBlockType();
  if (layer.getRank() == 0)
    return emitOpError() << "expects at least one dim beside L, but the type is " << type
                         << "  [R2]";
  int64_t total = 0;
  for (int64_t rows : getSourceRows()) {
    if (rows <= 0)
      return emitOpError() << "expects positive row counts, but one is " << rows << "  [R3]";
    if (llvm::AddOverflow(total, rows, total))
      return emitOpError("expects row counts whose sum is a number of 64 bits  [R3]");
  }
  if (total != layer.getDimSize(0))
    return emitOpError() << "expects the sources' rows to add up to " << layer.getDimSize(0)
                         << ", but they add up to " << total << "  [R3]";
  unsigned wanted = getStack() ? 1 : 0;
  for (auto [source, rows] :
       llvm::zip(getSources().getAsValueRange<StringAttr>(), getSourceRows())) {
    size_t found = source.count("{}");
    if (found != wanted && !(getExperts() && found == wanted + 1))
      return emitOpError() << "expects "
                           << (wanted ? "exactly one '{}' (the layer number)" : "no '{}'")
                           << (getExperts() ? ", and perhaps one for the expert," : "")
                           << " in the source name, but found '" << source << "'  [R5]";
    if (getAlternating() && rows % 2 != 0)
      return emitOpError() << "expects sources with an even number of rows for 'alternating', but '"
                           << source << "' has " << rows << "  [R9]";
  }
  if (auto layers = getLayers()) {
    bool ascending = layers->empty() || layers->front() >= 0;
    for (size_t i = 1; i < layers->size(); ++i)
      ascending &= (*layers)[i - 1] < (*layers)[i];
    if (!ascending ||
        static_cast<int64_t>(layers->size()) != static_cast<int64_t>(getStack().value_or(0)))
      return emitOpError() << "expects 'layers' to be " << getStack().value_or(0)
                           << " ascending numbers, one for each layer of the stack  [R8]";
  }
  if (getLayout() == Layout::Panel && layer.getRank() != 2)
    return emitOpError() << "expects two dims (beside L) for layout 'panel', but the type is "
                         << type << "  [R6]";
  if (getTransposed() && layer.getRank() != 2)
    return emitOpError() << "expects two dims (beside L) of a transposed param, but the type is "
                         << type << "  [R6]";
  if (type.getEncoding()) {
    if (!blocksOf(type))
      return emitOpError() << "expects #sluice.blocks as the type's encoding, but found "
                           << type.getEncoding() << "  [R7]";
    if (layer.getRank() != 2)
      return emitOpError() << "expects two dims (beside L) for codes, but the type is " << type
                           << "  [R7]";
    if (getLayout().value_or(Layout::Panel) != Layout::Panel)
      return emitOpError() << "expects layout 'panel' for codes, but it is '"
                           << stringifyLayout(*getLayout()) << "'  [R7]";
  }
  return success();
}

LogicalResult ParamUseOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto param = symbols.lookupNearestSymbolFrom<ParamOp>(*this, getParamAttr());
  if (!param)
    return emitOpError() << "expects '" << getParam()
                         << "' to name a sluice.param, but there is none of that name  [R1]";
  if (param.getStack().has_value() != static_cast<bool>(getLayer())) {
    auto error = emitOpError() << (getLayer() ? "expects no layer number: the param is not stacked"
                                              : "expects a layer number: the param is stacked")
                               << "  [R2]";
    error.attachNote(param.getLoc()) << "the param is declared here";
    return error;
  }
  if (getResult().getType() != param.getLayerType()) {
    auto error = emitOpError() << "expects the type " << param.getLayerType()
                               << " of the param, but has " << getResult().getType() << "  [R3]";
    error.attachNote(param.getLoc()) << "the param is declared here";
    return error;
  }
  return success();
}

LogicalResult KVOp::verify() {
  auto positive = [&](StringRef name, int64_t value) -> LogicalResult {
    if (value > 0)
      return success();
    return emitOpError() << "expects '" << name << "' to be positive, but it is " << value
                         << "  [R1]";
  };
  if (failed(positive("layers", getLayers())) || failed(positive("heads", getHeads())) ||
      failed(positive("key", getKey())) || failed(positive("value", getValue())))
    return failure();
  int64_t page = getPage();
  if (page <= 0 || page % 16 != 0)
    return emitOpError() << "expects 'page' to be a positive multiple of 16, but it is " << page
                         << "  [R2]";
  if (!getElement().isF32() && !getElement().isBF16())
    return emitOpError() << "expects pages of f32 or bf16, but found " << getElement() << "  [R3]";
  if (getShared() && getValue() > getKey())
    return emitOpError() << "expects 'value' to be at most 'key', whose first numbers it is, but "
                            "they are "
                         << getValue() << " and " << getKey() << "  [R4]";
  return success();
}
