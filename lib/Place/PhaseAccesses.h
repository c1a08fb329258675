// SPDX-License-Identifier: Apache-2.0
//
// What memory the ops of a phase touch: the facts behind merging phases, barriers, and the memory
// plan.

#ifndef SLUICE_LIB_PLACE_PHASEACCESSES_H
#define SLUICE_LIB_PLACE_PHASEACCESSES_H

#include "dialects/Place/Place.h"

namespace sluice::place {

/// One op touches one memory.
struct Access {
  mlir::Value memory; ///< a buffer, an argument (memref or pages) or a constant: never a view
  bool write;
  bool itemwise; ///< item r of the phase touches nothing but row r
  bool whole;    ///< a write that leaves nothing of what was there (as seen over all items)
  mlir::Operation *op;
};

/// The memory that `memref` is a view of.
mlir::Value viewedMemory(mlir::Value memref);

/// What one op of a phase touches, reads first.
llvm::SmallVector<Access> accessesOf(mlir::Operation *op);

/// What the ops of `phase` touch, in order.
llvm::SmallVector<Access> accessesOf(PhaseOp phase);

/// Whether `loop` is known to run, so that the barriers in its body lie on every path through it.
bool runsAtLeastOnce(mlir::scf::ForOp loop);

} // namespace sluice::place

#endif // SLUICE_LIB_PLACE_PHASEACCESSES_H
