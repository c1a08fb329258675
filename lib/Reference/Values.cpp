// SPDX-License-Identifier: Apache-2.0

#include "sluice/Reference/Values.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace sluice::reference;

double sluice::reference::roundTo(Type type, double value) {
  if (type.isF64() || std::isnan(value))
    return value;
  bool inexact;
  llvm::APFloat rounded(value);
  rounded.convert(cast<FloatType>(type).getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven,
                  &inexact);
  rounded.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return rounded.convertToDouble();
}

//===-- Tensor
//-------------------------------------------------------------------------------------===//

Tensor::Tensor(Type element, llvm::ArrayRef<int64_t> shape) : element(element), shape(shape) {
  if (isFloat())
    numbers.assign(count(), 0.0);
  else
    integers.assign(count(), 0);
}

Tensor Tensor::scalar(Type element, double number) {
  Tensor tensor(element, {});
  tensor.put(0, number);
  return tensor;
}

Tensor Tensor::scalar(Type element, int64_t integer) {
  Tensor tensor(element, {});
  tensor.integers[0] = integer;
  return tensor;
}

Tensor Tensor::constant(DenseElementsAttr dense) {
  Type element = dense.getElementType();
  Tensor tensor(element, dense.getType().getShape());
  if (tensor.isFloat()) {
    for (auto [i, value] : llvm::enumerate(dense.getValues<llvm::APFloat>()))
      tensor.put(i, FloatAttr::get(element, value).getValueAsDouble());
    return tensor;
  }
  for (auto [i, value] : llvm::enumerate(dense.getValues<llvm::APInt>()))
    tensor.integers[i] = value.getBitWidth() == 1 ? value.getZExtValue() : value.getSExtValue();
  return tensor;
}

Tensor Tensor::bounded(Type element, llvm::ArrayRef<int64_t> shape) {
  Tensor tensor(element, shape);
  tensor.accuracy = Accuracy::Bounded;
  tensor.low.assign(tensor.count(), 0.0);
  tensor.high.assign(tensor.count(), 0.0);
  return tensor;
}

int64_t Tensor::count() const {
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  return product;
}

int64_t Tensor::at(llvm::ArrayRef<int64_t> index) const {
  assert(index.size() == shape.size() && "one index per dim");
  int64_t position = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    assert(index[i] >= 0 && index[i] < shape[i] && "index out of range");
    position = position * shape[i] + index[i];
  }
  return position;
}

void Tensor::put(int64_t index, double exact, double slack) {
  numbers[index] = roundTo(element, exact);
  if (accuracy != Accuracy::Bounded)
    return;
  if (!std::isfinite(exact) || !std::isfinite(slack))
    slack = 0;
  low[index] = roundTo(element, exact - slack);
  high[index] = roundTo(element, exact + slack);
}

void Tensor::move(int64_t index, const Tensor &other, int64_t from) {
  if (!isFloat()) {
    integers[index] = other.integers[from];
    return;
  }
  numbers[index] = other.numbers[from];
  if (other.accuracy == Accuracy::Bounded) {
    low[index] = other.low[from];
    high[index] = other.high[from];
  }
}

Tensor Tensor::reshaped(llvm::ArrayRef<int64_t> newShape) const {
  Tensor result = *this;
  result.shape.assign(newShape.begin(), newShape.end());
  assert(result.count() == count() && "a reshape keeps the number of elements");
  return result;
}

//===-- Batch
//--------------------------------------------------------------------------------------===//

int64_t Batch::sequenceOf(int64_t row) const {
  // The last sequence that starts at or before the row; empty ones before it start there too.
  return std::upper_bound(rowStart.begin(), rowStart.end(), row) - rowStart.begin() - 1;
}

int64_t Batch::indexOf(int64_t row) const {
  int64_t sequence = sequenceOf(row);
  return past[sequence] + row - rowStart[sequence];
}

Batch Batch::ragged(llvm::ArrayRef<int64_t> lengths, llvm::ArrayRef<int64_t> past) {
  Batch batch;
  for (size_t s = 0; s < lengths.size(); ++s) {
    batch.past.push_back(past.empty() ? 0 : past[s]);
    batch.rowStart.push_back(batch.rowStart.back() + lengths[s]);
    for (int64_t i = 0; i < lengths[s]; ++i)
      batch.position.push_back(batch.past.back() + i);
  }
  return batch;
}

//===-- Pages
//--------------------------------------------------------------------------------------===//

Pages::Pages(int64_t layers, int64_t heads, int64_t keySize, int64_t valueSize, int64_t page,
             Type element, int64_t count, bool shared)
    : layerCount(layers), headCount(heads), keys(keySize), values(valueSize), page(page),
      pageCount(count), shared(shared), element(element) {
  auto blank = std::make_shared<Page>();
  blank->key.assign(heads * page * keySize, std::numeric_limits<double>::quiet_NaN());
  blank->value.assign(shared ? 0 : heads * page * valueSize,
                      std::numeric_limits<double>::quiet_NaN());
  store.assign(layers * count, blank);
}

Page &Pages::write(int64_t layer, int64_t number) {
  std::shared_ptr<const Page> &shared = store[layer * pageCount + number];
  if (shared.use_count() > 1)
    shared = std::make_shared<Page>(*shared);
  // Sole owner of an object that was made non-const.
  return const_cast<Page &>(*shared);
}

double Pages::key(int64_t layer, int64_t number, int64_t head, int64_t slot, int64_t d) const {
  return read(layer, number).key[(head * page + slot) * keys + d];
}

double Pages::value(int64_t layer, int64_t number, int64_t head, int64_t slot, int64_t e) const {
  if (shared)
    return key(layer, number, head, slot, e);
  return read(layer, number).value[(head * page + slot) * values + e];
}

void Pages::setKey(int64_t layer, int64_t number, int64_t head, int64_t slot, int64_t d,
                   double value) {
  write(layer, number).key[(head * page + slot) * keys + d] = roundTo(element, value);
}

void Pages::setValue(int64_t layer, int64_t number, int64_t head, int64_t slot, int64_t e,
                     double value) {
  assert(!shared && "there are no values of their own");
  write(layer, number).value[(head * page + slot) * values + e] = roundTo(element, value);
}
