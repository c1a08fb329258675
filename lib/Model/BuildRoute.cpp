//===- BuildRoute.cpp - the steps of experts --------------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// route, experts and combine: as BuildSteps.cpp, of which this is a part.
//
//===----------------------------------------------------------------------===//
#include "BuildSteps.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace llvm;

namespace sluice::model {

static constexpr int64_t dynamic = mlir::ShapedType::kDynamic;

bool StepBuilder::buildRoute(const Step &step) {
  mlir::MLIRContext *context = b.getContext();
  mlir::Value logits = rows(step, "logits", 2);
  mlir::Value bias = logits ? weight(step, "bias") : nullptr;
  if (!logits || (step.has("bias") && !bias))
    return false;
  ArrayRef<std::string> names = step.names("to");
  if (names.size() != 2)
    return fail(step, "expected 'to' to name the ids and their weights");
  auto count = [&](StringRef field) {
    return step.has(field) ? b.getI64IntegerAttr(step.integer(field)) : mlir::IntegerAttr();
  };
  RouteChooserAttr chooser;
  if (step.has("chooser"))
    chooser = RouteChooserAttr::get(context, *symbolizeRouteChooser(step.text("chooser")));
  GroupScoreAttr groupScore;
  if (step.has("group_score"))
    groupScore = GroupScoreAttr::get(context, *symbolizeGroupScore(step.text("group_score")));
  bool limited = step.has("capacity") || step.has("capacity_factor");
  int64_t top = step.integer("top");
  auto route = RouteOp::create(
      b, loc,
      mlir::TypeRange{shaped({dynamic, top}, b.getI32Type()),
                      shaped({dynamic, top}, b.getF32Type())},
      RouteScoreAttr::get(context, *symbolizeRouteScore(step.text("score"))), logits, bias,
      mlir::ValueRange(), b.getI64IntegerAttr(top),
      RouteWeighAttr::get(context, *symbolizeRouteWeigh(step.text("weigh"))), chooser,
      count("groups"), count("top_groups"), groupScore, numberAttr(step, "scale"),
      count("capacity"), numberAttr(step, "capacity_factor"), limited ? b.getUnitAttr() : nullptr);
  define(names[0], route.getRouted()[0]);
  define(names[1], route.getRouted()[1]);
  return true;
}

bool StepBuilder::buildExperts(const Step &step) {
  mlir::Value x = rows(step, "x"), ids = x ? rows(step, "ids", 2) : nullptr;
  mlir::Value matrices = ids ? weight(step, "weight") : nullptr;
  mlir::Value bias = matrices ? weight(step, "bias") : nullptr;
  if (!matrices || (step.has("bias") && !bias))
    return false;
  auto type = cast<mlir::RankedTensorType>(matrices.getType());
  if (type.getRank() != 3)
    return fail(step, "expected 'weight' to have 'experts' and two sizes");
  int64_t rank = cast<mlir::RankedTensorType>(x.getType()).getRank();
  auto choices = cast<mlir::RankedTensorType>(ids.getType());
  if ((rank != 2 && rank != 3) || !choices.getElementType().isInteger(32))
    return fail(step, "expected 'x' to be rows of numbers and 'ids' what 'route' gives");
  return give(step,
              RouteExpertsOp::create(
                  b, loc,
                  shaped({dynamic, choices.getDimSize(1), type.getDimSize(1)}, b.getF32Type()), x,
                  matrices, ids, bias, mlir::ValueRange(), mlir::ValueRange(), nullptr, nullptr)
                  .getResult());
}

bool StepBuilder::buildCombine(const Step &step) {
  mlir::Value x = rows(step, "x"), weights = x ? rows(step, "weights", 2) : nullptr;
  if (!weights)
    return false;
  auto type = cast<mlir::RankedTensorType>(x.getType());
  if (type.getRank() == 2) {
    // One number for each row.
    int64_t width = type.getDimSize(1);
    mlir::OpFoldResult rowCount = mlir::tensor::getMixedSize(b, loc, x, 0);
    type = shaped({dynamic, 1, width}, type.getElementType());
    x = mlir::tensor::ExpandShapeOp::create(
        b, loc, type, x, ArrayRef<mlir::ReassociationIndices>{{0}, {1, 2}},
        ArrayRef<mlir::OpFoldResult>{rowCount, b.getIndexAttr(1), b.getIndexAttr(width)});
  }
  if (type.getRank() != 3)
    return fail(step, "expected 'x' to be rows of numbers, or what 'experts' gives");
  return give(step,
              RouteCombineOp::create(b, loc, shaped({dynamic, type.getDimSize(2)}, b.getF32Type()),
                                     x, weights, nullptr, mlir::ValueRange())
                  .getResult());
}

} // namespace sluice::model
