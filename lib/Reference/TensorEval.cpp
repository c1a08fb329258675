// SPDX-License-Identifier: Apache-2.0
//
// tensor: sizes, slices and reshapes. These ops move numbers, so bounds go with them.

#include "Rules.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

/// Offsets, sizes or strides, static and dynamic ones mixed.
static SmallVector<int64_t> numbersOf(ArrayRef<OpFoldResult> mixed, Frame &frame) {
  SmallVector<int64_t> result;
  for (OpFoldResult entry : mixed) {
    if (auto value = dyn_cast<Value>(entry))
      result.push_back(frame.integer(value));
    else
      result.push_back(*getConstantIntValue(entry));
  }
  return result;
}

/// A tensor like `like` but of another shape, ready for move().
static Tensor emptyLike(const Tensor &like, ArrayRef<int64_t> shape) {
  Tensor result = like.accuracy == Accuracy::Bounded ? Tensor::bounded(like.element, shape)
                                                     : Tensor(like.element, shape);
  result.accuracy = like.accuracy;
  result.roughened = like.roughened;
  return result;
}

/// Calls `body(index)` for every index into `shape`, in row-major order.
static void forEachIndex(ArrayRef<int64_t> shape,
                         llvm::function_ref<void(ArrayRef<int64_t>)> body) {
  SmallVector<int64_t> index(shape.size(), 0);
  if (llvm::is_contained(shape, 0))
    return;
  while (true) {
    body(index);
    int64_t i = static_cast<int64_t>(shape.size()) - 1;
    while (i >= 0 && ++index[i] == shape[i])
      index[i--] = 0;
    if (i < 0)
      return;
  }
}

/// A slice of a tensor, as the position of each of its elements in the whole.
template <typename SliceOp>
static FailureOr<SmallVector<int64_t>> positionsOf(SliceOp op, const Tensor &whole,
                                                   SmallVector<int64_t> &sizes, Frame &frame) {
  SmallVector<int64_t> offsets = numbersOf(op.getMixedOffsets(), frame);
  SmallVector<int64_t> strides = numbersOf(op.getMixedStrides(), frame);
  sizes = numbersOf(op.getMixedSizes(), frame);
  for (int64_t i = 0; i < whole.rank(); ++i) {
    int64_t last = offsets[i] + (sizes[i] - 1) * strides[i];
    if (sizes[i] < 0 || offsets[i] < 0 || (sizes[i] > 0 && (last < 0 || last >= whole.dim(i))))
      return FailureOr<SmallVector<int64_t>>(
          op.emitError() << "expects a slice inside the tensor, but dim " << i << " has size "
                         << whole.dim(i) << " and the slice goes from " << offsets[i] << " to "
                         << last);
  }
  SmallVector<int64_t> positions;
  forEachIndex(sizes, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> source;
    for (auto [i, offset, stride] : llvm::zip(index, offsets, strides))
      source.push_back(offset + i * stride);
    positions.push_back(whole.at(source));
  });
  return positions;
}

