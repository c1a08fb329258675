/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h: the command line as a struct.
 */
#ifndef SLUICE_RUN_OPTIONS_H
#define SLUICE_RUN_OPTIONS_H

#include "sluice-rt/runtime.h"

typedef enum command {
  COMMAND_RUN = 1,
  COMMAND_BENCH = 2,
  COMMAND_INSPECT = 4,
  COMMAND_CEILINGS = 8,
} command_t;

typedef struct options {
  command_t command;
  const char *artefact;
  const char *function; /* NULL: the usual one of the model's kind */
  bool json;
  int64_t threads; /* 0: one per core */
  sluice_spin_t spin;
  int64_t max_rows;   /* rows of one step, at most; 0: chosen */
  int64_t variant;    /* of the artefact, counted from 1; 0: the first that fits */
  const char *pin;    /* "cores" or a list of processors; NULL: not pinned */
  int64_t numa;       /* sluice_numa_t */
  const char *trace;  /* file of the timeline; "": the usual one; NULL: none */
  const char *report; /* folder of the report; "": in the artefact; NULL: none */
  /* run */
  const char *tokens;
  const char *inputs, *outputs;
  int64_t max_new;
  double temperature, top_p, min_p, repetition_penalty;
  int64_t top_k;
  const char *logit_bias;
  bool score;
  int64_t seed;
  bool ignore_eos;
  bool last_logits;
  /* bench */
  int64_t prompt, generate, batch, repetitions;
} options_t;

/* Reads the command line. EXIT_OK with |out| filled and *out_done false; or, *out_done true, the
 * code to exit with (help and version have been printed, errors reported). */
int options_parse(int argc, char **argv, options_t *out, bool *out_done);

#endif
