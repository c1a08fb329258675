/* SPDX-License-Identifier: Apache-2.0
 *
 * test_steps.c: sequences, pages and calls, on the hand-written model whose logits depend on the
 * whole history in the pages.
 */
#include "check.h"
#include "loading.h"

enum { VOCAB = 50 };
static sluice_model_t *model;

static sluice_session_t *make(sluice_session_options_t options) {
  sluice_session_t *session = NULL;
  options.poison = true;
  REQUIRE_OK(sluice_session_create(model, &options, &session));
  return session;
}

static sluice_sequence_t make_sequence(sluice_session_t *session) {
  sluice_sequence_t sequence = SLUICE_SEQUENCE_NONE;
  CHECK_OK(sluice_sequence_create(session, &sequence));
  return sequence;
}

/* Appends |count| tokens and gives the last row's logits. */
static sluice_status_t append(sluice_session_t *session, sluice_sequence_t sequence,
                              const int32_t *tokens, int32_t count, float *logits) {
  sluice_part_t part = {
      .sequence = sequence, .count = count, .ask = logits ? 1 : 0, .tokens = tokens};
  return sluice_session_step(session, "step", &part, 1, logits);
}

/* What the fake model says after |tokens|, computed in a session of its own. */
static void expect(const int32_t *tokens, int32_t count, float *logits) {
  sluice_session_t *fresh = make((sluice_session_options_t){.threads = 1});
  CHECK_OK(append(fresh, make_sequence(fresh), tokens, count, logits));
  sluice_session_release(fresh);
}

static bool same(const float *a, const float *b) { return memcmp(a, b, VOCAB * sizeof *a) == 0; }

static int64_t pages_free(const sluice_session_t *session) {
  sluice_stats_t stats;
  sluice_session_stats(session, &stats);
  return stats.pages_free;
}

static const int32_t text[40] = {5,  9,  14, 22, 31, 8,  44, 1,  0,  17, 26, 35, 2,  7,
                                 19, 28, 41, 33, 12, 6,  3,  4,  10, 11, 13, 15, 16, 18,
                                 20, 21, 23, 24, 25, 27, 29, 30, 32, 34, 36, 37};

static void prefill_decode_and_chunks_agree(void) {
  float whole[VOCAB], chunks[VOCAB], single[VOCAB];
  expect(text, 40, whole);
  for (int threads = 1; threads <= 4; threads *= 2) {
    sluice_session_t *s = make((sluice_session_options_t){.threads = threads, .page_shuffle = 11});
    sluice_sequence_t a = make_sequence(s), b = make_sequence(s);
    CHECK_OK(append(s, a, text, 7, NULL));
    CHECK_OK(append(s, a, text + 7, 20, NULL));
    CHECK_OK(append(s, a, text + 27, 13, chunks));
    for (int i = 0; i < 40; ++i)
      CHECK_OK(append(s, b, text + i, 1, single));
    CHECK(same(whole, chunks) && same(whole, single));
    CHECK(sluice_sequence_length(s, a) == 40 && sluice_sequence_pages(s, a, NULL, 0) == 3);
    sluice_session_release(s);
  }
}

static void asked_rows_come_in_order(void) {
  sluice_session_t *s = make((sluice_session_options_t){.threads = 2});
  sluice_part_t parts[3] = {
      {.sequence = make_sequence(s), .count = 5, .ask = 2, .tokens = text},
      {.sequence = make_sequence(s), .count = 3, .ask = 0, .tokens = text + 5},
      {.sequence = make_sequence(s), .count = 20, .ask = 3, .tokens = text + 8}};
  float logits[5][VOCAB], one[VOCAB];
  CHECK_OK(sluice_session_step(s, "step", parts, 3, logits[0]));
  for (int i = 0; i < 2; ++i) {
    expect(text, 4 + i, one);
    CHECK(same(one, logits[i]));
  }
  for (int i = 0; i < 3; ++i) {
    expect(text + 8, 18 + i, one);
    CHECK(same(one, logits[2 + i]));
  }
  sluice_session_release(s);
}

