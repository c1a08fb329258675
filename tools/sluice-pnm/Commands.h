// SPDX-License-Identifier: Apache-2.0
//
// The verbs of sluice-pnm: their arguments, and files in and out.
#ifndef SLUICE_TOOLS_SLUICE_PNM_COMMANDS_H
#define SLUICE_TOOLS_SLUICE_PNM_COMMANDS_H

#include "sluice/Model/Problems.h"
#include "sluice/Target/PNM/Program.h"

#include <optional>

namespace sluice::pnm {

enum ExitCode { Ok = 0, Usage = 1, BadInput = 2, CannotDo = 3, Failed = 4 };

struct Options {
  llvm::StringRef input, output, machine, inputs, outputs, report = "text", timeline, format, fail;
  llvm::SmallVector<llvm::StringRef> changes;
  std::optional<uint64_t> random;
  uint64_t repeat = 1, device = 0, limit = ~uint64_t(0);
  bool hazards = true, gatedEnergy = false;
};

int runVerb(llvm::StringRef verb, llvm::ArrayRef<llvm::StringRef> arguments);

/// A program, as text or bytes; reports and returns nothing when it is neither.
std::optional<Program> readProgram(llvm::StringRef path, model::ProblemLog &log);
/// Writes |text| to |path|, or to stdout when |path| is empty or "-". An exit code.
int writeFile(llvm::StringRef path, llvm::StringRef text);
/// Prints findings as "PROGRAM: command 3 (gemv): error: ...". The exit code that they amount to.
int printFindings(const Program &program, llvm::StringRef path, llvm::ArrayRef<Finding> findings);

int simulateVerb(const Options &options, const Program &program, const PNMMachine &machine);
int traceVerb(const Options &options, const Program &program, const PNMMachine &machine);
int energyVerb(const Options &options);

} // namespace sluice::pnm

#endif
