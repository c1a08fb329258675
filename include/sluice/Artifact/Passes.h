// SPDX-License-Identifier: Apache-2.0
//
// Passes of the artefact stage; Passes.td describes them.

#ifndef SLUICE_ARTIFACT_PASSES_H
#define SLUICE_ARTIFACT_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace sluice::artifact {
#define GEN_PASS_DECL
#include "sluice/Artifact/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "sluice/Artifact/Passes.h.inc"
} // namespace sluice::artifact

#endif // SLUICE_ARTIFACT_PASSES_H
