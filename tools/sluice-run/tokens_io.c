/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens_io.c: padded batches [B,T] in and out. Hidden tokens are not rows at all: they are dropped
 * here, those that stay keep their positions, and the result rows of dropped ones are zeros.
 */
#include "report.h"
#include "tensors.h"

#include <stdlib.h>
#include <string.h>

/* The visible tokens of all sequences, one sequence after another. */
typedef struct rows {
  int64_t batch, length;
  int64_t *start; /* [batch + 1] */
  int32_t *ids, *types, *positions;
  int64_t *place; /* index in [batch * length] */
  bool has_types;
} rows_t;

static int find_input(const tensors_run_t *run, const char *name, const rows_t *rows,
                      const sluice_tensor_t **out) {
  const sluice_tensor_t *t = sluice_tensors_find(run->inputs, name);
  *out = t;
  if (!t)
    return EXIT_OK;
  if (!tensor_is_integer(t))
    return report_error(EXIT_BAD_INPUT, "%s: %s is %s, expected integers (I64)", run->inputs->path,
                        name, t->dtype);
  bool broadcast = strcmp(name, "position_ids") == 0 && t->rank == 2 && t->shape[0] == 1;
  if (t->rank != 2 ||
      (rows && ((t->shape[0] != rows->batch && !broadcast) || t->shape[1] != rows->length)))
    return report_error(EXIT_BAD_INPUT, "%s: %s has rank %d%s, expected [B,T] as input_ids",
                        run->inputs->path, name, t->rank, t->rank == 2 ? " and another shape" : "");
  return EXIT_OK;
}

static int outside(const tensors_run_t *run, const char *name, int64_t b, int64_t t, int64_t value,
                   int64_t bound, const char *limit) {
  return report_error(EXIT_BAD_INPUT, "%s: %s[%lld,%lld] is %lld, expected 0 to %lld (%s)",
                      run->inputs->path, name, (long long)b, (long long)t, (long long)value,
                      (long long)bound - 1, limit);
}

/* Positions without a limit of the model must still fit in 32 bits. */
static int64_t or_most(int64_t limit) { return limit < 0 ? INT32_MAX : limit; }

static int read_rows(const tensors_run_t *run, rows_t *rows) {
  const sluice_tensor_t *ids, *mask, *positions, *types;
  const sluice_limits_t *limits = &run->info->limits;
  static const char *const known[] = {"input_ids", "attention_mask", "position_ids",
                                      "token_type_ids", NULL};
  TRY(check_known_inputs(run, known));
  TRY(find_input(run, "input_ids", NULL, &ids));
  if (!ids)
    return report_error(EXIT_BAD_INPUT, "%s has no input_ids, expected I64 of shape [B,T]",
                        run->inputs->path);
  // Without tokens, sequences take no bytes of the file: their number alone must not be believed.
  if (ids->shape[0] > INPUT_SEQUENCES)
    return report_error(EXIT_BAD_INPUT, "%s: input_ids has %lld sequences, expected at most %d",
                        run->inputs->path, (long long)ids->shape[0], INPUT_SEQUENCES);
  rows->batch = ids->shape[0];
  rows->length = ids->shape[1];
  TRY(find_input(run, "attention_mask", rows, &mask));
  TRY(find_input(run, "position_ids", rows, &positions));
  TRY(find_input(run, "token_type_ids", rows, &types));
  for (int32_t i = 0; i < run->function->arg_count; ++i)
    rows->has_types = rows->has_types || strcmp(run->function->args[i].name, "token_types") == 0;
  if (types && !rows->has_types)
    return report_error(EXIT_BAD_INPUT, "%s has token_type_ids, but %s of %s takes none",
                        run->inputs->path, run->function->name, run->info->name);
  size_t all = (size_t)(rows->batch * rows->length);
  rows->start = report_allocate((size_t)rows->batch + 1, sizeof *rows->start);
  rows->ids = report_allocate(all, sizeof *rows->ids);
  rows->types = report_allocate(all, sizeof *rows->types);
  rows->positions = report_allocate(all, sizeof *rows->positions);
  rows->place = report_allocate(all, sizeof *rows->place);
  int64_t n = 0;
  for (int64_t b = 0; b < rows->batch; ++b) {
    for (int64_t t = 0; t < rows->length; ++t) {
      int64_t at = b * rows->length + t;
      int64_t id = tensor_integer(ids, at);
      if (id < 0 || id >= or_most(limits->vocab))
        return outside(run, "input_ids", b, t, id, or_most(limits->vocab), "the model's vocab");
      if (mask) {
        int64_t visible = tensor_integer(mask, at);
        if (visible != 0 && visible != 1)
          return outside(run, "attention_mask", b, t, visible, 2, "1 is visible, 0 is padding");
        if (!visible)
          continue;
      }
      int64_t position =
          positions ? tensor_integer(positions, positions->shape[0] == 1 ? t : at) : t;
      if (position < 0 || position >= or_most(limits->max_positions))
        return outside(run, positions ? "position_ids" : "the position of input_ids", b, t,
                       position, or_most(limits->max_positions), "the model's max_positions");
      int64_t type = types ? tensor_integer(types, at) : 0;
      if (type < 0 || type >= or_most(limits->token_types))
        return outside(run, "token_type_ids", b, t, type, or_most(limits->token_types),
                       "the model's token_types");
      rows->ids[n] = (int32_t)id;
      rows->types[n] = (int32_t)type;
      rows->positions[n] = (int32_t)position;
      rows->place[n++] = at;
    }
    rows->start[b + 1] = n;
    int64_t count = n - rows->start[b];
    if (limits->max_seq >= 0 && count > limits->max_seq)
      return report_error(
          EXIT_BAD_INPUT, "%s: sequence %lld has %lld tokens, the model's limit is max_seq = %lld",
          run->inputs->path, (long long)b, (long long)count, (long long)limits->max_seq);
  }
  return EXIT_OK;
}

