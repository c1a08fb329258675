/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest_functions.c: the manifest's exported functions and their tensors.
 */
#include "manifest.h"

#include <stdio.h>
#include <string.h>

/* Bytes of one leading row of an argument, and of an arena extent: far past any machine, far from
 * overflow. */
static const int64_t bytes_limit = (int64_t)1 << 40;

static sluice_status_t read_shape(const sluice_manifest_t *m, const sluice_json_t *node,
                                  const char *where, sluice_arg_info_t *arg) {
  const sluice_json_t *list;
  SLUICE_TRY(sluice_field(m, node, where, "shape", SLUICE_JSON_ARRAY, &list));
  if (list->count < 1 || list->count > SLUICE_RANK_MAX)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.shape has %u sizes, expected 1 to %d", where, list->count,
                            SLUICE_RANK_MAX);
  arg->row_elements = 1;
  for (const sluice_json_t *d = sluice_json_first(&m->doc, list); d;
       d = sluice_json_next(&m->doc, d)) {
    int64_t size;
    if (d->type == SLUICE_JSON_STRING && arg->rank == 0) {
      size = strcmp(d->text, "rows") == 0    ? SLUICE_DIM_ROWS
             : strcmp(d->text, "seqs") == 0  ? SLUICE_DIM_SEQS
             : strcmp(d->text, "asked") == 0 ? SLUICE_DIM_ASKED
                                             : 0;
    } else if (!sluice_json_integer(d, &size) || size < 1) {
      size = 0;
    }
    if (size == 0)
      return sluice_json_fail(&m->doc, d, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.shape[%d]: expected an integer from 1 up%s", where, arg->rank,
                              arg->rank == 0 ? ", or one of rows, seqs, asked" : "");
    if (arg->rank > 0 && !sluice_mul(arg->row_elements, size, &arg->row_elements))
      arg->row_elements = bytes_limit;
    arg->shape[arg->rank++] = size;
  }
  int64_t bytes, lead = arg->shape[0] > 0 ? arg->shape[0] : 1;
  if (!sluice_mul(arg->row_elements, (int64_t)sluice_dtype_bytes(arg->dtype), &bytes) ||
      !sluice_mul(bytes, lead, &bytes) || bytes > bytes_limit)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.shape: more than 2^40 bytes", where);
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_bound(const sluice_manifest_t *m, const sluice_json_t *node,
                                  const char *where, sluice_arg_info_t *arg) {
  const sluice_json_t *bound = sluice_json_member(&m->doc, node, "bound");
  arg->bound = SLUICE_BOUND_NONE;
  if (!bound)
    return SLUICE_STATUS_OK;
  const sluice_limits_t *limits = &m->info.limits;
  bool integer = arg->dtype >= SLUICE_DTYPE_I8;
  if (bound->type == SLUICE_JSON_STRING) {
    int64_t known = strcmp(bound->text, "rows") == 0            ? SLUICE_BOUND_ROWS
                    : strcmp(bound->text, "vocab") == 0         ? limits->vocab
                    : strcmp(bound->text, "max_positions") == 0 ? limits->max_positions
                    : strcmp(bound->text, "token_types") == 0   ? limits->token_types
                                                                : SLUICE_BOUND_NONE;
    if (known == SLUICE_BOUND_NONE)
      return sluice_json_fail(&m->doc, bound, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s.bound is \"%.40s\", expected rows, an integer, or vocab, "
                              "max_positions or token_types "
                              "with that number in limits",
                              where, bound->text);
    arg->bound = known;
  } else {
    SLUICE_TRY(sluice_field_integer(m, node, where, "bound", 1, INT64_MAX, NULL, &arg->bound));
  }
  if (!integer || arg->output)
    return sluice_json_fail(&m->doc, bound, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.bound: only integer inputs have one", where);
  return SLUICE_STATUS_OK;
}

static sluice_status_t read_arg(const sluice_manifest_t *m, const sluice_json_t *node,
                                const char *where, sluice_arg_info_t *arg) {
  const char *io;
  SLUICE_TRY(sluice_field_string(m, node, where, "name", &arg->name));
  SLUICE_TRY(sluice_field_string(m, node, where, "io", &io));
  arg->output = strcmp(io, "out") == 0;
  if (!arg->output && strcmp(io, "in") != 0)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.io is \"%.40s\", expected in or out", where, io);
  SLUICE_TRY(sluice_field_dtype(m, node, where, &arg->dtype));
  SLUICE_TRY(read_shape(m, node, where, arg));
  return read_bound(m, node, where, arg);
}

