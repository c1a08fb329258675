// SPDX-License-Identifier: Apache-2.0
//
// What a compiled step will do, said before it runs: bytes, operations, the least time that they
// take on given ceilings, and what was chosen and why.

#ifndef SLUICE_PIPELINE_EXPLAIN_H
#define SLUICE_PIPELINE_EXPLAIN_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "sluice/Machine/Machine.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"

namespace sluice {

/// What a machine does at most. Rates of 0 are not known.
struct Ceilings {
  int64_t threads = 0;
  double read = 0;             ///< bytes per second
  llvm::StringMap<double> dot; ///< operations per second of "fma", "dpbf16", "vnni"
  std::string source;          ///< where they are from: "measured now", a file

  bool known() const { return read > 0; }
  /// Of the dot that an op is made of; ops without one are made of fma.
  double rate(llvm::StringRef name) const;
};

/// Reads what `sluice-run ceilings --format=json` writes.
llvm::Expected<Ceilings> readCeilings(llvm::StringRef path);

/// The size of a step for which floors are worked out.
struct StepSize {
  std::string name;
  int64_t rows = 0, seqs = 1, asked = 0, past = 0;
};

/// The sizes that say most about `function` of `module`: decoders decode one row after others, and
/// prefill many.
std::vector<StepSize> usualSizes(mlir::ModuleOp module, llvm::StringRef function);

/// What one op costs in one step of some size, all its runs (layers) together.
struct OpCost {
  double bytes = 0;    ///< from memory: weights, tables' rows, keys and values; each once
  double rowBytes = 0; ///< of scratch and arguments, which caches may hold
  double operations = 0;
  double seconds = 0; ///< floor: the longer of bytes over bandwidth and operations over rate
  bool memoryBound = false;
};

/// `op` is an entry of the manifest's `ops`.
OpCost costOf(mlir::DictionaryAttr op, const StepSize &size, const Ceilings &ceilings);

/// As a table for people, one function after another, with reasons, sums, floors where `ceilings`
/// are known, and the memory plan.
void printExplanation(mlir::ModuleOp module, const CPUMachine &machine, const Ceilings &ceilings,
                      llvm::raw_ostream &os);
/// As JSON for programs (docs/Contracts.md, section 8).
llvm::json::Value explanationAsJson(mlir::ModuleOp module, const CPUMachine &machine,
                                    const Ceilings &ceilings);

} // namespace sluice

#endif // SLUICE_PIPELINE_EXPLAIN_H
