// SPDX-License-Identifier: Apache-2.0
//
// Placed stage -> target stage: from who does what, where, to functions on the call record.
//
//   func.func @step(%x: memref<?x64xf32>, ...) {       func.func @sluice_fn_step(%call, %me,
//   %workers) {
//     place.team {                                       %x = ... load of call->args[0]
//       place.phase "norm" share rows {                  %lo, %hi = share of call->batch->rows
//         sluice.norm rms %x into %h ...          ==>    func.call @norm_rms_...(%x, %h, ..., %lo,
//         %hi)
//       }                                                llvm.call %barrier(%team, %me)
//       place.barrier                                    scf.for %l ...
//       scf.for %l ...
//
// Before: check-placed-stage holds, buffers have addresses.   After: no `sluice` or `place` op is
// left; check-target-stage holds.
// Knows no op family: what a phase holds says itself how it is done (CPUKernelOpInterface).
#include "lib/Target/CPU/StepContext.h"
#include "sluice-rt/kernel_abi.h"
#include "sluice/Target/CPU/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace sluice::cpu {

#define GEN_PASS_DEF_CONVERTPLACETOCPUPASS
#include "sluice/Target/CPU/Passes.h.inc"

namespace {

/// Writes one entry function.
class EntryWriter {
public:
  /// Marks what it writes for a tracer when |firstOp|, the number of the function's first op in the
  /// manifest's `ops`, is given.
  EntryWriter(KernelBuilder &k, StepContext &step, std::optional<int32_t> firstOp)
      : k(k), step(step), nextOp(firstOp) {}
  LogicalResult writeBlock(Block &block);

private:
  LogicalResult write(Operation *op);
  LogicalResult writeLoop(scf::ForOp loop);

  KernelBuilder &k;
  StepContext &step;
  std::optional<int32_t> nextOp;
};

LogicalResult EntryWriter::writeBlock(Block &block) {
  for (Operation &op : block)
    if (failed(write(&op)))
      return failure();
  return success();
}

LogicalResult EntryWriter::writeLoop(scf::ForOp loop) {
  if (!loop.getInitArgs().empty())
    return loop.emitOpError("expects a loop of phases to carry no values at the placed stage, but "
                            "it carries ")
           << loop.getInitArgs().size();
  LogicalResult result = success();
  auto at = [&](Value value) { return step.scalar(value); };
  k.forLoop(at(loop.getLowerBound()), at(loop.getUpperBound()), at(loop.getStep()), [&](Val i) {
    step.scalarMap().map(loop.getInductionVar(), static_cast<Value>(i));
    result = writeBlock(*loop.getBody());
  });
  return result;
}

LogicalResult EntryWriter::write(Operation *op) {
  if (auto team = dyn_cast<place::TeamOp>(op)) {
    if (failed(writeBlock(team.getBody().front())))
      return failure();
    if (nextOp)
      step.mark(SLUICE_MARK_IDLE);
    return success();
  }
  if (auto phase = dyn_cast<place::PhaseOp>(op)) {
    step.enterPhase(phase);
    return writeBlock(phase.getBody().front());
  }
  if (isa<place::BarrierOp>(op)) {
    if (nextOp)
      step.mark(SLUICE_MARK_IDLE);
    return step.barrier(), success();
  }
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return writeLoop(loop);
  if (auto kernel = dyn_cast<CPUKernelOpInterface>(op)) {
    if (nextOp && place::isWork(op))
      step.mark((*nextOp)++);
    return kernel.emitKernel(step);
  }
  // Addresses are worked out where they are used; terminators have no counterpart.
  if (isa<memref::SubViewOp, memref::ExpandShapeOp, memref::CollapseShapeOp, memref::CastOp,
          memref::GetGlobalOp, ParamUseOp, BatchPositionsOp, scf::YieldOp, func::ReturnOp>(op))
    return success();
  if (auto buffer = dyn_cast<place::BufferOp>(op)) {
    if (buffer.getAt())
      return success();
    return op->emitOpError("has no address; run place-plan-memory first");
  }
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    if (!index)
      return op->emitOpError("expects a constant dim");
    step.scalarMap().map(dim.getResult(),
                         static_cast<Value>(step.view(dim.getSource()).sizes[*index]));
    return success();
  }
  if (isa_and_nonnull<arith::ArithDialect>(op->getDialect())) {
    k.builder().clone(*op, step.scalarMap());
    return success();
  }
  return op->emitOpError("has no kernel on the cpu");
}

