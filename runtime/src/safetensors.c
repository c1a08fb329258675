/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.c: checks a safetensors file member by member before anybody looks at its data.
 */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

static const int64_t header_limit = 100000000;

static const struct {
  const char *name;
  int32_t bits;
} dtypes[] = {
    {"BOOL", 8},        {"U8", 8},   {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8},
    {"F8_E8M0", 8},     {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32}, {"F32", 32},    {"I64", 64},    {"U64", 64},
    {"F64", 64},        {"C64", 64},
};

static int32_t dtype_bits(const char *name) {
  for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; ++i)
    if (strcmp(dtypes[i].name, name) == 0)
      return dtypes[i].bits;
  return 0;
}

static sluice_status_t bad(const sluice_tensors_t *t, const sluice_json_t *node, const char *name,
                           const char *what) {
  return sluice_json_fail(&t->doc, node, SLUICE_STATUS_BAD_ARTEFACT, "tensor \"%.200s\": %s", name,
                          what);
}

static sluice_status_t read_tensor(const sluice_tensors_t *t, const sluice_json_t *node,
                                   int64_t data_start, sluice_tensor_t *out) {
  const char *name = node->key;
  const sluice_json_t *dtype = sluice_json_member(&t->doc, node, "dtype");
  const sluice_json_t *shape = sluice_json_member(&t->doc, node, "shape");
  const sluice_json_t *offsets = sluice_json_member(&t->doc, node, "data_offsets");
  if (node->type != SLUICE_JSON_OBJECT || node->count != 3 || !dtype ||
      dtype->type != SLUICE_JSON_STRING || !shape || shape->type != SLUICE_JSON_ARRAY || !offsets ||
      offsets->type != SLUICE_JSON_ARRAY)
    return bad(t, node, name,
               "expected an object of dtype (string), shape (array) and data_offsets (array)");
  sluice_tensor_t tensor = {.name = name, .dtype = dtype->text, .elements = 1};
  tensor.bits = dtype_bits(dtype->text);
  if (tensor.bits == 0)
    return sluice_json_fail(&t->doc, dtype, SLUICE_STATUS_BAD_ARTEFACT,
                            "tensor \"%.200s\": unknown dtype \"%.40s\"", name, dtype->text);
  if (shape->count > SLUICE_RANK_MAX)
    return sluice_json_fail(&t->doc, shape, SLUICE_STATUS_BAD_ARTEFACT,
                            "tensor \"%.200s\" has %u dimensions, expected at most %d", name,
                            shape->count, SLUICE_RANK_MAX);
  for (const sluice_json_t *d = sluice_json_first(&t->doc, shape); d;
       d = sluice_json_next(&t->doc, d)) {
    int64_t size;
    if (!sluice_json_integer(d, &size) || size < 0)
      return bad(t, d, name, "a size in shape is not an integer from 0 up");
    if (!sluice_mul(tensor.elements, size, &tensor.elements))
      return bad(t, d, name, "the product of the sizes in shape does not fit in 63 bits");
    tensor.shape[tensor.rank++] = size;
  }
  const sluice_json_t *first = sluice_json_first(&t->doc, offsets);
  const sluice_json_t *second = first ? sluice_json_next(&t->doc, first) : NULL;
  int64_t begin, end, bits, data_bytes = t->file.bytes - data_start;
  if (offsets->count != 2 || !sluice_json_integer(first, &begin) ||
      !sluice_json_integer(second, &end) || begin < 0 || end < begin)
    return bad(t, offsets, name, "data_offsets must be two integers, 0 <= begin <= end");
  if (end > data_bytes)
    return sluice_json_fail(&t->doc, offsets, SLUICE_STATUS_BAD_ARTEFACT,
                            "tensor \"%.200s\" ends at byte %lld of the data, but the file has "
                            "%lld bytes of data (is it "
                            "cut?)",
                            name, (long long)end, (long long)data_bytes);
  if (!sluice_mul(tensor.elements, tensor.bits, &bits) || bits % 8 != 0)
    return bad(t, shape, name, "its size in bits does not fit in 63 bits or is no multiple of 8");
  if (bits / 8 != end - begin)
    return sluice_json_fail(&t->doc, offsets, SLUICE_STATUS_BAD_ARTEFACT,
                            "tensor \"%.200s\" has %lld bytes by its data_offsets, expected %lld "
                            "by its shape and dtype",
                            name, (long long)(end - begin), (long long)(bits / 8));
  tensor.begin = data_start + begin;
  tensor.end = data_start + end;
  tensor.data = t->file.data + tensor.begin;
  *out = tensor;
  return SLUICE_STATUS_OK;
}

static int by_offset(const void *a, const void *b) {
  const sluice_tensor_t *x = a, *y = b;
  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const sluice_tensor_t *)a)->name, ((const sluice_tensor_t *)b)->name);
}

