/* SPDX-License-Identifier: Apache-2.0
 *
 * call_io.c: any function by its own arguments: the tensors of the file have the arguments' names,
 * types and shapes. Beside them "sequence_lengths" [S] divides the rows among sequences and
 * "position_ids" [rows] gives their positions.
 */
#include "report.h"
#include "tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS = OUTPUT_TENSORS };

typedef struct binding {
  int64_t sizes[3]; /* of rows, seqs, asked; -1 unknown */
  sluice_arg_t args[ARGS];
  void *converted[ARGS]; /* copies that are ours */
  output_tensor_t outputs[ARGS];
  int32_t output_of[ARGS]; /* index in outputs of each argument, -1 for inputs */
  int32_t output_count;
  sluice_part_t *parts;
  int32_t part_count;
  int32_t *positions;
} binding_t;

static int letter_of(int64_t dim) { return (int)(-1 - dim); }
static const char *const letters[] = {"rows", "seqs", "asked"};

static int bind_letter(binding_t *b, const char *where, const char *name, int64_t dim,
                       int64_t size) {
  int64_t *known = &b->sizes[letter_of(dim)];
  if (*known >= 0 && *known != size)
    return report_error(EXIT_BAD_INPUT, "%s: %s has %lld %s, expected %lld as another input", where,
                        name, (long long)size, letters[letter_of(dim)], (long long)*known);
  *known = size;
  return EXIT_OK;
}

static const char *file_dtype(sluice_dtype_t dtype) {
  static const char *const names[] = {"F32", "BF16", "F16", "I8", "U8", "I16", "I32", "I64"};
  return names[dtype];
}

/* Data of |t| for |info|: itself when it is aligned and not integers, else a copy; I64 is taken for
 * i32 where every value fits. */
static int take_data(const tensors_run_t *run, const sluice_arg_info_t *info,
                     const sluice_tensor_t *t, void **out, void **out_owned) {
  size_t size = sluice_dtype_bytes(info->dtype);
  bool narrow = info->dtype == SLUICE_DTYPE_I32 && strcmp(t->dtype, "I64") == 0;
  if (!narrow && strcmp(t->dtype, file_dtype(info->dtype)) != 0)
    return report_error(EXIT_BAD_INPUT, "%s: %s is %s, expected %s", run->inputs->path, t->name,
                        t->dtype, file_dtype(info->dtype));
  // Integers are checked here and used later: a file that changes meanwhile must not come between.
  bool integers = info->dtype >= SLUICE_DTYPE_I8;
  if (!narrow && !integers && (uintptr_t)t->data % size == 0) {
    *out = (void *)(uintptr_t)t->data;
    return EXIT_OK;
  }
  *out = *out_owned = report_allocate((size_t)t->elements, size);
  if (!narrow && t->elements > 0)
    memcpy(*out, t->data, (size_t)t->elements * size);
  for (int64_t i = 0; narrow && i < t->elements; ++i) {
    int64_t value = tensor_integer(t, i);
    if (value < INT32_MIN || value > INT32_MAX)
      return report_error(EXIT_BAD_INPUT,
                          "%s: element %lld of %s is %lld, which does not fit in 32 bits",
                          run->inputs->path, (long long)i, t->name, (long long)value);
    ((int32_t *)*out)[i] = (int32_t)value;
  }
  return EXIT_OK;
}

static int bind_input(const tensors_run_t *run, binding_t *b, int32_t index) {
  const sluice_arg_info_t *info = &run->function->args[index];
  const sluice_tensor_t *t = sluice_tensors_find(run->inputs, info->name);
  if (!t)
    return report_error(EXIT_BAD_INPUT, "%s has no \"%s\", which %s takes", run->inputs->path,
                        info->name, run->function->name);
  bool fits = t->rank == info->rank;
  for (int32_t d = 0; d < info->rank && fits; ++d)
    fits = (d == 0 && info->shape[0] < 0) || t->shape[d] == info->shape[d];
  if (!fits) {
    char shape[200] = "";
    for (int32_t d = 0; d < info->rank; ++d)
      if (info->shape[d] < 0)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%s", d ? "," : "",
                 letters[letter_of(info->shape[d])]);
      else
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%lld", d ? "," : "",
                 (long long)info->shape[d]);
    return report_error(EXIT_BAD_INPUT, "%s: %s has another shape than [%s]", run->inputs->path,
                        info->name, shape);
  }
  if (info->shape[0] < 0)
    TRY(bind_letter(b, run->inputs->path, info->name, info->shape[0], t->shape[0]));
  b->args[index] = (sluice_arg_t){info->name, NULL, t->shape[0]};
  b->output_of[index] = -1;
  return take_data(run, info, t, &b->args[index].data, &b->converted[index]);
}

