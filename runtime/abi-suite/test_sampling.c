/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sampling.c: bias, repetition penalty, top-k, top-p and min-p against a reference that sorts,
 * on rows with ties, zeros of both signs, infinities and NaN; and by hand.
 */
#include "check.h"

#include <math.h>

static uint64_t state = 1;
static uint32_t below(uint32_t bound) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return (uint32_t)((z ^ z >> 31) % bound);
}

static const float *sorted_by;
static int by_logit(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  float p = sorted_by[x], q = sorted_by[y];
  return p != q ? (p < q) - (p > q) : (x > y) - (x < y);
}

enum { MOST = 400 };

/* The reference: sorts what can be drawn, and cuts the list. Says in |out_close| when a cut is so
 * near a boundary that rounding may decide. */
static void reference(const sluice_sampling_t *s, float *logits, int32_t vocab, bool *out_close) {
  int32_t order[MOST], count = 0;
  long double weights[MOST], total = 0, sum = 0;
  *out_close = false;
  for (int32_t i = 0; i < s->bias_count; ++i)
    logits[s->bias_tokens[i]] += s->bias[i];
  for (int64_t i = 0; i < s->seen_count && s->repetition_penalty != 0; ++i) {
    float x = logits[s->seen[i]];
    logits[s->seen[i]] = x > 0 ? x / s->repetition_penalty : x * s->repetition_penalty;
  }
  if (!(s->temperature > 0))
    return;
  for (int32_t v = 0; v < vocab; ++v)
    if (!isnan(logits[v]) && logits[v] != -INFINITY)
      order[count++] = v;
  sorted_by = logits;
  qsort(order, (size_t)count, sizeof *order, by_logit);
  if (s->top_k > 0 && s->top_k < count)
    count = s->top_k;
  for (int32_t i = 0; i < count; ++i) {
    long double d = (long double)logits[order[i]] - (long double)logits[order[0]];
    weights[i] = logits[order[i]] == logits[order[0]] ? 1 : expl(d / (long double)s->temperature);
    total += weights[i];
  }
  if (s->top_p > 0 && s->top_p < 1) {
    int32_t n = 0;
    while (n < count && sum < (long double)s->top_p * total) {
      sum += weights[n++];
      *out_close = *out_close || fabsl(sum - (long double)s->top_p * total) < 1e-12L * total;
    }
    count = n;
  }
  int32_t kept = 0;
  for (; kept < count && !(weights[kept] < (long double)s->min_p); ++kept)
    *out_close =
        *out_close || (s->min_p > 0 && fabsl(weights[kept] - (long double)s->min_p) < 1e-12L);
  bool stays[MOST] = {false};
  for (int32_t i = 0; i < kept; ++i)
    stays[order[i]] = true;
  bool cuts = (s->top_k > 0 && s->top_k < vocab) || (s->top_p > 0 && s->top_p < 1) || s->min_p > 0;
  for (int32_t v = 0; v < vocab && cuts; ++v)
    if (!stays[v])
      logits[v] = -INFINITY;
}

static float draw_logit(uint32_t kind) {
  static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e30f, -1e30f, 1e-40f};
  return kind == 0   ? (float)below(7) - 3
         : kind == 1 ? ((float)below(20001) - 10000) / 1000
         : below(4)  ? ((float)below(20001) - 10000) / 100
                     : special[below(sizeof special / sizeof special[0])];
}

static bool same(const float *a, const float *b, int32_t count) {
  for (int32_t i = 0; i < count; ++i)
    if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])) ||
          // NaN is out; whether it is written as -inf depends on what else is cut.
          (isnan(a[i]) && b[i] == -INFINITY) || (a[i] == -INFINITY && isnan(b[i]))))
      return false;
  return true;
}