static void free_rows(rows_t *rows) {
  free(rows->start);
  free(rows->ids);
  free(rows->types);
  free(rows->positions);
  free(rows->place);
}

/* The function's one f32 result. */
static int find_result(const tensors_run_t *run, const sluice_arg_info_t **out) {
  *out = NULL;
  for (int32_t i = 0; i < run->function->arg_count; ++i)
    if (run->function->args[i].output && !*out)
      *out = &run->function->args[i];
  if (!*out || (*out)->dtype != SLUICE_DTYPE_F32 || (*out)->rank != 2)
    return report_error(EXIT_BAD_INPUT, "%s of %s does not give one f32 tensor of rows",
                        run->function->name, run->info->name);
  return EXIT_OK;
}

/* Where a run through the batch stands: sequence |b|, of which |done| tokens have been given. */
typedef struct cursor {
  int64_t b, done;
} cursor_t;

/* Plans one step: parts from |cursor| on. Sequences with pages may be cut, others may not. */
static int32_t plan_step(const rows_t *rows, cursor_t *cursor, int32_t max_rows, int32_t max_seqs,
                         bool paged, sluice_part_t *parts, cursor_t *from) {
  int32_t count = 0, room = max_rows;
  while (cursor->b < rows->batch && count < max_seqs && room > 0) {
    int64_t first = rows->start[cursor->b] + cursor->done,
            left = rows->start[cursor->b + 1] - first;
    if (left > room && !paged)
      break;
    int32_t take = (int32_t)(left < room ? left : room);
    if (take > 0) {
      from[count] = *cursor;
      parts[count++] = (sluice_part_t){.count = take,
                                       .tokens = rows->ids + first,
                                       .positions = rows->positions + first,
                                       .token_types = rows->has_types ? rows->types + first : NULL};
    }
    room -= take;
    cursor->done += take;
    if (take == left)
      *cursor = (cursor_t){cursor->b + 1, 0};
  }
  return count;
}

typedef struct sizes {
  int32_t rows, seqs;
} sizes_t;

static int run_decoder(const tensors_run_t *run, sluice_session_t *session, sizes_t sizes,
                       const rows_t *rows, int64_t width, float *buffer, float *out) {
  sluice_part_t *parts = report_allocate((size_t)sizes.seqs, sizeof *parts);
  cursor_t *from = report_allocate((size_t)sizes.seqs, sizeof *from), cursor = {0, 0};
  sluice_sequence_t open = SLUICE_SEQUENCE_NONE; // The one sequence that was cut.
  int32_t count;
  bool last = run->options->last_logits;
  sluice_status_t status = SLUICE_STATUS_OK;
  while (status == SLUICE_STATUS_OK &&
         (count = plan_step(rows, &cursor, sizes.rows, sizes.seqs, true, parts, from)) > 0) {
    for (int32_t i = 0; i < count && status == SLUICE_STATUS_OK; ++i) {
      int64_t end = rows->start[from[i].b] + from[i].done + parts[i].count;
      bool ends = end == rows->start[from[i].b + 1];
      parts[i].ask = !last ? parts[i].count : ends;
      parts[i].sequence = open;
      if (from[i].done == 0)
        status = sluice_sequence_create(session, &parts[i].sequence);
      open = SLUICE_SEQUENCE_NONE;
    }
    if (status == SLUICE_STATUS_OK)
      status = sluice_session_step(session, run->function->name, parts, count, buffer);
    const float *row = buffer;
    for (int32_t i = 0; i < count && status == SLUICE_STATUS_OK; ++i) {
      int64_t first = rows->start[from[i].b] + from[i].done, end = first + parts[i].count;
      for (int64_t r = end - parts[i].ask; r < end; ++r, row += width)
        memcpy(out + (last ? from[i].b : rows->place[r]) * width, row, (size_t)width * sizeof *row);
      if (end == rows->start[from[i].b + 1])
        status = sluice_sequence_drop(session, parts[i].sequence);
      else
        open = parts[i].sequence;
    }
  }
  free(parts);
  free(from);
  return report_status(status);
}

