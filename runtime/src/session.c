/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c: makes and frees sessions, and the calls on sequences between steps.
 */
#include "session.h"
#include "table_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static sluice_status_t choose_sizes(sluice_session_t *s, const sluice_session_options_t *o) {
  enum { MOST_ROWS = 1 << 24, MOST_SEQS = 1 << 20 };
  const struct {
    const char *name;
    int64_t value, most;
  } counts[] = {{"max_rows", o->max_rows, MOST_ROWS},
                {"max_seqs", o->max_seqs, MOST_SEQS},
                {"live_seqs", o->live_seqs, MOST_SEQS},
                {"kv_pages", o->kv_pages, INT32_MAX}};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; ++i)
    if (counts[i].value < 0 || counts[i].value > counts[i].most)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "%s is %lld, expected 0 (the default) to %lld", counts[i].name,
                         (long long)counts[i].value, (long long)counts[i].most);
  // What the artefact was compiled for bounds a session, and is what one gets that does not ask.
  const sluice_model_info_t *info = &s->model->manifest.info;
  const struct {
    const char *name, *option;
    int64_t value, most;
  } compiled[] = {{"max_rows", "--max-rows", o->max_rows, info->max_rows},
                  {"max_seqs", "--max-batch", o->max_seqs, info->max_seqs}};
  for (size_t i = 0; i < sizeof compiled / sizeof compiled[0]; ++i)
    if (compiled[i].most >= 0 && compiled[i].value > compiled[i].most)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "%s is %lld, but the model was compiled with %s=%lld", compiled[i].name,
                         (long long)compiled[i].value, compiled[i].option,
                         (long long)compiled[i].most);
  s->max_seqs = o->max_seqs ? o->max_seqs : info->max_seqs > 0 ? (int32_t)info->max_seqs : 8;
  s->max_rows = o->max_rows          ? o->max_rows
                : info->max_rows > 0 ? (int32_t)info->max_rows
                : s->max_seqs > 512  ? s->max_seqs
                                     : 512;
  s->max_rows = (s->max_rows + 15) / 16 * 16;
  s->live_seqs = o->live_seqs ? o->live_seqs : 2 * s->max_seqs;
  s->poison = o->poison;
  if (o->home && (!o->home->gather_submit || !o->home->gather_await))
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "the home lacks gather_submit or gather_await, expected both");
  return SLUICE_STATUS_OK;
}

static sluice_status_t make_pool(sluice_session_t *s, const sluice_session_options_t *o) {
  const sluice_model_info_t *info = &s->model->manifest.info;
  if (info->kv_count == 0)
    return SLUICE_STATUS_OK;
  int64_t pages = o->kv_pages, per_seq = sluice_ceil_div(info->limits.max_seq, info->kv[0].page),
          bytes = 0;
  for (int32_t i = 0; i < info->kv_count; ++i)
    bytes += info->kv[i].page_bytes;
  if (pages == 0) {
    // Pages cost nothing until they are touched, but a default must not promise more than the
    // machine has.
    long physical = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    int64_t most = physical > 0 && size > 0 ? (int64_t)physical / 2 * size / bytes : INT32_MAX;
    pages = per_seq * s->max_seqs;
    pages = pages > most ? most : pages;
    pages = pages < 1 ? 1 : pages > INT32_MAX ? INT32_MAX : pages;
  }
  int64_t tokens = pages * info->kv[0].page;
  int64_t table_tokens = info->limits.max_seq < tokens ? info->limits.max_seq : tokens;
  s->page_table_size = s->max_seqs * sluice_ceil_div(table_tokens, info->kv[0].page);
  if (s->page_table_size > INT32_MAX)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "max_seqs = %d sequences of %lld tokens are %lld pages in one step, "
                       "expected at most %d: ask for fewer",
                       s->max_seqs, (long long)table_tokens, (long long)s->page_table_size,
                       INT32_MAX);
  if (o->external_pages)
    SLUICE_TRY(sluice_page_marks_create(pages, &s->marks));
  return sluice_pool_create(&s->allocator, info->kv, info->kv_count, pages, s->live_seqs,
                            table_tokens, o->page_shuffle, o->poison && !o->external_pages,
                            &s->pool);
}

