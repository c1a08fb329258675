/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest_weights.c: the manifest's weights: shapes, layouts (docs/Contracts.md, section 3) and
 * their sizes in bytes.
 */
#include "block_codes.h"
#include "manifest.h"

#include <stdio.h>
#include <string.h>

static const int64_t bytes_limit = (int64_t)1 << 46;

int sluice_source_marks(const sluice_source_t *source) {
  int marks = 0;
  for (const char *c = source->name; (c = strstr(c, "{}")) != NULL; c += 2)
    ++marks;
  return marks;
}

static sluice_status_t read_shape(const sluice_manifest_t *m, const sluice_json_t *node,
                                  const char *where, sluice_weight_t *w) {
  const sluice_json_t *list;
  const int64_t none = 0;
  SLUICE_TRY(sluice_field_integer(m, node, where, "experts", 0, 1 << 12, &none, &w->experts));
  SLUICE_TRY(sluice_field(m, node, where, "shape", SLUICE_JSON_ARRAY, &list));
  if (list->count < 1 || list->count > SLUICE_RANK_MAX)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.shape has %u sizes, expected 1 to %d", where, list->count,
                            SLUICE_RANK_MAX);
  for (const sluice_json_t *d = sluice_json_first(&m->doc, list); d;
       d = sluice_json_next(&m->doc, d)) {
    int64_t size;
    if (!sluice_json_integer(d, &size) || size < 1 || size > bytes_limit)
      return sluice_json_fail(&m->doc, d, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.shape[%d]: expected an integer from 1 to 2^46", where,
                              w->info.rank);
    w->info.shape[w->info.rank++] = size;
  }
  int32_t first = 0;
  w->blocks = 1;
  if (w->info.stack > 0) {
    if (w->info.rank < 2 || w->info.shape[0] != w->info.stack)
      return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.shape must start with the stack, %lld, and go on", where,
                              (long long)w->info.stack);
    w->blocks = w->info.stack;
    first = 1;
  }
  if (w->experts > 0) {
    if (w->info.rank < first + 2 || w->info.shape[first] != w->experts)
      return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.shape must go on with the experts, %lld, after the stack", where,
                              (long long)w->experts);
    if (!sluice_mul(w->blocks, w->experts, &w->blocks))
      return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s: layers times experts do not fit in 63 bits", where);
    ++first;
  }
  w->rows = w->info.shape[first];
  w->columns = 1;
  for (int32_t i = first + 1; i < w->info.rank; ++i)
    if (!sluice_mul(w->columns, w->info.shape[i], &w->columns))
      return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.shape: the product does not fit in 63 bits", where);
  w->fan_in = w->info.shape[w->info.rank - 1];
  if (w->info.panel && w->info.rank - first != 2)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.shape: a panel has two sizes, and the stack and experts", where);
  return SLUICE_STATUS_OK;
}

