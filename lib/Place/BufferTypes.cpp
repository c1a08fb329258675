// SPDX-License-Identifier: Apache-2.0
//
// Types and sizes of buffers.

#include "lib/Place/BufferTypes.h"

using namespace mlir;

namespace sluice::place {
namespace {
constexpr int64_t kAliasBytes = 4096;

int64_t elementBytes(Type element) { return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8); }

/// Elements of one row: everything after the leading dimension.
int64_t rowElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape.drop_front())
    count *= size;
  return count;
}
} // namespace

bool wantsPadding(RankedTensorType type) {
  return type.getRank() > 1 &&
         rowElements(type.getShape()) * elementBytes(type.getElementType()) % kAliasBytes == 0;
}

MemRefType bufferType(RankedTensorType type, Type element, bool padded) {
  if (!padded || type.getRank() < 2)
    return MemRefType::get(type.getShape(), element);
  int64_t bytes = llvm::alignTo(rowElements(type.getShape()) * elementBytes(element), kLineBytes);
  if (bytes % kAliasBytes == 0)
    bytes += kLineBytes;
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t dim = type.getRank() - 2; dim > 0; --dim)
    strides[dim] = strides[dim + 1] * type.getDimSize(dim + 1);
  strides[0] = bytes / elementBytes(element);
  if (strides[0] == rowElements(type.getShape()))
    return MemRefType::get(type.getShape(), element);
  return MemRefType::get(type.getShape(), element,
                         StridedLayoutAttr::get(type.getContext(), 0, strides));
}

ExtentAttr bufferSize(MemRefType type, Extent extent) {
  auto [strides, offset] = type.getStridesAndOffset();
  int64_t row = strides[0] * elementBytes(type.getElementType());
  MLIRContext *context = type.getContext();
  switch (extent) {
  case Extent::Rows:
  case Extent::Asked: // at most max_rows, which is a multiple of 16
    return ExtentAttr::get(context, llvm::alignTo(row, kLineBytes / 16), 0, 0);
  case Extent::Seqs:
    return ExtentAttr::get(context, 0, llvm::alignTo(row, kLineBytes), 0);
  case Extent::Fixed:
    return ExtentAttr::get(context, 0, 0, llvm::alignTo(row * type.getDimSize(0), kLineBytes));
  }
  llvm_unreachable("extent");
}

ExtentAttr tilesSize(MLIRContext *context, Type element, int64_t heads, int64_t keySize,
                     int64_t valueSize) {
  int64_t bytes = elementBytes(element), group = 4 / bytes;
  int64_t key = llvm::alignTo(keySize, group) * 16 * bytes, value = 16 * valueSize * bytes;
  int64_t tiles = heads * llvm::alignTo(key + value, kLineBytes);
  // tiles * (max_rows / 16 + max_seqs + 1)
  return ExtentAttr::get(context, tiles / 16, tiles, tiles);
}
} // namespace sluice::place
