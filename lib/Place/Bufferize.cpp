//===- Bufferize.cpp - every tensor gets a buffer, every op a phase -------===//
// SPDX-License-Identifier: Apache-2.0
//
//   func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {       func @f(%x: memref<?x8xf32>, %out:
//   memref<?x8xf32>) {
//     %y = sluice.norm rms %x {...}                           %b = place.buffer "rows" size ... :
//     memref<?x8xf32, ...> %z = sluice.linear %y, %w                      ==>      place.team {
//     return %z                                                 place.phase "norm" share rows {
//     sluice.norm rms %x into %b }
//   }                                                           place.phase "w" share columns {
//   sluice.linear %b, %w into %out }
//                                                             }
//                                                           }
//
// Before: the tensor stage, with layouts and schedules. After: the placed stage without barriers or
// addresses. Which tensors lie in one buffer is BufferSharing's decision; where a value has to lie
// in two places a place.copy says so. Fails, naming the op, on what has no buffer form.
//===----------------------------------------------------------------------===//
#include "lib/Place/BufferTypes.h"
#include "lib/Place/Bufferizer.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "sluice/Place/Passes.h"

using namespace mlir;

namespace sluice::place {
#define GEN_PASS_DEF_BUFFERIZEPASS
#include "sluice/Place/Passes.h.inc"

LogicalResult Bufferizer::unsupported(Operation *op, const Twine &why) {
  auto error = op->emitOpError("has no buffer form, so the function cannot be placed");
  if (!why.isTriviallyEmpty())
    error << ": " << why;
  return error;
}

/// What numbers of an integer argument may be: below the number of rows of the tables that it
/// selects from. Those of this step's rows are as many as the batch has: "rows". Null when the
/// argument selects nothing.
static Attribute boundOf(BlockArgument argument) {
  Builder builder(argument.getContext());
  std::optional<int64_t> bound;
  bool ofRows = false;
  for (Operation *user : argument.getUsers()) {
    Value table;
    if (auto embed = dyn_cast<EmbedOp>(user); embed && embed.getIds() == argument)
      table = embed.getTable();
    else if (auto gather = dyn_cast<GatherOp>(user); gather && gather.getIds() == argument)
      table = gather.getTable();
    else
      continue;
    int64_t rows = cast<RankedTensorType>(table.getType()).getDimSize(0);
    if (auto embed = dyn_cast<EmbedOp>(user); embed && !ShapedType::isDynamic(rows))
      rows -= static_cast<int64_t>(embed.getOffset().value_or(0));
    if (ShapedType::isDynamic(rows))
      ofRows = true;
    else
      bound = std::min(bound.value_or(rows), rows);
  }
  if (bound)
    return builder.getI64IntegerAttr(*bound);
  return ofRows ? builder.getStringAttr("rows") : Attribute();
}

void Bufferizer::makeFunction() {
  MLIRContext *context = source.getContext();
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (BlockArgument argument : source.getArguments()) {
    auto tensor = dyn_cast<RankedTensorType>(argument.getType());
    types.push_back(tensor ? Type(bufferType(tensor, tensor.getElementType(), /*padded=*/false))
                           : argument.getType());
    NamedAttrList named(source.getArgAttrDict(argument.getArgNumber()));
    if (Attribute bound = boundOf(argument))
      named.set("place.bound", bound);
    if (Extent extent = extents.of(argument); tensor && extent != Extent::Fixed)
      named.set("place.extent", builder.getStringAttr(stringify(extent)));
    attributes.push_back(named.getDictionary(context));
  }
  for (auto [i, type] : llvm::enumerate(source.getResultTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      continue; // pages: written in place
    types.push_back(bufferType(tensor, tensor.getElementType(), /*padded=*/false));
    NamedAttrList named(source.getResultAttrDict(i));
    named.set("sluice.out", UnitAttr::get(context));
    Value returned = source.getBody().front().getTerminator()->getOperand(i);
    if (Extent extent = extents.of(returned); extent != Extent::Fixed)
      named.set("place.extent", builder.getStringAttr(stringify(extent)));
    attributes.push_back(named.getDictionary(context));
  }

  builder.setInsertionPoint(source);
  target = func::FuncOp::create(builder, source.getLoc(), source.getName(),
                                builder.getFunctionType(types, {}));
  for (NamedAttribute attribute : source->getDiscardableAttrs())
    target->setDiscardableAttr(attribute.getName(), attribute.getValue());
  target.setAllArgAttrs(attributes);
  Block *entry = target.addEntryBlock();
  for (auto [old, argument] : llvm::zip(source.getArguments(), entry->getArguments()))
    mapped[old] = argument;
  resultArguments.assign(entry->args_begin() + source.getNumArguments(), entry->args_end());

  builder.setInsertionPointToEnd(entry);
  team = TeamOp::create(builder, source.getLoc());
  team.getBody().emplaceBlock();
  func::ReturnOp::create(builder, source.getBody().front().getTerminator()->getLoc());
  builder.setInsertionPoint(team);
}

Value Bufferizer::makeBuffer(Location loc, StringRef extent, ExtentAttr size, MemRefType type) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(team);
  return BufferOp::create(builder, loc, type, extent, size, ExtentAttr());
}

void Bufferizer::makeBuffers() {
  for (Value tensor : sharing.representatives()) {
    unsigned group = *sharing.groupOf(tensor);
    if (auto result = sharing.resultOf(group)) {
      memory[group] = resultArguments[*result];
      continue;
    }
    auto future = dyn_cast<FutureType>(tensor.getType());
    auto type = future ? future.getValue() : cast<RankedTensorType>(tensor.getType());
    MemRefType buffer = bufferType(type, storedElement(tensor), /*padded=*/true);
    Extent extent = extents.of(tensor);
    memory[group] =
        makeBuffer(tensor.getLoc(), stringify(extent), bufferSize(buffer, extent), buffer);
  }
}

Value Bufferizer::destination(Value result) {
  return mapped[result] = memory.lookup(*sharing.groupOf(result));
}

void Bufferizer::emitPhase(Location loc, StringRef name, Share share, function_ref<void()> write) {
  OpBuilder::InsertionGuard guard(builder);
  auto phase = PhaseOp::create(builder, loc, name, share);
  builder.setInsertionPointToStart(&phase.getBody().emplaceBlock());
  write();
}

Share Bufferizer::rowShare(Value tensor) {
  switch (extents.of(tensor)) {
  case Extent::Seqs:
    return Share::Seqs;
  case Extent::Asked:
    return Share::Asked;
  case Extent::Rows:
  case Extent::Fixed:
    return Share::Rows;
  }
  llvm_unreachable("extent");
}

/// Writes the value at `from` (a tensor of the old function) to `into` too, unless it lies there.
LogicalResult Bufferizer::emitCopy(Operation *cause, Value from, Value into) {
  Value memref = lookup(from);
  if (memref == into)
    return success();
  if (!isa_and_present<MemRefType>(memref.getType()))
    return unsupported(cause, "a weight would have to be copied into a buffer");
  Type have = getElementTypeOrSelf(memref), want = getElementTypeOrSelf(into);
  if (have != want && !want.isF32())
    return unsupported(cause, "rows that are kept as f32 would have to be narrowed");
  emitPhase(cause->getLoc(), "copy", rowShare(from),
            [&] { CopyOp::create(builder, cause->getLoc(), memref, into); });
  return success();
}

LogicalResult Bufferizer::emitLoop(scf::ForOp loop) {
  for (auto [init, carried, result] :
       llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getResults())) {
    if (isa<PagesType>(carried.getType())) {
      mapped[carried] = mapped[result] = lookup(init);
      continue;
    }
    mapped[result] = destination(carried);
    if (failed(emitCopy(loop, init, lookup(carried))))
      return failure();
  }