/* Codes with scales instead of numbers. */
static sluice_status_t read_encoding(const sluice_manifest_t *m, const sluice_json_t *encoding,
                                     const char *outer, sluice_weight_t *w) {
  char where[64];
  snprintf(where, sizeof where, "%s.encoding", outer);
  if (encoding->type != SLUICE_JSON_OBJECT)
    return sluice_json_fail(&m->doc, encoding, SLUICE_STATUS_BAD_ARTEFACT, "%s: expected an object",
                            where);
  const char *element, *scale;
  int64_t rows, columns;
  SLUICE_TRY(sluice_field_string(m, encoding, where, "element", &element));
  SLUICE_TRY(sluice_field_string(m, encoding, where, "scale", &scale));
  SLUICE_TRY(sluice_field_integer(m, encoding, where, "rows", 1, bytes_limit, NULL, &rows));
  SLUICE_TRY(sluice_field_integer(m, encoding, where, "columns", 1, bytes_limit, NULL, &columns));
  w->info.code_bits = strcmp(element, "i8") == 0 ? 8 : strcmp(element, "i4") == 0 ? 4 : 0;
  if (w->info.code_bits == 0 || strcmp(scale, "bf16") != 0)
    return sluice_json_fail(&m->doc, encoding, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s has elements of \"%.40s\" and scales of \"%.40s\", expected i8 or "
                            "i4 and bf16: use a newer runtime",
                            where, element, scale);
  if (rows != 1 || columns < 32 || columns > SLUICE_BLOCK_MAX || (columns & (columns - 1)) != 0)
    return sluice_json_fail(
        &m->doc, encoding, SLUICE_STATUS_BAD_ARTEFACT,
        "%s has blocks of %lld x %lld, expected 1 x a power of two from 32 to %d", where,
        (long long)rows, (long long)columns, SLUICE_BLOCK_MAX);
  w->info.code_group = (int32_t)columns;
  if (!w->info.panel)
    return sluice_json_fail(&m->doc, encoding, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s: codes lie in panels, expected layout panel", where);
  if (w->info.dtype > SLUICE_DTYPE_F16)
    return sluice_json_fail(&m->doc, encoding, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s: expected codes of f32, bf16 or f16, found %s", where,
                            sluice_dtype_name(w->info.dtype));
  return SLUICE_STATUS_OK;
}

/* Bytes of all panels of a block: codes of whole groups, then the scales (docs/Contracts.md,
 * section 3). */
static bool encoded_bytes(const sluice_weight_t *w, int64_t *out) {
  int64_t groups = sluice_ceil_div(w->columns, w->info.code_group), codes, scales;
  return sluice_mul(groups, (int64_t)w->info.code_group * 16 * w->info.code_bits / 8, &codes) &&
         sluice_mul(groups, 32, &scales) && sluice_round_up(scales, SLUICE_ALIGN, &scales) &&
         sluice_add(codes, scales, out) && sluice_mul(*out, sluice_ceil_div(w->rows, 16), out);
}

/* Packed sizes must be the ones the layout gives: compiled code adds strides without looking. */
static sluice_status_t check_bytes(const sluice_manifest_t *m, const sluice_json_t *node,
                                   const char *where, sluice_weight_t *w) {
  int64_t size = (int64_t)sluice_dtype_bytes(w->info.dtype), group = size == 2 ? 2 : 1;
  int64_t n = w->rows, k = w->columns, stride, bytes;
  bool fits = true;
  if (w->info.panel) {
    fits = sluice_round_up(n, 16, &n) && sluice_round_up(k, group, &k);
    if (w->info.dtype != SLUICE_DTYPE_F32 && size != 2)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s: panels are f32, bf16 or f16, found %s", where,
                              sluice_dtype_name(w->info.dtype));
  }
  fits = w->info.code_bits ? encoded_bytes(w, &w->block_bytes)
                           : fits && sluice_mul(n, k, &w->block_bytes) &&
                                 sluice_mul(w->block_bytes, size, &w->block_bytes);
  fits = fits && sluice_round_up(w->block_bytes, SLUICE_ALIGN, &stride) &&
         sluice_mul(stride, w->blocks, &bytes) && bytes <= bytes_limit;
  if (!fits)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT, "%s: more than 2^46 bytes",
                            where);
  SLUICE_TRY(sluice_field_integer(m, node, where, "bytes", 1, bytes_limit, NULL, &w->info.bytes));
  SLUICE_TRY(
      sluice_field_integer(m, node, where, "stride", 0, bytes_limit, &stride, &w->info.stride));
  if (w->info.stack == 0 && w->info.stride == 0)
    w->info.stride = stride;
  if (w->info.stride != stride)
    return sluice_json_fail(
        &m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
        "%s.stride is %lld, expected %lld (a block by its shape, dtype and layout)", where,
        (long long)w->info.stride, (long long)stride);
  if (w->info.bytes != bytes)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.bytes is %lld, expected %lld (%lld x stride)", where,
                            (long long)w->info.bytes, (long long)bytes, (long long)w->blocks);
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_generator(sluice_manifest_t *m, const sluice_json_t *node,
                                      const char *where, sluice_weight_t *w,
                                      sluice_source_t *sources) {
  static const char *const roles[] = {"weight", "table", "scale", "bias"};
  const sluice_json_t *role, *list;
  int64_t seed, total = 0;
  SLUICE_TRY(
      sluice_field_integer(m, node, where, "random_seed", INT64_MIN, INT64_MAX, NULL, &seed));
  w->seed = (uint64_t)seed;
  w->info.generated = true;
  SLUICE_TRY(sluice_field(m, node, where, "role", SLUICE_JSON_STRING, &role));
  int r = 0;
  while (r < 4 && strcmp(roles[r], role->text) != 0)
    ++r;
  if (r == 4)
    return sluice_json_fail(&m->doc, role, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.role is \"%.40s\", expected weight, table, scale or bias", where,
                            role->text);
  w->role = (sluice_role_t)r;
  if (w->info.dtype > SLUICE_DTYPE_F16)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s: only f32, bf16 and f16 can be generated", where);
  SLUICE_TRY(sluice_field(m, node, where, "sources", SLUICE_JSON_ARRAY, &list));
  w->sources = sources;
  for (const sluice_json_t *s = sluice_json_first(&m->doc, list); s;
       s = sluice_json_next(&m->doc, s)) {
    char inner[96];
    snprintf(inner, sizeof inner, "%s.sources[%d]", where, w->source_count);
    sluice_source_t *source = &sources[w->source_count++];
    SLUICE_TRY(sluice_field_string(m, s, inner, "name", &source->name));
    SLUICE_TRY(sluice_field_integer(m, s, inner, "rows", 1, bytes_limit, NULL, &source->rows));
    if (strlen(source->name) > 900)
      return sluice_json_fail(&m->doc, s, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.name is longer than 900 bytes", inner);
    if (!sluice_add(total, source->rows, &total))
      total = INT64_MAX;
  }
  const int64_t zero = 0;
  int64_t transposed;
  SLUICE_TRY(sluice_field_integer(m, node, where, "transposed", 0, 1, &zero, &transposed));
  w->transposed = transposed == 1;
  SLUICE_TRY(sluice_field_integer(m, node, where, "alternating", 0, 1, &zero, &transposed));
  w->alternating = transposed == 1;
  for (int32_t s = 0; s < w->source_count; ++s) {
    const sluice_source_t *source = &sources[s];
    const int marks = sluice_source_marks(source), wanted = w->info.stack > 0;
    if (marks != wanted && !(w->experts > 0 && marks == wanted + 1))
      return sluice_json_fail(
          &m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
          "%s.sources[%d].name has %d \"{}\", expected one for the layer of a stack%s", where, s,
          marks, w->experts > 0 ? ", and perhaps one for the expert" : "");
    if (w->alternating && source->rows % 2 != 0)
      return sluice_json_fail(
          &m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
          "%s.sources[%d].rows is odd, expected an even number with alternating", where, s);
  }
  if (w->transposed && w->info.rank - (w->info.stack > 0) - (w->experts > 0) != 2)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.transposed: expected a shape of two sizes, and the stack", where);
  if (total != w->rows)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.sources have %lld rows together, expected %lld by the shape", where,
                            (long long)total, (long long)w->rows);
  return SLUICE_STATUS_OK;
}

