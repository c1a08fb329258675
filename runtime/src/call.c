/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c: one step: checks what the program gives, builds the batch record, reserves pages, runs
 * the team, reports traps. Nothing here allocates. Until the team runs, a failure undoes
 * everything.
 */
#include "home.h"
#include "session.h"

#include <string.h>

typedef struct frame {
  sluice_session_t *session;
  const sluice_function_info_t *function;
  sluice_entry_fn entry;
  const sluice_part_t *parts;
  int32_t part_count;
  int64_t rows, seqs, asked; /* -1: no tensor has said yet */
  bool paged;                /* the parts have sequences */
  bool external;             /* the parts have page lists */
} frame_t;

static sluice_status_t find_function(sluice_session_t *s, const char *name, frame_t *frame) {
  SLUICE_TRY(sluice_session_check(s));
  const sluice_model_info_t *info = &s->model->manifest.info;
  for (int32_t i = 0; name && i < info->function_count; ++i)
    if (strcmp(info->functions[i].name, name) == 0) {
      *frame = (frame_t){.session = s,
                         .function = &info->functions[i],
                         .entry = s->model->entries[i],
                         .rows = -1,
                         .seqs = -1,
                         .asked = -1};
      return SLUICE_STATUS_OK;
    }
  return sluice_fail(SLUICE_STATUS_NOT_FOUND,
                     "the model %s has no function \"%s\"; its first one is \"%s\"", info->name,
                     name ? name : "(null)", info->functions[0].name);
}

/* Whose pages |part| uses: none, a sequence's or its own list's, and the same as part 0. */
static sluice_status_t check_pages_of(const frame_t *f, const sluice_part_t *part, int32_t i) {
  if (part->pages && !f->session->marks.writer)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "part %d has a page list, expected NULL in a session without external_pages",
                       i);
  if (part->sequence != SLUICE_SEQUENCE_NONE && f->session->marks.writer)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "part %d has a sequence, expected a page list in a session with "
                       "external_pages",
                       i);
  if ((part->sequence != SLUICE_SEQUENCE_NONE) != f->paged || !part->pages == f->external)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "part %d: either all parts have a %s or none has", i,
                       f->session->marks.writer ? "page list" : "sequence");
  if (part->pages && part->pages->past < 0)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "part %d: its page list has %lld tokens already, expected 0 or more", i,
                       (long long)part->pages->past);
  return SLUICE_STATUS_OK;
}

/* Takes over the parts: their sum of rows and their sequences. */
static sluice_status_t take_parts(frame_t *f, const sluice_part_t *parts, int32_t count) {
  sluice_session_t *s = f->session;
  int64_t rows = 0, asked = 0;
  if (count < 1 || !parts)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "%s needs at least one part",
                       f->function->name);
  if (count > s->max_seqs)
    return sluice_fail(SLUICE_STATUS_LIMIT,
                       "%d sequences in one step, the session has max_seqs = %d", count,
                       s->max_seqs);
  f->parts = parts;
  f->part_count = count;
  f->paged = parts[0].sequence != SLUICE_SEQUENCE_NONE;
  f->external = parts[0].pages != NULL;
  ++s->call_number;
  for (int32_t i = 0; i < count; ++i) {
    const sluice_part_t *part = &parts[i];
    if (part->count < 1 || part->ask < 0 || part->ask > part->count)
      return sluice_fail(
          SLUICE_STATUS_INVALID_ARGUMENT,
          "part %d has count %d and ask %d, expected 1 or more rows and 0 to all of them asked", i,
          part->count, part->ask);
    rows += part->count;
    asked += part->ask;
    SLUICE_TRY(check_pages_of(f, part, i));
    s->seqs[i] = NULL;
    if (!f->paged)
      continue;
    s->seqs[i] = sluice_pool_find(&s->pool, part->sequence);
    if (!s->seqs[i])
      return sluice_fail(SLUICE_STATUS_NOT_FOUND,
                         "part %d: sequence %llx is not alive in this session", i,
                         (unsigned long long)part->sequence);
    if (s->seqs[i]->marked == s->call_number)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "part %d: its sequence stands in an earlier part already", i);
    s->seqs[i]->marked = s->call_number;
  }
  if (rows > s->max_rows)
    return sluice_fail(
        SLUICE_STATUS_LIMIT,
        "%lld rows in one step, the session has max_rows = %d: give them in more steps",
        (long long)rows, s->max_rows);
  f->rows = rows;
  f->seqs = count;
  f->asked = asked;
  return SLUICE_STATUS_OK;
}

