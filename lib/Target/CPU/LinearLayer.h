// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of linear layers share, whatever their weights are: the operands, and what
// becomes of the sums (bias, activation, residual, rounding).
#ifndef SLUICE_LIB_TARGET_CPU_LINEARLAYER_H
#define SLUICE_LIB_TARGET_CPU_LINEARLAYER_H

#include "lib/Target/CPU/KernelBuilder.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "sluice/Machine/Machine.h"

#include <string>

namespace sluice::cpu {

/// How a result is stored: f32, f32 that holds a value rounded to bf16, or bf16.
enum class StoredAs { F32, RoundedF32, Bf16 };

/// dest = residual + activation(sums + bias), rounded.
struct LinearFinish {
  /// The element type of the bias (f32, bf16 or f16); none: no bias.
  mlir::Type bias;
  Activation activation = Activation::None;
  bool residual = false; ///< f32; may be the destination itself
  StoredAs dest = StoredAs::F32;
  bool listed = false; ///< rows and results are scattered, where a RowList says

  /// The part of a kernel's name that says everything above.
  std::string suffix() const;
  mlir::Type destType(mlir::MLIRContext *context) const;
};

/// Rows that do not follow one another: number i stands for the pair (r, c) at |order|[2 (at + i)],
/// and lies at r * stride + c * inner, with strides of rows and of results (sluice.route.group).
struct RowList {
  Val order;     ///< memref<?xi32>; empty without a list
  Val at;        ///< index: the pair of number 0
  Val inner;     ///< from choice to choice of the rows; 0 where they share a row
  Val destInner; ///< of the results

  explicit operator bool() const { return static_cast<bool>(order); }
  /// Where number |i| lies, with the strides of rows or of results.
  Val offset(Val i, Val stride, Val innerStride) const;
};

/// Arrays are memref<?xT> that start at the first element of the operand; the rest is index. The
/// weights come beside them.
struct LinearOperands {
  Val rows, rowStride;
  Val dest, destStride;
  Val rowCount, inputs, outputs;
  Val firstPanel, endPanel;     ///< the caller's share of ceil(outputs / 16) panels
  Val bias;                     ///< [N]; empty without
  Val residual, residualStride; ///< empty without
  RowList rowList;              ///< empty without

  /// As arguments of a kernel, and back.
  llvm::SmallVector<Val> list() const;
  static LinearOperands of(llvm::ArrayRef<Val> list, const LinearFinish &finish);
};

/// Writes the results of some rows and panels. The sums of row r and panel p are the 16 f32 at
/// sumAt + (r - row) * sumStride + (p - panel) * 16 of |sums|. Uses |o|'s dest, outputs, bias and
/// residual.
void emitFinish(KernelBuilder &k, const CPUMachine &machine, const LinearFinish &finish,
                const LinearOperands &o, Val sums, Val sumAt, int64_t sumStride, Val row,
                Val rowEnd, Val panel, Val panelEnd);

} // namespace sluice::cpu

#endif
