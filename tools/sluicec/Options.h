// SPDX-License-Identifier: Apache-2.0
//
// The command line of sluicec.

#ifndef SLUICE_TOOLS_SLUICEC_OPTIONS_H
#define SLUICE_TOOLS_SLUICEC_OPTIONS_H

#include "sluice/Pipeline/Pipeline.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace sluice::driver {

/// What is written instead of an artefact when code is asked for.
enum class Emit { None, Mlir, Llvm, Assembly, Object };
enum class Format { None, Text, Json };

struct Options {
  std::string model, output;
  std::vector<std::string> cpus = {"native"};
  std::string family, dtype, kv, name, quantize;
  std::optional<uint64_t> randomSeed;
  int64_t page = 16;
  std::optional<int64_t> maxSeq, maxRows, maxBatch;
  Stage to = Stage::Artifact;
  std::optional<Stage> from;
  std::string stagesTo;
  Emit emit = Emit::None;
  Format explain = Format::None;
  bool report = false;
  std::string reportTo; ///< empty: in the artefact
  std::string ceilings; ///< a file, "none", or empty: measured where that makes sense
  bool check = false, timing = false, verbose = false, allowNonFinite = false;
};

/// Exit codes of every tool of the project.
enum ExitCode {
  Ok = 0,
  Usage = 1,
  BadInput = 2,
  CannotCompile = 3,
  RunTimeFailure = 4,
  Internal = 70,
  Interrupted = 130
};

/// Fills `options` from the arguments. Otherwise the exit code with which to end: what is wrong has
/// been said on stderr, or help or version on stdout.
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace sluice::driver

#endif // SLUICE_TOOLS_SLUICEC_OPTIONS_H
