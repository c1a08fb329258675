/* SPDX-License-Identifier: Apache-2.0
 *
 * score.c: the log-likelihood of a given text, token by token.
 */
#include "score.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int64_t score_rows(int64_t rows, int64_t width) {
  int64_t most = ((int64_t)64 << 20) / 4 / width;
  return rows < most ? rows : most < 1 ? 1 : most;
}

static void print_number(double value, bool json) {
  // JSON has no infinity; a token that cannot be drawn has no likelihood.
  printf(json && isinf(value) ? "null" : "%.12g", value);
}

static void print(const double *scores, int64_t count, bool json) {
  double sum = 0;
  printf(json ? "{\"log_likelihoods\": [" : "");
  for (int64_t i = 0; i < count; ++i) {
    printf(i ? json ? ", " : "," : "");
    print_number(scores[i], json);
    sum += scores[i];
  }
  if (json) {
    printf("], \"sum\": ");
    print_number(sum, true);
    printf("}\n");
    return;
  }
  putchar('\n');
  fprintf(stderr, "log-likelihood %.9g of %lld tokens, perplexity %.6g\n", sum, (long long)count,
          exp(-sum / (double)count));
}

int score_text(sluice_session_t *session, const char *step, const int32_t *tokens, int64_t count,
               int32_t max_rows, float *logits, int64_t width, bool json) {
  if (count < 2)
    return report_error(EXIT_BAD_INPUT,
                        "--score: %lld tokens, expected at least 2: the first one has nothing "
                        "before it",
                        (long long)count);
  sluice_sequence_t sequence;
  TRY_STATUS(sluice_sequence_create(session, &sequence));
  double *scores = report_allocate((size_t)count, sizeof *scores);
  sluice_status_t status = SLUICE_STATUS_OK;
  // The last token's own logits are about what comes after it.
  for (int64_t at = 0; at < count - 1 && status == SLUICE_STATUS_OK;) {
    int64_t left = count - 1 - at;
    int32_t rows = left < max_rows ? (int32_t)left : max_rows;
    sluice_part_t part = {.sequence = sequence, .count = rows, .ask = rows, .tokens = tokens + at};
    status = sluice_session_step(session, step, &part, 1, logits);
    for (int32_t i = 0; i < rows && status == SLUICE_STATUS_OK; ++i, ++at)
      status = sluice_logits_score(logits + i * width, width, tokens[at + 1], &scores[at]);
  }
  if (status == SLUICE_STATUS_OK)
    print(scores, count - 1, json);
  free(scores);
  return report_status(status);
}
