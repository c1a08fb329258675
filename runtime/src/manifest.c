/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest.c: versions, target, limits, pages and the rest of the manifest; weights and functions
 * have files of their own.
 */
#include "manifest.h"
#include "machine.h"

#include <stdio.h>
#include <string.h>

static const int64_t manifest_bytes_limit = 64 << 20;
static const int64_t id_limit = INT32_MAX;

sluice_status_t sluice_field(const sluice_manifest_t *m, const sluice_json_t *object,
                             const char *where, const char *key, sluice_json_type_t type,
                             const sluice_json_t **out) {
  const sluice_json_t *node = sluice_json_member(&m->doc, object, key);
  sluice_json_t expected = {.type = (uint8_t)type};
  if (!node)
    return sluice_json_fail(&m->doc, object, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s lacks \"%s\", expected %s", where, key,
                            sluice_json_type_name(&expected));
  if (node->type != type)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT, "%s.%s is %s, expected %s",
                            where, key, sluice_json_type_name(node),
                            sluice_json_type_name(&expected));
  *out = node;
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_field_string(const sluice_manifest_t *m, const sluice_json_t *object,
                                    const char *where, const char *key, const char **out) {
  const sluice_json_t *node;
  SLUICE_TRY(sluice_field(m, object, where, key, SLUICE_JSON_STRING, &node));
  *out = node->text;
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_field_integer(const sluice_manifest_t *m, const sluice_json_t *object,
                                     const char *where, const char *key, int64_t low, int64_t high,
                                     const int64_t *fallback, int64_t *out) {
  const sluice_json_t *node = sluice_json_member(&m->doc, object, key);
  if (!node && fallback) {
    *out = *fallback;
    return SLUICE_STATUS_OK;
  }
  SLUICE_TRY(sluice_field(m, object, where, key, SLUICE_JSON_NUMBER, &node));
  int64_t value;
  if (!sluice_json_integer(node, &value) || value < low || value > high)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.%s is %.*s, expected an integer from %lld to %lld", where, key,
                            (int)(node->count < 40 ? node->count : 40), node->text, (long long)low,
                            (long long)high);
  *out = value;
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_field_dtype(const sluice_manifest_t *m, const sluice_json_t *object,
                                   const char *where, sluice_dtype_t *out) {
  const sluice_json_t *node;
  SLUICE_TRY(sluice_field(m, object, where, "dtype", SLUICE_JSON_STRING, &node));
  for (int d = 0; d <= SLUICE_DTYPE_I64; ++d)
    if (strcmp(node->text, sluice_dtype_name((sluice_dtype_t)d)) == 0) {
      *out = (sluice_dtype_t)d;
      return SLUICE_STATUS_OK;
    }
  return sluice_json_fail(
      &m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
      "%s.dtype is \"%.40s\", expected one of f32, bf16, f16, i8, u8, i16, i32, i64", where,
      node->text);
}

static sluice_status_t read_versions(sluice_manifest_t *m, const sluice_json_t *root) {
  int64_t version, abi;
  SLUICE_TRY(sluice_field_integer(m, root, "the manifest", "sluice", 1, INT32_MAX, NULL, &version));
  if (version > SLUICE_MANIFEST_VERSION)
    return sluice_json_fail(
        &m->doc, sluice_json_member(&m->doc, root, "sluice"), SLUICE_STATUS_TOO_NEW,
        "the artefact has manifest version %lld, this runtime reads up to %d: use a newer runtime",
        (long long)version, SLUICE_MANIFEST_VERSION);
  SLUICE_TRY(sluice_field_integer(m, root, "the manifest", "abi", 1, INT32_MAX, NULL, &abi));
  if (abi != SLUICE_ABI_VERSION)
    return sluice_json_fail(
        &m->doc, sluice_json_member(&m->doc, root, "abi"),
        abi > SLUICE_ABI_VERSION ? SLUICE_STATUS_TOO_NEW : SLUICE_STATUS_BAD_ARTEFACT,
        "the artefact was built for kernel ABI %lld, this runtime has %u: %s", (long long)abi,
        SLUICE_ABI_VERSION,
        abi > SLUICE_ABI_VERSION ? "use a newer runtime" : "compile the model again");
  return SLUICE_STATUS_OK;
}

/* The array of strings |list|, as an array of the same length. */
static sluice_status_t read_strings(sluice_manifest_t *m, const sluice_json_t *list,
                                    const char *where, const char ***out, int32_t *out_count) {
  const char **strings;
  SLUICE_TRY(sluice_allocate(&m->allocator, list->count, sizeof *strings, &strings));
  *out = strings;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node)) {
    if (node->type != SLUICE_JSON_STRING)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s holds %s, expected strings", where, sluice_json_type_name(node));
    strings[(*out_count)++] = node->text;
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_target(sluice_manifest_t *m) {
  const sluice_json_t *target, *features;
  const char *kind;
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "target"), "the manifest", "target",
                          SLUICE_JSON_OBJECT, &target));
  SLUICE_TRY(sluice_field_string(m, target, "target", "kind", &kind));
  SLUICE_TRY(sluice_field_string(m, target, "target", "triple", &m->info.triple));
  SLUICE_TRY(sluice_field_string(m, target, "target", "cpu", &m->info.cpu));
  SLUICE_TRY(sluice_field_string(m, target, "target", "dot", &m->info.dot));
  SLUICE_TRY(sluice_field(m, target, "target", "features", SLUICE_JSON_ARRAY, &features));
  if (strcmp(kind, "cpu") != 0)
    return sluice_json_fail(&m->doc, target, SLUICE_STATUS_WRONG_TARGET,
                            "the artefact is for the target \"%.40s\", this runtime runs \"cpu\"",
                            kind);
  if (!m->variant)
    m->variants[0] = m->info.cpu;
  return read_strings(m, features, "target.features", &m->features, &m->info.feature_count);
}