static void forks_share_and_copy_on_write(void) {
  sluice_session_t *s = make((sluice_session_options_t){.threads = 2, .kv_pages = 10});
  sluice_sequence_t a = make_sequence(s), b, c;
  float logits[VOCAB], expected[VOCAB];
  sluice_stats_t stats;
  CHECK_OK(append(s, a, text, 20, NULL)); // Two pages, the second one not full.
  CHECK(pages_free(s) == 8);
  CHECK_OK(sluice_sequence_fork(s, a, &b));
  CHECK_OK(sluice_sequence_fork(s, a, &c));
  CHECK(pages_free(s) == 8);
  int32_t pages_a[2], pages_b[2];
  sluice_sequence_pages(s, a, pages_a, 2);
  CHECK_OK(append(s, b, text + 30, 1, logits));
  sluice_sequence_pages(s, b, pages_b, 2);
  CHECK(pages_free(s) == 7 && pages_a[0] == pages_b[0] && pages_a[1] != pages_b[1]);
  int32_t tokens[21];
  memcpy(tokens, text, 20 * sizeof *tokens);
  tokens[20] = text[30];
  expect(tokens, 21, expected);
  CHECK(same(logits, expected));
  // The other two go their own ways; the last one to append owns the page and copies nothing.
  CHECK_OK(append(s, a, text + 20, 1, logits));
  expect(text, 21, expected);
  CHECK(same(logits, expected));
  tokens[20] = 42;
  CHECK_OK(append(s, c, tokens + 20, 1, logits));
  expect(tokens, 21, expected);
  CHECK(same(logits, expected));
  sluice_session_stats(s, &stats);
  CHECK(stats.page_copies == 2 && stats.pages_free == 6);
  // Two forks in one step, of one page: the first one copies, the second one keeps it.
  CHECK_OK(sluice_sequence_drop(s, b));
  CHECK_OK(sluice_sequence_drop(s, c));
  CHECK_OK(sluice_sequence_fork(s, a, &b));
  sluice_part_t parts[2] = {{.sequence = a, .count = 1, .ask = 1, .tokens = text + 1},
                            {.sequence = b, .count = 1, .ask = 1, .tokens = text + 2}};
  float both[2][VOCAB];
  CHECK_OK(sluice_session_step(s, "step", parts, 2, both[0]));
  memcpy(tokens, text, 21 * sizeof *tokens);
  int32_t longer[22];
  memcpy(longer, tokens, sizeof tokens);
  for (int i = 0; i < 2; ++i) {
    longer[21] = text[1 + i];
    expect(longer, 22, expected);
    CHECK(same(both[i], expected));
  }
  sluice_session_stats(s, &stats);
  CHECK(stats.page_copies == 3);
  CHECK_OK(sluice_sequence_drop(s, a));
  CHECK_OK(sluice_sequence_drop(s, b));
  CHECK(pages_free(s) == 10);
  sluice_session_release(s);
}

static void truncate_rolls_back(void) {
  sluice_session_t *s = make((sluice_session_options_t){.threads = 1, .kv_pages = 6});
  sluice_sequence_t a = make_sequence(s), b;
  float logits[VOCAB], expected[VOCAB];
  CHECK_OK(append(s, a, text, 40, NULL));
  CHECK_OK(sluice_sequence_truncate(s, a, 17));
  CHECK(pages_free(s) == 4 && sluice_sequence_length(s, a) == 17);
  CHECK_OK(append(s, a, text + 17, 1, logits));
  expect(text, 18, expected);
  CHECK(same(logits, expected));
  // Truncating into a page that a fork shares: what the fork sees stays.
  CHECK_OK(sluice_sequence_fork(s, a, &b));
  CHECK_OK(sluice_sequence_truncate(s, a, 10));
  CHECK_OK(append(s, a, text + 30, 5, NULL));
  CHECK_OK(append(s, b, text + 18, 1, logits));
  expect(text, 19, expected);
  CHECK(same(logits, expected));
  CHECK_FAILS(sluice_sequence_truncate(s, a, 16), SLUICE_STATUS_INVALID_ARGUMENT,
              "of 15 tokens to 16");
  CHECK_FAILS(sluice_sequence_truncate(s, a, -1), SLUICE_STATUS_INVALID_ARGUMENT, "to -1");
  CHECK_OK(sluice_sequence_truncate(s, a, 0));
  CHECK_OK(append(s, a, text, 1, logits));
  expect(text, 1, expected);
  CHECK(same(logits, expected));
  sluice_session_release(s);
}

