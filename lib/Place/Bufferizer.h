// SPDX-License-Identifier: Apache-2.0
//
// One function on its way from tensors to buffers: where each value lies so far, and how ops are
// written down.

#ifndef SLUICE_LIB_PLACE_BUFFERIZER_H
#define SLUICE_LIB_PLACE_BUFFERIZER_H

#include "dialects/Place/Place.h"
#include "lib/Place/BufferSharing.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"

namespace sluice::place {

class Bufferizer {
public:
  Bufferizer(mlir::func::FuncOp source, const RowExtents &extents, const BufferSharing &sharing,
             mlir::SymbolTable &symbols)
      : source(source), extents(extents), sharing(sharing), symbols(symbols),
        builder(source.getContext()) {}

  /// Writes the function on buffers in the place of the one on tensors, which is erased. On failure
  /// an error has been reported at the op that has no buffer form.
  llvm::LogicalResult run();

private:
  // Bufferize.cpp: the function, its buffers, control flow.
  void makeFunction();
  void makeBuffers();
  llvm::LogicalResult emitBlock(mlir::Block &block);
  llvm::LogicalResult emitOp(mlir::Operation *op);
  llvm::LogicalResult emitLoop(mlir::scf::ForOp loop);
  llvm::LogicalResult emitReturn(mlir::func::ReturnOp ret);
  llvm::LogicalResult emitCopy(mlir::Operation *cause, mlir::Value from, mlir::Value into);
  llvm::LogicalResult unsupported(mlir::Operation *op, const llvm::Twine &why = "");

  // BufferForm.cpp: ops and views.
  llvm::LogicalResult emitView(mlir::Operation *op);
  llvm::LogicalResult emitCompute(ComputeOpInterface op);
  llvm::LogicalResult emitAttention(AttentionOp op);
  llvm::LogicalResult emitAdd(mlir::arith::AddFOp op);
  void emitAppend(CacheAppendOp op);
  llvm::LogicalResult emitGather(GatherOp op);
  void emitAwait(::sluice::AwaitOp op);
  llvm::LogicalResult emitExperts(RouteExpertsOp op);
  /// The choices of `ids`, sorted by expert: made in a phase of its own when nobody asked before.
  std::pair<mlir::Value, mlir::Value> groupsOf(mlir::Value ids, int64_t experts,
                                               mlir::Location loc);
  /// The rows of a layer in the form that its schedule multiplies.
  mlir::FailureOr<mlir::Value> rowsForDot(mlir::Operation *layer, mlir::Value rows,
                                          mlir::Attribute schedule);

  /// The memref in which output `result` of an op lies.
  mlir::Value destination(mlir::Value result);
  /// A buffer beside those of tensors.
  mlir::Value makeBuffer(mlir::Location loc, llvm::StringRef extent, ExtentAttr size,
                         mlir::MemRefType type);
  /// A global that holds `value`, as a memref.
  mlir::Value makeConstant(mlir::arith::ConstantOp op);
  /// The share that divides rows such as those of `tensor`.
  Share rowShare(mlir::Value tensor);
  /// A phase whose body `write` fills.
  void emitPhase(mlir::Location loc, llvm::StringRef name, Share share,
                 llvm::function_ref<void()> write);
  mlir::Value lookup(mlir::Value value) { return mapped.lookup(value); }

  mlir::func::FuncOp source, target;
  const RowExtents &extents;
  const BufferSharing &sharing;
  mlir::SymbolTable &symbols;
  mlir::OpBuilder builder;
  TeamOp team;
  /// Where tensors lie; other values (indices, the batch, weights) as they are in the new function.
  /// Page values of the old function all map to the one argument: pages are written in place.
  llvm::DenseMap<mlir::Value, mlir::Value> mapped;
  llvm::DenseMap<unsigned, mlir::Value> memory; ///< of each group
  llvm::SmallVector<mlir::Value> resultArguments;
  llvm::DenseMap<mlir::Value, int64_t> tokens; ///< of requests under way
  llvm::DenseMap<mlir::Value, std::pair<mlir::Value, mlir::Value>> groups; ///< of ids
};

} // namespace sluice::place

#endif // SLUICE_LIB_PLACE_BUFFERIZER_H