static sluice_status_t read_limits(sluice_manifest_t *m) {
  sluice_limits_t *limits = &m->info.limits;
  const int64_t none = -1;
  const sluice_json_t *node;
  *limits = (sluice_limits_t){-1, -1, -1, -1, -1};
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "limits"), "the manifest", "limits",
                          SLUICE_JSON_OBJECT, &node));
  SLUICE_TRY(sluice_field_integer(m, node, "limits", "vocab", 1, id_limit, &none, &limits->vocab));
  SLUICE_TRY(sluice_field_integer(m, node, "limits", "max_positions", 1, id_limit, &none,
                                  &limits->max_positions));
  SLUICE_TRY(sluice_field_integer(m, node, "limits", "token_types", 1, id_limit, &none,
                                  &limits->token_types));
  SLUICE_TRY(
      sluice_field_integer(m, node, "limits", "max_seq", 1, id_limit, &none, &limits->max_seq));
  SLUICE_TRY(
      sluice_field_integer(m, node, "limits", "max_rows", 1, 1 << 24, &none, &m->info.max_rows));
  SLUICE_TRY(
      sluice_field_integer(m, node, "limits", "max_seqs", 1, 1 << 24, &none, &m->info.max_seqs));
  if (sluice_json_member(&m->doc, sluice_manifest_holder(m, "embed"), "embed")) {
    const sluice_json_t *embed;
    SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "embed"), "the manifest", "embed",
                            SLUICE_JSON_OBJECT, &embed));
    SLUICE_TRY(sluice_field_integer(m, embed, "embed", "max_seq_length", 1, id_limit, &none,
                                    &limits->embed_max_seq));
  }
  if (m->info.kind == SLUICE_KIND_DECODER) {
    if (limits->max_seq < 0)
      limits->max_seq = limits->max_positions;
    if (limits->max_seq < 0 || limits->vocab < 0)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "limits of a decoder need vocab and max_seq");
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_kv(sluice_manifest_t *m) {
  const sluice_json_t *list = sluice_json_member(&m->doc, sluice_manifest_holder(m, "kv"), "kv");
  if (!list)
    return SLUICE_STATUS_OK;
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "kv"), "the manifest", "kv",
                          SLUICE_JSON_ARRAY, &list));
  SLUICE_TRY(sluice_allocate(&m->allocator, list->count, sizeof *m->kv, &m->kv));
  m->info.kv = m->kv;
  m->info.kv_count = (int32_t)list->count;
  sluice_kv_info_t *kv = m->kv;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node), ++kv) {
    char where[32];
    snprintf(where, sizeof where, "kv[%d]", (int)(kv - m->kv));
    const int64_t zero = 0;
    int64_t page, shared;
    SLUICE_TRY(sluice_field_string(m, node, where, "name", &kv->name));
    SLUICE_TRY(sluice_field_integer(m, node, where, "layers", 1, 1 << 20, NULL, &kv->layers));
    SLUICE_TRY(sluice_field_integer(m, node, where, "kv_heads", 1, 1 << 20, NULL, &kv->kv_heads));
    SLUICE_TRY(sluice_field_integer(m, node, where, "k", 1, 1 << 20, NULL, &kv->k));
    SLUICE_TRY(sluice_field_integer(m, node, where, "v", 1, 1 << 20, NULL, &kv->v));
    SLUICE_TRY(sluice_field_integer(m, node, where, "shared", 0, 1, &zero, &shared));
    kv->shared = shared == 1;
    if (kv->shared && kv->v > kv->k)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.v is %lld, expected at most k, %lld, of which it is a part",
                              where, (long long)kv->v, (long long)kv->k);
    SLUICE_TRY(
        sluice_field_integer(m, node, where, "page", SLUICE_TILE_SLOTS, 1 << 16, NULL, &page));
    SLUICE_TRY(sluice_field_dtype(m, node, where, &kv->dtype));
    kv->page = (int32_t)page;
    if (page % SLUICE_TILE_SLOTS != 0)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.page is %lld, expected a multiple of %d", where, (long long)page,
                              SLUICE_TILE_SLOTS);
    if (kv->dtype != SLUICE_DTYPE_F32 && kv->dtype != SLUICE_DTYPE_BF16)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.dtype is \"%s\", expected f32 or bf16", where,
                              sluice_dtype_name(kv->dtype));
    // All pools follow the one page table of a batch.
    if (kv->page != m->kv[0].page)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.page is %lld, expected %d as in kv[0]: pools share a page table",
                              where, (long long)page, m->kv[0].page);
    int64_t size = (int64_t)sluice_dtype_bytes(kv->dtype), group = 4 / size;
    int64_t tile = (sluice_ceil_div(kv->k, group) * group + (kv->shared ? 0 : kv->v)) *
                   SLUICE_TILE_SLOTS * size,
            bytes;
    sluice_round_up(tile, SLUICE_ALIGN, &tile);
    if (!sluice_mul(tile, page / SLUICE_TILE_SLOTS, &bytes) ||
        !sluice_mul(bytes, kv->kv_heads, &bytes) || !sluice_mul(bytes, kv->layers, &bytes) ||
        bytes > (int64_t)1 << 40)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s: one page would be more than 2^40 bytes", where);
    kv->page_bytes = bytes;
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_eos(sluice_manifest_t *m) {
  const sluice_json_t *list = sluice_json_member(&m->doc, sluice_manifest_holder(m, "eos"), "eos");
  if (!list)
    return SLUICE_STATUS_OK;
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "eos"), "the manifest", "eos",
                          SLUICE_JSON_ARRAY, &list));
  SLUICE_TRY(sluice_allocate(&m->allocator, list->count, sizeof *m->eos, &m->eos));
  m->info.eos = m->eos;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node)) {
    int64_t id;
    if (!sluice_json_integer(node, &id) || id < 0 || id > id_limit)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "eos holds something that is no token id");
    m->eos[m->info.eos_count++] = (int32_t)id;
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_locations(sluice_manifest_t *m) {
  const sluice_json_t *list =
      sluice_json_member(&m->doc, sluice_manifest_holder(m, "locations"), "locations");
  if (!list)
    return SLUICE_STATUS_OK;
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "locations"), "the manifest", "locations",
                          SLUICE_JSON_ARRAY, &list));
  return read_strings(m, list, "locations", &m->locations, &m->location_count);
}