static void out_of_pages_changes_nothing(void) {
  sluice_session_t *s =
      make((sluice_session_options_t){.threads = 1, .kv_pages = 4, .live_seqs = 5});
  sluice_sequence_t a = make_sequence(s), b, c = make_sequence(s);
  float logits[VOCAB], expected[VOCAB];
  CHECK_OK(append(s, a, text, 20, NULL));
  CHECK_OK(sluice_sequence_fork(s, a, &b));
  // b copies a page (one of two free), c wants two: refused, and the copy is given back.
  sluice_part_t parts[2] = {{.sequence = b, .count = 1, .tokens = text},
                            {.sequence = c, .count = 17, .tokens = text}};
  CHECK_FAILS(sluice_session_step(s, "step", parts, 2, NULL), SLUICE_STATUS_OUT_OF_PAGES, "part 1");
  sluice_stats_t stats;
  sluice_session_stats(s, &stats);
  CHECK(stats.pages_free == 2 && stats.page_copies == 0 && sluice_sequence_length(s, b) == 20);
  CHECK(sluice_sequence_length(s, c) == 0 && sluice_sequence_pages(s, c, NULL, 0) == 0);
  CHECK_OK(sluice_sequence_drop(s, a));
  CHECK_OK(sluice_session_step(s, "step", parts, 2, NULL));
  CHECK_OK(append(s, b, text + 1, 1, logits));
  int32_t tokens[22];
  memcpy(tokens, text, 20 * sizeof *tokens);
  tokens[20] = text[0];
  tokens[21] = text[1];
  expect(tokens, 22, expected);
  CHECK(same(logits, expected));
  sluice_session_release(s);
}

static void dead_sequences_are_recognised(void) {
  sluice_session_t *s = make((sluice_session_options_t){.threads = 1, .live_seqs = 2});
  sluice_sequence_t a = make_sequence(s), b = make_sequence(s), c;
  CHECK_FAILS(sluice_sequence_create(s, &c), SLUICE_STATUS_LIMIT, "2 sequences are alive");
  CHECK_FAILS(sluice_sequence_fork(s, a, &c), SLUICE_STATUS_LIMIT, "live_seqs");
  CHECK_OK(sluice_sequence_drop(s, a));
  CHECK_FAILS(sluice_sequence_drop(s, a), SLUICE_STATUS_NOT_FOUND, "is not alive");
  c = make_sequence(s);
  CHECK(c != a && sluice_sequence_length(s, a) == -1 && sluice_sequence_length(s, c) == 0);
  CHECK_FAILS(append(s, a, text, 1, NULL), SLUICE_STATUS_NOT_FOUND, "part 0: sequence");
  CHECK_FAILS(sluice_sequence_truncate(s, 12345, 0), SLUICE_STATUS_NOT_FOUND, "3039 is not alive");
  CHECK_FAILS(sluice_sequence_drop(s, (sluice_sequence_t)1 << 32 | 77), SLUICE_STATUS_NOT_FOUND,
              "is not alive");
  CHECK_OK(sluice_sequence_drop(s, b));
  sluice_session_release(s);
}

