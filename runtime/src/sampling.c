/* SPDX-License-Identifier: Apache-2.0
 *
 * sampling.c: what a program may do with a row of logits: cut it before a token is drawn from it,
 * or ask how probable a token is. A row is looked at alone and in the order of its ids, so the
 * result does not depend on anything beside it. Nothing is sorted and nothing is allocated: the
 * places where top-k and top-p cut are found by counting, or weighing, the tokens by eight bits of
 * their logit at a time.
 */
#include "status.h"

#include <math.h>
#include <string.h>

/* e^x for x <= 0, the same on every machine: libm's need not be. Relative error below 2^-50. */
static double exp_down(double x) {
  if (!(x > -700))
    return 0; // And for NaN.
  // The nearest integer, without a call: x is small enough.
  double n = (x * 1.4426950408889634 + 0x1.8p52) - 0x1.8p52;
  double r = (x - n * 0x1.62e42fefa3800p-1) - n * 0x1.ef35793c76730p-45;
  static const double inverse_factorials[] = {1.0 / 6227020800,
                                              1.0 / 479001600,
                                              1.0 / 39916800,
                                              1.0 / 3628800,
                                              1.0 / 362880,
                                              1.0 / 40320,
                                              1.0 / 5040,
                                              1.0 / 720,
                                              1.0 / 120,
                                              1.0 / 24,
                                              1.0 / 6,
                                              1.0 / 2,
                                              1.0,
                                              1.0};
  double sum = 0;
  for (size_t i = 0; i < sizeof inverse_factorials / sizeof inverse_factorials[0]; ++i)
    sum = inverse_factorials[i] + r * sum;
  uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
  double scale;
  memcpy(&scale, &bits, sizeof scale);
  return sum * scale;
}

