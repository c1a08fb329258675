//===- ChooseSchedules.cpp - register tiles and blocking of linear layers -===//
// SPDX-License-Identifier: Apache-2.0
//
//   %y = sluice.linear %x, %w     ==>   %y = sluice.linear %x, %w {schedule = #place.panels<rows =
//   [12, 6, 4, 2, 1], ...>}
//
// The numbers come from lib/Machine (linearTiling), and the kernel refuses others. Any
// schedule with the same `dot` gives the same bits, so nothing but speed depends on it. Leaves
// alone: layers that have a schedule, encoded weights.
//===----------------------------------------------------------------------===//
#include "sluice/Machine/Machine.h"
#include "sluice/Place/Passes.h"

using namespace mlir;

namespace sluice::place {
#define GEN_PASS_DEF_CHOOSESCHEDULESPASS
#include "sluice/Place/Passes.h.inc"
namespace {

/// The schedule of a layer with weights of `weight` on `machine`.
PanelsAttr chooseSchedule(RankedTensorType weight, const CPUMachine &machine) {
  LinearTiling tiling = linearTiling(machine, weight.getDimSize(0), weight.getDimSize(1));
  bool pairs = weight.getElementType().isBF16() && machine.bf16Dot == sluice::Dot::Dpbf16;
  return PanelsAttr::get(weight.getContext(), tiling.rows, tiling.panels, tiling.stream,
                         tiling.kblock, pairs ? Dot::Dpbf16 : Dot::Fma);
}

struct ChooseSchedules : impl::ChooseSchedulesPassBase<ChooseSchedules> {
  using ChooseSchedulesPassBase::ChooseSchedulesPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<CPUMachine> machine = describeCPU(cpu);
    if (!machine) {
      module.emitError(llvm::toString(machine.takeError()));
      return signalPassFailure();
    }
    module.walk([&](LinearOp linear) {
      // Codes of weights have a kernel of their own, which has nothing to choose.
      if (!linear.getSchedule() && !blocksOf(linear.getWeight().getType()))
        linear.setScheduleAttr(
            chooseSchedule(cast<RankedTensorType>(linear.getWeight().getType()), *machine));
    });
    module.walk([&](RouteExpertsOp experts) {
      if (!experts.getSchedule() && !blocksOf(experts.getWeight().getType()))
        experts.setScheduleAttr(chooseSchedule(experts.getExpertType(), *machine));
    });
  }
};
} // namespace
} // namespace sluice::place
