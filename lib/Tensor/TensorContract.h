// SPDX-License-Identifier: Apache-2.0
//
// The parts of the tensor stage's contract that need more than a line. Each reports at the op and
// fails.

#ifndef SLUICE_LIB_TENSOR_TENSORCONTRACT_H
#define SLUICE_LIB_TENSOR_TENSORCONTRACT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sluice::tensor {

/// Every page value that `op` makes (as a result or an argument of one of its blocks) is linear:
/// exactly one append, loop, yield or return consumes it, in the block where it is made, and what
/// reads it comes before.
llvm::LogicalResult checkPages(mlir::Operation *op);

/// Layer numbers of stacked params and of pages are in range, provably: constants, loop counters,
/// sums of these.
llvm::LogicalResult checkLayers(mlir::Operation *op);

/// Exported functions name their arguments and results, and have the signature that the module's
/// kind asks for.
llvm::LogicalResult checkFunction(mlir::func::FuncOp func);

} // namespace sluice::tensor

#endif // SLUICE_LIB_TENSOR_TENSORCONTRACT_H
