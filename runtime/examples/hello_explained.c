/* SPDX-License-Identifier: Apache-2.0
 *
 * hello_explained.c: hello.c with a paragraph for each call: continues three tokens with a decoder.
 *   hello_explained MODEL.sluice
 */
#include <sluice-rt/runtime.h>
#include <stdio.h>
#include <stdlib.h>

/* Every call that can fail returns a status, and leaves its outputs as they were when it does. The
 * status is for programs (OUT_OF_PAGES: drop a sequence and repeat; WRONG_TARGET: compile for this
 * machine); the sentence in sluice_last_error() is for people: what was expected, what was found,
 * and the line of the model's description where there is one. It belongs to the thread and lasts
 * until its next failure. */
static void check(sluice_status_t status) {
  if (status == SLUICE_STATUS_OK)
    return;
  fprintf(stderr, "hello: %s: %s\n", sluice_status_name(status), sluice_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: hello_explained MODEL.sluice\n"), 1;

  /* A model is an artefact in memory: the manifest, the compiled code, the weights. Weights are
   * mapped from their file, so this takes milliseconds and several processes share the memory; the
   * file must stay as it is. Everything in the artefact but its code is checked here. A model never
   * changes afterwards: threads and sessions may share it. The second argument would bring an
   * allocator, a log and the like; NULL takes malloc and silence. */
  sluice_model_t *model;
  check(sluice_model_load(argv[1], NULL, &model));

  /* What a model exports is looked up by name. A decoder has "step"; an encoder has "forward". The
   * description tells the arguments' types and shapes, results last. */
  const sluice_function_info_t *step = sluice_model_function(model, "step");
  if (!step)
    return fprintf(stderr, "hello: %s is no decoder\n", argv[1]), 1;

  /* A session is what runs: a team of worker threads (this thread is one of them), scratch memory
   * for the largest step, and a pool of pages for keys and values. All of it is allocated now,
   * which is why a step allocates nothing. NULL means one worker per core, 512 rows and 8 sequences
   * per step, and pages for 8 sequences of full length, which cost no memory before they are
   * written. A session serves one thread at a time; make several for several. */
  sluice_session_t *session;
  check(sluice_session_create(model, NULL, &session));

  /* A sequence is one text that grows: its keys and values live in pages of the session.
   * sluice_sequence_fork makes a second one that shares them, sluice_sequence_truncate takes tokens
   * back, sluice_sequence_drop ends it. */
  sluice_sequence_t sequence;
  check(sluice_sequence_create(session, &sequence));

  /* A part is what one sequence does in a step: here all three tokens of the prompt at once, asking
   * for the logits of the last one. A step takes many parts of different sequences and lengths,
   * with no padding between them, and no row's result depends on which others run beside it. */
  const int32_t prompt[] = {1, 2, 3};
  sluice_part_t part = {.sequence = sequence, .count = 3, .ask = 1, .tokens = prompt};

  /* One row of logits, since one row is asked for: as many as the result of "step" is wide. */
  float *logits = malloc((size_t)step->args[step->arg_count - 1].row_elements * sizeof *logits);

  /* Temperature 0 takes the largest logit. Above 0, the state of the random numbers is the
   * program's: the same state gives the same tokens. */
  float temperature = 0;
  int64_t rng = 0;
  int32_t token;
  for (int i = 0; i < 8 && logits; ++i) {
    /* The step runs the exported function "step" on all workers, and appends the part's tokens to
     * the sequence. The first time it is a prefill of three rows, then it decodes row by row; it is
     * the same function. */
    check(sluice_session_step(session, "step", &part, 1, logits));

    /* Choosing is compiled code too. A program may as well look at the logits itself. */
    check(sluice_session_sample(session, "sample", logits, 1, &temperature, &rng, &token));
    printf("%d\n", token);

    /* The chosen token is the next step's only row. Arrays are read during the call, so |token|
     * lives outside of the loop. */
    part = (sluice_part_t){.sequence = sequence, .count = 1, .ask = 1, .tokens = &token};
  }
  free(logits);

  /* Sessions go before their models, and take their sequences with them. */
  sluice_session_release(session);
  sluice_model_release(model);
  return 0;
}
