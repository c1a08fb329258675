/* SPDX-License-Identifier: Apache-2.0
 *
 * test_no_allocation.c: steps, samples, forks, truncations and drops allocate nothing. The whole
 * process's malloc is counted: this program's definitions stand before those of libc for every
 * library in it.
 */
#include "check.h"
#include "loading.h"

#include <stdatomic.h>

static atomic_long calls;

// Seen by libc and by other libraries, too.
#pragma GCC visibility push(default)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  ++calls;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  ++calls;
  return __libc_calloc(count, size);
}
void *realloc(void *pointer, size_t size) {
  ++calls;
  return __libc_realloc(pointer, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  ++calls;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  ++calls;
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : 12;
}

#pragma GCC visibility pop

static sluice_model_t *model;

static void steps_allocate_nothing(void) {
  enum { VOCAB = 50 };
  static float logits[2][VOCAB], temperature[2];
  int64_t rng[2] = {1, 2};
  for (int threads = 1; threads <= 2; ++threads) {
    sluice_session_t *s;
    sluice_session_options_t options = {.threads = threads, .live_seqs = 3};
    sluice_sequence_t a, b, c;
    long before = calls;
    REQUIRE_OK(sluice_session_create(model, &options, &s));
    CHECK(calls > before); // The counter counts.
    before = calls;
    CHECK_OK(sluice_sequence_create(s, &a));
    CHECK_OK(sluice_sequence_create(s, &b));
    int32_t tokens[2][20] = {{1, 2, 3}, {4, 5, 6}};
    sluice_part_t parts[2] = {{.sequence = a, .count = 20, .ask = 1, .tokens = tokens[0]},
                              {.sequence = b, .count = 7, .ask = 1, .tokens = tokens[1]}};
    for (int i = 0; i < 300; ++i) {
      CHECK_OK(sluice_session_step(s, "step", parts, 2, logits[0]));
      int32_t next[2];
      sluice_sampling_t cut = {.temperature = 1, .top_k = 40, .top_p = 0.9f, .min_p = 0.01f};
      CHECK_OK(sluice_sampling_apply(&cut, logits[0], VOCAB));
      CHECK_OK(sluice_session_sample(s, "sample", logits[0], 2, temperature, rng, next));
      for (int p = 0; p < 2; ++p) {
        tokens[p][0] = next[p];
        parts[p].count = 1;
      }
      CHECK_OK(sluice_sequence_fork(s, a, &c));
      CHECK_OK(sluice_sequence_truncate(s, c, i));
      CHECK_OK(sluice_sequence_drop(s, c));
      // Refusals are free too.
      CHECK_FAILS(sluice_session_step(s, "step", parts, 0, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
                  "part");
    }
    CHECK(calls == before);
    sluice_session_release(s);
  }
}

int main(int argc, char **argv) {
  model = fixture_model(argc, argv);
  RUN(steps_allocate_nothing);
  sluice_model_release(model);
  return check_finish();
}
