// SPDX-License-Identifier: Apache-2.0
//
// The rules of routers and of layers that differ from row to row.

#include "dialects/Sluice/DimCheck.h"
#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"

#include <cmath>

using namespace mlir;
using namespace sluice;

/// Experts of one router, at most (docs/Limits.md).
static constexpr int64_t maxExperts = 4096;

/// `type`, the operand or result called `name`, has elements of `element`.
static LogicalResult verifyElement(Operation *op, Type type, StringRef name, bool isIds,
                                   StringRef rule) {
  Type element = getElementTypeOrSelf(type);
  if (isIds ? element.isInteger(32) : element.isF32())
    return success();
  return op->emitOpError() << "expects '" << name << "' of " << (isIds ? "i32" : "f32")
                           << ", but found " << element << "  [" << rule << "]";
}

//===-- route -------------------------------------------------------------------------------===//

int64_t RouteOp::capacityOf(int64_t rows) {
  if (auto capacity = getCapacity())
    return static_cast<int64_t>(*capacity);
  if (auto factor = getCapacityFactor()) {
    double wanted = std::ceil(static_cast<double>(rows) * factor->convertToDouble() /
                              static_cast<double>(getExperts()));
    return wanted < static_cast<double>(rows) ? static_cast<int64_t>(wanted) : rows;
  }
  return rows;
}

static LogicalResult verifyGroups(RouteOp op, int64_t experts, int64_t top) {
  if (!op.getGroups()) {
    if (op.getTopGroups() || op.getGroupScore())
      return op.emitOpError() << "expects 'groups' with '"
                              << (op.getTopGroups() ? "top_groups" : "group_score") << "'  [R5]";
    return success();
  }
  auto groups = static_cast<int64_t>(*op.getGroups());
  if (groups < 1 || experts % groups != 0)
    return op.emitOpError() << "expects 'groups' to divide the " << experts
                            << " experts, but it is " << groups << "  [R5]";
  if (!op.getTopGroups())
    return op.emitOpError("expects 'top_groups' with 'groups'  [R5]");
  auto open = static_cast<int64_t>(*op.getTopGroups());
  if (open < 1 || open > groups)
    return op.emitOpError() << "expects 'top_groups' from 1 to the " << groups
                            << " groups, but it is " << open << "  [R5]";
  if (top > open * (experts / groups))
    return op.emitOpError() << "expects " << open << " groups of " << experts / groups
                            << " experts to have the " << top << " that a row chooses  [R5]";
  if (op.getGroupScore() == GroupScore::TopTwo && experts / groups < 2)
    return op.emitOpError(
        "expects groups of two experts or more for 'group_score = top_two', but they have 1  [R5]");
  return success();
}

static LogicalResult verifyCapacity(RouteOp op) {
  if (op.getCapacity() && op.getCapacityFactor())
    return op.emitOpError("expects only one of 'capacity' and 'capacity_factor'  [R7]");
  if (auto capacity = op.getCapacity(); capacity && static_cast<int64_t>(*capacity) < 1)
    return op.emitOpError() << "expects 'capacity' to be at least 1, but it is "
                            << static_cast<int64_t>(*capacity) << "  [R7]";
  if (auto factor = op.getCapacityFactor();
      factor && (!factor->isFinite() || factor->convertToDouble() <= 0))
    return op.emitOpError() << "expects 'capacity_factor' to be finite and positive, but it is "
                            << factor->convertToDouble() << "  [R7]";
  bool limited = op.getCapacity() || op.getCapacityFactor();
  if (limited != op.getBatchDependent())
    return op.emitOpError() << (limited
                                    ? "expects 'batch_dependent', because with a capacity a row's "
                                      "experts depend on the other rows of the step  [R8]"
                                    : "expects no 'batch_dependent' without a capacity  [R8]");
  return success();
}