static bool is_identifier(const char *text) {
  for (const char *c = text; *c; ++c)
    if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' ||
          (*c >= '0' && *c <= '9' && c > text)))
      return false;
  return *text != 0;
}

static sluice_status_t read_function(sluice_manifest_t *m, const sluice_json_t *node, int32_t index,
                                     sluice_arg_info_t *args) {
  sluice_function_info_t *f = &m->functions[index];
  const sluice_json_t *list, *arena;
  const int64_t zero = 0;
  int64_t gathers;
  char where[96], inner[128];
  snprintf(where, sizeof where, "functions[%d]", index);
  SLUICE_TRY(sluice_field_string(m, node, where, "name", &f->name));
  SLUICE_TRY(sluice_field_string(m, node, where, "symbol", &f->symbol));
  if (!is_identifier(f->symbol))
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.symbol is \"%.80s\", expected a C identifier", where, f->symbol);
  for (int32_t i = 0; i < index; ++i)
    if (strcmp(m->functions[i].name, f->name) == 0)
      return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                              "%s: a function \"%.80s\" is there already", where, f->name);
  SLUICE_TRY(sluice_field_integer(m, node, where, "gathers", 0, 1 << 16, &zero, &gathers));
  f->gathers = (int32_t)gathers;
  SLUICE_TRY(sluice_field(m, node, where, "arena", SLUICE_JSON_OBJECT, &arena));
  snprintf(inner, sizeof inner, "%s.arena", where);
  SLUICE_TRY(sluice_field_integer(m, arena, inner, "row", 0, bytes_limit, NULL, &f->arena_row));
  SLUICE_TRY(sluice_field_integer(m, arena, inner, "seq", 0, bytes_limit, NULL, &f->arena_seq));
  SLUICE_TRY(sluice_field_integer(m, arena, inner, "fixed", 0, bytes_limit, NULL, &f->arena_fixed));
  SLUICE_TRY(sluice_field(m, node, where, "args", SLUICE_JSON_ARRAY, &list));
  if (list->count > SLUICE_ARGS_MAX)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s.args has %u entries, expected at most %d", where, list->count,
                            SLUICE_ARGS_MAX);
  f->args = args;
  for (const sluice_json_t *a = sluice_json_first(&m->doc, list); a;
       a = sluice_json_next(&m->doc, a)) {
    sluice_arg_info_t *arg = &args[f->arg_count];
    snprintf(inner, sizeof inner, "%s.args[%d]", where, f->arg_count);
    SLUICE_TRY(read_arg(m, a, inner, arg));
    for (int32_t i = 0; i < f->arg_count; ++i)
      if (strcmp(args[i].name, arg->name) == 0 && args[i].output == arg->output)
        return sluice_json_fail(&m->doc, a, SLUICE_STATUS_BAD_ARTEFACT,
                                "%s: an argument \"%.80s\" is there already", inner, arg->name);
    ++f->arg_count;
  }
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_manifest_read_functions(sluice_manifest_t *m, const sluice_json_t *list) {
  size_t args = 0;
  if (list->count == 0)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "functions is empty, expected at least one");
  // Names are compared with all before them, so their number is bounded.
  if (list->count > SLUICE_FUNCTIONS_MAX)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "functions has %u entries, expected at most %d", list->count,
                            SLUICE_FUNCTIONS_MAX);
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node)) {
    const sluice_json_t *inner = sluice_json_member(&m->doc, node, "args");
    args += inner && inner->type == SLUICE_JSON_ARRAY ? inner->count : 0;
  }
  SLUICE_TRY(sluice_allocate(&m->allocator, list->count, sizeof *m->functions, &m->functions));
  m->info.function_count = (int32_t)list->count;
  m->info.functions = m->functions;
  SLUICE_TRY(sluice_allocate(&m->allocator, args, sizeof *m->args, &m->args));
  m->arg_total = (int32_t)args;
  int32_t index = 0, used = 0;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node)) {
    SLUICE_TRY(read_function(m, node, index, m->args + used));
    used += m->functions[index++].arg_count;
  }
  return SLUICE_STATUS_OK;
}