/* Lengths and positions against the limits of the model; fills everything of the batch but the
 * pages. */
static sluice_status_t fill_batch(frame_t *f) {
  sluice_session_t *s = f->session;
  const sluice_limits_t *limits = &s->model->manifest.info.limits;
  bool embeds = strcmp(f->function->name, "embed") == 0;
  int32_t row = 0;
  for (int32_t i = 0; i < f->part_count; ++i) {
    const sluice_part_t *part = &f->parts[i];
    int64_t past = f->paged ? s->seqs[i]->length : f->external ? part->pages->past : 0, length;
    if (!sluice_add(past, part->count, &length) || length > INT32_MAX)
      return sluice_fail(SLUICE_STATUS_LIMIT,
                         "part %d: %d tokens after %lld, expected at most %d together", i,
                         part->count, (long long)past, INT32_MAX);
    if (limits->max_seq >= 0 && length > limits->max_seq)
      return sluice_fail(SLUICE_STATUS_LIMIT,
                         "part %d: a sequence of %lld tokens, the model's limit is max_seq = %lld",
                         i, (long long)length, (long long)limits->max_seq);
    if (embeds && limits->embed_max_seq >= 0 && length > limits->embed_max_seq)
      return sluice_fail(SLUICE_STATUS_LIMIT,
                         "part %d: %lld tokens to embed, the model's limit is embed.max_seq_length "
                         "= %lld: have the "
                         "tokenizer truncate",
                         i, (long long)length, (long long)limits->embed_max_seq);
    s->row_start[i] = row;
    s->past[i] = (int32_t)past;
    for (int32_t j = 0; j < part->count; ++j, ++row) {
      int64_t position = part->positions ? part->positions[j] : past + j;
      if (position < 0 || (limits->max_positions >= 0 && position >= limits->max_positions) ||
          position > INT32_MAX)
        return sluice_fail(SLUICE_STATUS_LIMIT,
                           "part %d: position %lld, the model's limit is max_positions = %lld", i,
                           (long long)position, (long long)limits->max_positions);
      s->row_seq[row] = i;
      s->position[row] = (int32_t)position;
    }
  }
  s->row_start[f->part_count] = row;
  s->batch.rows = row;
  s->batch.seqs = f->part_count;
  return SLUICE_STATUS_OK;
}

static void undo_pages(frame_t *f, int32_t count) {
  while (f->paged && count-- > 0)
    sluice_pool_unreserve(&f->session->pool, f->session->seqs[count], &f->session->undo[count]);
}

static sluice_status_t reserve_pages(frame_t *f) {
  sluice_session_t *s = f->session;
  int32_t at = 0;
  if (s->pool.page_count == 0)
    return SLUICE_STATUS_OK;
  if (f->external)
    return sluice_page_lists_take(&s->marks, f->parts, f->part_count, s->pool.page,
                                  s->pool.pages_per_seq, s->page_start, s->page_table);
  for (int32_t i = 0; i < f->part_count; ++i) {
    s->page_start[i] = at;
    if (!f->paged)
      continue; // No pages at all: compiled code that wants some traps.
    if (!sluice_pool_reserve(&s->pool, s->seqs[i], f->parts[i].count, &s->undo[i])) {
      undo_pages(f, i);
      return sluice_fail(SLUICE_STATUS_OUT_OF_PAGES,
                         "part %d needs more pages than the %lld that are free of %lld: drop or "
                         "truncate sequences",
                         i, (long long)s->pool.free_count, (long long)s->pool.page_count);
    }
    memcpy(s->page_table + at, s->seqs[i]->table, (size_t)s->seqs[i]->pages * sizeof(int32_t));
    at += s->seqs[i]->pages;
  }
  s->page_start[f->part_count] = at;
  return SLUICE_STATUS_OK;
}

static bool in_bound(const void *data, sluice_dtype_t dtype, int64_t count, int64_t bound,
                     int64_t *out_index, int64_t *out_value) {
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = dtype == SLUICE_DTYPE_I32   ? ((const int32_t *)data)[i]
                    : dtype == SLUICE_DTYPE_I64 ? ((const int64_t *)data)[i]
                    : dtype == SLUICE_DTYPE_I16 ? ((const int16_t *)data)[i]
                    : dtype == SLUICE_DTYPE_U8  ? ((const uint8_t *)data)[i]
                                                : ((const int8_t *)data)[i];
    if (value < 0 || value >= bound) {
      *out_index = i;
      *out_value = value;
      return false;
    }
  }
  return true;
}

