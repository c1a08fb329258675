/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest_ops.c: the manifest's list of ops, for tracers and reports. Older artefacts have none.
 */
#include "manifest.h"

#include <stdio.h>

/* Far past any machine; eight of them, times any count of 32 bits, still fit in a double. */
static const int64_t amount_limit = (int64_t)1 << 56;

static sluice_status_t read_text(const sluice_manifest_t *m, const sluice_json_t *node,
                                 const char *where, const char *key, const char **out) {
  *out = "";
  return sluice_json_member(&m->doc, node, key) ? sluice_field_string(m, node, where, key, out)
                                                : SLUICE_STATUS_OK;
}

static sluice_status_t read_amount(const sluice_manifest_t *m, const sluice_json_t *node,
                                   const char *where, const char *key, sluice_amount_t *out) {
  const sluice_json_t *object;
  const int64_t zero = 0;
  char inner[64];
  SLUICE_TRY(sluice_field(m, node, where, key, SLUICE_JSON_OBJECT, &object));
  snprintf(inner, sizeof inner, "%s.%s", where, key);
  const struct {
    const char *letter;
    int64_t *to;
  } parts[] = {{"fixed", &out->fixed}, {"row", &out->row}, {"seq", &out->seq},
               {"asked", &out->asked}, {"key", &out->key}, {"pair", &out->pair}};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; ++i)
    SLUICE_TRY(sluice_field_integer(m, object, inner, parts[i].letter, 0, amount_limit, &zero,
                                    parts[i].to));
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_op(const sluice_manifest_t *m, const sluice_json_t *node,
                               const char *where, sluice_op_info_t *op) {
  int64_t function;
  SLUICE_TRY(sluice_field_integer(m, node, where, "function", 0, m->info.function_count - 1, NULL,
                                  &function));
  op->function = (int32_t)function;
  SLUICE_TRY(sluice_field_integer(m, node, where, "times", 0, 1 << 24, NULL, &op->times));
  SLUICE_TRY(sluice_field_integer(m, node, where, "weight_bytes", 0, amount_limit, NULL,
                                  &op->weight_bytes));
  SLUICE_TRY(sluice_field_string(m, node, where, "op", &op->op));
  SLUICE_TRY(sluice_field_string(m, node, where, "phase", &op->phase));
  const struct {
    const char *key;
    const char **to;
  } texts[] = {{"share", &op->share},       {"path", &op->path},    {"dot", &op->dot},
               {"dtype", &op->dtype},       {"mask", &op->mask},    {"schedule", &op->schedule},
               {"location", &op->location}, {"reason", &op->reason}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; ++i)
    SLUICE_TRY(read_text(m, node, where, texts[i].key, texts[i].to));
  SLUICE_TRY(read_amount(m, node, where, "memory", &op->memory));
  SLUICE_TRY(read_amount(m, node, where, "rows", &op->rows));
  return read_amount(m, node, where, "operations", &op->operations);
}

sluice_status_t sluice_manifest_read_ops(sluice_manifest_t *m, const sluice_json_t *root) {
  const sluice_json_t *list = sluice_json_member(&m->doc, root, "ops");
  if (!list)
    return SLUICE_STATUS_OK;
  SLUICE_TRY(sluice_field(m, root, "the manifest", "ops", SLUICE_JSON_ARRAY, &list));
  SLUICE_TRY(sluice_allocate(&m->allocator, list->count, sizeof *m->ops, &m->ops));
  m->info.op_count = (int32_t)list->count;
  m->info.ops = m->ops;
  int32_t index = 0;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node), ++index) {
    char where[32];
    snprintf(where, sizeof where, "ops[%d]", index);
    SLUICE_TRY(read_op(m, node, where, &m->ops[index]));
  }
  return SLUICE_STATUS_OK;
}
