/* SPDX-License-Identifier: Apache-2.0
 *
 * The runtime's reader of artefacts: manifest.json and weights.safetensors beside a library that is
 * what it says (native code is trusted as a program is). What is accepted is loaded, its weights
 * are read to the last byte, and a session is made.
 */
#define _GNU_SOURCE 1
#include "Scratch.h"
#include "sluice-rt/runtime.h"

static const char *const files[] = {"manifest.json", "weights.safetensors", NULL};

static void check_refusal(sluice_status_t status) {
  if (status != SLUICE_STATUS_OK && sluice_last_error()[0] == 0)
    abort(); // refused without a sentence
}

static void run_input(const uint8_t *data, size_t size) {
  static bool ready;
  if (!ready) {
    ready = true;
    mkdir(scratch_path("lib"), 0700);
    if (symlink(FUZZ_LIBRARY, scratch_path("lib/model.so")) != 0)
      abort();
  }
  scratch_write_all(data, size, files);
  sluice_model_options_t options = {.threads = 1, .metadata_only = true};
  sluice_model_t *model = NULL;
  sluice_status_t status = sluice_model_load(scratch(), &options, &model);
  check_refusal(status);
  if (status != SLUICE_STATUS_OK)
    return;
  const sluice_model_info_t *info = sluice_model_info(model);
  // Numbers from a seed take as long as there are numbers: the manifest's right, not this test's.
  int64_t generated = 0;
  for (int32_t i = 0; i < info->weight_count; ++i)
    generated += info->weights[i].generated ? info->weights[i].bytes >> 10 : 0;
  sluice_model_release(model);
  model = NULL;
  // Opening a library takes longer than all the rest: one in four.
  if (generated > 256 || size % 4 != 0)
    return;
  options.metadata_only = false;
  status = sluice_model_load(scratch(), &options, &model);
  check_refusal(status);
  if (status != SLUICE_STATUS_OK)
    return;
  info = sluice_model_info(model);
  static volatile unsigned sum;
  for (int32_t i = 0; i < info->weight_count; ++i) {
    const uint8_t *bytes = sluice_model_weight_data(model, i);
    for (int64_t b = 0; b < info->weights[i].bytes; ++b)
      sum = sum + bytes[b];
  }
  sluice_session_options_t small = {.threads = 1, .max_rows = 16, .max_seqs = 1, .kv_pages = 2};
  sluice_session_t *session = NULL;
  check_refusal(sluice_session_create(model, &small, &session));
  sluice_session_release(session);
  sluice_model_release(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  double start = fuzz_seconds();
  run_input(data, size);
  fuzz_check_seconds(start);
  return 0;
}