static void rows_are_cut_as_by_sorting(void) {
  int compared = 0, close = 0;
  for (int round = 0; round < 20000; ++round) {
    float got[MOST], expected[MOST], bias[3];
    int32_t vocab = 1 + (int32_t)below(round % 10 ? 60 : MOST), tokens[3], seen[5];
    uint32_t kind = below(3);
    for (int32_t v = 0; v < vocab; ++v)
      got[v] = expected[v] = draw_logit(kind);
    static const float temperatures[] = {1, 0.5f, 3, 0.01f, 100, 0};
    sluice_sampling_t s = {.temperature = temperatures[below(6)],
                           .bias_count = (int32_t)below(4),
                           .bias_tokens = tokens,
                           .bias = bias,
                           .seen = seen,
                           .seen_count = below(6)};
    for (int i = 0; i < 3; ++i) {
      tokens[i] = (int32_t)below((uint32_t)vocab);
      bias[i] = below(5) ? draw_logit(1) : -INFINITY;
    }
    for (int i = 0; i < 5; ++i)
      seen[i] = (int32_t)below((uint32_t)vocab);
    if (below(2))
      s.top_k = (int32_t)below((uint32_t)vocab + 3);
    if (below(2))
      s.top_p = (float)below(1001) / 1000;
    if (below(2))
      s.min_p = (float)below(1001) / 1000;
    if (below(2))
      s.repetition_penalty = 0.5f + (float)below(100) / 50;
    bool is_close;
    reference(&s, expected, vocab, &is_close);
    CHECK_OK(sluice_sampling_apply(&s, got, vocab));
    close += is_close;
    compared += !is_close;
    if (!is_close && !same(got, expected, vocab)) {
      ++check_failures;
      printf("round %d: vocab %d, T %g, top_k %d, top_p %g, min_p %g, penalty %g\n", round, vocab,
             (double)s.temperature, s.top_k, (double)s.top_p, (double)s.min_p,
             (double)s.repetition_penalty);
      for (int32_t v = 0; v < vocab && vocab < 20; ++v)
        printf("  %g expected %g\n", (double)got[v], (double)expected[v]);
    }
  }
  printf("  %d rows compared, %d too close to a boundary\n", compared, close);
  CHECK(close < compared / 10);
}

static int32_t kept(const float *logits, int32_t count) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i)
    sum += logits[i] > -INFINITY ? 1 << i : 0;
  return sum;
}

static void by_hand(void) {
  // Probabilities 0.1, 0.4, 0.2, 0.3 at temperature 1; their fourth roots at 4, their squares at
  // 0.5.
  static const double p[] = {0.1, 0.4, 0.2, 0.3};
  static const struct {
    sluice_sampling_t s;
    int32_t kept;
  } cases[] = {{{.temperature = 1}, 15},
               {{.temperature = 1, .top_k = 2}, 2 + 8},
               {{.temperature = 1, .top_k = 9}, 15},
               {{.temperature = 1, .top_p = 0.39f}, 2},
               {{.temperature = 1, .top_p = 0.41f}, 2 + 8},
               {{.temperature = 1, .top_p = 0.71f}, 2 + 8 + 4},
               {{.temperature = 1, .top_p = 1}, 15},
               // Of 0.16, 0.09, 0.04, 0.01 (over 0.3) the first is 0.533 and two are 0.833.
               {{.temperature = 0.5f, .top_p = 0.53f}, 2},
               {{.temperature = 0.5f, .top_p = 0.54f}, 2 + 8},
               // Of the two that top-k leaves, the first has 0.571.
               {{.temperature = 1, .top_k = 2, .top_p = 0.57f}, 2},
               {{.temperature = 1, .top_k = 2, .top_p = 0.58f}, 2 + 8},
               {{.temperature = 1, .min_p = 0.51f}, 2 + 8},
               {{.temperature = 1, .min_p = 0.49f}, 2 + 8 + 4},
               {{.temperature = 1, .min_p = 1}, 2},
               {{.temperature = 0, .top_k = 1, .top_p = 0.1f, .min_p = 1}, 15}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    float logits[4];
    for (int v = 0; v < 4; ++v)
      logits[v] = (float)log(p[v]);
    CHECK_OK(sluice_sampling_apply(&cases[i].s, logits, 4));
    CHECK(kept(logits, 4) == cases[i].kept);
  }
  float logits[] = {2, -2, 0, 5};
  static const int32_t seen[] = {0, 1}, tokens[] = {3, 2};
  static const float bias[] = {-INFINITY, 1.5f};
  sluice_sampling_t s = {.repetition_penalty = 4,
                         .seen = seen,
                         .seen_count = 2,
                         .bias_tokens = tokens,
                         .bias = bias,
                         .bias_count = 2};
  CHECK_OK(sluice_sampling_apply(&s, logits, 4));
  CHECK(logits[0] == 0.5f && logits[1] == -8 && logits[2] == 1.5f && logits[3] == -INFINITY);
}