static LogicalResult evalExtractSlice(tensor::ExtractSliceOp op, Frame &frame) {
  const Tensor &source = frame.tensor(op.getSource());
  SmallVector<int64_t> sizes;
  FailureOr<SmallVector<int64_t>> positions = positionsOf(op, source, sizes, frame);
  if (failed(positions))
    return failure();
  // The result may lack dims of size 1.
  SmallVector<int64_t> shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [i, size] : llvm::enumerate(sizes))
    if (!dropped.test(i))
      shape.push_back(size);
  Tensor result = emptyLike(source, shape);
  for (auto [i, position] : llvm::enumerate(*positions))
    result.move(i, source, position);
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalInsertSlice(tensor::InsertSliceOp op, Frame &frame) {
  const Tensor &source = frame.tensor(op.getSource());
  Tensor result = frame.tensor(op.getDest());
  SmallVector<int64_t> sizes;
  FailureOr<SmallVector<int64_t>> positions = positionsOf(op, result, sizes, frame);
  if (failed(positions))
    return failure();
  if (static_cast<int64_t>(positions->size()) != source.count())
    return op.emitError() << "expects a source of " << positions->size() << " numbers, but it has "
                          << source.count();
  if (source.accuracy == Accuracy::Program || result.accuracy == Accuracy::Program) {
    result.accuracy = Accuracy::Program;
  } else if (source.accuracy == Accuracy::Bounded && result.accuracy == Accuracy::Exact) {
    result.accuracy = Accuracy::Bounded;
    result.low = result.high = result.numbers;
  }
  result.roughened |= source.roughened;
  for (auto [i, position] : llvm::enumerate(*positions)) {
    result.move(position, source, i);
    if (result.accuracy == Accuracy::Bounded && source.accuracy == Accuracy::Exact)
      result.low[position] = result.high[position] = source.numbers[i];
  }
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalExpand(tensor::ExpandShapeOp op, Frame &frame) {
  const Tensor &source = frame.tensor(op.getSrc());
  SmallVector<int64_t> shape = numbersOf(op.getMixedOutputShape(), frame);
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  if (product != source.count())
    return op.emitError() << "expects sizes of " << source.count() << " elements, but they have "
                          << product;
  return frame.give(op.getResult(), source.reshaped(shape));
}

static LogicalResult evalCollapse(tensor::CollapseShapeOp op, Frame &frame) {
  const Tensor &source = frame.tensor(op.getSrc());
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    shape.push_back(1);
    for (int64_t dim : group)
      shape.back() *= source.dim(dim);
  }
  return frame.give(op.getResult(), source.reshaped(shape));
}

static LogicalResult evalCast(tensor::CastOp op, Frame &frame) {
  return frame.give(op.getResult(), frame.tensor(op.getSource()));
}

static LogicalResult evalDim(tensor::DimOp op, Frame &frame) {
  const Tensor &source = frame.tensor(op.getSource());
  int64_t index = frame.integer(op.getIndex());
  if (index < 0 || index >= source.rank())
    return op.emitError() << "expects a dim below " << source.rank() << ", but it is " << index;
  return frame.give(op.getResult(), Tensor::scalar(op.getType(), source.dim(index)));
}

/// Contents are unspecified; NaN and a far-off integer show where they are read.
static LogicalResult evalEmpty(tensor::EmptyOp op, Frame &frame) {
  Tensor result(op.getType().getElementType(), numbersOf(op.getMixedSizes(), frame));
  for (double &number : result.numbers)
    number = std::nan("");
  for (int64_t &integer : result.integers)
    integer = 0x5A5A5A5A;
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalExtract(tensor::ExtractOp op, Frame &frame) {
  const Tensor &source = frame.tensor(op.getTensor());
  SmallVector<int64_t> index;
  for (auto [i, value] : llvm::enumerate(op.getIndices())) {
    index.push_back(frame.integer(value));
    if (index.back() < 0 || index.back() >= source.dim(i))
      return op.emitError() << "expects an index below " << source.dim(i) << ", but it is "
                            << index.back();
  }
  Tensor result = emptyLike(source, {});
  result.move(0, source, source.at(index));
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalSplat(tensor::SplatOp op, Frame &frame) {
  SmallVector<int64_t> shape;
  unsigned dynamic = 0;
  for (int64_t size : op.getType().getShape())
    shape.push_back(ShapedType::isDynamic(size) ? frame.integer(op.getDynamicSizes()[dynamic++])
                                                : size);
  const Tensor &input = frame.tensor(op.getInput());
  Tensor result = emptyLike(input, shape);
  for (int64_t i = 0; i < result.count(); ++i)
    result.move(i, input, 0);
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addTensorRules(RuleBook &book) {
  book.add<tensor::ExtractSliceOp>(evalExtractSlice, /*moves=*/true);
  book.add<tensor::InsertSliceOp>(evalInsertSlice, /*moves=*/true);
  book.add<tensor::ExpandShapeOp>(evalExpand, /*moves=*/true);
  book.add<tensor::CollapseShapeOp>(evalCollapse, /*moves=*/true);
  book.add<tensor::CastOp>(evalCast, /*moves=*/true);
  book.add<tensor::DimOp>(evalDim, /*moves=*/true);
  book.add<tensor::EmptyOp>(evalEmpty);
  book.add<tensor::ExtractOp>(evalExtract, /*moves=*/true);
  book.add<tensor::SplatOp>(evalSplat, /*moves=*/true);
}
