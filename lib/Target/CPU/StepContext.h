// SPDX-License-Identifier: Apache-2.0
//
// StepContext: what the emitter of a kernel call sees of the step it stands in.
//
// Values of the placed stage (buffers, their views, weights, the batch, pages) have no counterpart
// at the target stage: there, memory is the call record of kernel_abi.h. A StepContext turns such a
// value into arrays and strides, in the entry function that is being written, and says which work
// items are this worker's. What is loaded from the call record is loaded once, at the entry's top.
#ifndef SLUICE_LIB_TARGET_CPU_STEPCONTEXT_H
#define SLUICE_LIB_TARGET_CPU_STEPCONTEXT_H

#include "dialects/Place/Place.h"
#include "dialects/Sluice/Sluice.h"
#include "lib/Target/CPU/KernelBuilder.h"
#include "sluice/Machine/Machine.h"

#include "mlir/IR/IRMapping.h"

namespace sluice::cpu {

/// Work items [begin, end), of type index.
struct Range {
  Val begin, end;
};

/// Numbers in memory: element (i, j, ...) is |array|[i * strides[0] + j * strides[1] + ...]. Sizes
/// and strides are of type index and count elements; those that the type knows are constants.
struct View {
  Val array; ///< memref<?xT> whose element 0 is the view's first
  llvm::SmallVector<Val, 3> sizes, strides;

  mlir::Type element() const { return mlir::cast<mlir::MemRefType>(array.type()).getElementType(); }
};

/// One layer of a weight.
struct WeightView {
  Val pointer; ///< !llvm.ptr to the layer's block
  Val array;  ///< memref<?xT> at the layer's block, words of codes (i32) when it is encoded; how it
              ///< lies there, |layout| says
  Val scales; ///< the same memory as scales; empty for a dense one
  Layout layout;
  BlocksAttr blocks;           ///< null: dense
  mlir::RankedTensorType type; ///< without the layers and experts
  int64_t blockBytes = 0;      ///< from expert to expert
};

/// Fields of sluice_batch_t. Counts are of type index, arrays are memref<?xi32>.
struct BatchView {
  Val rows, seqs;
  Val rowStart, past, rowSeq, position, pageStart, pageTable;
};

/// A page pool.
struct PagesView {
  KVOp kv;
  Val pointer;   ///< !llvm.ptr to the first page
  Val pageCount; ///< index
};

class StepContext {
public:
  /// The entry is `(%call: !llvm.ptr, %me: i32, %workers: i32)`; |k| writes into it. |function| is
  /// the function of the placed stage that it stands for.
  StepContext(KernelBuilder &k, mlir::func::FuncOp function, mlir::func::FuncOp entry,
              const CPUMachine &machine);

  KernelBuilder &builder() { return k; }
  /// The machine that code is written for; may change the speed of a kernel, never its results.
  const CPUMachine &machine() { return target; }
  /// 16-lane sums that fit into its vector registers beside their operands.
  int64_t accumulators() { return target.vectorRegisters * target.vectorBytes / 64 * 3 / 4; }
  mlir::ModuleOp module() { return entry->getParentOfType<mlir::ModuleOp>(); }

  //===-- What is where
  //---------------------------------------------------------------------------===//

  View view(mlir::Value memref);
  /// The view as an array of |element| instead (scratch of bytes that holds words).
  Val arrayAs(mlir::Value memref, mlir::Type element);
  /// !llvm.ptr to the view's first element.
  Val pointer(mlir::Value memref) { return address(memref).pointer; }
  WeightView weight(mlir::Value tensor);
  BatchView batch();
  PagesView pages(mlir::Value pages);
  /// A scalar of the placed stage (index arithmetic, loop counters) in the entry.
  Val scalar(mlir::Value value) { return k.val(scalars.lookup(value)); }
  mlir::IRMapping &scalarMap() { return scalars; }
  /// sluice_call_t::max_rows and max_seqs, of type index.
  Val maxRows();
  Val maxSeqs();

  //===-- Whose work it is
  //------------------------------------------------------------------------===//

  void enterPhase(place::PhaseOp op) { phase = op; }
  place::Share share() { return phase.getShare(); }
  /// This worker's part of |items| (index): [me * items / workers, (me + 1) * items / workers), or
  /// all or nothing in a phase with share `one`.
  Range range(Val items);
  /// Fails at |op| when its phase has a share that is not among |allowed|; `one` always is.
  llvm::LogicalResult expectShare(mlir::Operation *op, llvm::ArrayRef<place::Share> allowed);

  //===-- Traps and calls
  //-------------------------------------------------------------------------===//

  /// !llvm.ptr to the call's sluice_trap_t, and the number (i32) by which a record names |op|: an
  /// index into the module's attribute `sluice.locations`, -1 when the op has no location.
  Val trapRecord();
  Val locationNumber(mlir::Operation *op);

  void barrier();
  /// Tells the call's tracer, if there is one, that this worker goes on with |what|: a number of
  /// the manifest's `ops`, or SLUICE_MARK_IDLE.
  void mark(int32_t what);

  /// A field of the call record or of what a field points to: loaded once, at the top of the entry.
  Val callField(size_t byte, mlir::Type type);
  Val field(Val pointer, size_t byte, mlir::Type type);
  Val call() { return k.val(entry.getArgument(0)); }
  Val me() { return k.val(entry.getArgument(1)); }

  /// |pointer| plus |bytes| (index).
  Val advance(Val pointer, Idx bytes);

  /// Number of |symbol| among the module's params, or among its kvs.
  int64_t paramNumber(llvm::StringRef symbol);
  int64_t kvNumber(llvm::StringRef symbol);

private:
  struct Address {
    Val pointer; ///< !llvm.ptr at the first element
    llvm::SmallVector<Val, 3> sizes, strides;
  };
  Address address(mlir::Value memref);
  Address addressOfArgument(mlir::BlockArgument argument, mlir::MemRefType type);
  Address addressOfBuffer(place::BufferOp buffer);
  Address addressOfGlobal(mlir::memref::GetGlobalOp op);
  Address addressOfSubview(mlir::memref::SubViewOp op);
  Address addressOfExpand(mlir::memref::ExpandShapeOp op);
  Address addressOfCollapse(mlir::memref::CollapseShapeOp op);
  Val extentCount(place::ExtentAttr extent);
  Val leadingSize(llvm::StringRef extent);
  Val askedRows();
  Val pointerAt(Val pointer, size_t byte);
  /// Number of |argument| in sluice_call_t::args.
  size_t argumentNumber(mlir::BlockArgument argument);
  /// Emits what |make| makes at the end of the entry's prologue, where it dominates every phase.
  Val inPrologue(llvm::function_ref<Val()> make);

  KernelBuilder &k;
  mlir::func::FuncOp function, entry;
  const CPUMachine &target;
  place::PhaseOp phase;
  mlir::IRMapping scalars;
  mlir::Operation *prologueEnd = nullptr;
  llvm::DenseMap<std::pair<mlir::Value, size_t>, mlir::Value> fields;
  llvm::DenseMap<mlir::Value, Address> addresses; ///< of arguments and buffers only
};

/// Fills a trap record unless it is filled already; |code| is a sluice_trap_code_t (i32),
/// |value| and |bound| are index. Called from kernels.
void emitTrap(KernelBuilder &k, mlir::ModuleOp module, Val record, Val code, Val location,
              Val value, Val bound);

/// Bytes of one block of a weight (docs/Contracts.md, section 3).
int64_t weightBlockBytes(ParamOp param);

} // namespace sluice::cpu

#include "lib/Target/CPU/KernelInterface.h.inc"

#endif
