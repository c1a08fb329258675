/* SPDX-License-Identifier: Apache-2.0
 *
 * test_generate.c: seeded weights, bit for bit, against generate_expected.py; on every code path
 * and thread count.
 */
#include "check.h"
#include "generate.h"

typedef struct expectation {
  const char *label;
  sluice_dtype_t dtype;
  bool panel;
  sluice_role_t role;
  uint64_t seed;
  int64_t stack, columns; /* columns 0: vectors */
  int32_t source_count;
  sluice_source_t sources[3];
  int64_t bytes;
  uint64_t hash;
  uint8_t first[16];
  int32_t code_bits, code_group; /* 0: numbers */
} expectation_t;

static const expectation_t cases[] = {
#include "generate_expected.inc"
};
enum { CASES = sizeof cases / sizeof cases[0] };

static sluice_weight_t weight_of(const expectation_t *e) {
  sluice_weight_t w = {.blocks = e->stack ? e->stack : 1,
                       .columns = e->columns ? e->columns : 1,
                       .seed = e->seed,
                       .role = e->role,
                       .sources = e->sources,
                       .source_count = e->source_count};
  for (int32_t i = 0; i < e->source_count; ++i)
    w.rows += e->sources[i].rows;
  w.fan_in = e->columns ? e->columns : w.rows;
  w.info.stack = e->stack;
  w.info.dtype = e->dtype;
  w.info.panel = e->panel;
  w.info.generated = true;
  w.info.bytes = e->bytes;
  w.info.stride = e->bytes / w.blocks;
  w.info.code_bits = e->code_bits;
  w.info.code_group = e->code_group;
  return w;
}

static uint64_t hash_of(const uint8_t *data, int64_t bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (int64_t i = 0; i < bytes; ++i)
    hash = (hash ^ data[i]) * 0x100000001b3u;
  return hash;
}

static void values_are_the_formula(void) {
  sluice_allocator_t allocator = sluice_allocator_or_default((sluice_allocator_t){0});
  sluice_weight_t weights[CASES];
  int paths = 0;
  for (int path = SLUICE_GENERATE_BEST; path <= SLUICE_GENERATE_AVX512; ++path)
    for (int32_t threads = 1; sluice_generate_has((sluice_generate_path_t)path) && threads <= 3;
         ++threads, ++paths) {
      uint8_t *data[CASES];
      for (int i = 0; i < CASES; ++i) {
        weights[i] = weight_of(&cases[i]);
        CHECK_OK(sluice_allocate(&allocator, (size_t)cases[i].bytes, 1, &data[i]));
      }
      CHECK_OK(
          sluice_generate(&allocator, weights, CASES, data, threads, (sluice_generate_path_t)path));
      for (int i = 0; i < CASES; ++i) {
        if (hash_of(data[i], cases[i].bytes) != cases[i].hash)
          printf("%s differs on path %d with %d threads\n", cases[i].label, path, threads);
        CHECK(memcmp(data[i], cases[i].first, sizeof cases[i].first) == 0);
        CHECK(hash_of(data[i], cases[i].bytes) == cases[i].hash);
        sluice_free(&allocator, data[i], (size_t)cases[i].bytes, 1);
      }
    }
  printf("%d combinations of code path and threads\n", paths);
  CHECK(paths >= 6);
}

int main(void) {
  RUN(values_are_the_formula);
  return check_finish();
}
