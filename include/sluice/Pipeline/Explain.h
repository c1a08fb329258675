// SPDX-License-Identifier: Apache-2.0
//
// What a compiled step will do, said before it runs.

#ifndef SLUICE_PIPELINE_EXPLAIN_H
#define SLUICE_PIPELINE_EXPLAIN_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/JSON.h"

namespace sluice {

/// One op of a phase.
struct ExplainedOp {
  std::string function, phase, op;
  std::string share;    ///< what its work items are
  std::string path;     ///< the kernel that was chosen, and how it steps
  std::string schedule; ///< register tile and blocking of a linear layer; empty for others
  std::string location; ///< line of the description, "" when there is none
  int64_t times;        ///< how often a step runs it (layers)
  int64_t weightBytes;  ///< weights read, once per run whatever the rows
  int64_t rowBytes; ///< rows read and written, for each row; keys and values of the past are not
                    ///< counted
  int64_t
      rowOperations; ///< multiplications and additions of linear layers, for each row; 0 for others
};

/// What `module`, at the end of the placed stage, does in each function, in program order.
std::vector<ExplainedOp> explain(mlir::ModuleOp module);

/// As a table for people, one function after another, with sums and the size of the arena.
void printExplanation(mlir::ModuleOp module, llvm::raw_ostream &os);
/// As JSON for programs.
llvm::json::Value explanationAsJson(mlir::ModuleOp module);

} // namespace sluice

#endif // SLUICE_PIPELINE_EXPLAIN_H
