/* SPDX-License-Identifier: Apache-2.0
 *
 * sampling.c: options to sluice_sampling_t.
 */
#include "sampling.h"
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "ID:VALUE,ID:VALUE"; VALUE may be -inf. */
static int parse_bias(const char *text, int64_t vocab, sampling_t *out) {
  size_t most = 1;
  for (const char *c = text; *c; ++c)
    most += *c == ',';
  out->bias_tokens = report_allocate(most, sizeof *out->bias_tokens);
  out->bias = report_allocate(most, sizeof *out->bias);
  for (const char *at = text;;) {
    char *end = NULL;
    errno = 0;
    long long id = strtoll(at, &end, 10);
    bool good = end != at && *end == ':' && !errno;
    const char *value = end + 1;
    double bias = good ? strtod(value, &end) : 0;
    good = good && end != value && (!*end || *end == ',') && !isnan(bias) && bias <= 1e6;
    if (!good)
      return report_error(EXIT_USAGE,
                          "--logit-bias: \"%.40s\", expected TOKEN:NUMBER with a number up to 1e6, "
                          "and commas between them",
                          at);
    if (id < 0 || id >= vocab)
      return report_error(EXIT_BAD_INPUT,
                          "--logit-bias: token %lld, expected 0 to %lld (the vocabulary)", id,
                          (long long)vocab - 1);
    out->bias_tokens[out->set.bias_count] = (int32_t)id;
    out->bias[out->set.bias_count++] = (float)bias;
    if (!*end)
      return EXIT_OK;
    at = end + 1;
  }
}

int sampling_begin(const options_t *o, int64_t vocab, int64_t width, sampling_t *out) {
  *out = (sampling_t){.width = width,
                      .set = {.temperature = (float)o->temperature,
                              .top_k = (int32_t)o->top_k,
                              .top_p = (float)o->top_p,
                              .min_p = (float)o->min_p,
                              .repetition_penalty = (float)o->repetition_penalty}};
  out->set.seen = out->seen = report_allocate((size_t)vocab, sizeof *out->seen);
  out->is_seen = report_allocate((size_t)vocab, sizeof *out->is_seen);
  if (o->logit_bias)
    TRY(parse_bias(o->logit_bias, width, out));
  out->set.bias_tokens = out->bias_tokens;
  out->set.bias = out->bias;
  return EXIT_OK;
}

sluice_status_t sampling_apply(const sampling_t *s, float *logits) {
  return sluice_sampling_apply(&s->set, logits, s->width);
}

void sampling_see(sampling_t *s, int32_t token) {
  if (!s->is_seen[token])
    s->seen[s->set.seen_count++] = token;
  s->is_seen[token] = true;
}

void sampling_end(sampling_t *s) {
  free(s->seen);
  free(s->is_seen);
  free(s->bias_tokens);
  free(s->bias);
}
