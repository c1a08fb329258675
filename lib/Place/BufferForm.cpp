// SPDX-License-Identifier: Apache-2.0
//
// The buffer form of each op: its operands' memrefs, its destination, its phase. Views become views
// of memory.

#include "lib/Place/BufferTypes.h"
#include "lib/Place/Bufferizer.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace sluice::place {
namespace {

/// What a phase is called: the weight that it reads, else the family.
StringRef phaseName(Operation *op) {
  if (auto linear = dyn_cast<LinearOp>(op))
    if (auto use = linear.getWeight().getDefiningOp<ParamUseOp>())
      return use.getParam();
  if (auto linear = dyn_cast<HeadsLinearOp>(op))
    if (auto use = linear.getWeight().getDefiningOp<ParamUseOp>())
      return use.getParam();
  if (auto experts = dyn_cast<RouteExpertsOp>(op))
    if (auto use = experts.getWeight().getDefiningOp<ParamUseOp>())
      return use.getParam();
  return op->getName().stripDialect();
}

/// The operands that have to be weights of the model: a kernel reads them in the layout of a param.
SmallVector<Value> weightOperands(Operation *op) {
  SmallVector<Value> weights;
  if (auto linear = dyn_cast<LinearOp>(op))
    weights = {linear.getWeight(), linear.getBias()};
  else if (auto norm = dyn_cast<NormOp>(op))
    weights = {norm.getWeight(), norm.getBias()};
  else if (auto heads = dyn_cast<HeadsLinearOp>(op))
    weights = {heads.getWeight()};
  else if (auto route = dyn_cast<RouteOp>(op))
    weights = {route.getBias()};
  else if (auto experts = dyn_cast<RouteExpertsOp>(op))
    weights = {experts.getWeight(), experts.getBias()};
  llvm::erase(weights, Value());
  return weights;
}

/// The operands that may be weights as well as rows.
bool mayBeWeight(Operation *op, Value operand) {
  if (auto embed = dyn_cast<EmbedOp>(op))
    return operand == embed.getTable();
  if (auto clamp = dyn_cast<ClampOp>(op))
    return operand == clamp.getWidth();
  return llvm::is_contained(weightOperands(op), operand);
}

SmallVector<OpFoldResult> asMapped(ArrayRef<OpFoldResult> sizes,
                                   const DenseMap<Value, Value> &mapped) {
  return llvm::map_to_vector(sizes, [&](OpFoldResult size) -> OpFoldResult {
    if (auto value = dyn_cast<Value>(size))
      return mapped.lookup(value);
    return size;
  });
}

/// Memrefs are never longer than their rows: a slice takes all of them, or its items would not be
/// those of the phase.
bool takesAllRows(mlir::tensor::ExtractSliceOp slice) {
  auto offset = getConstantIntValue(slice.getMixedOffsets()[0]);
  auto size = slice.getMixedSizes()[0];
  int64_t rows = slice.getSourceType().getDimSize(0);
  if (offset != 0)
    return false;
  if (!ShapedType::isDynamic(rows))
    return getConstantIntValue(size) == rows;
  auto value = dyn_cast<Value>(size);
  auto dim = value ? value.getDefiningOp<mlir::tensor::DimOp>() : nullptr;
  return dim && dim.getConstantIndex() == 0;
}
} // namespace

