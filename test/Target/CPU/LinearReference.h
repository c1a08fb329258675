// SPDX-License-Identifier: Apache-2.0
//
// A linear layer in plain loops, with the rounding that docs/Contracts.md §4 prescribes, and random
// data for it. Shares nothing with the kernels but the description of a variant.
#ifndef SLUICE_TEST_TARGET_CPU_LINEARREFERENCE_H
#define SLUICE_TEST_TARGET_CPU_LINEARREFERENCE_H

#include "lib/Target/CPU/LinearKernels.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::cpu {

uint16_t toBf16(float value);
float fromBf16(uint16_t bits);
uint16_t toF16(float value);
float fromF16(uint16_t bits);

/// One call's data: weights packed in panels, rows and results with padded strides, and red zones
/// behind everything that is written.
class LinearCase {
public:
  LinearCase(const LinearVariant &variant, int64_t rowCount, int64_t outputs, int64_t inputs,
             uint64_t seed);

  /// The destination and the residual as they were before a call.
  void reset();
  /// Bits of the result, [rows][outputs]; bf16 in the low half.
  std::vector<uint32_t> expected() const;
  /// Empty when the destination holds |expected| and nothing else was touched; else a sentence.
  std::string compare(const std::vector<uint32_t> &expected) const;

  std::vector<uint8_t> weights, rows, dest, bias;
  std::vector<float> residual;
  int64_t rowStride, destStride, residualStride;

private:
  float weightAt(int64_t output, int64_t input) const;
  float sum(int64_t row, int64_t output) const;

  const LinearVariant &variant;
  int64_t rowCount, outputs, inputs;
  std::vector<float> plainRows, plainWeights, plainBias;
};

} // namespace sluice::cpu

#endif
