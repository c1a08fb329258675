// SPDX-License-Identifier: Apache-2.0
//
// The stages of a compile, in order, and the passes of each.

#ifndef SLUICE_PIPELINE_PIPELINE_H
#define SLUICE_PIPELINE_PIPELINE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include <optional>
#include <string>

namespace sluice {

/// What is written at the end of each can be read back there (docs/Stages.md).
enum class Stage {
  Model,    ///< a checked description: .sluice.yaml
  Tensor,   ///< what a model computes
  Placed,   ///< who does what, where everything lies
  Target,   ///< code for one machine, as MLIR
  Artifact, ///< manifest, library, packed weights
};

llvm::StringRef stringify(Stage stage);
std::optional<Stage> symbolizeStage(llvm::StringRef word);

struct PipelineOptions {
  std::string cpu = "native"; ///< as describeCPU takes it
  std::string quantize = {};  ///< as tensor::parseQuantization takes it; empty: weights as they are
};

/// Everything that a compile from any stage needs to know.
void registerCompiler(mlir::DialectRegistry &registry);

/// The passes that end in each stage, from the end of the one before it.
void buildTensorStage(mlir::OpPassManager &passes, const PipelineOptions &options);
void buildPlacedStage(mlir::OpPassManager &passes, const PipelineOptions &options);
void buildTargetStage(mlir::OpPassManager &passes, const PipelineOptions &options);

/// Checks that a module that was read is what `stage` (Tensor, Placed or Target) promises.
void buildStageCheck(mlir::OpPassManager &passes, Stage stage);

/// Called with the module at the end of each stage; a failure ends the compile.
using StageObserver = llvm::function_ref<llvm::LogicalResult(Stage, mlir::ModuleOp)>;

/// Takes `module` from the end of `from` (Model when it was just imported) to the end of `to`
/// (Target at most). Errors have been reported at the module's ops.
llvm::LogicalResult runStages(mlir::ModuleOp module, Stage from, Stage to,
                              const PipelineOptions &options, StageObserver atEnd = nullptr);

} // namespace sluice

#endif // SLUICE_PIPELINE_PIPELINE_H