static sluice_status_t check_bounds(const frame_t *f) {
  for (int32_t i = 0; i < f->function->arg_count; ++i) {
    const sluice_arg_info_t *arg = &f->function->args[i];
    int64_t bound = arg->bound == SLUICE_BOUND_ROWS ? f->session->batch.rows : arg->bound, index,
            value;
    if (arg->bound == SLUICE_BOUND_NONE ||
        in_bound(f->session->args[i], arg->dtype, f->session->dims[i] * arg->row_elements, bound,
                 &index, &value))
      continue;
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "%s[%lld] is %lld, expected 0 to %lld%s",
                       arg->name, (long long)index, (long long)value, (long long)bound - 1,
                       arg->bound == SLUICE_BOUND_ROWS ? " (a row of the step)"
                       : arg->bound == f->session->model->manifest.info.limits.vocab
                           ? " (the vocabulary)"
                           : "");
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t trapped(const frame_t *f) {
  const sluice_trap_t *trap = &f->session->call.trap;
  const sluice_manifest_t *m = &f->session->model->manifest;
  const char *where = trap->location >= 0 && trap->location < m->location_count
                          ? m->locations[trap->location]
                          : "unknown location";
  if (trap->code == SLUICE_TRAP_TABLE) {
    sluice_home_t *own = f->session->own_home;
    const char *problem = own && f->session->call.home == own ? sluice_home_problem(own) : "";
    return sluice_fail(SLUICE_STATUS_TRAP, "%s: %s cannot fetch rows: %s", where, f->function->name,
                       *problem ? problem : "the home of the table could not read it");
  }
  const char *what = trap->code == SLUICE_TRAP_ID         ? "a row number of a gather is"
                     : trap->code == SLUICE_TRAP_PAGE     ? "a page number is"
                     : trap->code == SLUICE_TRAP_POSITION ? "a position is"
                                                          : "a value is";
  return sluice_fail(SLUICE_STATUS_TRAP, "%s: %s %lld in %s, expected 0 to %lld", where, what,
                     (long long)trap->value, f->function->name, (long long)trap->bound - 1);
}

/* The step itself: all workers, once. */
static sluice_status_t launch(const frame_t *f) {
  sluice_session_t *s = f->session;
  if (s->poison && s->arena)
    memset(s->arena, 0xff, (size_t)s->arena_bytes);
  s->call.trap = (sluice_trap_t){.code = SLUICE_TRAP_NONE, .location = -1};
  ++s->steps;
  // A step that is left early may leave gathers behind, and only of our own home we know how to
  // wait for them.
  bool may_leave = f->function->gathers == 0 || s->call.home == s->own_home;
  bool whole = sluice_team_run(s->team, f->entry, &s->call, may_leave);
  if (!whole && s->own_home)
    sluice_home_drain(s->own_home);
  if (s->call.trap.code != SLUICE_TRAP_NONE)
    return trapped(f);
  return whole ? SLUICE_STATUS_OK
               : sluice_fail(SLUICE_STATUS_CANCELLED, "%s was cancelled by sluice_session_cancel",
                             f->function->name);
}

/* Everything is bound: checks, takes pages, runs, and commits or undoes. */
static sluice_status_t run(frame_t *f) {
  sluice_session_t *s = f->session;
  SLUICE_TRY(fill_batch(f));
  SLUICE_TRY(check_bounds(f));
  SLUICE_TRY(reserve_pages(f));
  sluice_status_t status = launch(f);
  if (status != SLUICE_STATUS_OK)
    undo_pages(f, f->part_count);
  for (int32_t i = 0; status == SLUICE_STATUS_OK && f->paged && i < f->part_count; ++i)
    s->seqs[i]->length += f->parts[i].count;
  return status;
}

/* Copies |count| ids per part to |to|; NULL is all zeros. */
static void gather_ids(int32_t *to, const int32_t *from, int32_t count) {
  if (from)
    memcpy(to, from, (size_t)count * sizeof *to);
  else
    memset(to, 0, (size_t)count * sizeof *to);
}

/* Functions of rows of tokens: the runtime makes all inputs, the program gives the one output. */
static sluice_status_t run_on_tokens(frame_t *f, const sluice_part_t *parts, int32_t part_count,
                                     float *out) {
  sluice_session_t *s = f->session;
  SLUICE_TRY(take_parts(f, parts, part_count));
  int32_t row = 0, asked = 0, outputs = 0;
  for (int32_t i = 0; i < part_count; ++i) {
    if (!parts[i].tokens)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "part %d: tokens is NULL", i);
    gather_ids(s->tokens + row, parts[i].tokens, parts[i].count);
    gather_ids(s->token_types + row, parts[i].token_types, parts[i].count);
    row += parts[i].count;
    for (int32_t j = parts[i].ask; j > 0; --j)
      s->ask[asked++] = row - j;
  }
  for (int32_t i = 0; i < f->function->arg_count; ++i) {
    const sluice_arg_info_t *arg = &f->function->args[i];
    int64_t dim = arg->shape[0] == SLUICE_DIM_ROWS    ? f->rows
                  : arg->shape[0] == SLUICE_DIM_SEQS  ? f->seqs
                  : arg->shape[0] == SLUICE_DIM_ASKED ? f->asked
                                                      : -1;
    void *data = NULL;
    if (arg->output)
      data = outputs++ == 0 && arg->dtype == SLUICE_DTYPE_F32 ? out : NULL;
    else if (arg->dtype == SLUICE_DTYPE_I32 && arg->rank == 1)
      data = strcmp(arg->name, "tokens") == 0        ? s->tokens
             : strcmp(arg->name, "token_types") == 0 ? s->token_types
             : strcmp(arg->name, "ask") == 0         ? s->ask
                                                     : NULL;
    if (arg->output && !out && dim > 0)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "the place for %s is NULL, expected room for %lld rows", arg->name,
                         (long long)dim);
    if (dim < 0 || (!data && !(arg->output && dim == 0)))
      return sluice_fail(
          SLUICE_STATUS_INVALID_ARGUMENT,
          "%s is no function of tokens alone (see its \"%s\"): use sluice_session_call",
          f->function->name, arg->name);
    s->args[i] = data;
    s->dims[i] = dim;
  }
  return run(f);
}

