/* SPDX-License-Identifier: Apache-2.0
 *
 * generate.c: seeded weights. The counter hash is evaluated eight elements at a time with the
 * compiler's vector types, once for the plain instruction set and, on x86-64, once for AVX2 and
 * once for AVX-512, which give the same bits.
 */
#include "generate.h"
#include "block_codes.h"
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

/* What a group of |width| elements (a multiple of LANES, at most 2 * PANEL) is made of: element j
 * of group g has the counter state[j] + g * step[j], and its hash becomes u * factor[j], or 1 + u *
 * factor[j]. */
typedef struct recipe {
  uint64_t state[2 * PANEL], step[2 * PANEL];
  float factor[2 * PANEL];
  int width;
  bool plus_one;
  sluice_dtype_t dtype;
} recipe_t;

static uint64_t mix(uint64_t z) {
  z ^= z >> 30;
  z *= 0xBF58476D1CE4E5B9u;
  z ^= z >> 27;
  z *= 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

/* mix(seed ^ fnv1a64(name)) of source |s| with the numbers of the layer and the expert of block
 * |block| in the places of "{}", as the counter of the block's first element stands. */
static uint64_t stream_of(const sluice_weight_t *w, int32_t s, int64_t block) {
  uint64_t hash = 0xcbf29ce484222325u;
  const int64_t experts = w->experts > 0 ? w->experts : 1;
  int64_t layer = block / experts, expert = block % experts;
  if (w->layers)
    layer = w->layers[layer];
  bool is_layer = w->info.stack > 0;
  for (const char *c = w->sources[s].name; *c; ++c) {
    if (c[0] == '{' && c[1] == '}') {
      char digits[24];
      snprintf(digits, sizeof digits, "%lld", (long long)(is_layer ? layer : expert));
      is_layer = false;
      for (const char *d = digits; *d; ++d)
        hash = (hash ^ (unsigned char)*d) * 0x100000001b3u;
      ++c;
    } else {
      hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    }
  }
  const uint64_t start = mix(w->seed ^ hash);
  /* In a tensor of all experts, those before this one come first. */
  const bool holds_all =
      w->experts > 0 && sluice_source_marks(&w->sources[s]) == (w->info.stack > 0);
  return holds_all ? start + (uint64_t)(expert * w->sources[s].rows * w->columns) * golden : start;
}

/* Row |row| of a block's source, as it lies in the checkpoint. */
static int64_t row_of(const sluice_weight_t *w, int32_t s, int64_t row) {
  const int64_t half = w->sources[s].rows / 2;
  return !w->alternating ? row : row < half ? 2 * row : 2 * (row - half) + 1;
}

static inline __attribute__((always_inline)) void fill(const recipe_t *recipe, int64_t groups,
                                                       uint8_t *out) {
  const size_t size = recipe->dtype == SLUICE_DTYPE_F32 ? 4 : 2;
  for (int part = 0; part < recipe->width; part += LANES) {
    u64_lanes counter, step;
    f32_lanes factor;
    memcpy(&counter, recipe->state + part, sizeof counter);
    memcpy(&step, recipe->step + part, sizeof step);
    memcpy(&factor, recipe->factor + part, sizeof factor);
    uint8_t *to = out + (size_t)part * size;
    for (int64_t g = 0; g < groups; ++g, to += (size_t)recipe->width * size) {
      u64_lanes z = counter;
      counter += step;
      z ^= z >> 30;
      z *= 0xBF58476D1CE4E5B9u;
      z ^= z >> 27;
      z *= 0x94D049BB133111EBu;
      z ^= z >> 31;
      f32_lanes u = __builtin_convertvector(__builtin_convertvector(z >> 40, i32_lanes), f32_lanes);
      u = u * 0x1p-23f - 1.0f;
      f32_lanes value = u * factor;
      if (recipe->plus_one)
        value = 1.0f + value;
      if (size == 4) {
        memcpy(to, &value, sizeof value);
        continue;
      }
      u32_lanes bits, half;
      memcpy(&bits, &value, sizeof bits);
      if (recipe->dtype == SLUICE_DTYPE_BF16) {
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

static void fill_plain(const recipe_t *recipe, int64_t groups, uint8_t *out) {
  fill(recipe, groups, out);
}

static void encode_plain(const float *values, int64_t columns, int bits, uint32_t *words,
                         uint16_t *scales) {
  sluice_block_encode(values, columns, bits, words, scales);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
encode_avx2(const float *values, int64_t columns, int bits, uint32_t *words, uint16_t *scales) {
  sluice_block_encode(values, columns, bits, words, scales);
}
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))) static void
encode_avx512(const float *values, int64_t columns, int bits, uint32_t *words, uint16_t *scales) {
  sluice_block_encode(values, columns, bits, words, scales);
}
__attribute__((target("avx2"))) static void fill_avx2(const recipe_t *recipe, int64_t groups,
                                                      uint8_t *out) {
  fill(recipe, groups, out);
}
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))) static void
fill_avx512(const recipe_t *recipe, int64_t groups, uint8_t *out) {
  fill(recipe, groups, out);
}
#endif

