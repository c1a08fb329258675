/* SPDX-License-Identifier: Apache-2.0
 *
 * The read bandwidth that this machine gives to N threads right now: each reads its own part of a
 * buffer that no cache holds, in plain loops that the compiler vectorises. The ceiling of
 * everything that streams weights.
 *
 *   sluice-bench-read [THREADS [PASSES]]      prints one line per pass, in GB/s (10^9 bytes)
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_THREADS = 64, STREAMS = 8 };
static const size_t BUFFER_BYTES = (size_t)1 << 30;

typedef struct reader {
  const uint64_t *words;
  size_t count; /* of words; a multiple of STREAMS * 8 */
  int passes;
  pthread_barrier_t *barrier;
  uint64_t sum; /* so that the loads are not removed */
} reader_t;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Several streams at once keep more cache lines in flight than one. */
static uint64_t read_all(const uint64_t *words, size_t count) {
  size_t part = count / STREAMS;
  uint64_t sums[8] = {0};
  for (size_t i = 0; i < part; i += 8)
    for (size_t stream = 0; stream < STREAMS; ++stream)
      for (size_t lane = 0; lane < 8; ++lane)
        sums[lane] ^= words[stream * part + i + lane];
  uint64_t sum = 0;
  for (size_t lane = 0; lane < 8; ++lane)
    sum ^= sums[lane];
  return sum;
}

static void *run(void *argument) {
  reader_t *self = argument;
  for (int pass = 0; pass < self->passes; ++pass) {
    pthread_barrier_wait(self->barrier);
    self->sum ^= read_all(self->words, self->count);
    pthread_barrier_wait(self->barrier);
  }
  return NULL;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1, passes = argc > 2 ? atoi(argv[2]) : 5;
  if (threads < 1 || threads > MAX_THREADS || passes < 1) {
    fprintf(stderr, "usage: sluice-bench-read [THREADS (1 to %d) [PASSES]]\n", MAX_THREADS);
    return 1;
  }
  uint64_t *words = aligned_alloc(4096, BUFFER_BYTES);
  if (!words) {
    fprintf(stderr, "cannot allocate %zu bytes\n", BUFFER_BYTES);
    return 4;
  }
  memset(words, 0x5a, BUFFER_BYTES); /* untouched pages would all be one page of zeros */

  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
  pthread_t ids[MAX_THREADS];
  reader_t readers[MAX_THREADS];
  size_t share = BUFFER_BYTES / sizeof(uint64_t) / (size_t)threads / (STREAMS * 8) * (STREAMS * 8);
  for (int i = 0; i < threads; ++i) {
    readers[i] = (reader_t){words + (size_t)i * share, share, passes, &barrier, 0};
    if (pthread_create(&ids[i], NULL, run, &readers[i]) != 0) {
      fprintf(stderr, "cannot start thread %d\n", i);
      return 4;
    }
  }
  for (int pass = 0; pass < passes; ++pass) {
    pthread_barrier_wait(&barrier);
    double start = now();
    pthread_barrier_wait(&barrier);
    double seconds = now() - start;
    printf("%.2f\n", 1e-9 * (double)(share * sizeof(uint64_t)) * threads / seconds);
    fflush(stdout);
  }
  uint64_t sum = 0;
  for (int i = 0; i < threads; ++i) {
    pthread_join(ids[i], NULL);
    sum ^= readers[i].sum;
  }
  free(words);
  return sum == 1 ? 4 : 0; /* never 1: uses the sums */
}
