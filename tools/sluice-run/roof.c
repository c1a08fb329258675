/* SPDX-License-Identifier: Apache-2.0
 *
 * roof.c: a plain read loop over more memory than caches hold.
 */
#include "roof.h"
#include "memory.h"
#include "report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Some hosts share 260 MiB of last-level cache among their guests. */
static const int64_t buffer_bytes = (int64_t)512 << 20;
enum { MOST_THREADS = 256 };

typedef uint64_t lanes_t __attribute__((vector_size(64)));

typedef struct part {
  const uint8_t *data;
  int64_t bytes; /* a multiple of 256 */
  uint64_t sum;  /* so that the reads are not optimised away */
} part_t;

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
  roof_t *roof = report_allocate(1, sizeof *roof);
  roof->threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  if (sluice_map_anonymous(buffer_bytes, "the read loop", &roof->buffer) != SLUICE_STATUS_OK) {
    free(roof);
    return NULL;
  }
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
  sluice_unmap(roof->buffer, buffer_bytes);
  free(roof);
}

double roof_read(roof_t *roof) {
  pthread_t helpers[MOST_THREADS];
  int32_t started = 1;
  double start = report_seconds(), bytes = 0;
  while (started < roof->threads &&
         pthread_create(&helpers[started], NULL, read_part, &roof->parts[started]) == 0)
    ++started;
  read_part(&roof->parts[0]);
  for (int32_t i = 1; i < started; ++i)
    pthread_join(helpers[i], NULL);
  double seconds = report_seconds() - start;
  for (int32_t i = 0; i < started; ++i)
    bytes += (double)roof->parts[i].bytes;
  return bytes / seconds;
}
