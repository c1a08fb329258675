// SPDX-License-Identifier: Apache-2.0
//
// Linear layers on packed panels: dest = residual + activation(rows x weights^T + bias).
//
// One kernel per variant serves every size: GEMM and mat-vec are row classes of the same code and
// agree bit for bit with docs/Contracts.md §4 whatever the row count, the division of the work or
// the cache blocking.
#ifndef SLUICE_LIB_TARGET_CPU_LINEARKERNELS_H
#define SLUICE_LIB_TARGET_CPU_LINEARKERNELS_H

#include "lib/Target/CPU/LinearLayer.h"

namespace sluice::cpu {

struct LinearVariant : LinearFinish {
  enum class Weights { F32, Bf16, F16 };
  Weights weights = Weights::F32;
  /// Bf16 weights only. With Fma the rows are f32 (already rounded to bf16); with Dpbf16 they are
  /// bf16.
  Dot dot = Dot::Fma;

  /// The kernel's name: says everything about it.
  std::string name() const;
  /// Element types of the operands.
  mlir::Type weightType(mlir::MLIRContext *context) const;
  mlir::Type rowType(mlir::MLIRContext *context) const;
};

/// Calls the kernel of |variant| with one layer's panels (docs/Contracts.md §3), an array of the
/// variant's weight type. The kernel is added to |module| if it is the first call.
void callLinear(KernelBuilder &k, mlir::ModuleOp module, const CPUMachine &machine,
                const LinearVariant &variant, Val weights, const LinearOperands &operands);

} // namespace sluice::cpu

#endif