LogicalResult Bufferizer::emitView(Operation *op) {
  Location loc = op->getLoc();
  Value from = lookup(op->getOperand(0));
  if (auto dim = dyn_cast<mlir::tensor::DimOp>(op)) {
    if (isa<MemRefType>(from.getType()))
      mapped[dim] = memref::DimOp::create(builder, loc, from, lookup(dim.getIndex()));
    else
      mapped[dim] = mlir::tensor::DimOp::create(builder, loc, from, lookup(dim.getIndex()));
    return success();
  }
  auto source = dyn_cast<MemRefType>(from.getType());
  if (!source)
    return unsupported(op, "it views a weight");

  if (auto slice = dyn_cast<mlir::tensor::ExtractSliceOp>(op)) {
    if (!takesAllRows(slice))
      return unsupported(op, "a slice has to take all rows");
    auto offsets = asMapped(slice.getMixedOffsets(), mapped),
         sizes = asMapped(slice.getMixedSizes(), mapped),
         strides = asMapped(slice.getMixedStrides(), mapped);
    auto type = memref::SubViewOp::inferRankReducedResultType(slice.getType().getShape(), source,
                                                              offsets, sizes, strides);
    mapped[slice] = memref::SubViewOp::create(builder, loc, cast<MemRefType>(type), from, offsets,
                                              sizes, strides);
    return success();
  }
  if (auto expand = dyn_cast<mlir::tensor::ExpandShapeOp>(op)) {
    auto type = memref::ExpandShapeOp::computeExpandedType(source, expand.getType().getShape(),
                                                           expand.getReassociationIndices());
    if (failed(type))
      return unsupported(op, "its rows are not contiguous");
    mapped[expand] =
        memref::ExpandShapeOp::create(builder, loc, *type, from, expand.getReassociationIndices(),
                                      asMapped(expand.getMixedOutputShape(), mapped));
    return success();
  }
  auto collapse = cast<mlir::tensor::CollapseShapeOp>(op);
  auto groups = collapse.getReassociationIndices();
  if (!memref::CollapseShapeOp::isGuaranteedCollapsible(source, groups))
    return unsupported(op, "its rows are not contiguous");
  mapped[collapse] = memref::CollapseShapeOp::create(builder, loc, from, groups);
  return success();
}

/// bf16 rows for a linear layer that multiplies by fma are read widened; rows that lie in memory as
/// bf16 (an argument, say) are widened once, into a buffer of their own.
FailureOr<Value> Bufferizer::rowsForDot(Operation *layer, Value tensor, Attribute chosen) {
  Value rows = lookup(tensor);
  auto schedule = dyn_cast_or_null<PanelsAttr>(chosen);
  if (!isa<MemRefType>(rows.getType()))
    return rows; // reported with the other weights in the wrong place
  if (!getElementTypeOrSelf(rows).isBF16() || !schedule || schedule.getDot() != Dot::Fma)
    return rows;
  Extent extent = extents.of(tensor);
  MemRefType type = bufferType(cast<RankedTensorType>(tensor.getType()), builder.getF32Type(),
                               /*padded=*/true);
  Value wide = makeBuffer(layer->getLoc(), stringify(extent), bufferSize(type, extent), type);
  if (failed(emitCopy(layer, tensor, wide)))
    return failure();
  return wide;
}

LogicalResult Bufferizer::emitCompute(ComputeOpInterface compute) {
  Operation *op = compute;
  for (Value weight : weightOperands(op))
    if (!weight.getDefiningOp<ParamUseOp>())
      return unsupported(op, "its weights have to be params of the model");

  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    Value value = lookup(operand);
    if (isa<RankedTensorType>(value.getType()) && !mayBeWeight(op, operand))
      return unsupported(op, "it reads a param as if it were rows");
    operands.push_back(value);
  }
  if (auto linear = dyn_cast<LinearOp>(op)) {
    FailureOr<Value> rows = rowsForDot(linear, linear.getRows(), linear.getScheduleAttr());
    if (failed(rows))
      return failure();
    operands[linear.getRowsMutable().getOperandNumber()] = *rows;
  }
  // `into` is the last group of operands.
  for (Value result : op->getResults())
    operands.push_back(destination(result));
  NamedAttrList attributes(op->getAttrDictionary());
  if (auto segments = op->getAttrOfType<DenseI32ArrayAttr>("operandSegmentSizes")) {
    SmallVector<int32_t> sizes(segments.asArrayRef());
    sizes.back() = op->getNumResults();
    attributes.set("operandSegmentSizes", builder.getDenseI32ArrayAttr(sizes));
  }

  Share share = isa<LinearOp>(op)        ? Share::Columns
                : isa<HeadsLinearOp>(op) ? Share::Heads
                                         : rowShare(op->getResult(0));
  // Who is dropped depends on all rows before.
  if (auto route = dyn_cast<RouteOp>(op); route && route.getBatchDependent())
    share = Share::One;
  emitPhase(op->getLoc(), phaseName(op), share, [&] {
    OperationState state(op->getLoc(), op->getName());
    state.addOperands(operands);
    state.addAttributes(attributes.getAttrs());
    builder.create(state);
  });
  return success();
}

