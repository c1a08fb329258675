/* SPDX-License-Identifier: Apache-2.0
 *
 * peak.c: loops of nothing but one instruction. Twelve chains hide the latency of every processor
 * we know (4 or 5 cycles at two a cycle); the sums are kept so that the loop stays.
 */
#include "peak.h"

#include <stdbool.h>

enum { CHAINS = 12, ROUNDS = 1 << 20 };

/* So that the compiler cannot know what the sums are for. */
static volatile float sink;

#if defined(__x86_64__)
#include <immintrin.h>

#define LOOP(type, zero, step, read)                                                               \
  do {                                                                                             \
    type s0 = zero, s1 = zero, s2 = zero, s3 = zero, s4 = zero, s5 = zero, s6 = zero, s7 = zero,   \
         s8 = zero, s9 = zero, s10 = zero, s11 = zero;                                             \
    for (int i = 0; i < ROUNDS; ++i) {                                                             \
      s0 = step(s0), s1 = step(s1), s2 = step(s2), s3 = step(s3), s4 = step(s4), s5 = step(s5);    \
      s6 = step(s6), s7 = step(s7), s8 = step(s8), s9 = step(s9), s10 = step(s10);                 \
      s11 = step(s11);                                                                             \
      __asm__ volatile("" : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5));           \
      __asm__ volatile("" : "+v"(s6), "+v"(s7), "+v"(s8), "+v"(s9), "+v"(s10), "+v"(s11));         \
    }                                                                                              \
    sink = read(s0) + read(s1) + read(s2) + read(s3) + read(s4) + read(s5) + read(s6) + read(s7) + \
           read(s8) + read(s9) + read(s10) + read(s11);                                            \
  } while (0)

__attribute__((target("avx2,fma"))) static void fma_avx2(void) {
  __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
#define STEP(s) _mm256_fmadd_ps(a, b, s)
#define READ(s) _mm256_cvtss_f32(s)
  LOOP(__m256, _mm256_setzero_ps(), STEP, READ);
#undef STEP
#undef READ
}

__attribute__((target("avx512f"))) static void fma_avx512(void) {
  __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
#define STEP(s) _mm512_fmadd_ps(a, b, s)
#define READ(s) _mm512_cvtss_f32(s)
  LOOP(__m512, _mm512_setzero_ps(), STEP, READ);
#undef STEP
#undef READ
}

__attribute__((target("avx512f,avx512bf16"))) static void dpbf16(void) {
  __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f00), b = (__m512bh)_mm512_set1_epi16(0x3e80);
#define STEP(s) _mm512_dpbf16_ps(s, a, b)
#define READ(s) _mm512_cvtss_f32(s)
  LOOP(__m512, _mm512_setzero_ps(), STEP, READ);
#undef STEP
#undef READ
}

__attribute__((target("avx512f,avx512vnni"))) static void vnni(void) {
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
#define STEP(s) _mm512_dpbusd_epi32(s, a, b)
#define READ(s) (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(s))
  LOOP(__m512i, _mm512_setzero_si512(), STEP, READ);
#undef STEP
#undef READ
}

double peak_run(roof_dot_t dot) {
  const double steps = (double)CHAINS * ROUNDS;
  bool wide = __builtin_cpu_supports("avx512f");
  switch (dot) {
  case ROOF_FMA:
    if (wide)
      return fma_avx512(), 2 * 16 * steps;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      return fma_avx2(), 2 * 8 * steps;
    return 0;
  case ROOF_DPBF16:
    return wide && __builtin_cpu_supports("avx512bf16") ? (dpbf16(), 4 * 16 * steps) : 0;
  case ROOF_VNNI:
    return wide && __builtin_cpu_supports("avx512vnni") ? (vnni(), 8 * 16 * steps) : 0;
  }
  return 0;
}

#elif defined(__aarch64__)
#include <arm_neon.h>

double peak_run(roof_dot_t dot) {
  if (dot != ROOF_FMA)
    return 0;
  float32x4_t sums[CHAINS], a = vdupq_n_f32(0.5f), b = vdupq_n_f32(0.25f);
  for (int c = 0; c < CHAINS; ++c)
    sums[c] = vdupq_n_f32(0);
  for (int i = 0; i < ROUNDS; ++i)
#pragma clang loop unroll(full)
    for (int c = 0; c < CHAINS; ++c) {
      sums[c] = vfmaq_f32(sums[c], a, b);
      __asm__ volatile("" : "+w"(sums[c]));
    }
  float total = 0;
  for (int c = 0; c < CHAINS; ++c)
    total += vgetq_lane_f32(sums[c], 0);
  sink = total;
  return 2.0 * 4 * CHAINS * ROUNDS;
}
#else
double peak_run(roof_dot_t dot) {
  (void)dot;
  return 0;
}
#endif