/* Letters, digits, '_', '-' and '.', the first no '.': a name that can only be a file in its
 * folder. */
static bool is_file_name(const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
  return length > 0 && length < 200 && name[length] == 0 && name[0] != '.';
}

/* Which layers of the checkpoint a stack is. */
static sluice_status_t read_layers(const sluice_manifest_t *m, const sluice_json_t *list,
                                   const char *where, sluice_weight_t *w, int64_t *layers) {
  if (list->type != SLUICE_JSON_ARRAY || w->info.stack == 0 || list->count != w->info.stack)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.layers: expected a list of as many numbers as the stack has layers",
                            where);
  w->layers = layers;
  int64_t before = -1;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node)) {
    if (!sluice_json_integer(node, layers) || *layers <= before || *layers > (1 << 24))
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.layers: expected ascending numbers from 0 to 2^24", where);
    before = *layers++;
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_weight(sluice_manifest_t *m, const sluice_json_t *node, int32_t index,
                                   sluice_source_t *sources, int64_t *layers) {
  sluice_weight_t *w = &m->weights[index];
  const sluice_json_t *layout;
  const int64_t zero = 0;
  char where[48];
  snprintf(where, sizeof where, "weights[%d]", index);
  SLUICE_TRY(sluice_field_string(m, node, where, "name", &w->info.name));
  SLUICE_TRY(sluice_field_dtype(m, node, where, &w->info.dtype));
  SLUICE_TRY(sluice_field_integer(m, node, where, "stack", 0, 1 << 24, &zero, &w->info.stack));
  SLUICE_TRY(sluice_field(m, node, where, "layout", SLUICE_JSON_STRING, &layout));
  w->info.panel = strcmp(layout->text, "panel") == 0;
  if (!w->info.panel && strcmp(layout->text, "rows") != 0)
    return sluice_json_fail(&m->doc, layout, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.layout is \"%.40s\", expected panel or rows", where, layout->text);
  const sluice_json_t *home = sluice_json_member(&m->doc, node, "home");
  w->remote = home != NULL;
  w->in_file = home && home->type == SLUICE_JSON_STRING && strcmp(home->text, "file") == 0;
  if (home && (home->type != SLUICE_JSON_STRING || w->info.panel ||
               (!w->in_file && strcmp(home->text, "host") != 0)))
    return sluice_json_fail(&m->doc, home, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.home: expected \"host\" or \"file\", and the layout rows", where);
  if (w->in_file && (!is_file_name(w->info.name) || w->info.stack > 0 ||
                     sluice_json_member(&m->doc, node, "random_seed")))
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s: expected a table in a file to have a plain name, no stack and no "
                            "random_seed",
                            where);
  SLUICE_TRY(read_shape(m, node, where, w));
  const sluice_json_t *numbers = sluice_json_member(&m->doc, node, "layers");
  if (numbers)
    SLUICE_TRY(read_layers(m, numbers, where, w, layers));
  const sluice_json_t *encoding = sluice_json_member(&m->doc, node, "encoding");
  if (encoding)
    SLUICE_TRY(read_encoding(m, encoding, where, w));
  SLUICE_TRY(check_bytes(m, node, where, w));
  if (sluice_json_member(&m->doc, node, "random_seed"))
    SLUICE_TRY(read_generator(m, node, where, w, sources));
  if (!sluice_add(m->info.weight_bytes, w->info.bytes, &m->info.weight_bytes) ||
      m->info.weight_bytes > bytes_limit)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s: all weights are more than 2^46 bytes", where);
  m->weight_infos[index] = w->info;
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_manifest_read_weights(sluice_manifest_t *m, const sluice_json_t *list) {
  size_t sources = 0, layers = 0;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node)) {
    const sluice_json_t *inner = sluice_json_member(&m->doc, node, "sources");
    sources += inner && inner->type == SLUICE_JSON_ARRAY ? inner->count : 0;
    const sluice_json_t *numbers = sluice_json_member(&m->doc, node, "layers");
    layers += numbers && numbers->type == SLUICE_JSON_ARRAY ? numbers->count : 0;
  }
  m->info.weight_count = (int32_t)list->count;
  m->source_total = (int32_t)sources;
  m->layer_total = (int32_t)layers;
  SLUICE_TRY(sluice_allocate(&m->allocator, list->count, sizeof *m->weights, &m->weights));
  SLUICE_TRY(
      sluice_allocate(&m->allocator, list->count, sizeof *m->weight_infos, &m->weight_infos));
  SLUICE_TRY(sluice_allocate(&m->allocator, sources, sizeof *m->sources, &m->sources));
  SLUICE_TRY(sluice_allocate(&m->allocator, layers, sizeof *m->layers, &m->layers));
  m->info.weights = m->weight_infos;
  int32_t index = 0, used = 0;
  size_t numbered = 0;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node)) {
    SLUICE_TRY(read_weight(m, node, index, m->sources + used, m->layers + numbered));
    const sluice_json_t *numbers = sluice_json_member(&m->doc, node, "layers");
    numbered += numbers && numbers->type == SLUICE_JSON_ARRAY ? numbers->count : 0;
    used += m->weights[index++].source_count;
  }
  return SLUICE_STATUS_OK;
}
