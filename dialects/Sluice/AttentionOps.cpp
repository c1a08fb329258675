// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"

using namespace mlir;
using namespace sluice;

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
      .shape(result, "result", {{'R', "rows"}, {'H', "heads"}, {'E', "value size"}});
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
  return verifyRounded(*this, "R4");
}