typedef void (*fill_t)(const recipe_t *, int64_t, uint8_t *);
typedef void (*encode_t)(const float *, int64_t, int, uint32_t *, uint16_t *);

/* The code for one kind of machine. */
typedef struct path {
  fill_t fill;
  encode_t encode;
} path_t;

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

static path_t choose_path(sluice_generate_path_t path) {
#if defined(__x86_64__)
  if (path == SLUICE_GENERATE_BEST)
    path =
        sluice_generate_has(SLUICE_GENERATE_AVX512) ? SLUICE_GENERATE_AVX512 : SLUICE_GENERATE_AVX2;
  if (path == SLUICE_GENERATE_AVX512 && sluice_generate_has(path))
    return (path_t){fill_avx512, encode_avx512};
  if (path == SLUICE_GENERATE_AVX2 && sluice_generate_has(path))
    return (path_t){fill_avx2, encode_avx2};
#else
  (void)path;
#endif
  return (path_t){fill_plain, encode_plain};
}

/* How far apart elements (row, column) and (row + 1, column), and (row, column) and (row, column +
 * 1), are in source |s|, as it lies in a checkpoint; and the factor of its values. */
typedef struct source_shape {
  uint64_t by_row, by_column;
  float factor;
} source_shape_t;

static source_shape_t source_shape(const sluice_weight_t *w, int32_t s) {
  source_shape_t shape = {(uint64_t)w->columns, 1, 0.2f};
  int64_t fan_in = w->fan_in;
  if (w->transposed) {
    shape.by_row = 1;
    shape.by_column = (uint64_t)(fan_in = w->sources[s].rows);
  }
  if (w->role == SLUICE_ROLE_WEIGHT || w->role == SLUICE_ROLE_TABLE)
    shape.factor = (float)(sqrt(3.0) * 1.2 / sqrt((double)fan_in));
  return shape;
}

static recipe_t recipe_of(const sluice_weight_t *w, int width) {
  recipe_t recipe = {
      .width = width, .plus_one = w->role == SLUICE_ROLE_SCALE, .dtype = w->info.dtype};
  return recipe;
}

/* A panel's numbers in groups of |group| inputs, 0 where there is no row: rows may come from
 * several sources. Gives the number of rows. */
