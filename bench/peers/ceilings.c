/* SPDX-License-Identifier: Apache-2.0
 *
 * ceilings.c: what this machine's cores can do at most, for bench/peers: multiply-adds of f32,
 * pairs of bf16 and quads of int8 in registers, and plain reads of memory. A library, so that the
 * same harness times it as one more engine, in turn with the others.
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MOST_THREADS = 256, CHAINS = 24, SMALL_CHAINS = 12 };
/* Some hosts share 260 MiB of last-level cache among their guests. */
static const int64_t buffer_bytes = (int64_t)512 << 20;

/* One worker's share of a run; |sum| keeps the work from being optimised away. */
typedef struct share {
  int kind;
  int64_t turns;
  const uint8_t *data;
  int64_t bytes;
  float sum;
} share_t;

#if defined(__x86_64__)
/* Values that the compiler cannot know. 0.5 and 1 neither overflow nor become denormal. */
static volatile float half = 0.5f, one = 1.0f;
static volatile int32_t quad = 0x01010101, pair = 0x3f003f00;

__attribute__((target("avx512f"))) static float fma512(int64_t turns) {
  __m512 x = _mm512_set1_ps(half), y = _mm512_set1_ps(one), acc[CHAINS];
  for (int i = 0; i < CHAINS; ++i)
    acc[i] = _mm512_set1_ps((float)i);
  for (; turns > 0; --turns) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; ++i)
      acc[i] = _mm512_fmadd_ps(x, y, acc[i]);
  }
  for (int i = 1; i < CHAINS; ++i)
    acc[0] = _mm512_add_ps(acc[0], acc[i]);
  return _mm512_reduce_add_ps(acc[0]);
}

__attribute__((target("avx2,fma"))) static float fma256(int64_t turns) {
  __m256 x = _mm256_set1_ps(half), y = _mm256_set1_ps(one), acc[SMALL_CHAINS];
  for (int i = 0; i < SMALL_CHAINS; ++i)
    acc[i] = _mm256_set1_ps((float)i);
  for (; turns > 0; --turns) {
#pragma clang loop unroll(full)
    for (int i = 0; i < SMALL_CHAINS; ++i)
      acc[i] = _mm256_fmadd_ps(x, y, acc[i]);
  }
  for (int i = 1; i < SMALL_CHAINS; ++i)
    acc[0] = _mm256_add_ps(acc[0], acc[i]);
  return _mm256_cvtss_f32(acc[0]);
}

__attribute__((target("avx512f,avx512bf16"))) static float dpbf16(int64_t turns) {
  __m512bh x = (__m512bh)_mm512_set1_epi32(pair), y = x;
  __m512 acc[CHAINS];
  for (int i = 0; i < CHAINS; ++i)
    acc[i] = _mm512_set1_ps((float)i);
  for (; turns > 0; --turns) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; ++i)
      acc[i] = _mm512_dpbf16_ps(acc[i], x, y);
  }
  for (int i = 1; i < CHAINS; ++i)
    acc[0] = _mm512_add_ps(acc[0], acc[i]);
  return _mm512_reduce_add_ps(acc[0]);
}

__attribute__((target("avx512f,avx512vnni"))) static float dpbusd(int64_t turns) {
  __m512i x = _mm512_set1_epi32(quad), y = x, acc[CHAINS];
  for (int i = 0; i < CHAINS; ++i)
    acc[i] = _mm512_set1_epi32(i);
  for (; turns > 0; --turns) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; ++i)
      acc[i] = _mm512_dpbusd_epi32(acc[i], x, y);
  }
  for (int i = 1; i < CHAINS; ++i)
    acc[0] = _mm512_add_epi32(acc[0], acc[i]);
  return (float)_mm512_reduce_add_epi32(acc[0]);
}
#endif

typedef uint64_t lanes_t __attribute__((vector_size(64)));

