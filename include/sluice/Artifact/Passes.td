// SPDX-License-Identifier: Apache-2.0
//
// The pass between the placed stage and the target stage.

#ifndef SLUICE_ARTIFACT_PASSES_TD
#define SLUICE_ARTIFACT_PASSES_TD

include "mlir/Pass/PassBase.td"

def DescribePass : Pass<"artifact-describe", "mlir::ModuleOp"> {
  let summary = "writes down what the artefact says about the module";
  let description = [{
    Params, pages, arguments and arenas leave the IR when phases become code, yet a loader needs them. This pass writes them
    as the module attribute `sluice.manifest`: `functions`, `weights` and `kv` of docs/Contracts.md, section 6, so that an
    artefact can be made from a file of the target stage as well.

    Before: check-placed-stage holds. After: the same, with the attribute. Leaves alone: a module that has it.
  }];
}

#endif // SLUICE_ARTIFACT_PASSES_TD