/* A path that stays inside the artefact: relative, no "..", no empty part. */
static bool stays_inside(const char *path) {
  for (const char *part = path;; ++part) {
    size_t length = strcspn(part, "/");
    if (length == 0 || (length == 1 && part[0] == '.') ||
        (length == 2 && memcmp(part, "..", 2) == 0))
      return false;
    part += length;
    if (*part == 0)
      return true;
  }
}

static sluice_status_t read_root(sluice_manifest_t *m, int32_t variant) {
  const sluice_json_t *root = m->doc.nodes, *node;
  if (root->type != SLUICE_JSON_OBJECT)
    return sluice_json_fail(&m->doc, root, SLUICE_STATUS_BAD_ARTEFACT,
                            "the manifest is %s, expected an object", sluice_json_type_name(root));
  SLUICE_TRY(read_versions(m, root));
  SLUICE_TRY(sluice_manifest_choose(m, variant));
  SLUICE_TRY(sluice_field_string(m, sluice_manifest_holder(m, "name"), "the manifest", "name",
                                 &m->info.name));
  SLUICE_TRY(sluice_field_string(m, sluice_manifest_holder(m, "compiler"), "the manifest",
                                 "compiler", &m->info.compiler));
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "kind"), "the manifest", "kind",
                          SLUICE_JSON_STRING, &node));
  static const char *const kinds[] = {"decoder", "encoder", "op"};
  int kind = 0;
  while (kind < 3 && strcmp(kinds[kind], node->text) != 0)
    ++kind;
  if (kind == 3)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "kind is \"%.40s\", expected decoder, encoder or op", node->text);
  m->info.kind = (sluice_kind_t)kind;
  SLUICE_TRY(read_target(m));
  m->info.features = m->features;
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "library"), "the manifest", "library",
                          SLUICE_JSON_STRING, &node));
  m->library = node->text;
  if (!stays_inside(m->library))
    return sluice_json_fail(
        &m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
        "library is \"%.200s\", expected a relative path that stays inside the artefact",
        m->library);
  m->info.weight_file = "weights.safetensors";
  const sluice_json_t *holder = sluice_manifest_holder(m, "weight_file");
  if (sluice_json_member(&m->doc, holder, "weight_file")) {
    SLUICE_TRY(sluice_field(m, holder, "the manifest", "weight_file", SLUICE_JSON_STRING, &node));
    m->info.weight_file = node->text;
    if (!stays_inside(m->info.weight_file))
      return sluice_json_fail(
          &m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
          "weight_file is \"%.200s\", expected a relative path that stays inside the artefact",
          m->info.weight_file);
  }
  SLUICE_TRY(read_limits(m));
  SLUICE_TRY(read_kv(m));
  if (m->info.kind == SLUICE_KIND_DECODER && m->info.kv_count == 0)
    return sluice_json_fail(&m->doc, root, SLUICE_STATUS_BAD_ARTEFACT,
                            "a decoder needs at least one entry in kv");
  if (m->info.kv_count > 0 && m->info.limits.max_seq < 0)
    return sluice_json_fail(&m->doc, root, SLUICE_STATUS_BAD_ARTEFACT,
                            "a model with kv needs limits.max_seq");
  SLUICE_TRY(read_eos(m));
  SLUICE_TRY(read_locations(m));
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "weights"), "the manifest", "weights",
                          SLUICE_JSON_ARRAY, &node));
  SLUICE_TRY(sluice_manifest_read_weights(m, node));
  SLUICE_TRY(sluice_field(m, sluice_manifest_holder(m, "functions"), "the manifest", "functions",
                          SLUICE_JSON_ARRAY, &node));
  SLUICE_TRY(sluice_manifest_read_functions(m, node));
  return sluice_manifest_read_ops(m, sluice_manifest_holder(m, "ops"));
}

