//===- Pipeline.cpp - the story of a compile ------------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Every pass, in order, each with the reason for its place. Read from top to bottom:
//
//   model ──import──> tensor ──place──> placed ──lower──> target ──emit──> artefact
//
// A stage ends with a check that states its contract and fails with a sentence, so that a later
// part of the story never has to doubt an earlier one. Decisions are attributes: a pass called
// choose writes them, later ones obey.
//===----------------------------------------------------------------------===//
#include "sluice/Pipeline/Pipeline.h"
#include "mlir/Transforms/Passes.h"
#include "sluice/Artifact/Passes.h"
#include "sluice/InitAll.h"
#include "sluice/Place/Passes.h"
#include "sluice/Target/CPU/Emit.h"
#include "sluice/Target/CPU/Passes.h"
#include "sluice/Tensor/Passes.h"

using namespace mlir;

namespace sluice {

// ---- 1 model -> 2 tensor: what a model computes, no machine known ----

void buildTensorStage(OpPassManager &passes, const PipelineOptions &options) {
  // First, because files of this stage are written by hand too, and everything below relies on it.
  passes.addPass(tensor::createCheckTensorStagePass());
  // Before fusing: a fold may remove what stands between a layer and its epilogue.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  // Before fusing, while a layer's result is still seen to be the function's.
  if (!options.quantize.empty())
    passes.addPass(tensor::createQuantizeWeightsPass({options.quantize}));
  // Last, so that no later fold separates what it joined.
  passes.addPass(tensor::createFuseEpiloguesPass());
  passes.addPass(tensor::createCheckTensorStagePass());
}

// ---- 2 tensor -> 3 placed: who does which part, where memory lies ----

void buildPlacedStage(OpPassManager &passes, const PipelineOptions &options) {
  // Decide. On tensors, where the users of a weight are still in sight. Layouts before schedules: a
  // schedule speaks of panels.
  passes.addPass(place::createChooseLayoutsPass({options.cpu}));
  passes.addPass(place::createChooseSchedulesPass({options.cpu}));

  // Do. Buffers first: phases, barriers and addresses are about memory.
  passes.addPass(place::createBufferizePass());
  // Views of views fold, weights that only a request names go. No CSE before the plan: it is the
  // plan that decides what shares memory.
  passes.addPass(createCanonicalizerPass());
  auto &functions = passes.nest<func::FuncOp>();
  // Merging before barriers, because a barrier would keep apart what may be merged.
  functions.addPass(place::createMergePhasesPass());
  functions.addPass(place::createInsertBarriersPass());
  // After barriers: only a barrier ends a buffer's life for all workers.
  functions.addPass(place::createPlanMemoryPass());
  passes.addPass(place::createCheckPlacedStagePass());

  // Params, arguments and arenas are not in the code that follows; the artefact needs them.
  passes.addPass(artifact::createDescribePass());
}

// ---- 3 placed -> 4 target: code for one machine, still MLIR ----

void buildTargetStage(OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(cpu::createConvertPlaceToCPUPass({options.cpu}));
  // Kernels are written with constants where sizes are known; this makes use of them, and shares
  // addresses.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(cpu::createCheckTargetStagePass());
}

// ---- 4 target -> 5 artefact: cpu::emitCode and artifact::writeArtefact, called by sluicec ----

void buildStageCheck(OpPassManager &passes, Stage stage) {
  if (stage == Stage::Tensor)
    passes.addPass(tensor::createCheckTensorStagePass());
  else if (stage == Stage::Placed)
    passes.addPass(place::createCheckPlacedStagePass());
  else if (stage == Stage::Target)
    passes.addPass(cpu::createCheckTargetStagePass());
}

LogicalResult runStages(ModuleOp module, Stage from, Stage to, const PipelineOptions &options,
                        StageObserver atEnd) {
  auto run = [&](Stage stage, function_ref<void(OpPassManager &)> build) -> LogicalResult {
    // A module read at the tensor stage goes through that stage's passes again: they change nothing
    // that they wrote.
    bool behind = stage <= from && !(stage == Stage::Tensor && from == Stage::Tensor);
    if (behind || stage > to)
      return success();
    PassManager passes(module->getContext());
    build(passes);
    if (failed(passes.run(module)))
      return failure();
    return atEnd ? atEnd(stage, module) : success();
  };
  if (failed(
          run(Stage::Tensor, [&](OpPassManager &passes) { buildTensorStage(passes, options); })) ||
      failed(
          run(Stage::Placed, [&](OpPassManager &passes) { buildPlacedStage(passes, options); })) ||
      failed(run(Stage::Target, [&](OpPassManager &passes) { buildTargetStage(passes, options); })))
    return failure();
  return success();
}

StringRef stringify(Stage stage) {
  switch (stage) {
  case Stage::Model:
    return "model";
  case Stage::Tensor:
    return "tensor";
  case Stage::Placed:
    return "placed";
  case Stage::Target:
    return "target";
  case Stage::Artifact:
    return "artifact";
  }
  llvm_unreachable("stage");
}

std::optional<Stage> symbolizeStage(StringRef word) {
  for (Stage stage : {Stage::Model, Stage::Tensor, Stage::Placed, Stage::Target, Stage::Artifact})
    if (stringify(stage) == word)
      return stage;
  if (word == "artefact")
    return Stage::Artifact;
  return std::nullopt;
}

void registerCompiler(DialectRegistry &registry) {
  sluice::registerAllDialects(registry);
  cpu::registerCPUKernels(registry);
  cpu::registerTargetStage(registry);
}
} // namespace sluice
