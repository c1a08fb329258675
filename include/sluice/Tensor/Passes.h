// SPDX-License-Identifier: Apache-2.0
//
// Passes of the tensor stage; Passes.td describes them.

#ifndef SLUICE_TENSOR_PASSES_H
#define SLUICE_TENSOR_PASSES_H

#include "dialects/Sluice/Sluice.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include <optional>
#include <string>

namespace sluice::tensor {
#define GEN_PASS_DECL
#include "sluice/Tensor/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "sluice/Tensor/Passes.h.inc"

/// What `--quantize` asks for.
struct Quantization {
  int64_t bits;      ///< of a weight's code
  int64_t group = 0; ///< inputs that share a scale; 0: the pass chooses
  bool rows = false; ///< rows become codes too
};

/// Reads int8, int4, int8w or int4w, and `:GROUP`. Nullopt with what is wrong in `error`.
std::optional<Quantization> parseQuantization(llvm::StringRef text, std::string &error);
} // namespace sluice::tensor

#endif // SLUICE_TENSOR_PASSES_H
