// SPDX-License-Identifier: Apache-2.0
//
// Passes of the CPU target, and the kernels that they know.

#ifndef SLUICE_TARGET_CPU_PASSES_H
#define SLUICE_TARGET_CPU_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace sluice::cpu {

#define GEN_PASS_DECL
#include "sluice/Target/CPU/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "sluice/Target/CPU/Passes.h.inc"

/// Attaches the CPU kernels to the ops of `sluice` and `place`; convert-place-to-cpu knows no
/// others.
void registerCPUKernels(mlir::DialectRegistry &registry);

} // namespace sluice::cpu

#endif // SLUICE_TARGET_CPU_PASSES_H
