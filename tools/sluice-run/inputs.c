/* SPDX-License-Identifier: Apache-2.0
 *
 * inputs.c: --inputs and --outputs: chooses the function and how its arguments stand in the file.
 */
#include "commands.h"
#include "report.h"
#include "tensors.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const options_t *command_line;

void sessions_follow(const options_t *options) { command_line = options; }

/* "0,2,4-5" as numbers. Returns an exit code. */
static int read_cpus(const char *text, int32_t *out, int32_t capacity, int32_t *out_count) {
  *out_count = 0;
  for (const char *at = text;;) {
    char *end;
    long first = strtol(at, &end, 10), last = first;
    bool good = end != at && first >= 0 && first < capacity;
    if (good && *end == '-') {
      at = end + 1;
      last = strtol(at, &end, 10);
      good = end != at && last >= first && last < capacity;
    }
    if (!good || (*end && *end != ','))
      return report_error(EXIT_USAGE,
                          "--pin is \"%s\", expected cores, or numbers of processors such as "
                          "0,2,4-5",
                          text);
    for (long cpu = first; cpu <= last; ++cpu) {
      if (*out_count == capacity)
        return report_error(EXIT_USAGE, "--pin names more than %d processors", capacity);
      out[(*out_count)++] = (int32_t)cpu;
    }
    if (!*end)
      return EXIT_OK;
    at = end + 1;
  }
}

/* --pin and --numa. */
static int place_session(sluice_session_t *session) {
  enum { MOST = 1024 };
  int32_t cpus[MOST], count = 0;
  sluice_stats_t stats;
  if (!command_line || (!command_line->pin && !command_line->numa))
    return EXIT_OK;
  sluice_session_stats(session, &stats);
  sluice_placement_t placement = {.size = sizeof placement,
                                  .numa = (sluice_numa_t)command_line->numa};
  if (command_line->pin) {
    if (strcmp(command_line->pin, "cores") == 0) {
      count = sluice_allowed_cpus(cpus, MOST);
      if (count < stats.threads)
        return report_error(EXIT_USAGE,
                            "--pin=cores: %d workers, but this process may use %d processors: give "
                            "--threads=%d",
                            stats.threads, count, count < 1 ? 1 : count);
      count = stats.threads;
    } else {
      TRY(read_cpus(command_line->pin, cpus, MOST, &count));
    }
    placement.cpus = cpus;
    placement.cpu_count = count;
  }
  sluice_status_t status = sluice_session_place(session, &placement);
  if (status == SLUICE_STATUS_INVALID_ARGUMENT)
    return report_error(EXIT_USAGE, "--pin: %s", sluice_last_error());
  return report_status(status);
}

int make_session(const sluice_model_t *model, const sluice_session_options_t *options,
                 sluice_session_t **out_session) {
  sluice_status_t status = sluice_session_create(model, options, out_session);
  if (status == SLUICE_STATUS_INVALID_ARGUMENT)
    return report_error(EXIT_USAGE, "%s", sluice_last_error());
  if (status != SLUICE_STATUS_OK)
    return report_status(status);
  int code = place_session(*out_session);
  if (code != EXIT_OK) {
    sluice_session_release(*out_session);
    return code;
  }
  trace_attach(*out_session);
  return EXIT_OK;
}

void release_session(sluice_session_t *session) {
  trace_detach(session);
  sluice_session_release(session);
}

int64_t usual_rows(const sluice_model_t *model) {
  int64_t most = sluice_model_info(model)->max_rows;
  return most > 0 ? most : 512;
}

bool tensor_is_integer(const sluice_tensor_t *t) {
  static const char *const names[] = {"I64", "I32", "I16", "I8", "U8", "BOOL"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i)
    if (strcmp(t->dtype, names[i]) == 0)
      return true;
  return false;
}

int64_t tensor_integer(const sluice_tensor_t *t, int64_t index) {
  int64_t size = t->bits / 8;
  uint64_t value = 0;
  // Little-endian and possibly not aligned.
  for (int64_t i = size - 1; i >= 0; --i)
    value = value << 8 | t->data[index * size + i];
  if (t->dtype[0] != 'I' || size == 8)
    return (int64_t)value;
  uint64_t sign = (uint64_t)1 << (t->bits - 1);
  return (int64_t)((value ^ sign) - sign);
}

int check_known_inputs(const tensors_run_t *run, const char *const *known) {
  for (size_t i = 0; i < run->inputs->count; ++i) {
    const char *name = run->inputs->tensors[i].name;
    bool found = false;
    for (const char *const *k = known; *k && !found; ++k)
      found = strcmp(*k, name) == 0;
    if (!found) {
      char list[512] = "";
      for (const char *const *k = known; *k; ++k)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", k == known ? "" : ", ",
                 *k);
      return report_error(EXIT_BAD_INPUT, "%s: the input \"%s\" is not one of %s",
                          run->inputs->path, name, list);
    }
  }
  return EXIT_OK;
}

static int choose_function(const sluice_model_t *model, const options_t *o,
                           const sluice_function_info_t **out) {
  const sluice_model_info_t *info = sluice_model_info(model);
  const char *name = o->function                         ? o->function
                     : info->kind == SLUICE_KIND_DECODER ? "step"
                     : info->kind == SLUICE_KIND_ENCODER ? "forward"
                     : info->function_count == 1         ? info->functions[0].name
                                                         : NULL;
  if (!name)
    return report_error(EXIT_USAGE,
                        "%s has %d functions: say which with --function (inspect lists them)",
                        info->name, info->function_count);
  *out = sluice_model_function(model, name);
  if (!*out)
    return report_error(o->function ? EXIT_USAGE : EXIT_BAD_INPUT,
                        "%s has no function \"%s\"; its first one is \"%s\"", info->name, name,
                        info->functions[0].name);
  return EXIT_OK;
}

int command_inputs(const sluice_model_t *model, const options_t *o) {
  const sluice_model_info_t *info = sluice_model_info(model);
  const sluice_function_info_t *function;
  sluice_allocator_t allocator = sluice_allocator_or_default((sluice_allocator_t){0});
  sluice_tensors_t inputs;
  TRY(choose_function(model, o, &function));
  TRY_STATUS(sluice_tensors_open(&allocator, o->inputs, &inputs));
  tensors_run_t run = {model, info, function, o, &inputs};
  bool tokens = (info->kind == SLUICE_KIND_DECODER && strcmp(function->name, "step") == 0) ||
                (info->kind == SLUICE_KIND_ENCODER &&
                 (strcmp(function->name, "forward") == 0 || strcmp(function->name, "embed") == 0));
  int code = tokens ? run_token_function(&run) : run_named_function(&run);
  if (code == EXIT_OK)
    code = output_commit();
  else
    output_discard();
  sluice_tensors_close(&inputs);
  return code;
}