sluice_status_t sluice_manifest_read(const sluice_allocator_t *allocator, const char *path,
                                     int32_t variant, sluice_manifest_t *m) {
  static const char member[] = "/manifest.json";
  m->allocator = *allocator;
  m->file_size = strlen(path) + sizeof member;
  SLUICE_TRY(sluice_allocate(allocator, m->file_size, 1, &m->file));
  snprintf(m->file, m->file_size, "%s%s", path, member);
  sluice_status_t status = sluice_file_map(m->file, &m->text);
  if (status == SLUICE_STATUS_NOT_FOUND)
    status = sluice_fail_in(status, "%s is no artefact (sluicec makes one, a directory)", path);
  if (status == SLUICE_STATUS_OK && m->text.bytes > manifest_bytes_limit)
    status = sluice_fail(SLUICE_STATUS_BAD_ARTEFACT, "%s has %lld bytes, expected at most %lld",
                         m->file, (long long)m->text.bytes, (long long)manifest_bytes_limit);
  if (status == SLUICE_STATUS_OK)
    status = sluice_json_parse(allocator, m->file, (const char *)m->text.data,
                               (size_t)m->text.bytes, &m->doc);
  if (status == SLUICE_STATUS_OK)
    status = read_root(m, variant);
  if (status != SLUICE_STATUS_OK)
    sluice_manifest_free(m);
  return status;
}