/// What StepContext counts on in a function's arguments.
LogicalResult checkArguments(func::FuncOp function) {
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    if (isa<BatchType, PagesType>(type))
      continue;
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref)
      return function.emitOpError("expects memrefs, a batch and pages as arguments at the placed "
                                  "stage, but argument ")
             << i << " is " << type;
    if (!memref.getLayout().isIdentity() ||
        llvm::is_contained(memref.getShape().drop_front(memref.getRank() > 0),
                           ShapedType::kDynamic))
      return function.emitOpError("expects dense arguments with a dynamic leading dim at most, but "
                                  "argument ")
             << i << " is " << type;
  }
  return success();
}

LogicalResult writeEntry(func::FuncOp function, const CPUMachine &machine,
                         std::optional<int32_t> firstOp) {
  if (failed(checkArguments(function)))
    return failure();
  ModuleOp module = function->getParentOfType<ModuleOp>();
  OpBuilder builder(function);
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  auto type = builder.getFunctionType({pointer, builder.getI32Type(), builder.getI32Type()}, {});
  std::string name = ("sluice_fn_" + function.getSymName()).str();
  if (module.lookupSymbol(name))
    return function.emitOpError("would become ") << name << ", which the module has already";
  auto entry = func::FuncOp::create(builder, function.getLoc(), name, type);
  builder.setInsertionPointToStart(entry.addEntryBlock());
  auto end = func::ReturnOp::create(builder, function.getLoc());
  builder.setInsertionPoint(end);
  KernelBuilder k(builder, function.getLoc());
  StepContext step(k, function, entry, machine);
  return EntryWriter(k, step, firstOp).writeBlock(function.getBody().front());
}

/// The number of the first op that the manifest lists for function |number|; absent when there is
/// no manifest (then nobody could say what a mark means) or when it lists none.
std::optional<int32_t> firstOpOf(ModuleOp module, int64_t number) {
  auto manifest = module->getAttrOfType<DictionaryAttr>("sluice.manifest");
  auto ops = manifest ? manifest.getAs<ArrayAttr>("ops") : nullptr;
  if (!ops)
    return std::nullopt;
  for (auto [i, entry] : llvm::enumerate(ops)) {
    auto dictionary = dyn_cast<DictionaryAttr>(entry);
    auto function = dictionary ? dictionary.getAs<IntegerAttr>("function") : nullptr;
    if (function && function.getInt() == number)
      return static_cast<int32_t>(i);
  }
  return std::nullopt;
}

struct ConvertPlaceToCPU : impl::ConvertPlaceToCPUPassBase<ConvertPlaceToCPU> {
  using ConvertPlaceToCPUPassBase::ConvertPlaceToCPUPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<CPUMachine> machine = describeCPU(cpu);
    if (!machine) {
      module.emitError("cannot compile for this cpu: ") << llvm::toString(machine.takeError());
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
    for (auto [number, function] : llvm::enumerate(functions)) {
      if (!function->hasAttr("sluice.export")) {
        function.emitOpError(
            "is not exported; expected exported functions only at the placed stage");
        return signalPassFailure();
      }
      if (failed(writeEntry(function, *machine, firstOpOf(module, static_cast<int64_t>(number)))))
        return signalPassFailure();
    }
    for (func::FuncOp function : functions)
      function.erase();
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (isa<ParamOp, KVOp>(op))
        op.erase();
    declareVersion(module);
  }

  /// The loader refuses a library without it, or with another one.
  static void declareVersion(ModuleOp module) {
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    LLVM::GlobalOp::create(builder, module.getLoc(), builder.getI32Type(), /*isConstant=*/true,
                           LLVM::Linkage::External, "sluice_abi_version",
                           builder.getI32IntegerAttr(SLUICE_ABI_VERSION));
  }
};

} // namespace
} // namespace sluice::cpu
