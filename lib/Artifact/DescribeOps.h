// SPDX-License-Identifier: Apache-2.0
//
// What each op of a compiled step computes, reads and writes: the one source that `--explain`, the
// manifest, traces and reports read.

#ifndef SLUICE_LIB_ARTIFACT_DESCRIBEOPS_H
#define SLUICE_LIB_ARTIFACT_DESCRIBEOPS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "sluice/Machine/Machine.h"

namespace sluice::artifact {

/// `ops` of the manifest (docs/Contracts.md, section 6) for a module at the placed stage: one
/// dictionary for each op of a phase, in the order in which exported functions run them.
mlir::ArrayAttr describeOps(mlir::ModuleOp module);

/// Why the op that `described` describes is done as it says on `machine`; one sentence or two.
std::string whyChosen(mlir::DictionaryAttr described, const CPUMachine &machine);

} // namespace sluice::artifact

#endif // SLUICE_LIB_ARTIFACT_DESCRIBEOPS_H
