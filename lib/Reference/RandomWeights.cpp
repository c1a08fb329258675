// SPDX-License-Identifier: Apache-2.0

#include "sluice/Reference/RandomWeights.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

float sluice::reference::randomValue(uint64_t seed, StringRef name, uint64_t index) {
  uint64_t hash = 0xCBF29CE484222325u; // FNV-1a
  for (char byte : name)
    hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
  uint64_t z = mix(mix(seed ^ hash) + (index + 1) * 0x9E3779B97F4A7C15u);
  return static_cast<float>(z >> 40) * 0x1p-23f - 1.0f;
}

/// What the role makes of a raw value; f32 throughout.
static float shape(Role role, float raw, int64_t fanIn) {
  switch (role) {
  case Role::Weight:
  case Role::Table:
    return raw * static_cast<float>(std::sqrt(3.0) * 1.2 / std::sqrt(static_cast<double>(fanIn)));
  case Role::Scale:
    return 1.0f + 0.2f * raw;
  case Role::Bias:
    return 0.2f * raw;
  }
  llvm_unreachable("every role has a case");
}

FailureOr<Tensor> RandomWeights::read(ParamOp param, int64_t layer) {
  RankedTensorType type = param.getLayerType(), block = param.getBlockType();
  Tensor result(type.getElementType(), type.getShape());
  int64_t perRow = block.getNumElements() / block.getDimSize(0), at = 0;
  int64_t experts = param.getBlocksOfLayer();
  for (int64_t expert = 0; expert < experts; ++expert)
    for (auto [source, rows] :
         llvm::zip(param.getSources().getAsValueRange<StringAttr>(), param.getSourceRows())) {
      std::string name = param.nameOfSource(source, layer * experts + expert);
      // The source's own order and last size count.
      bool turned = param.getTransposed();
      int64_t fanIn = turned ? rows : block.getShape().back();
      int64_t base = param.holdsAllExperts(source) ? expert * rows * perRow : 0;
      for (int64_t i = 0; i < rows * perRow; ++i, ++at) {
        int64_t row = i / perRow, column = i % perRow;
        if (param.getAlternating())
          row = row < rows / 2 ? 2 * row : 2 * (row - rows / 2) + 1;
        int64_t index = base + (turned ? column * rows + row : row * perRow + column);
        result.put(at, shape(param.getRole(), randomValue(seed, name, index), fanIn));
      }
    }
  return result;
}