static int run_encoder(const tensors_run_t *run, sluice_session_t *session, sizes_t sizes,
                       const rows_t *rows, bool per_sequence, int64_t width, float *buffer,
                       float *out) {
  sluice_part_t *parts = report_allocate((size_t)sizes.seqs, sizeof *parts);
  cursor_t *from = report_allocate((size_t)sizes.seqs, sizeof *from), cursor = {0, 0};
  int32_t count;
  sluice_status_t status = SLUICE_STATUS_OK;
  while (status == SLUICE_STATUS_OK &&
         (count = plan_step(rows, &cursor, sizes.rows, sizes.seqs, false, parts, from)) > 0) {
    status = sluice_session_encode(session, run->function->name, parts, count, buffer);
    const float *row = buffer;
    for (int32_t i = 0; i < count && status == SLUICE_STATUS_OK; ++i)
      for (int64_t r = 0; r < (per_sequence ? 1 : parts[i].count); ++r, row += width)
        memcpy(out + (per_sequence ? from[i].b : rows->place[rows->start[from[i].b] + r]) * width,
               row, (size_t)width * sizeof *row);
  }
  free(parts);
  free(from);
  return report_status(status);
}

/* Rows and sequences of one step: enough to be fast, little enough that the results of a step fit
 * in 64 MiB. */
static sizes_t choose_sizes(const tensors_run_t *run, const rows_t *rows, int64_t width,
                            bool paged) {
  int64_t total = rows->start[rows->batch], longest = 1, most = ((int64_t)64 << 20) / 4 / width;
  for (int64_t b = 0; b < rows->batch; ++b) {
    int64_t count = rows->start[b + 1] - rows->start[b];
    longest = count > longest ? count : longest;
  }
  int64_t n = run->options->max_rows ? run->options->max_rows : usual_rows(run->model);
  n = n > most && !run->options->max_rows ? most : n;
  n = n < 16 ? 16 : n;
  n = n > total ? total : n;
  if (!paged && n < longest)
    n = longest;
  if (n < 1)
    n = 1;
  int64_t seqs = rows->batch < 64 ? rows->batch : 64;
  seqs = seqs < n ? seqs : n;
  return (sizes_t){(int32_t)(n > INT32_MAX ? INT32_MAX : n), (int32_t)(seqs < 1 ? 1 : seqs)};
}

static int run_rows(const tensors_run_t *run, const rows_t *rows, const sluice_arg_info_t *result) {
  const bool paged = run->info->kind == SLUICE_KIND_DECODER;
  const bool per_sequence = result->shape[0] == SLUICE_DIM_SEQS;
  const int64_t width = result->row_elements;
  output_tensor_t out = {
      .name = result->name, .dtype = SLUICE_DTYPE_F32, .rank = per_sequence ? 2 : 3};
  out.shape[0] = rows->batch;
  out.shape[1] = per_sequence ? width : paged && run->options->last_logits ? 1 : rows->length;
  out.shape[2] = width;
  sizes_t sizes = choose_sizes(run, rows, width, paged);
  sluice_session_options_t options = {.threads = (int32_t)run->options->threads,
                                      .spin = run->options->spin,
                                      .max_rows = sizes.rows,
                                      .max_seqs = sizes.seqs,
                                      .live_seqs = sizes.seqs + 1};
  sluice_session_t *session;
  TRY(make_session(run->model, &options, &session));
  float *buffer = report_allocate((size_t)sizes.rows * (size_t)width, sizeof *buffer);
  int code = output_begin(run->options->outputs, &out, 1);
  if (code == EXIT_OK)
    code = paged ? run_decoder(run, session, sizes, rows, width, buffer, out.data)
                 : run_encoder(run, session, sizes, rows, per_sequence, width, buffer, out.data);
  free(buffer);
  release_session(session);
  return code;
}

int run_token_function(const tensors_run_t *run) {
  const sluice_arg_info_t *result;
  rows_t rows = {0};
  TRY(find_result(run, &result));
  int code = read_rows(run, &rows);
  if (code == EXIT_OK)
    code = run_rows(run, &rows, result);
  free_rows(&rows);
  return code;
}