sluice_status_t sluice_session_step(sluice_session_t *s, const char *function,
                                    const sluice_part_t *parts, int32_t part_count,
                                    float *out_logits) {
  frame_t frame;
  SLUICE_TRY(find_function(s, function, &frame));
  if (s->pool.page_count == 0)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "the model %s has no pages: use sluice_session_encode or _call",
                       s->model->manifest.info.name);
  for (int32_t i = 0; parts && i < part_count; ++i)
    if (parts[i].sequence == SLUICE_SEQUENCE_NONE && !parts[i].pages)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "part %d has no %s", i,
                         s->marks.writer ? "page list" : "sequence");
  return run_on_tokens(&frame, parts, part_count, out_logits);
}

sluice_status_t sluice_session_encode(sluice_session_t *s, const char *function,
                                      const sluice_part_t *parts, int32_t part_count,
                                      float *out_values) {
  frame_t frame;
  SLUICE_TRY(find_function(s, function, &frame));
  for (int32_t i = 0; parts && i < part_count; ++i)
    if (parts[i].sequence != SLUICE_SEQUENCE_NONE || parts[i].pages || parts[i].ask != 0)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "part %d: an encoder takes no sequence, no pages and no ask", i);
  return run_on_tokens(&frame, parts, part_count, out_values);
}

/* The letter's size in this call, set by the first tensor and then the same for all. */
static sluice_status_t bind_dim(frame_t *f, const sluice_arg_info_t *arg, int64_t dim) {
  static const char *const letters[] = {"rows", "seqs", "asked"};
  int64_t *sizes[] = {&f->rows, &f->seqs, &f->asked};
  if (arg->shape[0] > 0) {
    if (dim != arg->shape[0])
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "%s has a leading size of %lld, expected %lld", arg->name, (long long)dim,
                         (long long)arg->shape[0]);
    return SLUICE_STATUS_OK;
  }
  int letter = (int)(-1 - arg->shape[0]);
  int64_t most = letter == 1 ? f->session->max_seqs : f->session->max_rows;
  if (dim < 0 || dim > most)
    return sluice_fail(dim < 0 ? SLUICE_STATUS_INVALID_ARGUMENT : SLUICE_STATUS_LIMIT,
                       "%s has %lld %s, the session has %s = %lld", arg->name, (long long)dim,
                       letters[letter], letter == 1 ? "max_seqs" : "max_rows", (long long)most);
  // Parts that ask for nothing leave the number of asked rows to the tensors.
  if (*sizes[letter] < 0 || (letter == 2 && f->parts && *sizes[letter] == 0))
    *sizes[letter] = dim;
  if (*sizes[letter] != dim)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "%s has %lld %s, expected %lld as the rest of the call", arg->name,
                       (long long)dim, letters[letter], (long long)*sizes[letter]);
  return SLUICE_STATUS_OK;
}