std::pair<Value, Value> Bufferizer::groupsOf(Value ids, int64_t experts, Location loc) {
  auto [known, isNew] = groups.try_emplace(ids);
  if (!isNew)
    return known->second;
  auto type = cast<RankedTensorType>(ids.getType());
  Extent extent = extents.of(ids);
  auto order = MemRefType::get({type.getDimSize(0), type.getDimSize(1), 2}, builder.getI32Type());
  auto start = MemRefType::get({experts + 1}, builder.getI32Type());
  Value sorted = makeBuffer(loc, stringify(extent), bufferSize(order, extent), order);
  Value starts = makeBuffer(loc, stringify(Extent::Fixed), bufferSize(start, Extent::Fixed), start);
  emitPhase(loc, "group", Share::One, [&] {
    RouteGroupOp::create(builder, loc, TypeRange(), lookup(ids), ValueRange{sorted, starts});
  });
  return groups[ids] = {sorted, starts};
}

LogicalResult Bufferizer::emitExperts(RouteExpertsOp op) {
  for (Value weight : weightOperands(op))
    if (!weight.getDefiningOp<ParamUseOp>())
      return unsupported(op, "its weights have to be params of the model");
  if (!isa<MemRefType>(lookup(op.getIds()).getType()))
    return unsupported(op, "it reads a param as if it were rows");
  FailureOr<Value> rows = rowsForDot(op, op.getRows(), op.getScheduleAttr());
  if (failed(rows))
    return failure();
  if (!isa<MemRefType>(rows->getType()))
    return unsupported(op, "it reads a param as if it were rows");
  auto [order, start] = groupsOf(op.getIds(), op.getExperts(), op.getLoc());
  Value into = destination(op.getResult());
  Value bias = op.getBias() ? lookup(op.getBias()) : Value();
  emitPhase(op.getLoc(), phaseName(op), Share::Columns, [&] {
    RouteExpertsOp::create(builder, op.getLoc(), Type(), *rows, lookup(op.getWeight()),
                           lookup(op.getIds()), bias, ValueRange{order, start}, into,
                           op.getInputsAttr(), op.getScheduleAttr());
  });
  return success();
}

LogicalResult Bufferizer::emitAttention(AttentionOp op) {
  Location loc = op.getLoc();
  Value tiles;
  IntegerAttr kvHeads, valueSize;
  if (op.getKey()) {
    // Keys and values of this step are packed into tiles: then it is the same kernel, with the same
    // bits.
    auto key = cast<RankedTensorType>(op.getKey().getType()),
         value = cast<RankedTensorType>(op.getValue().getType());
    if (!key.getElementType().isF32())
      return unsupported(op, "keys and values have to be f32");
    if (!isa<MemRefType>(lookup(op.getKey()).getType()) ||
        !isa<MemRefType>(lookup(op.getValue()).getType()))
      return unsupported(op, "it reads a param as if it were rows");
    kvHeads = builder.getI64IntegerAttr(key.getDimSize(1));
    valueSize = builder.getI64IntegerAttr(value.getDimSize(2));
    tiles = makeBuffer(loc, "bytes",
                       tilesSize(builder.getContext(), key.getElementType(), key.getDimSize(1),
                                 key.getDimSize(2), value.getDimSize(2)),
                       MemRefType::get({ShapedType::kDynamic}, builder.getI8Type()));
    emitPhase(loc, "pack", Share::Rows, [&] {
      CachePackOp::create(builder, loc, lookup(op.getKey()), lookup(op.getValue()),
                          lookup(op.getBatch()), tiles);
    });
  }
  for (Value rows : {op.getQuery(), op.getSegments(), op.getParents(), op.getPrefixes()})
    if (rows && !isa<MemRefType>(lookup(rows).getType()))
      return unsupported(op, "it reads a param as if it were rows");
  SmallVector<Value> into;
  for (Value output : op.getOutputs())
    into.push_back(destination(output));
  auto mappedOrNone = [&](Value value) { return value ? lookup(value) : Value(); };
  emitPhase(loc, "attention", Share::Heads, [&] {
    AttentionOp::create(
        builder, loc, TypeRange(), lookup(op.getQuery()), Value(), Value(),
        mappedOrNone(op.getPages()), mappedOrNone(op.getLayer()), tiles, lookup(op.getBatch()),
        mappedOrNone(op.getWindow()), mappedOrNone(op.getSegments()), mappedOrNone(op.getParents()),
        mappedOrNone(op.getPrefixes()), mappedOrNone(op.getSlopes()), mappedOrNone(op.getBias()),
        mappedOrNone(op.getSinks()), into, op.getMask(), op.getScaleAttr(), op.getSoftcapAttr(),
        kvHeads, valueSize, op.getRoundAttr());
  });
  return success();
}

