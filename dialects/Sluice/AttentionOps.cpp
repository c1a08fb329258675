// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"

using namespace mlir;
using namespace sluice;

static Type typeOf(Value value) { return value ? value.getType() : Type(); }

/// (R7): what the mask reads is there, and nothing else is.
static LogicalResult verifyFacts(AttentionOp op) {
  unsigned needs = op.getMask().getNeeds();
  auto check = [&](Value operand, unsigned need, StringRef name, StringRef mask) -> LogicalResult {
    if (static_cast<bool>(operand) == static_cast<bool>(needs & need))
      return success();
    if (operand)
      return op.emitOpError() << "expects no '" << name
                              << "', because no part of its mask is #sluice." << mask << "  [R7]";
    return op.emitOpError() << "expects '" << name << "', because #sluice." << mask
                            << " in its mask reads it  [R7]";
  };
  return failure(failed(check(op.getSegments(), kNeedsSegments, "segments", "segment")) ||
                 failed(check(op.getParents(), kNeedsParents, "parents", "tree")) ||
                 failed(check(op.getPrefixes(), kNeedsPrefixes, "prefixes", "prefixes")));
}

/// (R8)
static LogicalResult verifyScoreTables(AttentionOp op) {
  auto check = [&](Value table, StringRef name) -> LogicalResult {
    if (!table)
      return success();
    auto type = cast<ShapedType>(table.getType());
    if (!type.getElementType().isF32())
      return op.emitOpError() << "expects '" << name << "' of f32, but found "
                              << type.getElementType() << "  [R8]";
    if (!type.hasStaticShape() || type.getNumElements() == 0)
      return op.emitOpError() << "expects '" << name << "' to have static sizes above 0, but it is "
                              << type << "  [R8]";
    return success();
  };
  if (failed(check(op.getSlopes(), "slopes")) || failed(check(op.getBias(), "bias")) ||
      failed(check(op.getSinks(), "sinks")))
    return failure();
  auto bias = cast_if_present<ShapedType>(typeOf(op.getBias()));
  if (bias && bias.getRank() == 2 && bias.getDimSize(1) % 2 == 0)
    return op.emitOpError() << "expects an odd number of distances in 'bias', the middle one for a "
                               "row's own key, but found "
                            << bias.getDimSize(1) << "  [R8]";
  return success();
}

LogicalResult AttentionOp::verify() {
  ShapedType result = outputType(*this);
  bool tensors = getKey() || getValue(), pages = getPages() || getLayer(),
       tiles = static_cast<bool>(getTiles());
  if (tensors + pages + tiles != 1 ||
      static_cast<bool>(getKey()) != static_cast<bool>(getValue()) ||
      static_cast<bool>(getPages()) != static_cast<bool>(getLayer()))
    return emitOpError("expects exactly one source of keys: 'key' and 'value', 'pages' with a "
                       "layer, or 'tiles'  [R3]");
  if (tiles && (!getKvHeads() || !getValueSize()))
    return emitOpError("expects 'kv_heads' and 'value_size' with 'tiles'  [R3]");

  DimCheck dims(*this);
  dims.shape(getQuery().getType(), "query", {{'R', "rows"}, {'H', "heads"}, {'D', "head size"}})
      .shape(result, "result", {{'R', "rows"}, {'H', "heads"}, {'E', "value size"}})
      .shape(typeOf(getSegments()), "segments", {{'R', "rows"}})
      .shape(typeOf(getParents()), "parents", {{'R', "rows"}})
      .shape(typeOf(getPrefixes()), "prefixes", {{'S', "sequences"}})
      .shape(typeOf(getSlopes()), "slopes", {{'H', "heads"}})
      .shape(typeOf(getSinks()), "sinks", {{'H', "heads"}});
  if (hasLse())
    dims.shape(outputType(*this, 1), "lse", {{'R', "rows"}, {'H', "heads"}});
  if (Value bias = getBias()) {
    if (cast<ShapedType>(bias.getType()).getRank() == 2)
      dims.shape(bias.getType(), "bias", {{'H', "heads"}, {'W', "distances"}});
    else
      dims.shape(bias.getType(), "bias", {{'H', "heads"}, {'I', "queries"}, {'J', "keys"}});
  }
  int64_t kvHeads = ShapedType::kDynamic;
  if (tensors) {
    dims.shape(getKey().getType(), "key", {{'R', "rows"}, {'G', "kv heads"}, {'D', "head size"}})
        .shape(getValue().getType(), "value",
               {{'R', "rows"}, {'G', "kv heads"}, {'E', "value size"}});
    auto key = cast<ShapedType>(getKey().getType());
    if (key.getRank() == 3)
      kvHeads = key.getDimSize(1);
  } else if (pages) {
    auto kv = SymbolTable::lookupNearestSymbolFrom<KVOp>(*this, getPages().getType().getSymbol());
    if (!kv)
      return emitOpError() << "expects 'pages' to name a sluice.kv, but there is no '"
                           << getPages().getType().getSymbol().getValue() << "'  [R6]";
    dims.size(kv.getKey(), "pages", {'D', "head size"})
        .size(kv.getValue(), "pages", {'E', "value size"});
    kvHeads = kv.getHeads();
  } else {
    dims.size(*getValueSize(), "value_size", {'E', "value size"});
    kvHeads = *getKvHeads();
  }
  if (failed(dims.result()))
    return failure();

  int64_t heads = cast<ShapedType>(getQuery().getType()).getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(kvHeads) &&
      (kvHeads <= 0 || heads % kvHeads != 0))
    return emitOpError() << "expects H (heads) to be a multiple of G (kv heads), but they are "
                         << heads << " and " << kvHeads << "  [R2]";
  if (!getElementTypeOrSelf(getQuery()).isF32())
    return emitOpError() << "expects 'query' of f32, but found " << getElementTypeOrSelf(getQuery())
                         << "  [R4]";
  if (tensors && getElementTypeOrSelf(getKey()) != getElementTypeOrSelf(getValue()))
    return emitOpError() << "expects 'key' and 'value' of one element type, but found "
                         << getElementTypeOrSelf(getKey()) << " and "
                         << getElementTypeOrSelf(getValue()) << "  [R4]";
  if (!getScale().isFinite())
    return emitOpError("expects 'scale' to be finite  [R5]");
  if (std::optional<APFloat> cap = getSoftcap();
      cap && (!cap->isFinite() || cap->isNegative() || cap->isZero()))
    return emitOpError("expects 'softcap' to be finite and above 0  [R5]");
  if (hasLse() && !outputType(*this, 1).getElementType().isF32())
    return emitOpError() << "expects 'lse' of f32, but found "
                         << outputType(*this, 1).getElementType() << "  [R4]";
  if (failed(verifyFacts(*this)) || failed(verifyScoreTables(*this)))
    return failure();
  return verifyRounded(*this, "R4");
}

sluice::OperationCount AttentionOp::countOperations() {
  int64_t heads = cast<ShapedType>(getQuery().getType()).getDimSize(1);
  int64_t key = cast<ShapedType>(getQuery().getType()).getDimSize(2);
  int64_t value = outputType(*this).getDimSize(2);
  // A score: its chain, the scale, and what is done to it. Its weight: maximum, difference, exp,
  // sum. Its share of the result. Each result is divided once.
  int64_t score =
      2 * key + 1 + (getSoftcap() ? 3 : 0) + (getSlopes() ? 2 : 0) + (getBias() ? 1 : 0);
  return {heads * value, heads * (score + 4 + 2 * value)};
}
