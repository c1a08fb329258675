//===- ModelReader.h - from a model's files to the tensor stage ------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Reads a Hugging Face directory or a .sluice.yaml, checks it, and writes `sluice` ops on tensors
// (docs/Contracts.md, section 1). Stage `model` in between is the resolved description: a
// .sluice.yaml in which everything is a literal, and which reads back to the same module, locations
// included.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_MODEL_MODELREADER_H
#define SLUICE_MODEL_MODELREADER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "sluice/Model/Problems.h"
#include <memory>
#include <optional>
#include <string>

namespace sluice::model {

struct Description;

struct ModelOptions {
  std::string
      path; ///< a directory with config.json, that config.json, or a .sluice.yaml (or .json)
  std::string name;       ///< of the model; empty: the directory's or the description's
  std::string familyFile; ///< a family of the user's own; empty: the built-in one of config.json's
                          ///< model_type
  std::string dtype;      ///< "f32" or "bf16"; empty: the checkpoint's
  std::string kvDType;    ///< "f32" or "bf16"; empty: what linear layers take
  int64_t page = 16;      ///< slots of a KV page; a positive multiple of 16
  std::optional<uint64_t>
      randomSeed; ///< generate weights (docs/Contracts.md, section 5) instead of reading them
};

/// A resolved description. Movable, opaque to callers.
class Model {
public:
  explicit Model(Description description);
  ~Model();
  Model(Model &&) noexcept;
  Model &operator=(Model &&) noexcept;

  /// Stage `model` as text.
  void print(llvm::raw_ostream &os) const;
  const Description &description() const { return *resolved; }

private:
  std::unique_ptr<Description> resolved;
};

/// Stage `model`. Nullopt after reporting to |log|, whose exitCode() tells bad input (2) from
/// cannot compile (3). Remarks and warnings are reported too and do not fail.
std::optional<Model> readModel(const ModelOptions &options, ProblemLog &log);

/// Stage `tensor`: a verified module. Null after reporting. Loads the dialects that it needs into
/// |context|.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const Model &model,
                                              ProblemLog &log);

/// Both in one.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context,
                                              const ModelOptions &options, ProblemLog &log);

/// The built-in families, in alphabetical order.
llvm::ArrayRef<llvm::StringRef> builtinFamilies();

} // namespace sluice::model

#endif // SLUICE_MODEL_MODELREADER_H
