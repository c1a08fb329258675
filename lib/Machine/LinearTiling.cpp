// SPDX-License-Identifier: Apache-2.0
//
// Picks among a machine's tiles by the size of a layer.
#include "sluice/Machine/Machine.h"

#include "llvm/Support/MathExtras.h"

using namespace sluice;

LinearTiling sluice::linearTiling(const CPUMachine &machine, int64_t outputs, int64_t inputs) {
  LinearTiling tiling;
  for (const RowClass &rowClass : machine.rowClasses)
    tiling.rows.push_back(rowClass.rows);
  // A narrow layer has fewer panels of 16 outputs than the widest tile.
  int64_t panelCount = llvm::divideCeil(outputs, 16);
  tiling.panels = std::min(machine.rowClasses.front().panels.front(), panelCount);
  tiling.stream = std::min(machine.rowClasses.back().panels.front(), panelCount);
  tiling.kblock = inputs > machine.blocking.k ? machine.blocking.k : 0;
  return tiling;
}