LogicalResult RouteOp::verify() {
  ShapedType ids = outputType(*this, 0), weights = outputType(*this, 1);
  auto logits = cast<ShapedType>(getLogits().getType());
  if (failed(DimCheck(*this)
                 .shape(logits, "logits", {{'R', "rows"}, {'E', "experts"}})
                 .shape(getBias() ? getBias().getType() : Type(), "bias", {{'E', "experts"}})
                 .shape(ids, "ids", {{'R', "rows"}, {'C', "choices"}})
                 .shape(weights, "weights", {{'R', "rows"}, {'C', "choices"}})
                 .result()))
    return failure();
  int64_t experts = logits.getDimSize(1);
  if (ShapedType::isDynamic(experts) || ids.isDynamicDim(1) || weights.isDynamicDim(1))
    return emitOpError("expects static numbers of experts and of choices  [R1]");
  if (experts < 1 || experts > maxExperts)
    return emitOpError() << "expects from 1 to " << maxExperts << " experts, but there are "
                         << experts << "  [R1]";
  if (failed(verifyElement(*this, logits, "logits", false, "R2")) ||
      failed(verifyElement(*this, ids, "ids", true, "R2")) ||
      failed(verifyElement(*this, weights, "weights", false, "R2")))
    return failure();
  auto top = static_cast<int64_t>(getTop());
  if (top < 1 || top > experts)
    return emitOpError() << "expects 'top' from 1 to the " << experts << " experts, but it is "
                         << top << "  [R3]";
  if (top != ids.getDimSize(1))
    return emitOpError() << "expects 'top' to be dim C (choices) of the results, "
                         << ids.getDimSize(1) << ", but it is " << top << "  [R3]";
  bool isRaw = getScore() == RouteScore::Raw, overChoices = getWeigh() == RouteWeigh::Softmax;
  if (isRaw != overChoices)
    return emitOpError() << "expects 'weigh softmax' with raw scores and with no others, but found "
                            "'weigh "
                         << stringifyRouteWeigh(getWeigh()) << "' and scores of '"
                         << stringifyRouteScore(getScore()) << "'  [R4]";
  if (failed(verifyGroups(*this, experts, top)))
    return failure();
  if (auto scale = getScale(); scale && (!scale->isFinite() || scale->convertToDouble() <= 0))
    return emitOpError() << "expects 'scale' to be finite and positive, but it is "
                         << scale->convertToDouble() << "  [R6]";
  if (failed(verifyCapacity(*this)))
    return failure();
  if (!expertsChoose())
    return success();
  if (!getCapacity() && !getCapacityFactor())
    return emitOpError("expects a capacity when experts choose: how many rows each takes  [R9]");
  if (top != experts)
    return emitOpError() << "expects 'top' to be the " << experts
                         << " experts when experts choose, but it is " << top << "  [R9]";
  if (getWeigh() != RouteWeigh::Score)
    return emitOpError() << "expects 'weigh score' when experts choose, but found 'weigh "
                         << stringifyRouteWeigh(getWeigh()) << "'  [R9]";
  if (getBias() || getGroups())
    return emitOpError() << "expects no " << (getBias() ? "bias" : "groups")
                         << " when experts choose  [R9]";
  return success();
}

sluice::OperationCount RouteOp::countOperations() {
  // Exp, difference, sum and division of scores; a comparison of each expert for each choice.
  int64_t experts = getExperts();
  return {experts * (4 + static_cast<int64_t>(expertsChoose() ? 1 : getTop()))};
}

//===-- route.experts -----------------------------------------------------------------------===//

RankedTensorType RouteExpertsOp::getExpertType() {
  auto type = cast<RankedTensorType>(getWeight().getType());
  return RankedTensorType::get(type.getShape().drop_front(), type.getElementType(),
                               type.getEncoding());
}