static sluice_status_t make_arena(sluice_session_t *s) {
  const sluice_model_info_t *info = &s->model->manifest.info;
  for (int32_t i = 0; i < info->function_count; ++i) {
    const sluice_function_info_t *f = &info->functions[i];
    int64_t rows, seqs, bytes;
    if (!sluice_mul(f->arena_row, s->max_rows, &rows) ||
        !sluice_mul(f->arena_seq, s->max_seqs, &seqs) || !sluice_add(rows, seqs, &bytes) ||
        !sluice_add(bytes, f->arena_fixed, &bytes))
      return sluice_fail(SLUICE_STATUS_OUT_OF_MEMORY,
                         "the scratch memory of %s for %d rows and %d sequences does not fit in "
                         "63 bits",
                         f->name, s->max_rows, s->max_seqs);
    s->arena_bytes = bytes > s->arena_bytes ? bytes : s->arena_bytes;
    s->most_args = f->arg_count > s->most_args ? f->arg_count : s->most_args;
    s->most_gathers = f->gathers > s->most_gathers ? f->gathers : s->most_gathers;
  }
  sluice_status_t status = sluice_map_anonymous(s->arena_bytes, "scratch", &s->arena);
  if (status != SLUICE_STATUS_OK)
    return sluice_fail_in(status, "%d rows and %d sequences per step (ask for fewer)", s->max_rows,
                          s->max_seqs);
  return SLUICE_STATUS_OK;
}

/* Bytes of a path to a table's file in the artefact. */
static size_t table_path_size(const sluice_session_t *s) { return s->model->path_size + 256; }

/* Table |i|: in memory, or in its file, whose path goes to |path|. */
static sluice_status_t make_table(const sluice_session_t *s, size_t i, char *path,
                                  sluice_home_table_t *out) {
  const sluice_weight_t *w = &s->model->manifest.weights[i];
  if (!w->remote || w->blocks != 1)
    return SLUICE_STATUS_OK;
  int64_t row = w->columns * (int64_t)sluice_dtype_bytes(w->info.dtype);
  *out = (sluice_home_table_t){
      .data = s->model->data[i], .rows = w->rows, .row_bytes = row, .stride = row};
  if (!w->in_file)
    return SLUICE_STATUS_OK;
  out->path = path;
  snprintf(path, table_path_size(s), "%s/tables/%s.safetensors", s->model->path, w->info.name);
  sluice_status_t status = sluice_table_file_find_data(path, w->info.bytes, &out->offset);
  return status == SLUICE_STATUS_NOT_FOUND
             ? sluice_fail_in(SLUICE_STATUS_BAD_ARTEFACT, "a table of the artefact is missing")
             : status;
}

/* The runtime's own home: table i is weight i, where the manifest says that it lives there. */
static sluice_status_t make_home(sluice_session_t *s) {
  size_t count = (size_t)s->model->manifest.info.weight_count, in_files = 0, used = 0;
  sluice_home_table_t *tables = NULL;
  char *paths = NULL;
  for (size_t i = 0; i < count; ++i)
    in_files += s->model->manifest.weights[i].in_file;
  sluice_status_t status = sluice_allocate(&s->allocator, count, sizeof *tables, &tables);
  if (status == SLUICE_STATUS_OK)
    status = sluice_allocate(&s->allocator, in_files, table_path_size(s), &paths);
  for (size_t i = 0; i < count && status == SLUICE_STATUS_OK; ++i) {
    bool in_file = s->model->manifest.weights[i].in_file;
    status = make_table(s, i, in_file ? paths + used++ * table_path_size(s) : NULL, &tables[i]);
  }
  if (status == SLUICE_STATUS_OK)
    status = sluice_home_create(&s->allocator, tables, (int32_t)count, &s->own_home);
  sluice_free(&s->allocator, paths, in_files, table_path_size(s));
  sluice_free(&s->allocator, tables, count, sizeof *tables);
  return status;
}

static sluice_status_t make_arrays(sluice_session_t *s) {
  const sluice_allocator_t *a = &s->allocator;
  size_t rows = (size_t)s->max_rows, seqs = (size_t)s->max_seqs;
  SLUICE_TRY(sluice_allocate(a, seqs + 1, sizeof(int32_t), &s->row_start));
  SLUICE_TRY(sluice_allocate(a, seqs, sizeof(int32_t), &s->past));
  SLUICE_TRY(sluice_allocate(a, rows, sizeof(int32_t), &s->row_seq));
  SLUICE_TRY(sluice_allocate(a, rows, sizeof(int32_t), &s->position));
  SLUICE_TRY(sluice_allocate(a, seqs + 1, sizeof(int32_t), &s->page_start));
  uint8_t *table;
  SLUICE_TRY(sluice_map_anonymous(s->page_table_size * (int64_t)sizeof(int32_t), "the page table",
                                  &table));
  s->page_table = (int32_t *)table;
  SLUICE_TRY(sluice_allocate(a, seqs, sizeof *s->seqs, &s->seqs));
  SLUICE_TRY(sluice_allocate(a, seqs, sizeof *s->undo, &s->undo));
  SLUICE_TRY(sluice_allocate(a, rows, sizeof(int32_t), &s->tokens));
  SLUICE_TRY(sluice_allocate(a, rows, sizeof(int32_t), &s->token_types));
  SLUICE_TRY(sluice_allocate(a, rows, sizeof(int32_t), &s->ask));
  SLUICE_TRY(sluice_allocate(a, rows, sizeof(int64_t), &s->rng));
  SLUICE_TRY(sluice_allocate(a, (size_t)s->most_args, sizeof *s->args, &s->args));
  SLUICE_TRY(sluice_allocate(a, (size_t)s->most_args, sizeof *s->dims, &s->dims));
  return sluice_allocate(a, (size_t)s->most_gathers, sizeof *s->gather_tokens, &s->gather_tokens);
}