static int bind_parts(const tensors_run_t *run, binding_t *b) {
  const sluice_tensor_t *lengths = sluice_tensors_find(run->inputs, "sequence_lengths");
  const sluice_tensor_t *positions = sluice_tensors_find(run->inputs, "position_ids");
  if ((lengths && (!tensor_is_integer(lengths) || lengths->rank != 1)) ||
      (positions && (!tensor_is_integer(positions) || positions->rank != 1)))
    return report_error(EXIT_BAD_INPUT,
                        "%s: sequence_lengths and position_ids must be integers of rank 1",
                        run->inputs->path);
  if (!lengths && !positions)
    return EXIT_OK;
  int64_t count = lengths ? lengths->shape[0] : 1, total = 0;
  if (count < 1 || count > INPUT_SEQUENCES)
    return report_error(EXIT_BAD_INPUT, "%s: sequence_lengths has %lld sequences, expected 1 to %d",
                        run->inputs->path, (long long)count, INPUT_SEQUENCES);
  if (positions) {
    TRY(bind_letter(b, run->inputs->path, "position_ids", SLUICE_DIM_ROWS, positions->shape[0]));
    b->positions = report_allocate((size_t)positions->elements, sizeof *b->positions);
    for (int64_t i = 0; i < positions->elements; ++i) {
      int64_t p = tensor_integer(positions, i);
      b->positions[i] =
          p < 0 || p > INT32_MAX ? -1 : (int32_t)p; // The runtime refuses it with its limit.
    }
  }
  b->parts = report_allocate((size_t)count, sizeof *b->parts);
  b->part_count = (int32_t)count;
  for (int64_t i = 0; i < count; ++i) {
    int64_t length = lengths ? tensor_integer(lengths, i) : b->sizes[0];
    if (length < 1 || length > INPUT_ROWS)
      return report_error(EXIT_BAD_INPUT, "%s: sequence %lld has %lld rows, expected 1 to %d",
                          run->inputs->path, (long long)i, (long long)length, INPUT_ROWS);
    b->parts[i] = (sluice_part_t){.count = (int32_t)length,
                                  .positions = b->positions ? b->positions + total : NULL};
    total += length;
    if (b->positions && total > b->sizes[0])
      break;
  }
  TRY(bind_letter(b, run->inputs->path, "sequence_lengths", SLUICE_DIM_ROWS, total));
  return bind_letter(b, run->inputs->path, "sequence_lengths", SLUICE_DIM_SEQS, count);
}

static int bind_outputs(const tensors_run_t *run, binding_t *b) {
  for (int32_t i = 0; i < run->function->arg_count; ++i) {
    const sluice_arg_info_t *info = &run->function->args[i];
    if (!info->output)
      continue;
    output_tensor_t *out = &b->outputs[b->output_count];
    b->output_of[i] = b->output_count++;
    *out = (output_tensor_t){.name = info->name, .dtype = info->dtype, .rank = info->rank};
    memcpy(out->shape, info->shape, (size_t)info->rank * sizeof out->shape[0]);
    if (info->shape[0] < 0) {
      out->shape[0] = b->sizes[letter_of(info->shape[0])];
      if (out->shape[0] < 0)
        return report_error(EXIT_BAD_INPUT, "%s: no input says how many %s \"%s\" has%s",
                            run->inputs->path, letters[letter_of(info->shape[0])], info->name,
                            info->shape[0] == SLUICE_DIM_SEQS ? " (give sequence_lengths)" : "");
    }
    b->args[i] = (sluice_arg_t){info->name, NULL, out->shape[0]};
  }
  return EXIT_OK;
}

static int check_names(const tensors_run_t *run) {
  const char *known[ARGS + 3] = {"sequence_lengths", "position_ids"};
  int n = 2;
  for (int32_t i = 0; i < run->function->arg_count; ++i)
    if (!run->function->args[i].output)
      known[n++] = run->function->args[i].name;
  return check_known_inputs(run, known);
}

static int bind_and_call(const tensors_run_t *run, binding_t *b) {
  TRY(check_names(run));
  for (int32_t i = 0; i < run->function->arg_count; ++i)
    if (!run->function->args[i].output)
      TRY(bind_input(run, b, i));
  TRY(bind_parts(run, b));
  TRY(bind_outputs(run, b));
  int64_t rows = 1, seqs = b->sizes[1] > 1 ? b->sizes[1] : 1;
  for (int i = 0; i < 3; i += 2)
    rows = b->sizes[i] > rows ? b->sizes[i] : rows;
  rows = rows < seqs ? seqs : rows;
  if (rows > INPUT_ROWS)
    return report_error(EXIT_BAD_INPUT, "%s: %lld rows, expected at most %d", run->inputs->path,
                        (long long)rows, INPUT_ROWS);
  sluice_session_options_t options = {.threads = (int32_t)run->options->threads,
                                      .spin = run->options->spin,
                                      .max_rows = (int32_t)rows,
                                      .max_seqs = (int32_t)seqs,
                                      .kv_pages = run->info->kv_count ? 1 : 0};
  sluice_session_t *session;
  TRY(make_session(run->model, &options, &session));
  int code = output_begin(run->options->outputs, b->outputs, b->output_count);
  if (code == EXIT_OK) {
    for (int32_t i = 0; i < run->function->arg_count; ++i)
      if (b->output_of[i] >= 0)
        b->args[i].data = b->outputs[b->output_of[i]].data;
    code = report_status(sluice_session_call(session, run->function->name, b->parts, b->part_count,
                                             b->args, run->function->arg_count));
  }
  release_session(session);
  return code;
}

int run_named_function(const tensors_run_t *run) {
  if (run->function->arg_count > ARGS)
    return report_error(EXIT_BAD_INPUT, "%s has %d arguments, expected at most %d",
                        run->function->name, run->function->arg_count, ARGS);
  binding_t *b = report_allocate(1, sizeof *b);
  b->sizes[0] = b->sizes[1] = b->sizes[2] = -1;
  int code = bind_and_call(run, b);
  for (int32_t i = 0; i < ARGS; ++i)
    free(b->converted[i]);
  free(b->parts);
  free(b->positions);
  free(b);
  return code;
}
