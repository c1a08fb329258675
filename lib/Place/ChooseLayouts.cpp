//===- ChooseLayouts.cpp - how bytes of weights and of rounded rows lie ---===//
// SPDX-License-Identifier: Apache-2.0
//
// Weights are packed once, at compile time, into the order in which the kernels read them:
//
//   sluice.param @up role weight : tensor<64x24xf32> ...   ==>   sluice.param @up role weight
//   layout panel : ...
//
// Before: any tensor-stage IR. After: every param has a layout; ops whose bf16 result is kept
// widened say `round = bf16`. A table that is tied to the output layer is a panel too: gathering a
// row from panels costs a stride, a second copy of the largest weight costs its size. Leaves alone:
// layouts and roundings that are written already.
//===----------------------------------------------------------------------===//
#include "sluice/Machine/Machine.h"
#include "sluice/Place/Passes.h"

using namespace mlir;

namespace sluice::place {
#define GEN_PASS_DEF_CHOOSELAYOUTSPASS
#include "sluice/Place/Passes.h.inc"
namespace {

/// The layout of `param`, from what reads it.
FailureOr<Layout> chooseLayout(ParamOp param, ArrayRef<ParamUseOp> uses) {
  Operation *linear = nullptr, *gather = nullptr, *heads = nullptr;
  for (ParamUseOp use : uses)
    for (OpOperand &operand : use.getResult().getUses()) {
      auto layer = dyn_cast<LinearOp>(operand.getOwner());
      if (layer && layer.getWeight() == use.getResult())
        linear = layer;
      auto experts = dyn_cast<RouteExpertsOp>(operand.getOwner());
      if (experts && experts.getWeight() == use.getResult())
        linear = experts;
      if (isa<GatherOp>(operand.getOwner()))
        gather = operand.getOwner();
      if (isa<HeadsLinearOp>(operand.getOwner()))
        heads = operand.getOwner();
    }
  if (linear && gather) {
    auto error = gather->emitOpError() << "expects a table that no linear layer reads: '"
                                       << param.getSymName() << "' would have to lie in two homes";
    error.attachNote(linear->getLoc()) << "this layer reads it here";
    return failure();
  }
  if (linear && heads) {
    auto error = heads->emitOpError() << "expects a weight that no linear layer reads: '"
                                      << param.getSymName() << "' would have to lie in two layouts";
    error.attachNote(linear->getLoc()) << "this layer reads it here";
    return failure();
  }
  // Codes lie in panels only, whoever reads them.
  bool coded = param.getTensorType().getEncoding() != nullptr;
  return linear || coded ? Layout::Panel : Layout::Rows;
}

/// Whether all that reads `rows`, through views too, is linear layers.
bool feedsLinearOnly(Value rows) {
  return !rows.use_empty() && llvm::all_of(rows.getUses(), [](OpOperand &use) {
    Operation *owner = use.getOwner();
    if (isa<mlir::tensor::ExtractSliceOp, mlir::tensor::ExpandShapeOp,
            mlir::tensor::CollapseShapeOp>(owner))
      return feedsLinearOnly(owner->getResult(0));
    // Asking how many rows there are reads none of them.
    if (isa<mlir::tensor::DimOp>(owner))
      return true;
    auto linear = dyn_cast<LinearOp>(owner);
    auto experts = dyn_cast<RouteExpertsOp>(owner);
    return (linear && linear.getRows() == use.get()) || (experts && experts.getRows() == use.get());
  });
}

struct ChooseLayouts : impl::ChooseLayoutsPassBase<ChooseLayouts> {
  using ChooseLayoutsPassBase::ChooseLayoutsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<CPUMachine> machine = describeCPU(cpu);
    if (!machine) {
      module.emitError(llvm::toString(machine.takeError()));
      return signalPassFailure();
    }

    llvm::StringMap<SmallVector<ParamUseOp>> uses;
    module.walk([&](ParamUseOp use) { uses[use.getParam()].push_back(use); });
    for (auto param : module.getOps<ParamOp>()) {
      if (param.getLayout())
        continue;
      FailureOr<Layout> layout = chooseLayout(param, uses[param.getSymName()]);
      if (failed(layout))
        return signalPassFailure();
      param.setLayout(*layout);
    }

    if (machine->bf16Dot == sluice::Dot::Fma)
      module.walk([&](Operation *op) { keepWidened(op); });
  }

  /// Rows of bf16 for linear layers are stored as f32 that is rounded already.
  void keepWidened(Operation *op) {
    if (!isa<NormOp, ActivationOp, AttentionOp, HeadsLinearOp>(op) || op->getNumResults() != 1 ||
        op->hasAttr("round"))
      return;
    Type element = getElementTypeOrSelf(op->getResult(0));
    if (element.isBF16() && feedsLinearOnly(op->getResult(0)))
      op->setAttr("round", TypeAttr::get(element));
  }
};
} // namespace
} // namespace sluice::place
