// SPDX-License-Identifier: Apache-2.0
//
// The contract at the end of the target stage: what makes a kernel 50 times slower, or makes it
// allocate, stops the compile here with a sentence.
#include "lib/Target/CPU/KernelBuilder.h"
#include "sluice/Target/CPU/Emit.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace sluice::cpu {

static WalkResult checkScratch(Operation *op) {
  if (isa<memref::AllocOp, memref::DeallocOp>(op))
    return op->emitOpError("allocates: a step works in its arena, so expected a view of it"),
           WalkResult::interrupt();
  if (isa<memref::AllocaOp, LLVM::AllocaOp>(op) && op->getParentOfType<LoopLikeOpInterface>())
    return op->emitOpError("is inside a loop, where it grows the stack each time; move it to the "
                           "top of the kernel"),
           WalkResult::interrupt();
  return WalkResult::advance();
}

static WalkResult checkVectors(Operation *op) {
  if (isa<vector::ContractionOp, vector::TransferReadOp, vector::TransferWriteOp,
          vector::OuterProductOp>(op) ||
      isa_and_nonnull<linalg::LinalgDialect>(op->getDialect()))
    return op->emitOpError(
               "is left at the target stage; expected loads, stores and fma of 1-D vectors"),
           WalkResult::interrupt();
  if (isa<vector::FMAOp, LLVM::FMulAddOp>(op))
    return op->emitOpError("may be rounded twice (it becomes llvm.fmuladd); expected math.fma"),
           WalkResult::interrupt();
  for (Type type : op->getResultTypes())
    if (auto vector = dyn_cast<VectorType>(type); vector && vector.getRank() != 1)
      return op->emitOpError("makes a vector of ")
                 << vector.getRank() << " dimensions; expected 1 (others pass through memory)",
             WalkResult::interrupt();
  return WalkResult::advance();
}

static WalkResult checkReduction(scf::ForOp loop) {
  if (!loop->hasAttr(kReductionAttr))
    return WalkResult::advance();
  if (loop.getNumResults() == 0)
    return loop.emitOpError("is marked ") << kReductionAttr << " and carries no sums",
           WalkResult::interrupt();
  return loop.getBody()->walk([&](Operation *inner) {
    if (hasEffect<MemoryEffects::Write>(inner) && !isa<memref::PrefetchOp>(inner))
      return inner->emitOpError("writes memory inside a loop marked ")
                 << kReductionAttr << "; its sums belong in iter_args",
             WalkResult::interrupt();
    return WalkResult::advance();
  });
}

LogicalResult checkTargetStage(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    if (checkScratch(op).wasInterrupted() || checkVectors(op).wasInterrupted())
      return WalkResult::interrupt();
    if (auto loop = dyn_cast<scf::ForOp>(op))
      return checkReduction(loop);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

} // namespace sluice::cpu
