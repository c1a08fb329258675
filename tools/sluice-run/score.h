/* SPDX-License-Identifier: Apache-2.0
 *
 * score.h: how probable a text is to a model.
 */
#ifndef SLUICE_RUN_SCORE_H
#define SLUICE_RUN_SCORE_H

#include "sluice-rt/runtime.h"

/* Rows of one step so that their logits, |width| each, stay within 64 MiB: at most |rows|. */
int64_t score_rows(int64_t rows, int64_t width);

/* Runs |tokens| [count] through |step| and prints the log-likelihood of each but the first, given
 * those before it; |logits| [max_rows, width] is scratch. */
int score_text(sluice_session_t *session, const char *step, const int32_t *tokens, int64_t count,
               int32_t max_rows, float *logits, int64_t width, bool json);

#endif
