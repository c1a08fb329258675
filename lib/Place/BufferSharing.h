// SPDX-License-Identifier: Apache-2.0
//
// Which tensors of a function may lie in one buffer.

#ifndef SLUICE_LIB_PLACE_BUFFERSHARING_H
#define SLUICE_LIB_PLACE_BUFFERSHARING_H

#include "lib/Place/RowExtents.h"
#include "llvm/ADT/MapVector.h"

namespace sluice::place {

/// The tensor whose memory `tensor` shows: itself, unless it is a view of another (a slice, a
/// reshape, awaited rows).
mlir::Value viewedTensor(mlir::Value tensor);

/// The element type in which a tensor is kept: f32 for bf16 rows that are kept widened (`round` on
/// the op).
mlir::Type storedElement(mlir::Value tensor);

/// Tensors in one group lie in one buffer. Each is written over another that is not needed any
/// more.
///
///   %x1 = scf.for iter_args(%x = %x0) {          one group {%x0, %x, %y, %z, %x1}, because
///     %y = sluice.linear ... residual %x           a residual may be the destination,
///     %z = sluice.norm layer %y                    a norm may be in place,
///     scf.yield %z                                 and %x is not needed when %z is made
///   }
///
/// Lifetimes are intervals of op numbers in program order; a value from outside a loop that is used
/// inside lives to the loop's end. Groups are joined greedily: first what a loop carries, then
/// in-place ops in program order, as long as no two members live at once.
class BufferSharing {
public:
  BufferSharing(mlir::func::FuncOp func, const RowExtents &extents);

  /// The group of a tensor that owns memory; nothing for views, arguments, weights and constants.
  std::optional<unsigned> groupOf(mlir::Value tensor) const;
  /// The function result in whose memory the group lies, if it does.
  std::optional<unsigned> resultOf(unsigned group) const;
  /// One tensor of each group, in program order.
  llvm::ArrayRef<mlir::Value> representatives() const { return leaders; }

private:
  struct Life {
    int64_t begin, end;
    unsigned group;
  };

  void numberOps(mlir::Block &block);
  void addOwner(mlir::Value tensor, int64_t begin);
  int64_t lastUse(mlir::Value tensor, mlir::Block *home) const;
  bool meetInPlace(mlir::Value before, mlir::Value after, int64_t at) const;
  bool liveTogether(mlir::Value a, mlir::Value b) const;
  bool join(mlir::Value a, mlir::Value b);
  void joinLoops();
  void joinInPlace();
  void claimResults();

  mlir::func::FuncOp func;
  const RowExtents &extents;
  llvm::DenseMap<mlir::Operation *, int64_t> begins, ends;
  llvm::DenseMap<int64_t, mlir::Operation *> opAt;
  int64_t clock = 0;
  llvm::MapVector<mlir::Value, Life> lives;
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> members;
  llvm::SmallVector<mlir::Value> leaders;
  llvm::DenseMap<unsigned, unsigned> results;
};

} // namespace sluice::place

#endif // SLUICE_LIB_PLACE_BUFFERSHARING_H
