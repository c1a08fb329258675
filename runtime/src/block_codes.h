/* SPDX-License-Identifier: Apache-2.0
 *
 * block_codes.h: makes codes and scales of one panel's block (docs/Contracts.md, section 8),
 * sixteen outputs side by side. The generator and the compiler's packer both use it; C11 and C++17.
 */
#ifndef SLUICE_RT_BLOCK_CODES_H
#define SLUICE_RT_BLOCK_CODES_H

#include <stdint.h>
#include <string.h>

// Each operation below is rounded once, in the order in which it is written.
#ifdef __clang__
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif

enum { SLUICE_BLOCK_LANES = 16, SLUICE_BLOCK_MAX = 1024 };

typedef float sluice_f32x16 __attribute__((vector_size(64)));
typedef int32_t sluice_i32x16 __attribute__((vector_size(64)));
typedef uint32_t sluice_u32x16 __attribute__((vector_size(64)));

/* |mask| ? |yes| : |no|, bit by bit; a comparison makes the mask. */
static inline __attribute__((always_inline)) sluice_f32x16 sluice_block_select(sluice_i32x16 mask,
                                                                               sluice_f32x16 yes,
                                                                               sluice_f32x16 no) {
  sluice_i32x16 a, b;
  memcpy(&a, &yes, sizeof a);
  memcpy(&b, &no, sizeof b);
  a = (a & mask) | (b & ~mask);
  memcpy(&yes, &a, sizeof yes);
  return yes;
}

/* The block of |columns| inputs (a multiple of 32 / |bits|) whose numbers are
 * |values|[input][output], all finite: its codes of |bits| (4 or 8) as words [columns * bits /
 * 32][16], and its sixteen scales as bits of bf16. */
static inline __attribute__((always_inline)) void sluice_block_encode(const float *values,
                                                                      int64_t columns, int bits,
                                                                      uint32_t *words,
                                                                      uint16_t *scales) {
  sluice_f32x16 low = {0}, high = {0}, x;
  for (int64_t k = 0; k < columns; ++k) {
    memcpy(&x, values + k * SLUICE_BLOCK_LANES, sizeof x);
    low = sluice_block_select(x < low, x, low);
    high = sluice_block_select(x > high, x, high);
  }
  const int32_t half = 1 << (bits - 1);
  sluice_f32x16 scale = sluice_block_select(-low >= high, low, high) * (-1.0f / (float)half);
  sluice_u32x16 raw;
  memcpy(&raw, &scale, sizeof raw);
  raw = (raw + 0x7fff + (raw >> 16 & 1)) & 0xffff0000u;
  memcpy(&scale, &raw, sizeof scale);
  const sluice_f32x16 zero = {0};
  const sluice_i32x16 empty = scale == zero;
  scale = sluice_block_select(empty, zero, scale);
  memcpy(&raw, &scale, sizeof raw);
  for (int lane = 0; lane < SLUICE_BLOCK_LANES; ++lane)
    scales[lane] = (uint16_t)(raw[lane] >> 16);
  const sluice_f32x16 divisor = sluice_block_select(empty, zero + 1.0f, scale);
  const int per_word = 32 / bits;
  const float shift = 0x1.8p23f, least = -(float)half, most = (float)(half - 1);
  for (int64_t word = 0; word < columns / per_word; ++word) {
    sluice_u32x16 packed = {0};
    for (int j = 0; j < per_word; ++j) {
      memcpy(&x, values + (word * per_word + j) * SLUICE_BLOCK_LANES, sizeof x);
      x = sluice_block_select(empty, zero, x / divisor);
      // Nearest, ties to even: the sum's last place is 1. A quotient is below 2^9.
      x = (x + shift) - shift;
      x = sluice_block_select(x < least, zero + least, x);
      x = sluice_block_select(x > most, zero + most, x);
      sluice_u32x16 code =
          __builtin_convertvector(__builtin_convertvector(x, sluice_i32x16) + half, sluice_u32x16);
      packed |= code << (bits == 8 ? 8 * j : 8 * (j % 4) + 4 * (j / 4));
    }
    memcpy(words + word * SLUICE_BLOCK_LANES, &packed, sizeof packed);
  }
}

#endif
