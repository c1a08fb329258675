/* SPDX-License-Identifier: Apache-2.0
 *
 * hello.c: the shortest honest program: continues three tokens with a decoder. hello_explained.c is
 * the same at length. hello MODEL.sluice
 */
#include <sluice-rt/runtime.h>
#include <stdio.h>
#include <stdlib.h>

static void check(sluice_status_t status) {
  if (status == SLUICE_STATUS_OK)
    return;
  fprintf(stderr, "hello: %s: %s\n", sluice_status_name(status), sluice_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: hello MODEL.sluice\n"), 1;
  sluice_model_t *model;
  check(sluice_model_load(argv[1], NULL, &model));
  const sluice_function_info_t *step = sluice_model_function(model, "step");
  if (!step)
    return fprintf(stderr, "hello: %s is no decoder\n", argv[1]), 1;
  sluice_session_t *session;
  check(sluice_session_create(model, NULL, &session));
  sluice_sequence_t sequence;
  check(sluice_sequence_create(session, &sequence));

  const int32_t prompt[] = {1, 2, 3};
  sluice_part_t part = {.sequence = sequence, .count = 3, .ask = 1, .tokens = prompt};
  float *logits = malloc((size_t)step->args[step->arg_count - 1].row_elements * sizeof *logits);
  float temperature = 0;
  int64_t rng = 0;
  int32_t token;
  for (int i = 0; i < 8 && logits; ++i) {
    check(sluice_session_step(session, "step", &part, 1, logits));
    check(sluice_session_sample(session, "sample", logits, 1, &temperature, &rng, &token));
    printf("%d\n", token);
    part = (sluice_part_t){.sequence = sequence, .count = 1, .ask = 1, .tokens = &token};
  }
  free(logits);
  sluice_session_release(session);
  sluice_model_release(model);
  return 0;
}
