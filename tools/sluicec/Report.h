// SPDX-License-Identifier: Apache-2.0
//
// What sluicec writes about an artefact that it made.

#ifndef SLUICE_TOOLS_SLUICEC_REPORT_H
#define SLUICE_TOOLS_SLUICEC_REPORT_H

#include "sluice/Pipeline/Explain.h"
#include <string>
#include <vector>

namespace sluice::driver {

/// Collected on the way to the artefact.
struct ReportParts {
  llvm::json::Value explanation = nullptr; ///< of the placed stage
  std::string text;                        ///< the same for people
  std::string assembly;                    ///< for llvm-mca
};

/// The ceilings that floors are worked out with: of the file `from`, none at all ("none"), or,
/// when it is empty and the code is for this machine, measured now. The result's `source` says
/// which, or why there are none.
llvm::Expected<Ceilings> chooseCeilings(llvm::StringRef from, llvm::ArrayRef<std::string> cpus);

/// Writes report.txt, report.json and report.html into
/// `directory`, which is made. `compile` is seconds by part of the compile.
llvm::Error writeReport(llvm::StringRef directory, ReportParts &parts, const CPUMachine &machine,
                        llvm::ArrayRef<std::pair<std::string, double>> compile);

} // namespace sluice::driver

#endif // SLUICE_TOOLS_SLUICEC_REPORT_H
