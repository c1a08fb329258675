// SPDX-License-Identifier: Apache-2.0
//
// What can run a case: the oracle, or compiled code.

#ifndef SLUICE_TOOLS_CHECK_TARGET_H
#define SLUICE_TOOLS_CHECK_TARGET_H

#include "Inputs.h"
#include "sluice/Reference/Evaluator.h"

#include <memory>
#include <string>

namespace sluice::check {

/// What came out of one call.
struct Outcome {
  std::vector<reference::Datum> results;
  std::optional<reference::Trap> trap;
  /// Writes outside of the buffers, reads of poison and the like; empty when all is well.
  std::vector<std::string> damage;
};

class Target {
public:
  virtual ~Target() = default;
  virtual llvm::StringRef name() const = 0;
  /// Makes the module ready to run; the exit code says how that failed (0 when it did not).
  virtual int prepare(mlir::ModuleOp module, uint64_t weightSeed) = 0;
  /// The configurations in which every case is run, for instance "1 worker" and "2 workers".
  virtual std::vector<std::string> variants() const { return {""}; }
  /// For tests of the tests: what a broken kernel would do to memory, done after each run.
  /// "redzone" writes one byte past the end of the first result, "input" one into the first
  /// argument. False: the target cannot do that.
  virtual bool sabotage(llvm::StringRef kind) { return false; }
  /// Code for the processor |cpu| instead of this one, which must be able to run it. False: the
  /// target has no processors.
  virtual bool compileFor(llvm::StringRef cpu) { return false; }
  virtual llvm::FailureOr<Outcome> run(const Case &input, unsigned variant) = 0;
};

std::unique_ptr<Target> makeReferenceTarget();
std::unique_ptr<Target> makeCpuTarget();

/// Names of the targets of this build, in order; `sluice-check --targets` prints them.
std::vector<llvm::StringRef> targetNames();
/// Null when there is no such target in this build.
std::unique_ptr<Target> makeTarget(llvm::StringRef name);

} // namespace sluice::check

#endif // SLUICE_TOOLS_CHECK_TARGET_H