LogicalResult RouteExpertsOp::verify() {
  ShapedType result = outputType(*this);
  auto rows = cast<ShapedType>(getRows().getType());
  SmallVector<DimCheck::Dim> shared = {{'R', "rows"}, {'K', "inputs"}},
                             own = {{'R', "rows"}, {'C', "choices"}, {'K', "inputs"}};
  if (failed(DimCheck(*this)
                 .shape(rows, "rows", rows.getRank() == 2 ? shared : own)
                 .shape(getWeight().getType(), "weight",
                        {{'E', "experts"}, {'N', "outputs"}, {'K', "inputs"}})
                 .shape(getIds().getType(), "ids", {{'R', "rows"}, {'C', "choices"}})
                 .shape(getBias() ? getBias().getType() : Type(), "bias",
                        {{'E', "experts"}, {'N', "outputs"}})
                 .shape(result, "result", {{'R', "rows"}, {'C', "choices"}, {'N', "outputs"}})
                 .result()))
    return failure();
  Type element = rows.getElementType(), weight = getElementTypeOrSelf(getWeight());
  Type wanted = weight.isF16() ? Type(Float32Type::get(getContext())) : weight;
  if (element != wanted && !(isBufferForm() && element.isF32()))
    return emitOpError() << "expects 'rows' of " << wanted << " for a weight of " << weight
                         << ", but found " << element << "; round where the rows are made  [R2]";
  if (failed(verifyElement(*this, result, "result", false, "R3")) ||
      failed(verifyElement(*this, getIds().getType(), "ids", true, "R3")))
    return failure();
  if (getInputs() && !blocksOf(getWeight().getType()))
    return emitOpError() << "expects a weight with an encoding (#sluice.blocks) for 'inputs "
                         << stringifyRowCode(*getInputs()) << "', but found "
                         << getWeight().getType() << "  [R4]";
  if (getGroups().size() != (isBufferForm() ? 2u : 0u))
    return emitOpError() << "expects " << (isBufferForm() ? "two memrefs" : "none")
                         << " after 'groups' in " << (isBufferForm() ? "buffer" : "tensor")
                         << " form, but has " << getGroups().size() << "  [R5]";
  if (!isBufferForm())
    return success();
  if (failed(DimCheck(*this, "R5")
                 .shape(getIds().getType(), "ids", {{'R', "rows"}, {'C', "choices"}})
                 .shape(getGroups()[0].getType(), "order",
                        {{'R', "rows"}, {'C', "choices"}, {'P', "pair"}})
                 .shape(getGroups()[1].getType(), "start", {{'S', "experts and the end"}})
                 .size(2, "a pair", {'P', "pair"})
                 .size(getExperts() + 1, "weight", {'S', "experts and the end"})
                 .result()))
    return failure();
  return failure(failed(verifyElement(*this, getGroups()[0].getType(), "order", true, "R5")) ||
                 failed(verifyElement(*this, getGroups()[1].getType(), "start", true, "R5")));
}

sluice::OperationCount RouteExpertsOp::countOperations() {
  RankedTensorType weight = getExpertType();
  int64_t choices = cast<ShapedType>(getIds().getType()).getDimSize(1);
  return {choices * (2 * weight.getNumElements() + (getBias() ? weight.getDimSize(0) : 0))};
}

//===-- route.combine -----------------------------------------------------------------------===//

LogicalResult RouteCombineOp::verify() {
  ShapedType result = outputType(*this);
  Type residual = getResidual() ? getResidual().getType() : Type();
  if (failed(DimCheck(*this)
                 .shape(getRows().getType(), "rows",
                        {{'R', "rows"}, {'C', "choices"}, {'N', "numbers"}})
                 .shape(getWeights().getType(), "weights", {{'R', "rows"}, {'C', "choices"}})
                 .shape(residual, "residual", {{'R', "rows"}, {'N', "numbers"}})
                 .shape(result, "result", {{'R', "rows"}, {'N', "numbers"}})
                 .result()))
    return failure();
  if (failed(verifyElement(*this, getRows().getType(), "rows", false, "R2")) ||
      failed(verifyElement(*this, getWeights().getType(), "weights", false, "R2")) ||
      (residual && failed(verifyElement(*this, residual, "residual", false, "R2"))))
    return failure();
  return verifyElement(*this, result, "result", false, "R2");
}

sluice::OperationCount RouteCombineOp::countOperations() {
  return {2 * elementsOfRow(getRows()) + (getResidual() ? elementsOfRow(getResidual()) : 0)};
}

//===-- route.group -------------------------------------------------------------------------===//

LogicalResult RouteGroupOp::verify() {
  if (!isBufferForm())
    return emitOpError("has no tensor form: sluice.route.experts takes ids there  [R1]");
  ShapedType order = outputType(*this, 0), start = outputType(*this, 1);
  if (failed(DimCheck(*this)
                 .shape(getIds().getType(), "ids", {{'R', "rows"}, {'C', "choices"}})
                 .shape(order, "order", {{'R', "rows"}, {'C', "choices"}, {'P', "pair"}})
                 .size(2, "a pair", {'P', "pair"})
                 .shape(start, "start", {{'S', "experts and the end"}})
                 .result()))
    return failure();
  for (auto [type, name] :
       {std::pair(getIds().getType(), "ids"), {Type(order), "order"}, {Type(start), "start"}})
    if (failed(verifyElement(*this, type, name, true, "R2")))
      return failure();
  if (start.isDynamicDim(0) || start.getDimSize(0) < 2)
    return emitOpError()
           << "expects 'start' to have a number for each expert and one more, but found " << start
           << "  [R1]";
  if (!cast<MemRefType>(order).getLayout().isIdentity())
    return emitOpError() << "expects 'order' to be dense, but found " << order << "  [R3]";
  return success();
}

sluice::OperationCount RouteGroupOp::countOperations() { return {4 * elementsOfRow(getIds())}; }
