/* SPDX-License-Identifier: Apache-2.0
 *
 * sampling.h: the options that shape a row of logits, and the tokens seen so far.
 */
#ifndef SLUICE_RUN_SAMPLING_H
#define SLUICE_RUN_SAMPLING_H

#include "options.h"

typedef struct sampling {
  sluice_sampling_t set;
  int64_t width; /* logits of a row */
  int32_t *seen; /* [vocab] each once */
  bool *is_seen; /* [vocab] */
  int32_t *bias_tokens;
  float *bias;
} sampling_t;

/* Takes |o| for a model of |vocab| tokens that gives |width| logits a row. sampling_end frees |out|
 * in any case. */
int sampling_begin(const options_t *o, int64_t vocab, int64_t width, sampling_t *out);
sluice_status_t sampling_apply(const sampling_t *sampling, float *logits);
/* |token|, below vocab, is in the text: the repetition penalty concerns it from now on. */
void sampling_see(sampling_t *sampling, int32_t token);
void sampling_end(sampling_t *sampling);

#endif
