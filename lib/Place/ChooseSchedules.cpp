//===- ChooseSchedules.cpp - register tiles and blocking of linear layers -===//
// SPDX-License-Identifier: Apache-2.0
//
//   %y = sluice.linear %x, %w     ==>   %y = sluice.linear %x, %w {schedule = #place.panels<rows =
//   [12, 6, 4, 2, 1], ...>}
//
// The numbers come from lib/Machine; this pass only picks among them by the layer's sizes. Any
// schedule with the same `dot` gives the same bits, so nothing but speed depends on it. Leaves
// alone: layers that have a schedule.
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
  int64_t outputs = weight.getDimSize(0), inputs = weight.getDimSize(1);
  int64_t panelCount = llvm::divideCeil(outputs, 16);
  SmallVector<int64_t> rows;
  for (const RowClass &rowClass : machine.rowClasses)
    rows.push_back(rowClass.rows);
  // The widest tile of the largest class, and of one row; a narrow layer has fewer panels than
  // that.
  int64_t panels = std::min(machine.rowClasses.front().panels.front(), panelCount);
  int64_t stream = std::min(machine.rowClasses.back().panels.front(), panelCount);
  int64_t kblock = inputs > machine.blocking.k ? machine.blocking.k : 0;
  bool pairs = weight.getElementType().isBF16() && machine.bf16Dot == sluice::Dot::Dpbf16;
  return PanelsAttr::get(weight.getContext(), rows, panels, stream, kblock,
                         pairs ? Dot::Dpbf16 : Dot::Fma);
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
      if (!linear.getSchedule())
        linear.setScheduleAttr(
            chooseSchedule(cast<RankedTensorType>(linear.getWeight().getType()), *machine));
    });
  }
};
} // namespace
} // namespace sluice::place
