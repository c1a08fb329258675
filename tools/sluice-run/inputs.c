/* SPDX-License-Identifier: Apache-2.0
 *
 * inputs.c: --inputs and --outputs: chooses the function and how its arguments stand in the file.
 */
#include "commands.h"
#include "report.h"
#include "tensors.h"

#include <stdio.h>
#include <string.h>

int make_session(const sluice_model_t *model, const sluice_session_options_t *options,
                 sluice_session_t **out_session) {
  sluice_status_t status = sluice_session_create(model, options, out_session);
  if (status == SLUICE_STATUS_INVALID_ARGUMENT)
    return report_error(EXIT_USAGE, "%s", sluice_last_error());
  return status == SLUICE_STATUS_OK ? EXIT_OK : report_status(status);
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
    output_abandon();
  sluice_tensors_close(&inputs);
  return code;
}
