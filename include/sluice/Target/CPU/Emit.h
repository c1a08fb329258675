// SPDX-License-Identifier: Apache-2.0
//
// From a module at the target stage (func, scf, cf, vector, arith, math, memref, llvm) to code for
// one CPU, in process: check, lower to the LLVM dialect, optimise, generate. Deterministic: the
// same module and machine give the same bytes.
#ifndef SLUICE_TARGET_CPU_EMIT_H
#define SLUICE_TARGET_CPU_EMIT_H

#include "sluice/Machine/Machine.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

#include <string>

namespace sluice::cpu {

enum class CodeForm {
  Llvm,     ///< optimised LLVM IR as text
  Assembly, ///< as text
  Object,   ///< a relocatable ELF object
};

/// The dialects of the target stage and their translation to LLVM IR.
void registerTargetStage(mlir::DialectRegistry &registry);

/// What a module at the target stage must keep to, checked before it is lowered (docs/Contracts.md
/// §4, architecture §6): no allocation but stack scratch, and that outside loops; no contraction or
/// transfer left; vectors of one dimension; a loop marked `cpu.reduction` writes no memory and
/// carries its sums. Says what is wrong at the op.
llvm::LogicalResult checkTargetStage(mlir::ModuleOp module);

/// Code of |module| for |machine|. Public functions are exported, all others internal. |module|
/// itself is not changed. Errors are reported at |module|'s ops: a broken rule of checkTargetStage,
/// an op that has no lowering, a call that would leave the library for anything but memcpy, memmove
/// and memset.
mlir::FailureOr<std::string> emitCode(mlir::ModuleOp module, const CPUMachine &machine,
                                      CodeForm form);

/// Links |object| into a shared library at |path| with LLVM's own linker. Errors are reported at
/// |module|.
llvm::LogicalResult linkLibrary(mlir::ModuleOp module, llvm::StringRef object,
                                llvm::StringRef path);

} // namespace sluice::cpu

#endif
