// SPDX-License-Identifier: Apache-2.0
//
// Passes of the tensor stage; Passes.td describes them.

#ifndef SLUICE_TENSOR_PASSES_H
#define SLUICE_TENSOR_PASSES_H

#include "dialects/Sluice/Sluice.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace sluice::tensor {
#define GEN_PASS_DECL
#include "sluice/Tensor/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "sluice/Tensor/Passes.h.inc"
} // namespace sluice::tensor

#endif // SLUICE_TENSOR_PASSES_H