static void limits_are_kept(void) {
  sluice_session_t *s =
      make((sluice_session_options_t){.threads = 1, .max_rows = 32, .max_seqs = 2});
  sluice_sequence_t a = make_sequence(s), b = make_sequence(s), c = make_sequence(s);
  sluice_part_t parts[3] = {{.sequence = a, .count = 1, .tokens = text},
                            {.sequence = b, .count = 1, .tokens = text},
                            {.sequence = c, .count = 1, .tokens = text}};
  CHECK_FAILS(sluice_session_step(s, "step", parts, 3, NULL), SLUICE_STATUS_LIMIT, "max_seqs = 2");
  CHECK_FAILS(append(s, a, text, 33, NULL), SLUICE_STATUS_LIMIT, "max_rows = 32");
  parts[1].sequence = a;
  CHECK_FAILS(sluice_session_step(s, "step", parts, 2, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "earlier part");
  parts[1].sequence = SLUICE_SEQUENCE_NONE;
  CHECK_FAILS(sluice_session_step(s, "step", parts, 2, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "part 1 has no sequence");
  parts[0].count = 0;
  CHECK_FAILS(sluice_session_step(s, "step", parts, 1, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "count 0");
  parts[0].count = 1;
  parts[0].ask = 2;
  CHECK_FAILS(sluice_session_step(s, "step", parts, 1, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "ask 2");
  parts[0].ask = 1;
  CHECK_FAILS(sluice_session_step(s, "step", parts, 1, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "place for logits is NULL");
  CHECK_FAILS(sluice_session_step(s, "step", parts, 0, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "at least one part");
  CHECK_FAILS(sluice_session_step(s, "stride", parts, 1, NULL), SLUICE_STATUS_NOT_FOUND,
              "no function \"stride\"");
  static const int32_t negative[] = {1, -1}, large[] = {1, 2, 50};
  CHECK_FAILS(append(s, a, negative, 2, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "tokens[1] is -1, expected 0 to 49");
  CHECK_FAILS(append(s, a, large, 3, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "tokens[2] is 50, expected 0 to 49");
  CHECK(sluice_sequence_length(s, a) == 0);
  // Up to max_seq = 400 and not one token further.
  for (int i = 0; i < 25; ++i)
    CHECK_OK(append(s, a, text, 16, NULL));
  CHECK_FAILS(append(s, a, text, 1, NULL), SLUICE_STATUS_LIMIT,
              "401 tokens, the model's limit is max_seq = 400");
  static const int32_t far[] = {499, 500};
  parts[0] = (sluice_part_t){.sequence = b, .count = 2, .tokens = text, .positions = far};
  CHECK_FAILS(sluice_session_step(s, "step", parts, 1, NULL), SLUICE_STATUS_LIMIT,
              "max_positions = 500");
  parts[0].count = 1;
  CHECK_OK(sluice_session_step(s, "step", parts, 1, NULL));
  sluice_session_release(s);
}

static void traps_become_errors(void) {
  static const int32_t refused[] = {1, 49, 2};
  for (int threads = 1; threads <= 2; ++threads) {
    sluice_session_t *s = make((sluice_session_options_t){.threads = threads, .kv_pages = 4});
    sluice_sequence_t a = make_sequence(s);
    float logits[VOCAB], expected[VOCAB];
    CHECK_OK(append(s, a, text, 16, NULL));
    CHECK_FAILS(append(s, a, refused, 3, NULL), SLUICE_STATUS_TRAP,
                "fake.yaml:4:2: a row number of a gather is 49 in step, expected 0 to 48");
    CHECK(sluice_sequence_length(s, a) == 16 && pages_free(s) == 3);
    CHECK_OK(append(s, a, text + 16, 1, logits));
    expect(text, 17, expected);
    CHECK(same(logits, expected));
    // A function of pages, called without sequences: the missing page is found, not read.
    int32_t token = 1, ask = 0;
    sluice_arg_t args[] = {{"tokens", &token, 1}, {"ask", &ask, 1}, {"logits", logits, 1}};
    CHECK_FAILS(sluice_session_call(s, "step", NULL, 0, args, 3), SLUICE_STATUS_TRAP,
                "fake.yaml:9:1: a page number is");
    sluice_session_release(s);
  }
}

static void encoders_and_samples(void) {
  sluice_session_t *s = make((sluice_session_options_t){.threads = 2});
  static const int32_t types[] = {0, 1, 1}, positions[] = {4, 7, 9};
  sluice_part_t parts[2] = {
      {.count = 2, .tokens = text},
      {.count = 3, .tokens = text + 2, .token_types = types, .positions = positions}};
  float rows[5][3], seqs[2][2];
  CHECK_OK(sluice_session_encode(s, "forward", parts, 2, rows[0]));
  for (int r = 0; r < 5; ++r)
    CHECK(rows[r][0] == (float)text[r] && rows[r][2] == (float)(r >= 2) &&
          rows[r][1] ==
              (r < 2 ? (float)r : (float)positions[r - 2] + 1000.0f * (float)types[r - 2]));
  CHECK_OK(sluice_session_encode(s, "embed", parts, 2, seqs[0]));
  CHECK(seqs[0][0] == 5 + 9 && seqs[0][1] == 2 && seqs[1][0] == 14 + 22 + 31 && seqs[1][1] == 3);
  sluice_part_t longer = {.count = 13, .tokens = text};
  CHECK_FAILS(sluice_session_encode(s, "embed", &longer, 1, seqs[0]), SLUICE_STATUS_LIMIT,
              "13 tokens to embed, the model's limit is embed.max_seq_length = 12");
  static const int32_t wrong_types[] = {0, 2};
  sluice_part_t wrong = {.count = 2, .tokens = text, .token_types = wrong_types};
  CHECK_FAILS(sluice_session_encode(s, "forward", &wrong, 1, rows[0]),
              SLUICE_STATUS_INVALID_ARGUMENT, "token_types[1] is 2, expected 0 to 1");
  CHECK_FAILS(sluice_session_encode(s, "add", parts, 1, rows[0]), SLUICE_STATUS_INVALID_ARGUMENT,
              "sluice_session_call");
  float logits[3 * VOCAB] = {0}, temperature[3] = {0, 0, 1};
  int64_t rng[3] = {1, 2, 3};
  int32_t chosen[3];
  logits[17] = logits[VOCAB + 4] = logits[VOCAB + 44] = 1;
  CHECK_OK(sluice_session_sample(s, "sample", logits, 3, temperature, rng, chosen));
  CHECK(chosen[0] == 17 && chosen[1] == 4 && rng[0] != 1 && chosen[2] >= 0 && chosen[2] < VOCAB);
  sluice_session_release(s);
}

static void calls_by_name(void) {
  sluice_session_t *s = make((sluice_session_options_t){.threads = 2, .max_rows = 16});
  float x[3][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}, y[2][3] = {{10, 20, 30}, {40, 50, 60}},
        z[3][3];
  sluice_arg_t args[3] = {{"z", z, 3}, {"y", y, 2}, {"x", x, 3}};
  CHECK_OK(sluice_session_call(s, "add", NULL, 0, args, 3));
  CHECK(z[0][0] == 11 && z[1][2] == 66 && z[2][1] == 28);
  args[0].dim0 = 2;
  CHECK_FAILS(sluice_session_call(s, "add", NULL, 0, args, 3), SLUICE_STATUS_INVALID_ARGUMENT,
              "z has 2 rows, expected 3");
  args[0].dim0 = 3;
  args[1].dim0 = 3;
  CHECK_FAILS(sluice_session_call(s, "add", NULL, 0, args, 3), SLUICE_STATUS_INVALID_ARGUMENT,
              "leading size of 3, expected 2");
  args[1].dim0 = 2;
  args[1].name = "w";
  CHECK_FAILS(sluice_session_call(s, "add", NULL, 0, args, 3), SLUICE_STATUS_NOT_FOUND,
              "lacks its argument \"y\"");
  CHECK_FAILS(sluice_session_call(s, "add", NULL, 0, args, 2), SLUICE_STATUS_INVALID_ARGUMENT,
              "takes 3 tensors, found 2");
  args[1].name = "y";
  args[0].dim0 = args[2].dim0 = 17;
  CHECK_FAILS(sluice_session_call(s, "add", NULL, 0, args, 3), SLUICE_STATUS_LIMIT,
              "max_rows = 16");
  args[0].dim0 = args[2].dim0 = 3;
  args[2].data = NULL;
  CHECK_FAILS(sluice_session_call(s, "add", NULL, 0, args, 3), SLUICE_STATUS_INVALID_ARGUMENT,
              "x of add is NULL");
  args[0].dim0 = args[2].dim0 = 0;
  CHECK_OK(sluice_session_call(s, "add", NULL, 0, args, 3));
  sluice_session_release(s);
}

static void one_region_per_step(void) {
  sluice_session_t *s = make((sluice_session_options_t){.threads = 2});
  sluice_sequence_t a = make_sequence(s);
  sluice_stats_t stats;
  for (int i = 0; i < 10; ++i)
    CHECK_OK(append(s, a, text + i, 1, NULL));
  sluice_session_stats(s, &stats);
  CHECK(stats.steps == 10 && stats.region_entries == 10 && stats.barriers == 30 &&
        stats.threads == 2);
  sluice_session_release(s);
}

static void models_serve_many_sessions(void) {
  sluice_session_t *s[3];
  sluice_sequence_t a[3];
  float logits[VOCAB], expected[VOCAB];
  for (int i = 0; i < 3; ++i) {
    s[i] = make((sluice_session_options_t){.threads = 1 + i % 2});
    a[i] = make_sequence(s[i]);
  }
  for (int t = 0; t < 20; ++t)
    for (int i = 0; i < 3; ++i)
      CHECK_OK(append(s[i], a[i], text + t + i, 1, logits));
  expect(text + 2, 20, expected);
  CHECK(same(logits, expected));
  for (int i = 0; i < 3; ++i)
    sluice_session_release(s[i]);
}

int main(int argc, char **argv) {
  model = fixture_model(argc, argv);
  RUN(prefill_decode_and_chunks_agree);
  RUN(asked_rows_come_in_order);
  RUN(forks_share_and_copy_on_write);
  RUN(truncate_rolls_back);
  RUN(out_of_pages_changes_nothing);
  RUN(dead_sequences_are_recognised);
  RUN(limits_are_kept);
  RUN(traps_become_errors);
  RUN(encoders_and_samples);
  RUN(calls_by_name);
  RUN(one_region_per_step);
  RUN(models_serve_many_sessions);
  sluice_model_release(model);
  return check_finish();
}
