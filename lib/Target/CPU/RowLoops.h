// SPDX-License-Identifier: Apache-2.0
//
// Loops over rows and over the numbers of a row, 16 lanes at a time: what all row kernels are made
// of.
#ifndef SLUICE_LIB_TARGET_CPU_ROWLOOPS_H
#define SLUICE_LIB_TARGET_CPU_ROWLOOPS_H

#include "lib/Target/CPU/StepContext.h"

namespace sluice::cpu {

/// Lanes [i, i + 16) of a row, of which the tail of a row has only the first ones (|mask|; empty
/// elsewhere).
struct Lanes {
  Val i;
  Val mask;

  /// Numbers |at| + i ... of |array| as f32; lanes outside read +0.
  Val load(Val array, Val at) const;
  /// Rounds once to the array's element type and stores.
  void store(Val value, Val array, Val at) const;
  /// The bits of lanes of |from| to |into|, which has the same element type (any of a buffer's).
  void copy(Val from, Val fromAt, Val into, Val intoAt) const;
  /// |value| in the lanes that exist, +0 in the others.
  Val keep(Val value) const;
};

/// |body| for every 16 numbers of [0, n): whole vectors ascending, then one tail if there is one.
void forLanes(KernelBuilder &k, Val n, llvm::function_ref<void(Lanes)> body);
/// The same with carried values.
llvm::SmallVector<Val>
forLanes(KernelBuilder &k, Val n, llvm::ArrayRef<Val> init,
         llvm::function_ref<llvm::SmallVector<Val>(Lanes, llvm::ArrayRef<Val>)> body);

/// |value| as a buffer whose values are of type |round| holds it in |element|: rounded to |round|
/// and widened again when |element| is wider. |round| may be null (no more rounding than
/// |element|).
Val roundTo(Val value, mlir::Type round);

/// The `round` of an op, or null.
mlir::Type roundOf(std::optional<mlir::Type> attribute);

/// "f32", "bf16", "f16", and "f32.bf16" for f32 that holds rounded values: parts of kernel names.
std::string nameOf(mlir::Type element, mlir::Type round = {});

/// The shares of a kernel whose items are rows of its destination.
inline constexpr place::Share kRowShares[] = {place::Share::Rows, place::Share::Asked,
                                              place::Share::Seqs};

/// A view as rank 3: [R, C] is [R, 1, C], [R] is [R, 1, 1].
View asHeads(KernelBuilder &k, View view);

/// Says, at |op|, that |operand| needs unit stride in its last dim when |type| has not.
llvm::LogicalResult expectUnitStride(mlir::Operation *op, mlir::Value operand,
                                     llvm::StringRef name);

} // namespace sluice::cpu

#endif
