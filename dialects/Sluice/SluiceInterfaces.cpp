// SPDX-License-Identifier: Apache-2.0
//
// What all compute ops have in common: their two forms, and the effects that follow from them.

#include "dialects/Sluice/Sluice.h"

using namespace mlir;

#include "dialects/Sluice/SluiceAttrInterfaces.cpp.inc"
#include "dialects/Sluice/SluiceOpInterfaces.cpp.inc"

/// `round` says that numbers rounded to 16 bits lie in memory as f32. On tensors it is a decision
/// that buffers will follow, and may only repeat what the result's type says.
static LogicalResult verifyRound(Operation *op, sluice::ComputeOpInterface compute) {
  auto round = dyn_cast_if_present<TypeAttr>(op->getInherentAttr("round").value_or(Attribute()));
  if (!round)
    return success();
  Type type = round.getValue();
  if (!type.isBF16() && !type.isF16())
    return op->emitOpError() << "expects 'round' to be bf16 or f16, but found " << type << "  [R0]";
  for (Value result : op->getResults())
    if (getElementTypeOrSelf(result) != type)
      return op->emitOpError()
             << "expects 'round' to be the result's element type in tensor form, but found " << type
             << " and " << getElementTypeOrSelf(result) << "  [R0]";
  for (Value destination : compute.getDestinations())
    if (!getElementTypeOrSelf(destination).isF32())
      return op->emitOpError() << "expects a destination of f32 with 'round', but found "
                               << getElementTypeOrSelf(destination) << "  [R0]";
  return success();
}

LogicalResult sluice::verifyForm(Operation *op) {
  auto compute = cast<ComputeOpInterface>(op);
  if (failed(verifyRound(op, compute)))
    return failure();
  unsigned outputs = compute.getOutputCount();
  if (compute.isBufferForm()) {
    if (op->getNumResults() != 0)
      return op->emitOpError() << "expects no result in buffer form, but has "
                               << op->getNumResults() << "  [R0]";
    if (compute.getDestinations().size() != outputs)
      return op->emitOpError() << "expects " << outputs
                               << (outputs == 1 ? " destination" : " destinations")
                               << " after 'into', but has " << compute.getDestinations().size()
                               << "  [R0]";
    for (Value operand : op->getOperands()) {
      auto tensor = dyn_cast<RankedTensorType>(operand.getType());
      if (tensor && !tensor.hasStaticShape())
        return op->emitOpError() << "expects memrefs in buffer form (weights apart, whose sizes "
                                    "are static), but an operand is a "
                                 << tensor << "  [R0]";
    }
    return success();
  }
  if (op->getNumResults() != outputs)
    return op->emitOpError() << "expects " << outputs << (outputs == 1 ? " result" : " results")
                             << " in tensor form (or 'into' with memrefs), but has "
                             << op->getNumResults() << "  [R0]";
  for (Value operand : op->getOperands())
    if (isa<MemRefType>(operand.getType()))
      return op->emitOpError() << "expects tensors only in tensor form, but an operand is a "
                               << operand.getType() << "; name the destination with 'into'  [R0]";
  return success();
}

void sluice::addFormEffects(
    Operation *op, SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  auto compute = cast<ComputeOpInterface>(op);
  auto destinations = compute.getDestinations();
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType, PagesType>(operand.get().getType()))
      continue;
    unsigned number = operand.getOperandNumber();
    bool isDestination = !destinations.empty() && number >= destinations.getBeginOperandIndex() &&
                         number < destinations.getBeginOperandIndex() + destinations.size();
    if (isDestination)
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

ShapedType sluice::outputType(Operation *op, unsigned index) {
  auto compute = cast<ComputeOpInterface>(op);
  if (compute.isBufferForm())
    return cast<ShapedType>(compute.getDestinations()[index].getType());
  return cast<ShapedType>(op->getResult(index).getType());
}

LogicalResult sluice::verifyRounded(Operation *op, StringRef rule) {
  Type element = outputType(op).getElementType();
  if (element.isF32() || element.isBF16() || element.isF16())
    return success();
  return op->emitOpError() << "expects a result of f32, bf16 or f16, but found " << element << "  ["
                           << rule << "]";
}

/// Numbers in one row of `type`.
static int64_t rowElements(ShapedType type) {
  int64_t elements = 1;
  for (int64_t size : type.getShape().drop_front(type.getRank() > 0))
    elements *= size;
  return elements;
}

int64_t sluice::elementsOfRow(Value rows) { return rowElements(cast<ShapedType>(rows.getType())); }

sluice::OperationCount sluice::countOutputs(Operation *op) {
  auto compute = cast<ComputeOpInterface>(op);
  OperationCount count;
  for (unsigned i = 0; i < compute.getOutputCount(); ++i)
    count.perRow += rowElements(outputType(op, i));
  return count;
}
