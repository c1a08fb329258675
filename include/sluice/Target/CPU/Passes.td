// SPDX-License-Identifier: Apache-2.0
//
// Passes from the placed stage to the end of the target stage, on the CPU.

#ifndef SLUICE_TARGET_CPU_PASSES_TD
#define SLUICE_TARGET_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertPlaceToCPUPass : Pass<"convert-place-to-cpu", "::mlir::ModuleOp"> {
  let summary = "turns each team into an entry function that calls kernels";
  let description = [{
    Each exported function with one `place.team` becomes `sluice_fn_<name>(%call, %me, %workers)` (docs/Contracts.md,
    section 7): buffers become offsets into the arena, weights and pages become loads from the call record, a barrier an
    indirect call, and each op of a phase the call of a private kernel with this worker's share of the items. There is one
    kernel per variant of an op; sizes are run-time arguments, so code does not grow with depth.

    What the artefact says about params, pages, buffers and arguments is not in the target stage: it is to be read from the
    placed stage. The module attribute `sluice.locations` lists the places that trap records name.
  }];
  let options = [
    Option<"cpu", "cpu", "std::string", "\"native\"",
           "the machine to write kernels for, as sluicec's --cpu; kernels of all machines give the same bits unless their "
           "`dot` differs">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def CheckTargetStagePass : Pass<"check-target-stage", "::mlir::ModuleOp"> {
  let summary = "checks that a module is ready for the code generator";
  let description = [{
    Fails, with a sentence at the op, when
    - an op of `sluice`, `place` or another dialect than those of the target stage is left;
    - a call goes to something that the module does not define;
    - a kernel breaks a rule of speed: an allocation in a loop, a contraction or transfer left, sums that go through memory.
  }];
}

#endif // SLUICE_TARGET_CPU_PASSES_TD