static void numbers_are_checked(void) {
  float logits[4] = {1, 2, 3, 4};
  static const int32_t four[] = {4}, minus[] = {-1};
  static const float bias[] = {1};
  static const struct {
    sluice_sampling_t s;
    const char *words;
  } bad[] = {{{.top_k = -1}, "top_k is -1, expected 0 (none) to 2147483647"},
             {{.top_p = 1.5f}, "top_p is 1.5, expected 0 (none) to 1"},
             {{.top_p = NAN}, "top_p is nan"},
             {{.min_p = -0.5f}, "min_p is -0.5"},
             {{.repetition_penalty = INFINITY}, "repetition_penalty is inf"},
             {{.seen_count = -1}, "seen has -1 tokens"},
             {{.seen_count = 1}, "expected arrays"},
             {{.seen_count = 1, .seen = four}, "seen[0] is 4, expected 0 to 3"},
             {{.bias_count = 1, .bias = bias}, "expected arrays"},
             {{.bias_count = 1, .bias = bias, .bias_tokens = minus}, "bias_tokens[0] is -1"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
    CHECK_FAILS(sluice_sampling_apply(&bad[i].s, logits, 4), SLUICE_STATUS_INVALID_ARGUMENT,
                bad[i].words);
  sluice_sampling_t fine = {0};
  CHECK_FAILS(sluice_sampling_apply(NULL, logits, 4), SLUICE_STATUS_INVALID_ARGUMENT, "NULL");
  CHECK_FAILS(sluice_sampling_apply(&fine, NULL, 4), SLUICE_STATUS_INVALID_ARGUMENT, "NULL");
  CHECK_FAILS(sluice_sampling_apply(&fine, logits, 0), SLUICE_STATUS_INVALID_ARGUMENT, "0 logits");
  CHECK(logits[0] == 1 && logits[3] == 4);
  CHECK_OK(sluice_sampling_apply(&fine, logits, 4));
  CHECK(logits[0] == 1 && logits[3] == 4);
}

static void tokens_are_scored(void) {
  static const float row[] = {1, 2.5f, -INFINITY, 0, NAN, -3};
  double score = 7, sum = 0;
  for (int32_t v = 0; v < 6; ++v) {
    CHECK_OK(sluice_logits_score(row, 6, v, &score));
    if (row[v] > -INFINITY) {
      double expected = (double)row[v] - log(exp(1) + exp(2.5) + 1 + exp(-3));
      CHECK(fabs(score - expected) < 1e-14);
      sum += exp(score);
    } else {
      CHECK(score == -INFINITY);
    }
  }
  CHECK(fabs(sum - 1) < 1e-14);
  static const float high[] = {3e38f, 3e38f, -3e38f}, infinite[] = {INFINITY, 0, INFINITY};
  CHECK_OK(sluice_logits_score(high, 3, 1, &score));
  CHECK(fabs(score + log(2)) < 1e-15);
  CHECK_OK(sluice_logits_score(infinite, 3, 2, &score));
  CHECK(fabs(score + log(2)) < 1e-15);
  score = 7;
  CHECK_FAILS(sluice_logits_score(row, 6, 6, &score), SLUICE_STATUS_INVALID_ARGUMENT,
              "token 6 of a row of 6 logits");
  CHECK_FAILS(sluice_logits_score(row, 6, -1, &score), SLUICE_STATUS_INVALID_ARGUMENT, "token -1");
  CHECK_FAILS(sluice_logits_score(NULL, 6, 0, &score), SLUICE_STATUS_INVALID_ARGUMENT, "NULL");
  CHECK(score == 7);
}

int main(void) {
  RUN(by_hand);
  RUN(rows_are_cut_as_by_sorting);
  RUN(numbers_are_checked);
  RUN(tokens_are_scored);
  return check_finish();
}