  auto emitted = scf::ForOp::create(builder, loop.getLoc(), lookup(loop.getLowerBound()),
                                    lookup(loop.getUpperBound()), lookup(loop.getStep()));
  mapped[loop.getInductionVar()] = emitted.getInductionVar();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(emitted.getBody()->getTerminator());
  if (failed(emitBlock(*loop.getBody())))
    return failure();

  // What does not lie where the next round reads it is copied there.
  for (auto [carried, yielded] :
       llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues())) {
    if (!isa<RankedTensorType>(carried.getType()) || yielded == carried)
      continue;
    if (failed(emitCopy(loop.getBody()->getTerminator(), yielded, lookup(carried))))
      return failure();
  }
  return success();
}

LogicalResult Bufferizer::emitReturn(func::ReturnOp ret) {
  unsigned number = 0;
  for (Value value : ret.getOperands()) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    if (failed(emitCopy(ret, value, resultArguments[number++])))
      return failure();
  }
  return success();
}

LogicalResult Bufferizer::emitOp(Operation *op) {
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return emitLoop(loop);
  if (auto ret = dyn_cast<func::ReturnOp>(op))
    return emitReturn(ret);
  if (isa<scf::YieldOp>(op))
    return success();
  if (isa<mlir::tensor::ExtractSliceOp, mlir::tensor::ExpandShapeOp, mlir::tensor::CollapseShapeOp,
          mlir::tensor::DimOp>(op))
    return emitView(op);
  if (auto attention = dyn_cast<AttentionOp>(op))
    return emitAttention(attention);
  if (auto experts = dyn_cast<RouteExpertsOp>(op))
    return emitExperts(experts);
  if (auto compute = dyn_cast<ComputeOpInterface>(op))
    return emitCompute(compute);
  if (auto add = dyn_cast<arith::AddFOp>(op); add && isa<RankedTensorType>(add.getType()))
    return emitAdd(add);
  if (auto append = dyn_cast<CacheAppendOp>(op)) {
    emitAppend(append);
    return success();
  }
  if (auto gather = dyn_cast<GatherOp>(op))
    return emitGather(gather);
  if (auto await = dyn_cast<::sluice::AwaitOp>(op)) {
    emitAwait(await);
    return success();
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op);
      constant && isa<RankedTensorType>(constant.getType())) {
    mapped[constant] = makeConstant(constant);
    return success();
  }
  if (auto positions = dyn_cast<BatchPositionsOp>(op)) {
    auto type = cast<RankedTensorType>(positions.getResult().getType());
    mapped[positions] = BatchPositionsOp::create(
        builder, op->getLoc(), MemRefType::get(type.getShape(), type.getElementType()),
        lookup(positions.getBatch()));
    return success();
  }

  // Weights, and arithmetic on single numbers: as they are.
  bool scalar =
      isa<ParamUseOp>(op) || (op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
                              llvm::none_of(op->getOperandTypes(), llvm::IsaPred<ShapedType>) &&
                              llvm::none_of(op->getResultTypes(), llvm::IsaPred<ShapedType>));
  if (!scalar)
    return unsupported(op);
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, lookup(operand));
  Operation *copy = builder.clone(*op, mapping);
  for (auto [old, result] : llvm::zip_equal(op->getResults(), copy->getResults()))
    mapped[old] = result;
  return success();
}

