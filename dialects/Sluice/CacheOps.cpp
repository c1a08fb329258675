// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"

using namespace mlir;
using namespace sluice;

void CacheAppendOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  if (getResult())
    return; // tensor form: a new value
  for (OpOperand &operand : getOperation()->getOpOperands()) {
    if (isa<MemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    else if (isa<PagesType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}

LogicalResult CacheAppendOp::verify() {
  if (getResult() && getResult().getType() != getPages().getType())
    return emitOpError() << "expects a result of the pages' type " << getPages().getType()
                         << ", but found " << getResult().getType() << "  [R3]";
  bool buffers = isa<MemRefType>(getKey().getType());
  if (getValue() && buffers != isa<MemRefType>(getValue().getType()))
    return emitOpError()
           << "expects 'key' and 'value' both as tensors or both as memrefs, but found "
           << getKey().getType() << " and " << getValue().getType() << "  [R3]";
  if (buffers == static_cast<bool>(getResult()))
    return emitOpError() << "expects "
                         << (buffers ? "no result in buffer form"
                                     : "the new pages as result in tensor form")
                         << "  [R3]";
  for (Value rows : {getKey(), getValue()})
    if (rows && !getElementTypeOrSelf(rows).isF32())
      return emitOpError() << "expects keys and values of f32, but found "
                           << getElementTypeOrSelf(rows) << "  [R2]";
  return success();
}

LogicalResult CacheAppendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kv = symbols.lookupNearestSymbolFrom<KVOp>(*this, getPages().getType().getSymbol());
  if (!kv)
    return emitOpError() << "expects 'pages' to name a sluice.kv, but there is no '"
                         << getPages().getType().getSymbol().getValue() << "'  [R3]";
  if (static_cast<bool>(getValue()) == kv.getShared())
    return emitOpError() << (getValue() ? "expects no 'value', because the values of '"
                                        : "expects a 'value', because the values of '")
                         << kv.getSymName()
                         << (getValue() ? "' are the first numbers of its keys  [R4]"
                                        : "' are not shared with its keys  [R4]");
  return DimCheck(*this)
      .shape(getKey().getType(), "key", {{'R', "rows"}, {'G', "kv heads"}, {'D', "head size"}})
      .shape(getValue() ? getValue().getType() : Type(), "value",
             {{'R', "rows"}, {'G', "kv heads"}, {'E', "value size"}})
      .size(kv.getHeads(), "pages", {'G', "kv heads"})
      .size(kv.getKey(), "pages", {'D', "head size"})
      .size(kv.getValue(), "pages", {'E', "value size"})
      .result();
}

LogicalResult CachePackOp::verify() {
  for (Value operand : {getKey(), getValue()})
    if (!isa<MemRefType>(operand.getType()))
      return emitOpError() << "expects memrefs, but an operand is a " << operand.getType()
                           << "  [R2]";
  if (failed(DimCheck(*this)
                 .shape(getKey().getType(), "key",
                        {{'R', "rows"}, {'G', "kv heads"}, {'D', "head size"}})
                 .shape(getValue().getType(), "value",
                        {{'R', "rows"}, {'G', "kv heads"}, {'E', "value size"}})
                 .result()))
    return failure();
  if (!getElementTypeOrSelf(getKey()).isF32() || !getElementTypeOrSelf(getValue()).isF32() ||
      !getElementTypeOrSelf(getInto()).isInteger(8))
    return emitOpError() << "expects keys and values of f32 and bytes to write into, but found "
                         << getElementTypeOrSelf(getKey()) << ", "
                         << getElementTypeOrSelf(getValue()) << " and "
                         << getElementTypeOrSelf(getInto()) << "  [R2]";
  return success();
}
