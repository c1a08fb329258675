// SPDX-License-Identifier: Apache-2.0
//
// Memory given to compiled code: between red zones, and full of poison until something is put
// there.

#ifndef SLUICE_TOOLS_CHECK_GUARDEDMEMORY_H
#define SLUICE_TOOLS_CHECK_GUARDEDMEMORY_H

#include "sluice/Reference/Values.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::check {

/// `size` bytes, 64-byte aligned, between zones of known bytes. Poison is 0xFF: NaN in every float
/// type, -1 in integers.
class GuardedMemory {
public:
  explicit GuardedMemory(size_t size);
  GuardedMemory(GuardedMemory &&) = default;

  uint8_t *data() { return base; }
  const uint8_t *data() const { return base; }
  size_t size() const { return bytes; }
  /// Remembers the content; what changes it afterwards is damage.
  void freeze() { frozen.assign(base, base + bytes); }
  /// What is wrong, if anything is: a changed red zone, or a change of frozen content.
  std::optional<std::string> damage() const;

private:
  std::vector<uint8_t> storage;
  uint8_t *base;
  size_t bytes;
  std::vector<uint8_t> frozen;
};

/// Bytes of one element of `type`.
size_t elementBytes(mlir::Type type);
/// Writes and reads one element; floats as doubles that the type holds exactly.
void storeFloat(uint8_t *at, mlir::Type type, double value);
double loadFloat(const uint8_t *at, mlir::Type type);
/// A whole tensor, row-major and dense.
void storeTensor(uint8_t *at, const reference::Tensor &tensor);
reference::Tensor loadTensor(const uint8_t *at, mlir::Type element, llvm::ArrayRef<int64_t> shape);

} // namespace sluice::check

#endif // SLUICE_TOOLS_CHECK_GUARDEDMEMORY_H