static inline __attribute__((always_inline)) float read_all(const uint8_t *data, int64_t bytes) {
  const lanes_t *at = (const lanes_t *)(const void *)data, *end = at + bytes / 64;
  lanes_t a = {0}, b = {0}, c = {0}, d = {0};
  for (; at + 4 <= end; at += 4) {
    a ^= at[0];
    b ^= at[1];
    c ^= at[2];
    d ^= at[3];
  }
  a ^= b ^ c ^ d;
  return (float)(a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7]);
}

static float read_plain(const uint8_t *data, int64_t bytes) { return read_all(data, bytes); }
#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float read512(const uint8_t *data, int64_t bytes) {
  return read_all(data, bytes);
}
__attribute__((target("avx2"))) static float read256(const uint8_t *data, int64_t bytes) {
  return read_all(data, bytes);
}
#endif

/* Kinds, by number: as KINDS in ceilings.py. */
enum { READ = 0, FMA = 1, DPBF16 = 2, DPBUSD = 3 };

/* Operations of one turn of |kind|; 0 where the processor has no such instruction. */
int64_t sluice_ceiling_work(int kind);
double sluice_ceiling_run(int kind, int threads, int64_t turns);
int64_t sluice_ceiling_read_bytes(int threads);

int64_t sluice_ceiling_work(int kind) {
#if defined(__x86_64__)
  int has512 = __builtin_cpu_supports("avx512f");
  switch (kind) {
  case FMA:
    return has512                          ? (int64_t)CHAINS * 32
           : __builtin_cpu_supports("fma") ? (int64_t)SMALL_CHAINS * 16
                                           : 0;
  case DPBF16:
    return has512 && __builtin_cpu_supports("avx512bf16") ? (int64_t)CHAINS * 64 : 0;
  case DPBUSD:
    return has512 && __builtin_cpu_supports("avx512vnni") ? (int64_t)CHAINS * 128 : 0;
  default:
    break;
  }
#endif
  return kind == READ; // bytes: sluice_ceiling_read_bytes
}

static void *work(void *argument) {
  share_t *s = argument;
#if defined(__x86_64__)
  int has512 = __builtin_cpu_supports("avx512f");
  if (s->kind == FMA)
    s->sum = has512 ? fma512(s->turns) : fma256(s->turns);
  else if (s->kind == DPBF16)
    s->sum = dpbf16(s->turns);
  else if (s->kind == DPBUSD)
    s->sum = dpbusd(s->turns);
  else
    s->sum = has512                           ? read512(s->data, s->bytes)
             : __builtin_cpu_supports("avx2") ? read256(s->data, s->bytes)
                                              : read_plain(s->data, s->bytes);
#else
  s->sum = read_plain(s->data, s->bytes);
#endif
  return NULL;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds that |threads| workers need for |turns| turns each of |kind|; READ: for reading the
 * buffer |turns| times, divided among them. Negative when there is no memory for it. */
double sluice_ceiling_run(int kind, int threads, int64_t turns) {
  static uint8_t *buffer;
  share_t shares[MOST_THREADS];
  pthread_t helpers[MOST_THREADS];
  threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  if (kind == READ && !buffer) {
    if (posix_memalign((void **)&buffer, 4096, (size_t)buffer_bytes) != 0)
      return -1;
    // Written once, or all pages would be the one page of zeros.
    memset(buffer, 0x5a, (size_t)buffer_bytes);
  }
  int64_t bytes = buffer_bytes / threads / 256 * 256;
  double start = seconds();
  for (int64_t pass = 0; pass < (kind == READ ? turns : 1); ++pass) {
    int started = 1;
    for (int i = 0; i < threads; ++i)
      shares[i] = (share_t){kind, turns, buffer ? buffer + i * bytes : NULL, bytes, 0};
    while (started < threads &&
           pthread_create(&helpers[started], NULL, work, &shares[started]) == 0)
      ++started;
    work(&shares[0]);
    for (int i = 1; i < started; ++i)
      pthread_join(helpers[i], NULL);
    if (started < threads)
      return -1;
  }
  return seconds() - start;
}

int64_t sluice_ceiling_read_bytes(int threads) {
  return buffer_bytes / threads / 256 * 256 * threads;
}
