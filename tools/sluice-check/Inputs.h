// SPDX-License-Identifier: Apache-2.0
//
// Inputs of a function under test, made from a seed and from what the file says of its arguments:
//
//   check.value = dense<...>            these numbers
//   check.values = "special"            with NaN, infinities, both zeros, denormals and extremes
//   among them check.values = "ties"               few different numbers, so that equal ones meet
//   check.below = 40 : i64              integers in [0, 40)
//   check.dim = "asked"                 what a dynamic leading dim is: rows (default), seqs or
//   asked check.rows = array<i64: 3, 0, 1>    on a batch: the sequences' rows check.past =
//   array<i64: 0, 7, 2>    on a batch: the keys that each has in the pages check.positions =
//   array<i64: ...>   on a batch: one per row check.pages = array<i64: ...>       on a batch: the
//   page table, in the order of the sequences check.page_count = 9 : i64          on pages: the
//   size of the pool

#ifndef SLUICE_TOOLS_CHECK_INPUTS_H
#define SLUICE_TOOLS_CHECK_INPUTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "sluice/Reference/Values.h"

#include <optional>

namespace sluice::check {

/// Sizes that a case is made for.
struct Sizes {
  std::vector<int64_t> rows; ///< rows of each sequence
  std::vector<int64_t> past; ///< keys that each has already
  int64_t asked = 0;

  int64_t total() const;
};

/// One call of one function.
struct Case {
  mlir::func::FuncOp function;
  Sizes sizes;
  uint64_t seed = 0;
  std::vector<reference::Datum> arguments;
  /// The batch among them; one without a cache when the function takes none.
  std::shared_ptr<const reference::Batch> batch;
};

/// Whether a case's sizes matter to the function, and whether the file fixes them.
bool hasDynamicSizes(mlir::func::FuncOp function);
bool hasPages(mlir::func::FuncOp function);
std::optional<Sizes> fixedSizes(mlir::func::FuncOp function);

/// Makes the arguments. On failure an error has been reported at the function.
llvm::FailureOr<Case> makeCase(mlir::func::FuncOp function, Sizes sizes, uint64_t seed);

/// The argument's or result's `sluice.name`, else a name by its number.
std::string argumentName(mlir::func::FuncOp function, unsigned index);
std::string resultName(mlir::func::FuncOp function, unsigned index);

} // namespace sluice::check

#endif // SLUICE_TOOLS_CHECK_INPUTS_H
