// SPDX-License-Identifier: Apache-2.0
//
// Binds dim letters to sizes: one voice for every shape error of the dialect.

#ifndef SLUICE_DIALECTS_DIMCHECK_H
#define SLUICE_DIALECTS_DIMCHECK_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"

namespace sluice {

/// Checks that each letter has one size wherever it appears in an op. Dynamic sizes agree with
/// everything. After the first error the rest is ignored, so calls can be chained:
///
///   return DimCheck(op).shape(rows, "rows", {{'R', "rows"}, {'K', "inputs"}})
///                      .shape(weight, "weight", {{'N', "outputs"}, {'K', "inputs"}}).result();
class DimCheck {
public:
  struct Dim {
    char letter;
    llvm::StringRef meaning;
  };

  explicit DimCheck(mlir::Operation *op, llvm::StringRef rule = "R1") : op(op), rule(rule) {}

  /// `type` (of the operand or result called `name`) has these dims, in order; null types are
  /// absent operands.
  DimCheck &shape(mlir::Type type, llvm::StringRef name, llvm::ArrayRef<Dim> dims);
  /// `letter` is `size`, as `name` says.
  DimCheck &size(int64_t size, llvm::StringRef name, Dim dim);
  llvm::LogicalResult result() const { return llvm::failure(failed); }

private:
  struct Bound {
    char letter;
    int64_t size;
    std::string name;
  };
  void bind(Dim dim, int64_t size, llvm::StringRef name);

  mlir::Operation *op;
  llvm::StringRef rule;
  llvm::SmallVector<Bound> bound;
  bool failed = false;
};

} // namespace sluice

#endif // SLUICE_DIALECTS_DIMCHECK_H
