/* SPDX-License-Identifier: Apache-2.0
 *
 * generate.c: seeded weights. The counter hash is evaluated eight elements at a time with the
 * compiler's vector types, once for the plain instruction set and, on x86-64, once for AVX2 and
 * once for AVX-512, which give the same bits.
 */
#include "generate.h"
#include "thread.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

// The formula says where rounding happens: 1 + 0.2f * u is two roundings.
#pragma STDC FP_CONTRACT OFF

static const uint64_t golden = 0x9E3779B97F4A7C15u;
enum { LANES = 8, PANEL = 16, CHUNK = 1 << 16 };

typedef uint64_t u64_lanes __attribute__((vector_size(8 * LANES)));
typedef int32_t i32_lanes __attribute__((vector_size(4 * LANES)));
typedef uint32_t u32_lanes __attribute__((vector_size(4 * LANES)));
typedef uint16_t u16_lanes __attribute__((vector_size(2 * LANES)));
typedef float f32_lanes __attribute__((vector_size(4 * LANES)));

/* How a hash becomes a value: u * factor, or 1 + u * factor. */
typedef struct shape {
  float factor;
  bool plus_one;
  sluice_dtype_t dtype;
} shape_t;

static uint64_t mix(uint64_t z) {
  z ^= z >> 30;
  z *= 0xBF58476D1CE4E5B9u;
  z ^= z >> 27;
  z *= 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

/* mix(seed ^ fnv1a64(name)) with the number |block| in the place of every "{}" in |name|. */
static uint64_t stream_of(uint64_t seed, const char *name, int64_t block) {
  uint64_t hash = 0xcbf29ce484222325u;
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)block);
  for (const char *c = name; *c; ++c) {
    if (c[0] == '{' && c[1] == '}') {
      for (const char *d = digits; *d; ++d)
        hash = (hash ^ (unsigned char)*d) * 0x100000001b3u;
      ++c;
    } else {
      hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    }
  }
  return mix(seed ^ hash);
}

/* Writes |groups| groups of |width| elements (a multiple of LANES, at most 2 * PANEL). Element j of
 * group g is made of the counter state[j] + g * step. */
static inline __attribute__((always_inline)) void fill(const uint64_t *state, int width,
                                                       uint64_t step, int64_t groups,
                                                       const shape_t *shape, uint8_t *out) {
  const size_t size = shape->dtype == SLUICE_DTYPE_F32 ? 4 : 2;
  for (int part = 0; part < width; part += LANES) {
    u64_lanes counter;
    memcpy(&counter, state + part, sizeof counter);
    uint8_t *to = out + (size_t)part * size;
    for (int64_t g = 0; g < groups; ++g, to += (size_t)width * size) {
      u64_lanes z = counter;
      counter += step;
      z ^= z >> 30;
      z *= 0xBF58476D1CE4E5B9u;
      z ^= z >> 27;
      z *= 0x94D049BB133111EBu;
      z ^= z >> 31;
      f32_lanes u = __builtin_convertvector(__builtin_convertvector(z >> 40, i32_lanes), f32_lanes);
      u = u * 0x1p-23f - 1.0f;
      f32_lanes value = u * shape->factor;
      if (shape->plus_one)
        value = 1.0f + value;
      if (size == 4) {
        memcpy(to, &value, sizeof value);
        continue;
      }
      u32_lanes bits, half;
      memcpy(&bits, &value, sizeof bits);
      if (shape->dtype == SLUICE_DTYPE_BF16) {
        half = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
      } else {
        // To f16, nearest even. Below the smallest normal number, adding 0.5 rounds at the
        // subnormals' last place.
        u32_lanes sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff, low;
        u32_lanes normal = (magnitude + 0xc8000fffu + (magnitude >> 13 & 1)) >> 13;
        f32_lanes absolute;
        memcpy(&absolute, &magnitude, sizeof absolute);
        absolute = absolute + 0.5f;
        memcpy(&low, &absolute, sizeof low);
        low -= 0x3f000000u;
        u32_lanes tiny = (u32_lanes)(magnitude < 0x38800000u);
        half = sign | (tiny & low) | (~tiny & normal);
      }
      u16_lanes packed = __builtin_convertvector(half, u16_lanes);
      memcpy(to, &packed, sizeof packed);
    }
  }
}

