// SPDX-License-Identifier: Apache-2.0
//
// The arena of a function as the plan left it: which buffer lies where, and from when to when.

#ifndef SLUICE_LIB_PIPELINE_MEMORYPLAN_H
#define SLUICE_LIB_PIPELINE_MEMORYPLAN_H

#include "dialects/Place/Place.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sluice {

struct PlannedBuffer {
  place::ExtentAttr at, size;
  std::string type;
  int64_t first = -1, last = -1; ///< phases (counted in program order) that touch it; -1: none
  std::string firstPhase, lastPhase;
};

/// The buffers of `func` with an address, in order of the IR.
std::vector<PlannedBuffer> plannedBuffers(mlir::func::FuncOp func);

} // namespace sluice

#endif // SLUICE_LIB_PIPELINE_MEMORYPLAN_H
