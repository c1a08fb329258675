/* SPDX-License-Identifier: Apache-2.0
 *
 * roof.c: a plain read loop over more memory than caches hold, and a loop of nothing but one
 * instruction.
 */
#define _GNU_SOURCE 1
#include "roof.h"
#include "peak.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Some hosts share 260 MiB of last-level cache among their guests. */
static const int64_t buffer_bytes = (int64_t)512 << 20;
enum { MOST_THREADS = 256 };

typedef uint64_t lanes_t __attribute__((vector_size(64)));

typedef struct part {
  const uint8_t *data;
  int64_t bytes; /* a multiple of 256 */
  uint64_t sum;  /* so that the reads are not optimised away */
} part_t;

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct roof {
  uint8_t *buffer;
  int32_t threads;
  part_t parts[MOST_THREADS];
};

static inline __attribute__((always_inline)) void read_all(part_t *part) {
  const lanes_t *at = (const lanes_t *)part->data, *end = at + part->bytes / (int64_t)sizeof *at;
  lanes_t a = {0}, b = {0}, c = {0}, d = {0};
  for (; at < end; at += 4) {
    a ^= at[0];
    b ^= at[1];
    c ^= at[2];
    d ^= at[3];
  }
  a ^= b ^ c ^ d;
  part->sum = a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

static void read_plain(part_t *part) { read_all(part); }
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void read_avx2(part_t *part) { read_all(part); }
__attribute__((target("avx512f"))) static void read_avx512(part_t *part) { read_all(part); }
#endif

static void *read_part(void *argument) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    read_avx512(argument);
    return NULL;
  }
  if (__builtin_cpu_supports("avx2")) {
    read_avx2(argument);
    return NULL;
  }
#endif
  read_plain(argument);
  return NULL;
}

roof_t *roof_create(int32_t threads) {
  roof_t *roof = calloc(1, sizeof *roof);
  if (!roof)
    return NULL;
  roof->threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  void *buffer = mmap(NULL, (size_t)buffer_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (buffer == MAP_FAILED) {
    free(roof);
    return NULL;
  }
  (void)madvise(buffer, (size_t)buffer_bytes, MADV_HUGEPAGE);
  roof->buffer = buffer;
  // Written once, or all pages would be the one page of zeros.
  memset(roof->buffer, 0x5a, (size_t)buffer_bytes);
  int64_t share = buffer_bytes / roof->threads / 256 * 256;
  for (int32_t i = 0; i < roof->threads; ++i)
    roof->parts[i] = (part_t){roof->buffer + i * share, share, 0};
  return roof;
}

void roof_release(roof_t *roof) {
  if (!roof)
    return;
  munmap(roof->buffer, (size_t)buffer_bytes);
  free(roof);
}

double roof_read(roof_t *roof) {
  pthread_t helpers[MOST_THREADS];
  int32_t started = 1;
  double start = seconds_now(), bytes = 0;
  while (started < roof->threads &&
         pthread_create(&helpers[started], NULL, read_part, &roof->parts[started]) == 0)
    ++started;
  read_part(&roof->parts[0]);
  for (int32_t i = 1; i < started; ++i)
    pthread_join(helpers[i], NULL);
  double seconds = seconds_now() - start;
  for (int32_t i = 0; i < started; ++i)
    bytes += (double)roof->parts[i].bytes;
  return bytes / seconds;
}

/* ---- Instructions ---- */

typedef struct peak {
  roof_dot_t dot;
  double operations; /* done; 0: there is no such instruction */
} peak_t;

static void *run_peak(void *argument) {
  peak_t *peak = argument;
  peak->operations = peak_run(peak->dot);
  return NULL;
}

const char *roof_dot_name(roof_dot_t dot) {
  static const char *const names[] = {"fma", "dpbf16", "vnni"};
  return names[dot];
}

double roof_peak(int32_t threads, roof_dot_t dot) {
  pthread_t helpers[MOST_THREADS];
  peak_t peaks[MOST_THREADS];
  threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  int32_t started = 1;
  for (int32_t i = 0; i < threads; ++i)
    peaks[i] = (peak_t){dot, 0};
  double start = seconds_now(), operations = 0;
  while (started < threads &&
         pthread_create(&helpers[started], NULL, run_peak, &peaks[started]) == 0)
    ++started;
  run_peak(&peaks[0]);
  for (int32_t i = 1; i < started; ++i)
    pthread_join(helpers[i], NULL);
  double seconds = seconds_now() - start;
  for (int32_t i = 0; i < started; ++i)
    operations += peaks[i].operations;
  return operations / seconds;
}

void roof_measure(int32_t threads, roof_ceilings_t *out) {
  *out = (roof_ceilings_t){.threads = threads};
  roof_t *roof = roof_create(threads);
  for (int r = 0; r < 3; ++r) {
    double read = roof ? roof_read(roof) : 0;
    out->read = read > out->read ? read : out->read;
    for (int d = 0; d < ROOF_DOTS; ++d) {
      double peak = roof_peak(threads, (roof_dot_t)d);
      out->dot[d] = peak > out->dot[d] ? peak : out->dot[d];
    }
  }
  roof_release(roof);
}