void sluice_manifest_free(sluice_manifest_t *m) {
  const sluice_allocator_t *a = &m->allocator;
  const sluice_json_t *root = m->doc.nodes, *node;
  if (root) {
    // Arrays were sized by the lists they were read from.
    if (m->kv && (node = sluice_json_member(&m->doc, sluice_manifest_holder(m, "kv"), "kv")))
      sluice_free(a, m->kv, node->count, sizeof *m->kv);
    if (m->eos && (node = sluice_json_member(&m->doc, sluice_manifest_holder(m, "eos"), "eos")))
      sluice_free(a, m->eos, node->count, sizeof *m->eos);
    if (m->features)
      sluice_free(a, m->features,
                  sluice_json_member(
                      &m->doc,
                      sluice_json_member(&m->doc, sluice_manifest_holder(m, "target"), "target"),
                      "features")
                      ->count,
                  sizeof *m->features);
    if (m->locations &&
        (node = sluice_json_member(&m->doc, sluice_manifest_holder(m, "locations"), "locations")))
      sluice_free(a, m->locations, node->count, sizeof *m->locations);
    sluice_free(a, m->variants, (size_t)m->info.variant_count, sizeof *m->variants);
    sluice_free(a, m->ops, (size_t)m->info.op_count, sizeof *m->ops);
    sluice_free(a, m->functions, (size_t)m->info.function_count, sizeof *m->functions);
    sluice_free(a, m->args, (size_t)m->arg_total, sizeof *m->args);
    sluice_free(a, m->weights, (size_t)m->info.weight_count, sizeof *m->weights);
    sluice_free(a, m->weight_infos, (size_t)m->info.weight_count, sizeof *m->weight_infos);
    sluice_free(a, m->sources, (size_t)m->source_total, sizeof *m->sources);
    sluice_free(a, m->layers, (size_t)m->layer_total, sizeof *m->layers);
    sluice_json_free(&m->doc);
  }
  sluice_file_unmap(&m->text);
  sluice_free(a, m->file, m->file_size, 1);
  memset(m, 0, sizeof *m);
}
