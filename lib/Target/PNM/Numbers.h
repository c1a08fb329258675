// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of a unit, scalar: bf16, exp and the row reduction as docs/Contracts.md §4 gives
// them. Every fma is written; nothing else is fused.
#ifndef SLUICE_LIB_TARGET_PNM_NUMBERS_H
#define SLUICE_LIB_TARGET_PNM_NUMBERS_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace sluice::pnm {

inline float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline float fromBF16(uint16_t bits) { return floatOf(uint32_t(bits) << 16); }

/// To nearest even; NaN stays one.
inline uint16_t toBF16(float value) {
  uint32_t bits = bitsOf(value);
  if (value != value)
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

namespace detail {
inline float powerOfTwo(int32_t n) { return floatOf(uint32_t(n + 127) << 23); }

/// e^x = p * 2^exponent, x in [-104, 89] or NaN.
inline float scaledExp(float x, int32_t &exponent) {
  float shifted = std::fma(x, 0x1.715476p0f, 0x1.8p23f), n = shifted - 0x1.8p23f;
  exponent = static_cast<int32_t>(bitsOf(shifted) - 0x4b400000u);
  float r = std::fma(n, -0x1.62e430p-1f, x);
  r = std::fma(n, 0x1.05c610p-29f, r);
  float q = 0x1.9e0912p-13f;
  for (float c : {0x1.6d5270p-10f, 0x1.11130cp-7f, 0x1.5554e4p-5f, 0x1.555554p-3f, 0.5f})
    q = std::fma(q, r, c);
  return std::fma(r * r, q, r) + 1.0f;
}
} // namespace detail

/// e^x. The polynomial is the one thing that the unit shares with the code for processors.
inline float exponential(float x) {
  if (x != x)
    return x;
  int32_t n;
  float p = detail::scaledExp(x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x, n);
  int32_t half = n >> 1;
  return p * detail::powerOfTwo(half) * detail::powerOfTwo(n - half);
}

/// The weight of a score that is |x| away from the largest: +0 below -87.
inline float weightOf(float x) {
  if (x != x)
    return x;
  if (x < -87.0f)
    return 0;
  int32_t n;
  float p = detail::scaledExp(x, n);
  return p * detail::powerOfTwo(n);
}

inline float silu(float x) {
  if (x == -std::numeric_limits<float>::infinity())
    return 0;
  return x / (1.0f + exponential(-x));
}

/// The sum of |count| numbers, a multiple of 16, in 16 lanes and then as a tree.
inline float reduceRow(const float *values, unsigned count) {
  float lanes[16] = {};
  for (unsigned i = 0; i < count; ++i)
    lanes[i % 16] += values[i];
  for (unsigned half = 8; half; half /= 2)
    for (unsigned i = 0; i < half; ++i)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

} // namespace sluice::pnm

#endif
