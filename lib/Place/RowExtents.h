// SPDX-License-Identifier: Apache-2.0
//
// What the dynamic leading dimension of a tensor counts: rows of the batch, sequences, or rows
// asked for.

#ifndef SLUICE_LIB_PLACE_ROWEXTENTS_H
#define SLUICE_LIB_PLACE_ROWEXTENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/IntEqClasses.h"

namespace sluice::place {

enum class Extent { Rows, Seqs, Asked, Fixed };

llvm::StringRef stringify(Extent extent);

/// Types only say `?`. The meaning follows from the ops: what an op relates row by row counts the
/// same, attention and pages count rows, a pool's result counts sequences, what is gathered by
/// `ask` counts asked rows. What nothing says anything about is rows.
class RowExtents {
public:
  /// Fails, with an error at the op, where one dimension would have to count two things.
  static llvm::FailureOr<RowExtents> infer(mlir::func::FuncOp func);

  /// Of a tensor of the function. `Fixed` when its leading dimension is static.
  Extent of(mlir::Value tensor) const;

private:
  llvm::DenseMap<mlir::Value, unsigned> number;
  llvm::IntEqClasses classes;
  llvm::DenseMap<unsigned, Extent> extents;
};

} // namespace sluice::place

#endif // SLUICE_LIB_PLACE_ROWEXTENTS_H
