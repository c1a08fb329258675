/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice-run --inputs: the first byte chooses a function of the hand-written model of the runtime's
 * tests, the rest is the file. The tool's own sources run, with a report.c that says nothing
 * and a trace.c that traces nothing.
 */
#define _GNU_SOURCE 1
#include "Scratch.h"
#include "commands.h"
#include "fixture.h"
#include "output.h"
#include "report.h"
#include "trace.h"

#include <stdarg.h>

static bool spoke;

int report_error(int code, const char *format, ...) {
  char message[1024];
  va_list list;
  va_start(list, format);
  spoke = vsnprintf(message, sizeof message, format, list) > 0;
  va_end(list);
  return code;
}

// Nothing is traced here.
void trace_attach(sluice_session_t *session) { (void)session; }
void trace_detach(sluice_session_t *session) { (void)session; }

void report_line(const char *kind, const char *message) { spoke = kind && message; }

int report_status(sluice_status_t status) {
  return status == SLUICE_STATUS_OK ? EXIT_OK
                                    : report_error(EXIT_BAD_INPUT, "%s", sluice_last_error());
}

void *report_allocate(size_t count, size_t size) {
  // A reader must not ask for memory that the size of its file does not explain.
  if (count != 0 && size > ((size_t)1 << 30) / count)
    abort();
  void *pointer = calloc(count ? count : 1, size ? size : 1);
  if (!pointer)
    abort();
  return pointer;
}

static void run_input(const uint8_t *data, size_t size) {
  static const char *const functions[] = {"step", "forward", "embed", "add",
                                          "meet", "sample",  "fetch", "none"};
  static sluice_model_t *model;
  if (!model) {
    const char *artefact = fixture_create(FUZZ_LIBRARY);
    fixture_write_manifest(artefact, fixture_manifest, NULL);
    sluice_model_options_t options = {.threads = 1};
    if (sluice_model_load(artefact, &options, &model) != SLUICE_STATUS_OK)
      abort();
  }
  if (size == 0)
    return;
  options_t options = {.function = functions[data[0] & 7], .threads = 1};
  options.last_logits = data[0] & 8;
  options.inputs = scratch_write_tensors("in.safetensors", data + 1, size - 1);
  options.outputs = scratch_path("out.safetensors");
  spoke = false;
  int code = command_inputs(model, &options);
  if (code != EXIT_OK && !spoke)
    abort(); // refused without a sentence
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  double start = fuzz_seconds();
  run_input(data, size);
  fuzz_check_seconds(start);
  return 0;
}
