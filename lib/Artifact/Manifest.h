// SPDX-License-Identifier: Apache-2.0
//
// manifest.json, and what can be read back from the attribute behind it.

#ifndef SLUICE_LIB_ARTIFACT_MANIFEST_H
#define SLUICE_LIB_ARTIFACT_MANIFEST_H

#include "dialects/Sluice/Sluice.h"
#include "sluice/Artifact/Artifact.h"

namespace sluice::artifact {

/// The path of a variant's library in the artefact, and of its weights.
std::string libraryName(const WriteRequest &request, size_t variant);
std::string weightFileName(const WriteRequest &request, size_t variant);

/// The first variant whose weights lie as those of `variant` do: they share a file.
size_t sharesWeightsWith(const WriteRequest &request, size_t variant);

/// The text of manifest.json.
std::string manifestText(const WriteRequest &request);

/// A module with the params that `sluice.manifest` of `module` describes, and its word on where
/// weights come from. Null, after reporting at `module`, when the attribute is missing or is not
/// one.
mlir::OwningOpRef<mlir::ModuleOp> rebuildParams(mlir::ModuleOp module);

} // namespace sluice::artifact

#endif // SLUICE_LIB_ARTIFACT_MANIFEST_H