/* A number that grows with |x|; zeros are equal, NaN and -inf are the smallest: they are out. */
static uint32_t key_of(float x) {
  uint32_t bits;
  x = x == 0 ? 0 : x;
  memcpy(&bits, &x, sizeof bits);
  if (!(x > -INFINITY))
    return 0;
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

typedef struct row {
  float *logits;
  int64_t vocab;
  double max, temperature;
} row_t;

static double weight_of(const row_t *row, float x) {
  // The greatest weigh 1 even if they are infinite, or infinitely cold.
  return x == row->max ? 1 : exp_down(((double)x - row->max) / row->temperature);
}

/* Keeps the first tokens, by falling logit and then by rising id, that together measure |enough|,
 * where each measures 1, or, |weighed|, its weight. The others become -inf. */
static void keep_first(const row_t *row, bool weighed, double enough) {
  uint32_t prefix = 0, mask = 0;
  double above = 0; // What is before the tokens that share the prefix measures.
  for (int shift = 24; shift >= 0; shift -= 8) {
    double sums[256] = {0};
    for (int64_t v = 0; v < row->vocab; ++v) {
      uint32_t key = key_of(row->logits[v]);
      if (key != 0 && (key & mask) == prefix)
        sums[key >> shift & 255] += weighed ? weight_of(row, row->logits[v]) : 1;
    }
    int digit = 255;
    while (digit > 0 && above + sums[digit] < enough)
      above += sums[digit--];
    prefix |= (uint32_t)digit << shift;
    mask |= 255u << shift;
  }
  for (int64_t v = 0; v < row->vocab; ++v) {
    uint32_t key = key_of(row->logits[v]);
    if (key == prefix && above < enough)
      above += weighed ? weight_of(row, row->logits[v]) : 1;
    else if (key <= prefix)
      row->logits[v] = -INFINITY;
  }
}

static sluice_status_t check(const sluice_sampling_t *s, const float *logits, int64_t vocab) {
  if (!s || !logits || vocab < 1 || vocab > INT32_MAX)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "a row of %lld logits, expected 1 to %d, and neither it nor the sampling "
                       "NULL",
                       (long long)vocab, INT32_MAX);
  const struct {
    const char *name;
    double value, most;
  } numbers[] = {{"top_k", s->top_k, INT32_MAX},
                 {"top_p", (double)s->top_p, 1},
                 {"min_p", (double)s->min_p, 1},
                 {"repetition_penalty", (double)s->repetition_penalty, 1e6}};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; ++i)
    if (!(numbers[i].value >= 0 && numbers[i].value <= numbers[i].most))
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "%s is %g, expected 0 (none) to %.10g",
                         numbers[i].name, numbers[i].value, numbers[i].most);
  if (s->seen_count < 0 || (s->seen_count > 0 && !s->seen) || s->bias_count < 0 ||
      (s->bias_count > 0 && (!s->bias_tokens || !s->bias)))
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "seen has %lld tokens and bias %d, expected arrays of 0 or more",
                       (long long)s->seen_count, s->bias_count);
  for (int64_t i = 0; i < s->seen_count; ++i)
    if (s->seen[i] < 0 || s->seen[i] >= vocab)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "seen[%lld] is %d, expected 0 to %lld",
                         (long long)i, s->seen[i], (long long)vocab - 1);
  for (int32_t i = 0; i < s->bias_count; ++i)
    if (s->bias_tokens[i] < 0 || s->bias_tokens[i] >= vocab)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "bias_tokens[%d] is %d, expected 0 to %lld", i, s->bias_tokens[i],
                         (long long)vocab - 1);
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_sampling_apply(const sluice_sampling_t *s, float *logits, int64_t vocab) {
  SLUICE_TRY(check(s, logits, vocab));
  for (int32_t i = 0; i < s->bias_count; ++i)
    logits[s->bias_tokens[i]] += s->bias[i];
  for (int64_t i = 0; i < s->seen_count && s->repetition_penalty > 0; ++i) {
    float *x = &logits[s->seen[i]];
    *x = *x > 0 ? *x / s->repetition_penalty : *x * s->repetition_penalty;
  }
  if (!(s->temperature > 0))
    return SLUICE_STATUS_OK; // The largest is taken, and it would be kept.
  row_t row = {logits, vocab, -INFINITY, (double)s->temperature};
  double total = 0;
  if (s->top_k > 0 && s->top_k < vocab)
    keep_first(&row, false, s->top_k);
  for (int64_t v = 0; v < vocab; ++v)
    row.max = (double)logits[v] > row.max ? (double)logits[v] : row.max;
  if (s->top_p > 0 && s->top_p < 1 && row.max > -INFINITY) {
    for (int64_t v = 0; v < vocab; ++v)
      total += key_of(logits[v]) != 0 ? weight_of(&row, logits[v]) : 0;
    keep_first(&row, true, (double)s->top_p * total);
  }
  for (int64_t v = 0; v < vocab && s->min_p > 0; ++v)
    if (weight_of(&row, logits[v]) < (double)s->min_p)
      logits[v] = -INFINITY;
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_logits_score(const float *logits, int64_t vocab, int32_t token,
                                    double *out_log_probability) {
  if (!logits || !out_log_probability || vocab < 1 || token < 0 || token >= vocab)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "token %d of a row of %lld logits, expected 0 up to the row's last, and no "
                       "NULL",
                       token, (long long)vocab);
  row_t row = {(float *)(uintptr_t)logits, vocab, -INFINITY, 1};
  double total = 0;
  for (int64_t v = 0; v < vocab; ++v)
    row.max = (double)logits[v] > row.max ? (double)logits[v] : row.max;
  for (int64_t v = 0; v < vocab; ++v)
    total += key_of(logits[v]) != 0 ? weight_of(&row, logits[v]) : 0;
  if (key_of(logits[token]) == 0)
    *out_log_probability = -INFINITY;
  else
    *out_log_probability =
        ((double)logits[token] == row.max ? 0 : (double)logits[token] - row.max) - log(total);
  return SLUICE_STATUS_OK;
}
