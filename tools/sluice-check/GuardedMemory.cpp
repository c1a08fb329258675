// SPDX-License-Identifier: Apache-2.0

#include "GuardedMemory.h"
#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace sluice;
using namespace sluice::check;
using namespace sluice::reference;

static constexpr size_t kZone = 512;
static constexpr uint8_t kRed = 0xA5, kPoison = 0xFF;

GuardedMemory::GuardedMemory(size_t size) : storage(size + 2 * kZone + 64, kRed), bytes(size) {
  auto address = reinterpret_cast<uintptr_t>(storage.data()) + kZone;
  base = storage.data() + kZone + (64 - address % 64) % 64;
  std::fill(base, base + bytes, kPoison);
}

std::optional<std::string> GuardedMemory::damage() const {
  const uint8_t *end = storage.data() + storage.size();
  for (const uint8_t *p = base - 1; p >= storage.data(); --p)
    if (*p != kRed)
      return std::to_string(base - p) + " bytes before its start were written";
  for (const uint8_t *p = base + bytes; p < end; ++p)
    if (*p != kRed)
      return std::to_string(p - base - bytes) + " bytes after its end were written";
  if (!frozen.empty() && std::memcmp(frozen.data(), base, bytes) != 0) {
    size_t first = std::mismatch(frozen.begin(), frozen.end(), base).first - frozen.begin();
    return "it is read-only, but its byte " + std::to_string(first) + " was written";
  }
  return std::nullopt;
}

size_t check::elementBytes(Type type) {
  return isa<IndexType>(type) ? 8 : (type.getIntOrFloatBitWidth() + 7) / 8;
}

void check::storeFloat(uint8_t *at, Type type, double value) {
  if (type.isF32()) {
    float narrow = static_cast<float>(value);
    std::memcpy(at, &narrow, 4);
    return;
  }
  bool inexact;
  llvm::APFloat number(value);
  number.convert(cast<FloatType>(type).getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven,
                 &inexact);
  uint64_t bits = number.bitcastToAPInt().getZExtValue();
  std::memcpy(at, &bits, elementBytes(type));
}

double check::loadFloat(const uint8_t *at, Type type) {
  if (type.isF32()) {
    float narrow;
    std::memcpy(&narrow, at, 4);
    return narrow;
  }
  uint64_t bits = 0;
  std::memcpy(&bits, at, elementBytes(type));
  auto &semantics = cast<FloatType>(type).getFloatSemantics();
  llvm::APFloat number(semantics, llvm::APInt(type.getIntOrFloatBitWidth(), bits));
  bool inexact;
  number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return number.convertToDouble();
}

void check::storeTensor(uint8_t *at, const Tensor &tensor) {
  size_t bytes = elementBytes(tensor.element);
  for (int64_t i = 0; i < tensor.count(); ++i)
    if (tensor.isFloat())
      storeFloat(at + i * bytes, tensor.element, tensor.numbers[i]);
    else
      std::memcpy(at + i * bytes, &tensor.integers[i], bytes);
}

Tensor check::loadTensor(const uint8_t *at, Type element, llvm::ArrayRef<int64_t> shape) {
  Tensor tensor(element, shape);
  size_t bytes = elementBytes(element);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    if (tensor.isFloat()) {
      tensor.numbers[i] = loadFloat(at + i * bytes, element);
      continue;
    }
    uint64_t bits = 0;
    std::memcpy(&bits, at + i * bytes, bytes);
    tensor.integers[i] =
        bytes == 8 ? static_cast<int64_t>(bits) : llvm::SignExtend64(bits, bytes * 8);
  }
  return tensor;
}