static int64_t panel_recipe(const sluice_weight_t *w, int64_t block, int64_t panel, int64_t group,
                            recipe_t *recipe) {
  int64_t first = panel * PANEL, row = first,
          valid = w->rows - first < PANEL ? w->rows - first : PANEL, start = 0;
  for (int32_t s = 0; s < w->source_count && row < first + valid; start += w->sources[s++].rows) {
    int64_t end = start + w->sources[s].rows;
    if (end <= row)
      continue;
    const uint64_t stream = stream_of(w, s, block);
    const source_shape_t shape = source_shape(w, s);
    for (; row < end && row < first + valid; ++row)
      for (int64_t t = 0; t < group; ++t) {
        const int64_t lane = (row - first) * group + t;
        recipe->state[lane] = stream + ((uint64_t)row_of(w, s, row - start) * shape.by_row +
                                        (uint64_t)t * shape.by_column + 1) *
                                           golden;
        recipe->step[lane] = (uint64_t)group * shape.by_column * golden;
        recipe->factor[lane] = shape.factor;
      }
  }
  return valid;
}

/* An f16 number, exactly. */
static float half_to_float(uint16_t bits) {
  uint32_t magnitude = bits & 0x7fffu, sign = (uint32_t)(bits & 0x8000u) << 16;
  float value = (float)magnitude * 0x1p-24f; /* below the smallest normal number */
  if (magnitude >= 0x400u) {
    magnitude = (magnitude << 13) + 0x38000000u;
    memcpy(&value, &magnitude, sizeof value);
  }
  uint32_t raw;
  memcpy(&raw, &value, sizeof raw);
  raw |= sign;
  memcpy(&value, &raw, sizeof value);
  return value;
}

/* A number of |dtype| at |from|. */
static float number_at(const uint8_t *from, sluice_dtype_t dtype) {
  float value;
  if (dtype == SLUICE_DTYPE_F32) {
    memcpy(&value, from, sizeof value);
    return value;
  }
  uint16_t bits;
  memcpy(&bits, from, sizeof bits);
  if (dtype == SLUICE_DTYPE_F16)
    return half_to_float(bits);
  uint32_t wide = (uint32_t)bits << 16;
  memcpy(&value, &wide, sizeof value);
  return value;
}

/* Panel |panel| of block |block| as codes: its numbers, rounded to the dtype as they would be
 * stored, are encoded group by group. */
static void fill_encoded_panel(path_t run, const sluice_weight_t *w, int64_t block, int64_t panel,
                               uint8_t *data) {
  const int64_t columns = w->info.code_group, groups = sluice_ceil_div(w->columns, columns);
  const int64_t size = (int64_t)sluice_dtype_bytes(w->info.dtype), pair = size == 2 ? 2 : 1;
  const int64_t code_bytes = columns * PANEL * w->info.code_bits / 8;
  const int64_t scale_bytes = sluice_ceil_div(groups * 32, SLUICE_ALIGN) * SLUICE_ALIGN;
  uint8_t *out = data + block * w->info.stride + panel * (groups * code_bytes + scale_bytes);
  uint8_t *scales = out + groups * code_bytes;
  memset(scales, 0, (size_t)scale_bytes);
  recipe_t recipe = recipe_of(w, (int)(PANEL * pair));
  const int64_t valid = panel_recipe(w, block, panel, pair, &recipe);
  uint8_t raw[SLUICE_BLOCK_MAX * PANEL * 4];
  float values[SLUICE_BLOCK_MAX * PANEL];
  for (int64_t g = 0; g < groups; ++g) {
    run.fill(&recipe, columns / pair, raw);
    for (int64_t j = 0; j < PANEL * pair; ++j)
      recipe.state[j] += (uint64_t)(columns / pair) * recipe.step[j];
    for (int64_t k = 0; k < columns; ++k)
      for (int64_t lane = 0; lane < PANEL; ++lane)
        values[k * PANEL + lane] =
            lane < valid && g * columns + k < w->columns
                ? number_at(raw + ((k / pair * PANEL + lane) * pair + k % pair) * size,
                            w->info.dtype)
                : 0.0f;
    run.encode(values, columns, w->info.code_bits, (uint32_t *)(void *)(out + g * code_bytes),
               (uint16_t *)(void *)(scales + g * 32));
  }
}