static sluice_status_t check_cover(const sluice_tensors_t *t, int64_t data_start) {
  int64_t at = data_start;
  for (size_t i = 0; i < t->count; ++i) {
    const sluice_tensor_t *tensor = &t->tensors[i];
    if (tensor->begin != at)
      return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                         "%s: tensor \"%.200s\" starts at byte %lld of the data, but %s %lld",
                         t->path, tensor->name, (long long)(tensor->begin - data_start),
                         tensor->begin < at ? "the one before it overlaps it and ends at"
                                            : "there is a hole: the one before it ends at",
                         (long long)(at - data_start));
    at = tensor->end;
  }
  if (at != t->file.bytes)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s: the last tensor ends at byte %lld of the data, expected %lld", t->path,
                       (long long)(at - data_start), (long long)(t->file.bytes - data_start));
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_header(sluice_tensors_t *t) {
  static const char lfs[] = "version https://git-lfs.github.com/spec/";
  const sluice_file_t *file = &t->file;
  if (file->bytes >= (int64_t)sizeof lfs - 1 && memcmp(file->data, lfs, sizeof lfs - 1) == 0)
    return sluice_fail(
        SLUICE_STATUS_BAD_ARTEFACT,
        "%s is a Git LFS pointer, not the file it stands for: fetch it with 'git lfs pull'",
        t->path);
  if (file->bytes < 8)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s has %lld bytes, expected at least 8 (is it cut?)", t->path,
                       (long long)file->bytes);
  uint64_t size = 0;
  for (int i = 7; i >= 0; --i)
    size = size << 8 | file->data[i];
  if (size > (uint64_t)header_limit)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s: the header says it has %llu bytes, expected at most %lld (is this a "
                       "safetensors file?)",
                       t->path, (unsigned long long)size, (long long)header_limit);
  if ((int64_t)size > file->bytes - 8)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s: the header says it has %llu bytes, but only %lld follow (is it cut?)",
                       t->path, (unsigned long long)size, (long long)(file->bytes - 8));
  if (size == 0 || file->data[8] != '{')
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT, "%s: the header does not start with '{'",
                       t->path);
  SLUICE_TRY(sluice_json_parse(&t->allocator, t->path, (const char *)file->data + 8, (size_t)size,
                               &t->doc));
  const sluice_json_t *root = t->doc.nodes;
  SLUICE_TRY(sluice_allocate(&t->allocator, root->count, sizeof *t->tensors, &t->tensors));
  int64_t data_start = 8 + (int64_t)size;
  for (const sluice_json_t *m = sluice_json_first(&t->doc, root); m;
       m = sluice_json_next(&t->doc, m)) {
    if (strcmp(m->key, "__metadata__") == 0) {
      bool strings = m->type == SLUICE_JSON_OBJECT;
      for (const sluice_json_t *s = sluice_json_first(&t->doc, m); s;
           s = sluice_json_next(&t->doc, s))
        strings = strings && s->type == SLUICE_JSON_STRING;
      if (!strings)
        return sluice_json_fail(&t->doc, m, SLUICE_STATUS_BAD_ARTEFACT,
                                "__metadata__ must map strings to strings");
      continue;
    }
    SLUICE_TRY(read_tensor(t, m, data_start, &t->tensors[t->count]));
    ++t->count;
  }
  if (t->count)
    qsort(t->tensors, t->count, sizeof *t->tensors, by_offset);
  SLUICE_TRY(check_cover(t, data_start));
  if (t->count)
    qsort(t->tensors, t->count, sizeof *t->tensors, by_name);
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_tensors_open(const sluice_allocator_t *allocator, const char *path,
                                    sluice_tensors_t *out_tensors) {
  sluice_tensors_t t = {.allocator = *allocator, .path_size = strlen(path) + 1};
  SLUICE_TRY(sluice_allocate(allocator, t.path_size, 1, &t.path));
  memcpy(t.path, path, t.path_size);
  sluice_status_t status = sluice_file_map(path, &t.file);
  if (status == SLUICE_STATUS_OK)
    status = read_header(&t);
  if (status == SLUICE_STATUS_OK)
    *out_tensors = t;
  else
    sluice_tensors_close(&t);
  return status;
}

void sluice_tensors_close(sluice_tensors_t *t) {
  if (t->doc.nodes) {
    sluice_free(&t->allocator, t->tensors, t->doc.nodes->count, sizeof *t->tensors);
    sluice_json_free(&t->doc);
  }
  sluice_file_unmap(&t->file);
  if (t->path)
    sluice_free(&t->allocator, t->path, t->path_size, 1);
  memset(t, 0, sizeof *t);
}

const sluice_tensor_t *sluice_tensors_find(const sluice_tensors_t *t, const char *name) {
  sluice_tensor_t key = {.name = name};
  return t->count ? bsearch(&key, t->tensors, t->count, sizeof key, by_name) : NULL;
}
