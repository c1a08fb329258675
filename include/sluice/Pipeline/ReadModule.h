// SPDX-License-Identifier: Apache-2.0
//
// MLIR text of a stage, from outside: bounded and checked before any pass sees it.

#ifndef SLUICE_PIPELINE_READMODULE_H
#define SLUICE_PIPELINE_READMODULE_H

#include "mlir/IR/OwningOpRef.h"
#include "sluice/Pipeline/Pipeline.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

namespace sluice {

// What MLIR text may be (docs/Limits.md). The parser, and whatever walks attributes later, descends
// as deep as its input does, and aliases make short text large.

/// Brackets inside one another, counting those behind aliases.
constexpr unsigned maxMlirNesting = 128;
/// Bytes of a file. Weights travel beside a module, so that text stays short.
constexpr uint64_t maxMlirBytes = uint64_t(256) << 20;
/// Uses of aliases in one alias, counting those behind aliases.
constexpr uint64_t maxMlirAliasUses = 100'000;
/// Bytes of one affine map or set.
constexpr size_t maxMlirAffineBytes = 4096;

/// Why text should not reach the parser.
struct TextProblem {
  size_t offset;
  std::string message;
};
std::optional<TextProblem> checkMlirText(llvm::StringRef text);

/// Parses |text|, which joins |sources|, and verifies it. Null after diagnostics at its places.
mlir::OwningOpRef<mlir::ModuleOp> parseModule(std::unique_ptr<llvm::MemoryBuffer> text,
                                              llvm::SourceMgr &sources, mlir::MLIRContext &context);

/// The same for the file at |path|, which must be a regular one. Null after diagnostics.
mlir::OwningOpRef<mlir::ModuleOp> parseModuleFile(llvm::StringRef path, llvm::SourceMgr &sources,
                                                  mlir::MLIRContext &context);

/// Checks what |stage| (Tensor, Placed or Target) promises, after diagnostics where it does not
/// hold.
llvm::LogicalResult checkStage(mlir::ModuleOp module, Stage stage);

} // namespace sluice

#endif // SLUICE_PIPELINE_READMODULE_H
