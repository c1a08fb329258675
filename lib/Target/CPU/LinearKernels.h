// SPDX-License-Identifier: Apache-2.0
//
// Linear layers on packed panels: dest = residual + activation(rows x weights^T + bias).
//
// One kernel per variant serves every size: GEMM and mat-vec are row classes of the same code and
// agree bit for bit with docs/Contracts.md §4 whatever the row count, the division of the work or
// the cache blocking.
#ifndef SLUICE_LIB_TARGET_CPU_LINEARKERNELS_H
#define SLUICE_LIB_TARGET_CPU_LINEARKERNELS_H

#include "lib/Target/CPU/KernelBuilder.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "sluice/Machine/Machine.h"

#include <string>

namespace sluice::cpu {

/// How a result is stored: f32, f32 that holds a value rounded to bf16, or bf16.
enum class StoredAs { F32, RoundedF32, Bf16 };

struct LinearVariant {
  enum class Weights { F32, Bf16, F16 };
  Weights weights = Weights::F32;
  /// Bf16 weights only. With Fma the rows are f32 (already rounded to bf16); with Dpbf16 they are
  /// bf16.
  Dot dot = Dot::Fma;
  /// The element type of the bias (f32, bf16 or f16); none: no bias.
  mlir::Type bias;
  Activation activation = Activation::None;
  bool residual = false; ///< f32; may be the destination itself
  StoredAs dest = StoredAs::F32;

  /// The kernel's name: says everything above.
  std::string name() const;
  /// Element types of the operands.
  mlir::Type weightType(mlir::MLIRContext *context) const;
  mlir::Type rowType(mlir::MLIRContext *context) const;
  mlir::Type destType(mlir::MLIRContext *context) const;
};

/// Arrays are memref<?xT> that start at the first element of the operand; the rest is index.
struct LinearOperands {
  Val weights; ///< one layer's panels, docs/Contracts.md §3
  Val rows, rowStride;
  Val dest, destStride;
  Val bias;                     ///< [N]; empty without
  Val residual, residualStride; ///< empty without
  Val rowCount, inputs, outputs;
  Val firstPanel, endPanel; ///< the caller's share of ceil(outputs / 16) panels
};

/// Calls the kernel of |variant|, which is added to |module| if it is the first call.
void callLinear(KernelBuilder &k, mlir::ModuleOp module, const CPUMachine &machine,
                const LinearVariant &variant, const LinearOperands &operands);

} // namespace sluice::cpu

#endif
