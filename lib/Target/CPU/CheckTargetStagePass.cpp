// SPDX-License-Identifier: Apache-2.0
//
// The pass that states the contract at the end of the target stage: whose ops may be left, and what
// may be called.
#include "sluice/Target/CPU/Emit.h"
#include "sluice/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace sluice::cpu {

#define GEN_PASS_DEF_CHECKTARGETSTAGEPASS
#include "sluice/Target/CPU/Passes.h.inc"

namespace {

bool isOfTargetStage(Operation *op) {
  return isa<ModuleOp, UnrealizedConversionCastOp>(op) ||
         isa_and_nonnull<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                         LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                         scf::SCFDialect, ub::UBDialect, vector::VectorDialect>(op->getDialect());
}

LogicalResult checkOp(ModuleOp module, Operation *op) {
  if (!isOfTargetStage(op))
    return op->emitOpError("is left at the target stage of the cpu; expected func, scf, vector, "
                           "memref, arith, math and llvm only");
  StringRef callee;
  if (auto call = dyn_cast<func::CallOp>(op))
    callee = call.getCallee();
  else if (auto call = dyn_cast<LLVM::CallOp>(op))
    callee = call.getCallee().value_or("");
  if (callee.empty())
    return success();
  auto function = dyn_cast_or_null<FunctionOpInterface>(module.lookupSymbol(callee));
  if (function && !function.isExternal())
    return success();
  return op->emitOpError()
         << "calls '" << callee
         << "', which the module does not define; compiled code calls only itself "
            "and what the call record names";
}

struct CheckTargetStage : impl::CheckTargetStagePassBase<CheckTargetStage> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    WalkResult result = module.walk([&](Operation *op) {
      return failed(checkOp(module, op)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted() || failed(checkTargetStage(module)))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace sluice::cpu