LogicalResult Bufferizer::emitAdd(arith::AddFOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  if (type.getRank() != 2 || !type.getElementType().isF32())
    return unsupported(op, "sums of tensors have to be f32 and have two dims");
  Value lhs = lookup(op.getLhs()), rhs = lookup(op.getRhs());
  if (!isa<MemRefType>(lhs.getType()) || !isa<MemRefType>(rhs.getType()))
    return unsupported(op, "it reads a param as if it were rows");
  Value into = destination(op.getResult());
  emitPhase(op.getLoc(), "add", rowShare(op.getResult()),
            [&] { AddOp::create(builder, op.getLoc(), Type(), lhs, rhs, into); });
  return success();
}

void Bufferizer::emitAppend(CacheAppendOp op) {
  mapped[op.getResult()] = lookup(op.getPages());
  emitPhase(op.getLoc(), "append", Share::Rows, [&] {
    CacheAppendOp::create(builder, op.getLoc(), Type(), lookup(op.getKey()),
                          op.getValue() ? lookup(op.getValue()) : Value(), lookup(op.getPages()),
                          lookup(op.getLayer()), lookup(op.getBatch()));
  });
}

LogicalResult Bufferizer::emitGather(GatherOp op) {
  auto table = op.getTable().getDefiningOp<ParamUseOp>();
  if (!table || table.getLayer())
    return unsupported(op, "its table has to be a param that is not stacked");
  int64_t token = tokens.size();
  tokens[op.getResult()] = token;
  Value into = destination(op.getResult());
  emitPhase(op.getLoc(), "submit", Share::One, [&] {
    SubmitOp::create(builder, op.getLoc(), table.getParamAttr(), lookup(op.getIds()), into,
                     builder.getI64IntegerAttr(token), op.getHomeAttr());
  });
  return success();
}

void Bufferizer::emitAwait(::sluice::AwaitOp op) {
  Value into = mapped[op.getResult()] = lookup(op.getFuture());
  emitPhase(op.getLoc(), "await", Share::One, [&] {
    place::AwaitOp::create(builder, op.getLoc(), tokens.lookup(op.getFuture()), into);
  });
}

Value Bufferizer::makeConstant(arith::ConstantOp op) {
  auto tensor = cast<RankedTensorType>(op.getType());
  MemRefType type = MemRefType::get(tensor.getShape(), tensor.getElementType());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(target);
  auto global = memref::GlobalOp::create(
      builder, op.getLoc(), "constant", builder.getStringAttr("private"), type,
      cast<ElementsAttr>(op.getValue()), /*constant=*/true, builder.getI64IntegerAttr(kLineBytes));
  symbols.insert(global);
  builder.setInsertionPoint(team);
  return memref::GetGlobalOp::create(builder, op.getLoc(), type, global.getSymName());
}
} // namespace sluice::place