/* Panel |panel| of block |block|: 16 rows. */
static void fill_panel(path_t run, const sluice_weight_t *w, int64_t block, int64_t panel,
                       uint8_t *data) {
  const int64_t size = (int64_t)sluice_dtype_bytes(w->info.dtype), group = size == 2 ? 2 : 1;
  const int64_t groups = sluice_ceil_div(w->columns, group), width = PANEL * group;
  uint8_t *out = data + block * w->info.stride + panel * groups * width * size;
  recipe_t recipe = recipe_of(w, (int)width);
  const int64_t valid = panel_recipe(w, block, panel, group, &recipe);
  run.fill(&recipe, groups, out);
  // Padding is zero, in outputs and in inputs.
  if (valid < PANEL)
    for (int64_t g = 0; g < groups; ++g)
      memset(out + (g * width + valid * group) * size, 0, (size_t)((width - valid * group) * size));
  if (w->columns % group != 0)
    for (int64_t lane = 0; lane < PANEL; ++lane)
      memset(out + ((groups - 1) * width + lane * group + 1) * size, 0, (size_t)size);
}

/* |count| elements whose counters are |step| apart, the first one |counter|. */
static void fill_stretch(fill_t run, recipe_t *recipe, uint64_t counter, uint64_t step,
                         float factor, int64_t count, uint8_t *out) {
  const size_t size = sluice_dtype_bytes(recipe->dtype);
  for (int j = 0; j < PANEL; ++j) {
    recipe->state[j] = counter + (uint64_t)j * step;
    recipe->step[j] = PANEL * step;
    recipe->factor[j] = factor;
  }
  const int64_t groups = count / PANEL, rest = count % PANEL;
  run(recipe, groups, out);
  if (rest > 0) {
    uint8_t tail[PANEL * 4];
    for (int j = 0; j < PANEL; ++j)
      recipe->state[j] += (uint64_t)groups * recipe->step[j];
    run(recipe, 1, tail);
    memcpy(out + (size_t)(groups * PANEL) * size, tail, (size_t)rest * size);
  }
}

/* Elements [begin, end) of block |block|, row-major. */
static void fill_rows(path_t run, const sluice_weight_t *w, int64_t block, int64_t begin,
                      int64_t end, uint8_t *data) {
  const int64_t size = (int64_t)sluice_dtype_bytes(w->info.dtype);
  recipe_t recipe = recipe_of(w, PANEL);
  int64_t start = 0;
  for (int32_t s = 0; s < w->source_count; ++s) {
    const int64_t stop = start + w->sources[s].rows * w->columns;
    int64_t at = begin > start ? begin : start;
    const int64_t to = end < stop ? end : stop;
    const source_shape_t shape = source_shape(w, s);
    const uint64_t stream = at < to ? stream_of(w, s, block) : 0;
    while (at < to) {
      // What follows in the source follows here too, or does so for the rest of a row.
      const int64_t row = (at - start) / w->columns, column = (at - start) % w->columns;
      int64_t count = to - at;
      if ((w->transposed || w->alternating) && count > w->columns - column)
        count = w->columns - column;
      const uint64_t counter = stream + ((uint64_t)row_of(w, s, row) * shape.by_row +
                                         (uint64_t)column * shape.by_column + 1) *
                                            golden;
      fill_stretch(run.fill, &recipe, counter, shape.by_column * golden, shape.factor, count,
                   data + block * w->info.stride + at * size);
      at += count;
    }
    start = stop;
  }
}

typedef struct job {
  const sluice_weight_t *weights;
  int32_t count;
  uint8_t *const *data;
  _Atomic int64_t *next; /* [count] next piece of each weight */
  path_t run;
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
      if (w->info.code_bits) {
        fill_encoded_panel(job->run, w, block, part, job->data[i]);
      } else if (w->info.panel) {
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
  job_t job = {weights, count, data, NULL, choose_path(path)};
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