static sluice_status_t create(sluice_session_t *s, const sluice_session_options_t *o) {
  SLUICE_TRY(choose_sizes(s, o));
  SLUICE_TRY(make_pool(s, o));
  SLUICE_TRY(make_arena(s));
  SLUICE_TRY(make_arrays(s));
  if (s->most_gathers > 0 && !o->home)
    SLUICE_TRY(make_home(s));
  SLUICE_TRY(sluice_team_create(&s->allocator, o->threads, o->spin, &s->team));
  s->batch = (sluice_batch_t){.row_start = s->row_start,
                              .past = s->past,
                              .row_seq = s->row_seq,
                              .position = s->position,
                              .page_start = s->pool.page_count ? s->page_start : NULL,
                              .page_table = s->pool.page_count ? s->page_table : NULL};
  s->call = (sluice_call_t){.batch = &s->batch,
                            .arena = s->arena,
                            .weights = s->model->weights,
                            .pages = s->pool.memory,
                            .args = s->args,
                            .dims = s->dims,
                            .barrier = sluice_team_barrier,
                            .team = s->team,
                            .max_rows = s->max_rows,
                            .max_seqs = s->max_seqs,
                            .home = s->most_gathers == 0 ? NULL
                                    : o->home            ? o->home
                                                         : s->own_home,
                            .tokens = s->gather_tokens};
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_session_create(const sluice_model_t *model,
                                      const sluice_session_options_t *options,
                                      sluice_session_t **out_session) {
  static const sluice_session_options_t defaults;
  if (!model || !out_session)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "sluice_session_create: model and out_session must not be NULL");
  if (model->metadata_only)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "the model was loaded with metadata_only, so it cannot run");
  sluice_session_t *session;
  SLUICE_TRY(sluice_allocate(&model->allocator, 1, sizeof *session, &session));
  session->allocator = model->allocator;
  session->model = model;
  sluice_status_t status = create(session, options ? options : &defaults);
  if (status == SLUICE_STATUS_OK)
    *out_session = session;
  else
    sluice_session_release(session);
  return status;
}

void sluice_session_release(sluice_session_t *s) {
  if (!s)
    return;
  sluice_allocator_t allocator = s->allocator;
  const sluice_allocator_t *a = &allocator;
  size_t rows = (size_t)s->max_rows, seqs = (size_t)s->max_seqs;
  sluice_team_release(s->team);
  sluice_home_release(s->own_home);
  if (s->pool.page_count > 0)
    sluice_pool_release(&s->pool);
  if (s->marks.writer)
    sluice_page_marks_release(&s->marks);
  sluice_unmap(s->arena, s->arena_bytes);
  sluice_free(a, s->row_start, seqs + 1, sizeof(int32_t));
  sluice_free(a, s->past, seqs, sizeof(int32_t));
  sluice_free(a, s->row_seq, rows, sizeof(int32_t));
  sluice_free(a, s->position, rows, sizeof(int32_t));
  sluice_free(a, s->page_start, seqs + 1, sizeof(int32_t));
  sluice_unmap(s->page_table, s->page_table_size * (int64_t)sizeof(int32_t));
  sluice_free(a, s->seqs, seqs, sizeof *s->seqs);
  sluice_free(a, s->undo, seqs, sizeof *s->undo);
  sluice_free(a, s->tokens, rows, sizeof(int32_t));
  sluice_free(a, s->token_types, rows, sizeof(int32_t));
  sluice_free(a, s->ask, rows, sizeof(int32_t));
  sluice_free(a, s->rng, rows, sizeof(int64_t));
  sluice_free(a, s->args, (size_t)s->most_args, sizeof *s->args);
  sluice_free(a, s->dims, (size_t)s->most_args, sizeof *s->dims);
  sluice_free(a, s->gather_tokens, (size_t)s->most_gathers, sizeof *s->gather_tokens);
  sluice_free(a, s, 1, sizeof *s);
}