static sluice_status_t bind_args(frame_t *f, const sluice_arg_t *args, int32_t arg_count) {
  sluice_session_t *s = f->session;
  if (arg_count != f->function->arg_count || (arg_count > 0 && !args))
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "%s takes %d tensors, found %d",
                       f->function->name, f->function->arg_count, args ? arg_count : 0);
  for (int32_t i = 0; i < arg_count; ++i) {
    const sluice_arg_info_t *info = &f->function->args[i];
    // A name that is argument and result stands twice: the argument's place is the first one.
    int32_t skip = 0, found = -1;
    for (int32_t j = 0; j < i; ++j)
      skip += strcmp(f->function->args[j].name, info->name) == 0;
    for (int32_t j = 0; j < arg_count && found < 0; ++j)
      if (args[j].name && strcmp(args[j].name, info->name) == 0 && skip-- == 0)
        found = j;
    if (found < 0)
      return sluice_fail(SLUICE_STATUS_NOT_FOUND, "%s lacks its %s \"%s\"", f->function->name,
                         info->output ? "result" : "argument", info->name);
    SLUICE_TRY(bind_dim(f, info, args[found].dim0));
    if (!args[found].data && args[found].dim0 > 0)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "%s of %s is NULL", info->name,
                         f->function->name);
    s->args[i] = args[found].data;
    s->dims[i] = args[found].dim0;
  }
  return SLUICE_STATUS_OK;
}

/* Runs without parts: rows are one sequence, or one each where a tensor per sequence says so. */
static sluice_status_t run_flat(frame_t *f) {
  sluice_session_t *s = f->session;
  int64_t rows = f->rows >= 0 ? f->rows : f->asked >= 0 ? f->asked : f->seqs >= 0 ? f->seqs : 1;
  int64_t seqs = f->seqs >= 0 ? f->seqs : rows > 0;
  if (f->seqs >= 0 && seqs != rows)
    return sluice_fail(
        SLUICE_STATUS_INVALID_ARGUMENT,
        "%lld rows for %lld sequences: say in parts which rows belong to which sequence",
        (long long)rows, (long long)seqs);
  for (int32_t i = 0; i < seqs; ++i) {
    s->row_start[i] = f->seqs >= 0 ? i : 0;
    s->past[i] = 0;
    s->page_start[i] = 0;
  }
  s->row_start[seqs] = (int32_t)rows;
  s->page_start[seqs] = 0;
  for (int32_t row = 0; row < rows; ++row) {
    s->row_seq[row] = f->seqs >= 0 ? row : 0;
    s->position[row] = f->seqs >= 0 ? 0 : row;
  }
  s->batch.rows = (int32_t)rows;
  s->batch.seqs = (int32_t)seqs;
  SLUICE_TRY(check_bounds(f));
  return launch(f);
}

sluice_status_t sluice_session_call(sluice_session_t *s, const char *function,
                                    const sluice_part_t *parts, int32_t part_count,
                                    const sluice_arg_t *args, int32_t arg_count) {
  frame_t frame;
  SLUICE_TRY(find_function(s, function, &frame));
  if (parts)
    SLUICE_TRY(take_parts(&frame, parts, part_count));
  SLUICE_TRY(bind_args(&frame, args, arg_count));
  return parts ? run(&frame) : run_flat(&frame);
}

sluice_status_t sluice_session_sample(sluice_session_t *s, const char *function,
                                      const float *logits, int32_t count, const float *temperature,
                                      int64_t *rng, int32_t *out_tokens) {
  SLUICE_TRY(sluice_session_check(s));
  if (count < 0 || count > s->max_rows)
    return sluice_fail(count < 0 ? SLUICE_STATUS_INVALID_ARGUMENT : SLUICE_STATUS_LIMIT,
                       "%d rows to sample, the session has max_rows = %d", count, s->max_rows);
  if (count > 0 && !rng)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "rng is NULL, expected %d states", count);
  if (count > 0)
    memcpy(s->rng, rng, (size_t)count * sizeof *rng);
  // Inputs are only read; the record has one kind of pointer for all.
  const sluice_arg_t args[] = {{"logits", (void *)(uintptr_t)logits, count},
                               {"temperature", (void *)(uintptr_t)temperature, count},
                               {"rng", s->rng, count},
                               {"tokens", out_tokens, count},
                               {"rng", rng, count}};
  sluice_status_t status = sluice_session_call(s, function, NULL, 0, args, 5);
  // The states are input and output, so they are put back.
  if (status != SLUICE_STATUS_OK && count > 0)
    memcpy(rng, s->rng, (size_t)count * sizeof *rng);
  return status;
}