LogicalResult Bufferizer::emitBlock(Block &block) {
  for (Operation &op : block)
    if (failed(emitOp(&op)))
      return failure();
  return success();
}

LogicalResult Bufferizer::run() {
  makeFunction();
  makeBuffers();
  builder.setInsertionPointToEnd(&team.getBody().front());
  if (failed(emitBlock(source.getBody().front()))) {
    target.erase();
    return failure();
  }
  source.erase();
  return success();
}

namespace {
/// Loops carry tensors and pages, each in its place: two that change places would need a third
/// place.
LogicalResult checkLoop(scf::ForOp loop) {
  for (auto [carried, yielded] :
       llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues())) {
    if (!isa<RankedTensorType, PagesType>(carried.getType()))
      return loop.emitOpError(
          "has no buffer form, so the function cannot be placed: it carries a value that is "
          "neither a tensor nor pages");
    if (yielded != carried && llvm::is_contained(loop.getRegionIterArgs(), viewedTensor(yielded)))
      return loop.emitOpError(
          "has no buffer form, so the function cannot be placed: it hands a carried tensor on as "
          "another one");
  }
  return success();
}

struct Bufferize : impl::BufferizePassBase<Bufferize> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto func : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (func.isExternal() || !llvm::hasSingleElement(func.getBody())) {
        func.emitOpError("expects a body of one block, so the function cannot be placed");
        return signalPassFailure();
      }
      if (llvm::any_of(func.getBody().front(), llvm::IsaPred<TeamOp>))
        continue; // placed already
      WalkResult loops = func.walk([](scf::ForOp loop) {
        return failed(checkLoop(loop)) ? WalkResult::interrupt() : WalkResult::advance();
      });
      if (loops.wasInterrupted())
        return signalPassFailure();
      FailureOr<RowExtents> extents = RowExtents::infer(func);
      if (failed(extents))
        return signalPassFailure();
      BufferSharing sharing(func, *extents);
      if (failed(Bufferizer(func, *extents, sharing, symbols).run()))
        return signalPassFailure();
    }
  }
};
} // namespace
} // namespace sluice::place
