// SPDX-License-Identifier: Apache-2.0
//
// The end of a compile: a directory with manifest, code and packed weights (docs/Contracts.md,
// section 6).

#ifndef SLUICE_ARTIFACT_ARTIFACT_H
#define SLUICE_ARTIFACT_ARTIFACT_H

#include "mlir/IR/BuiltinOps.h"
#include "sluice/Machine/Machine.h"
#include "sluice/Model/Problems.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace sluice::artifact {

/// The model compiled for one machine.
struct Variant {
  mlir::ModuleOp module;     ///< of the target stage, with `sluice.manifest`
  const CPUMachine *machine; ///< for which `object` was made
  llvm::StringRef object;    ///< relocatable ELF
};

struct WriteRequest {
  /// One, or several from the one that a loader should rather take to the last resort. They share
  /// packed weights where these lie the same.
  std::vector<Variant> variants;
  std::string output; ///< the directory to make, or an artefact to replace
  /// The longest sequence that the artefact takes; absent: as many tokens as there are positions.
  std::optional<int64_t> maxSeq;
  /// Rows and sequences of one step, at most; absent: a session says.
  std::optional<int64_t> maxRows, maxBatch;
  bool allowNonFinite = false; ///< weights may have NaN and infinite numbers
};

struct WriteStats {
  double linkSeconds = 0, packSeconds = 0;
  int64_t packedBytes = 0; ///< of weights in the file; generated ones are not
  /// What encoding cost, a line for each encoded param; also in report/quantize.json.
  std::vector<std::string> quantized;
};

/// Why an artefact was not written, with the exit code that this means. The message is empty when
/// the reason has been reported already.
class WriteError : public llvm::ErrorInfo<WriteError> {
public:
  static char ID;
  WriteError(int exitCode, std::string message) : exitCode(exitCode), message(std::move(message)) {}
  void log(llvm::raw_ostream &os) const override { os << message; }
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }

  int exitCode;
  std::string message;
};

/// Writes the artefact, whole or not at all: it is made in a directory beside `output` that is
/// renamed at the end. The same module, machine and weights give the same bytes. Problems with
/// weights go to `log`.
llvm::Error writeArtefact(const WriteRequest &request, model::ProblemLog &log, WriteStats &stats);

/// After this Ctrl-C (and SIGTERM) ends the process with exit code 130, and nothing half-written is
/// left behind.
void catchInterrupts();

/// Removes the files of an artefact that is being written. For handlers of signals that end the
/// process: it only unlinks what it knows.
void removeHalfWritten();

} // namespace sluice::artifact

#endif // SLUICE_ARTIFACT_ARTIFACT_H