static void fill_plain(const uint64_t *state, int width, uint64_t step, int64_t groups,
                       const shape_t *shape, uint8_t *out) {
  fill(state, width, step, groups, shape, out);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void fill_avx2(const uint64_t *state, int width,
                                                      uint64_t step, int64_t groups,
                                                      const shape_t *shape, uint8_t *out) {
  fill(state, width, step, groups, shape, out);
}
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))) static void
fill_avx512(const uint64_t *state, int width, uint64_t step, int64_t groups, const shape_t *shape,
            uint8_t *out) {
  fill(state, width, step, groups, shape, out);
}
#endif

typedef void (*fill_t)(const uint64_t *, int, uint64_t, int64_t, const shape_t *, uint8_t *);

bool sluice_generate_has(sluice_generate_path_t path) {
#if defined(__x86_64__)
  if (path == SLUICE_GENERATE_AVX2)
    return __builtin_cpu_supports("avx2");
  if (path == SLUICE_GENERATE_AVX512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
  return path == SLUICE_GENERATE_BEST || path == SLUICE_GENERATE_PLAIN;
}

static fill_t choose_fill(sluice_generate_path_t path) {
#if defined(__x86_64__)
  if (path == SLUICE_GENERATE_BEST)
    path =
        sluice_generate_has(SLUICE_GENERATE_AVX512) ? SLUICE_GENERATE_AVX512 : SLUICE_GENERATE_AVX2;
  if (path == SLUICE_GENERATE_AVX512 && sluice_generate_has(path))
    return fill_avx512;
  if (path == SLUICE_GENERATE_AVX2 && sluice_generate_has(path))
    return fill_avx2;
#else
  (void)path;
#endif
  return fill_plain;
}

static shape_t shape_of(const sluice_weight_t *w) {
  shape_t shape = {0.2f, w->role == SLUICE_ROLE_SCALE, w->info.dtype};
  if (w->role == SLUICE_ROLE_WEIGHT || w->role == SLUICE_ROLE_TABLE)
    shape.factor = (float)(sqrt(3.0) * 1.2 / sqrt((double)w->fan_in));
  return shape;
}

/* Panel |panel| of block |block|: 16 rows, which may come from several sources. */
static void fill_panel(fill_t run, const sluice_weight_t *w, int64_t block, int64_t panel,
                       uint8_t *data) {
  const int64_t size = (int64_t)sluice_dtype_bytes(w->info.dtype), group = size == 2 ? 2 : 1;
  const int64_t groups = sluice_ceil_div(w->columns, group), width = PANEL * group;
  uint8_t *out = data + block * w->info.stride + panel * groups * width * size;
  uint64_t state[2 * PANEL] = {0};
  int64_t first = panel * PANEL, row = first,
          valid = w->rows - first < PANEL ? w->rows - first : PANEL, start = 0;
  for (int32_t s = 0; s < w->source_count && row < first + valid; start += w->sources[s++].rows) {
    int64_t end = start + w->sources[s].rows;
    if (end <= row)
      continue;
    uint64_t stream = stream_of(w->seed, w->sources[s].name, block);
    for (; row < end && row < first + valid; ++row)
      for (int64_t t = 0; t < group; ++t)
        state[(row - first) * group + t] =
            stream + ((uint64_t)(row - start) * (uint64_t)w->columns + (uint64_t)t + 1) * golden;
  }
  shape_t shape = shape_of(w);
  run(state, (int)width, (uint64_t)group * golden, groups, &shape, out);
  // Padding is zero, in outputs and in inputs.
  if (valid < PANEL)
    for (int64_t g = 0; g < groups; ++g)
      memset(out + (g * width + valid * group) * size, 0, (size_t)((width - valid * group) * size));
  if (w->columns % group != 0)
    for (int64_t lane = 0; lane < PANEL; ++lane)
      memset(out + ((groups - 1) * width + lane * group + 1) * size, 0, (size_t)size);
}

/* Elements [begin, end) of block |block|, row-major. */
static void fill_rows(fill_t run, const sluice_weight_t *w, int64_t block, int64_t begin,
                      int64_t end, uint8_t *data) {
  const int64_t size = (int64_t)sluice_dtype_bytes(w->info.dtype);
  shape_t shape = shape_of(w);
  int64_t start = 0;
  for (int32_t s = 0; s < w->source_count; ++s) {
    int64_t stop = start + w->sources[s].rows * w->columns;
    int64_t from = begin > start ? begin : start, to = end < stop ? end : stop;
    if (from < to) {
      uint64_t stream = stream_of(w->seed, w->sources[s].name, block);
      uint64_t state[PANEL];
      for (int j = 0; j < PANEL; ++j)
        state[j] = stream + ((uint64_t)(from - start) + (uint64_t)j + 1) * golden;
      uint8_t *out = data + block * w->info.stride + from * size;
      int64_t groups = (to - from) / PANEL, rest = (to - from) % PANEL;
      run(state, PANEL, PANEL * golden, groups, &shape, out);
      if (rest > 0) {
        uint8_t tail[PANEL * 4];
        for (int j = 0; j < PANEL; ++j)
          state[j] += (uint64_t)groups * PANEL * golden;
        run(state, PANEL, PANEL * golden, 1, &shape, tail);
        memcpy(out + groups * PANEL * size, tail, (size_t)(rest * size));
      }
    }
    start = stop;
  }
}

typedef struct job {
  const sluice_weight_t *weights;
  int32_t count;
  uint8_t *const *data;
  _Atomic int64_t *next; /* [count] next piece of each weight */
  fill_t run;
} job_t;

static int64_t pieces_per_block(const sluice_weight_t *w) {
  return w->info.panel ? sluice_ceil_div(w->rows, PANEL)
                       : sluice_ceil_div(w->rows * w->columns, CHUNK);
}

static void *work(void *argument) {
  job_t *job = argument;
  for (int32_t i = 0; i < job->count; ++i) {
    const sluice_weight_t *w = &job->weights[i];
    if (!w->info.generated)
      continue;
    int64_t per_block = pieces_per_block(w), total = per_block * w->blocks, piece;
    while ((piece = atomic_fetch_add_explicit(&job->next[i], 1, memory_order_relaxed)) < total) {
      int64_t block = piece / per_block, part = piece % per_block;
      if (w->info.panel) {
        fill_panel(job->run, w, block, part, job->data[i]);
      } else {
        int64_t all = w->rows * w->columns, begin = part * CHUNK;
        fill_rows(job->run, w, block, begin, begin + CHUNK < all ? begin + CHUNK : all,
                  job->data[i]);
      }
    }
  }
  return NULL;
}

sluice_status_t sluice_generate(const sluice_allocator_t *allocator, const sluice_weight_t *weights,
                                int32_t count, uint8_t *const *data, int32_t threads,
                                sluice_generate_path_t path) {
  enum { HELPERS = 63 };
  pthread_t helpers[HELPERS];
  int32_t started = 0;
  job_t job = {weights, count, data, NULL, choose_fill(path)};
  SLUICE_TRY(sluice_allocate(allocator, (size_t)count, sizeof *job.next, &job.next));
  // A helper that cannot be started only makes this slower.
  while (started < HELPERS && started + 1 < threads &&
         sluice_thread_start(&helpers[started], work, &job) == 0)
    ++started;
  work(&job);
  for (int32_t i = 0; i < started; ++i)
    pthread_join(helpers[i], NULL);
  sluice_free(allocator, job.next, (size_t)count, sizeof *job.next);
  return SLUICE_STATUS_OK;
}