void sluice_session_trace(sluice_session_t *s, const sluice_tracer_t *tracer) {
  if (s)
    s->call.tracer = tracer;
}

void sluice_session_stats(const sluice_session_t *s, sluice_stats_t *out_stats) {
  if (!out_stats)
    return;
  if (!s) {
    *out_stats = (sluice_stats_t){0};
    return;
  }
  *out_stats = (sluice_stats_t){.threads = sluice_team_workers(s->team),
                                .max_rows = s->max_rows,
                                .max_seqs = s->max_seqs,
                                .live_seqs = s->live_seqs,
                                .arena_bytes = s->arena_bytes,
                                .steps = s->steps,
                                .region_entries = sluice_team_regions(s->team),
                                .barriers = sluice_team_barriers(s->team),
                                .parks = sluice_team_parks(s->team),
                                .pages = s->pool.page_count,
                                .pages_free = s->pool.free_count,
                                .page_copies = s->pool.copies,
                                .page_pool_bytes = s->pool.bytes};
}

void sluice_session_cancel(sluice_session_t *s) {
  if (s)
    sluice_team_cancel(s->team);
}

sluice_status_t sluice_session_check(const sluice_session_t *s) {
  if (!s)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "the session is NULL");
  if (!sluice_team_is_here(s->team))
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "the session was made before this process was forked, so its threads are "
                       "not here: make a session after the fork");
  return SLUICE_STATUS_OK;
}

static sluice_status_t no_place(const void *out) {
  return out ? SLUICE_STATUS_OK
             : sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "out_sequence must not be NULL");
}

static sluice_status_t find(const sluice_session_t *s, sluice_sequence_t handle,
                            sluice_seq_t **out) {
  SLUICE_TRY(sluice_session_check(s));
  *out = sluice_pool_find(&s->pool, handle);
  if (!*out)
    return sluice_fail(SLUICE_STATUS_NOT_FOUND, "sequence %llx is not alive in this session",
                       (unsigned long long)handle);
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_sequence_create(sluice_session_t *s, sluice_sequence_t *out_sequence) {
  SLUICE_TRY(sluice_session_check(s));
  SLUICE_TRY(no_place(out_sequence));
  if (s->pool.page_count == 0)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "the model %s has no pages, so it has no sequences",
                       s->model->manifest.info.name);
  if (s->marks.writer)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "the session has external_pages, so it has no sequences: give each part "
                       "its pages");
  return sluice_pool_create_seq(&s->pool, out_sequence);
}

sluice_status_t sluice_sequence_fork(sluice_session_t *s, sluice_sequence_t sequence,
                                     sluice_sequence_t *out_sequence) {
  sluice_seq_t *seq;
  SLUICE_TRY(no_place(out_sequence));
  SLUICE_TRY(find(s, sequence, &seq));
  return sluice_pool_fork_seq(&s->pool, seq, out_sequence);
}

sluice_status_t sluice_sequence_truncate(sluice_session_t *s, sluice_sequence_t sequence,
                                         int64_t length) {
  sluice_seq_t *seq;
  SLUICE_TRY(find(s, sequence, &seq));
  if (length < 0 || length > seq->length)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "cannot truncate a sequence of %lld tokens to %lld", (long long)seq->length,
                       (long long)length);
  sluice_pool_truncate_seq(&s->pool, seq, length);
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_sequence_drop(sluice_session_t *s, sluice_sequence_t sequence) {
  sluice_seq_t *seq;
  SLUICE_TRY(find(s, sequence, &seq));
  sluice_pool_drop_seq(&s->pool, seq);
  return SLUICE_STATUS_OK;
}

int64_t sluice_sequence_length(const sluice_session_t *s, sluice_sequence_t sequence) {
  const sluice_seq_t *seq = s ? sluice_pool_find(&s->pool, sequence) : NULL;
  return seq ? seq->length : -1;
}

int64_t sluice_sequence_pages(const sluice_session_t *s, sluice_sequence_t sequence,
                              int32_t *out_pages, int64_t capacity) {
  const sluice_seq_t *seq = s ? sluice_pool_find(&s->pool, sequence) : NULL;
  if (!seq)
    return -1;
  for (int32_t i = 0; out_pages && i < seq->pages && i < capacity; ++i)
    out_pages[i] = seq->table[i];
  return seq->pages;
}
