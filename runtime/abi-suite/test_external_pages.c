/* SPDX-License-Identifier: Apache-2.0
 *
 * test_external_pages.c: page tables that the program makes: good ones give the logits of the
 * runtime's own sequences, and every kind of bad one is refused before compiled code sees it.
 */
#include "check.h"
#include "loading.h"

enum { VOCAB = 50, PAGES = 12 };
static sluice_model_t *model;
static const int32_t text[40] = {5,  9,  14, 22, 31, 8,  44, 1,  0,  17, 26, 35, 2,  7,
                                 19, 28, 41, 33, 12, 6,  3,  4,  10, 11, 13, 15, 16, 18,
                                 20, 21, 23, 24, 25, 27, 29, 30, 32, 34, 36, 37};

static sluice_session_t *make(bool external) {
  sluice_session_t *session = NULL;
  sluice_session_options_t options = {
      .threads = 2, .max_rows = 64, .max_seqs = 3, .kv_pages = PAGES, .external_pages = external};
  REQUIRE_OK(sluice_session_create(model, &options, &session));
  return session;
}

static void expect(int32_t count, float *logits) {
  sluice_session_t *s = make(false);
  sluice_sequence_t sequence;
  CHECK_OK(sluice_sequence_create(s, &sequence));
  sluice_part_t part = {.sequence = sequence, .count = count, .ask = 1, .tokens = text};
  CHECK_OK(sluice_session_step(s, "step", &part, 1, logits));
  sluice_session_release(s);
}

static bool same(const float *a, const float *b) { return memcmp(a, b, VOCAB * sizeof *a) == 0; }

static void the_programs_tables_give_the_same_logits(void) {
  sluice_session_t *s = make(true);
  float expected[VOCAB], logits[2][VOCAB];
  // A list may be longer than it need be.
  static const int32_t first[] = {7, 2, 11, -9}, second[] = {7, 2, 5}, third[] = {7, 0};
  sluice_page_list_t lists[] = {{0, first, 4}, {32, second, 3}, {16, third, 2}};
  sluice_part_t part = {.count = 34, .ask = 1, .tokens = text, .pages = &lists[0]};
  CHECK_OK(sluice_session_step(s, "step", &part, 1, logits[0]));
  expect(34, expected);
  CHECK(same(expected, logits[0]));
  // Two more that share its full pages and append to pages of their own.
  sluice_part_t parts[] = {{.count = 5, .ask = 1, .tokens = text + 32, .pages = &lists[1]},
                           {.count = 4, .ask = 1, .tokens = text + 16, .pages = &lists[2]}};
  CHECK_OK(sluice_session_step(s, "step", parts, 2, logits[0]));
  expect(37, expected);
  CHECK(same(expected, logits[0]));
  expect(20, expected);
  CHECK(same(expected, logits[1]));
  // By sluice_session_call, too.
  int32_t tokens[2] = {text[34], text[35]}, ask = 1;
  lists[0].past = 34;
  part = (sluice_part_t){.count = 2, .ask = 1, .pages = &lists[0]};
  sluice_arg_t args[] = {{"tokens", tokens, 2}, {"ask", &ask, 1}, {"logits", logits[0], 1}};
  CHECK_OK(sluice_session_call(s, "step", &part, 1, args, 3));
  expect(36, expected);
  CHECK(same(expected, logits[0]));
  // What has no pages needs no list.
  float values[3];
  part = (sluice_part_t){.count = 1, .tokens = text};
  CHECK_OK(sluice_session_encode(s, "forward", &part, 1, values));
  sluice_session_release(s);
}

static void bad_tables_are_refused(void) {
  static const int32_t pages[][3] = {{0, 1, 2},  {3, 4, 5},         {0, PAGES, 2},
                                     {0, -1, 2}, {0, INT32_MIN, 2}, {0, 1, 0},
                                     {0, 1, 1},  {6, 1, 7},         {6, 7, 1}};
  static const struct {
    int list[2], count[2];
    int64_t past[2];
    int32_t rows[2];
    sluice_status_t status;
    const char *words;
  } cases[] = {
      {{0, 1}, {3, 3}, {0, 0}, {40, 20}, SLUICE_STATUS_OK, ""},
      {{2, 1},
       {3, 3},
       {0, 0},
       {17, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "part 0: page number 12 at place 1 of its list, expected 0 to 11"},
      {{3, 1},
       {3, 3},
       {0, 0},
       {17, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "page number -1 at place 1"},
      {{1, 4},
       {3, 3},
       {0, 16},
       {1, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "part 1: page number -2147483648 at place 1"},
      // What a call does not need it does not read.
      {{2, 1}, {3, 3}, {0, 0}, {16, 1}, SLUICE_STATUS_OK, ""},
      {{5, 1},
       {3, 3},
       {0, 0},
       {33, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "part 0: page 0 stands twice in its list, the second time at place 2"},
      {{6, 1},
       {3, 3},
       {32, 0},
       {1, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "page 1 stands twice in its list"},
      {{0, 7},
       {3, 3},
       {16, 16},
       {1, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "part 1: appends to page 1, and so does part 0"},
      // Part 1 only reads page 1, to which part 0 appends; and the other way round.
      {{0, 7},
       {3, 3},
       {16, 32},
       {1, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "part 1: reads page 1, to which part 0 appends in the same call: copy the page first"},
      {{7, 0},
       {3, 3},
       {32, 16},
       {1, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "part 0: reads page 1, to which part 1 appends"},
      {{0, 1},
       {2, 3},
       {0, 0},
       {33, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "part 0: its page list has 2 pages, expected at least 3 for 33 tokens in pages of 16"},
      {{0, 1}, {-1, 3}, {0, 0}, {1, 1}, SLUICE_STATUS_INVALID_ARGUMENT, "has -1 pages"},
      {{0, 1}, {3, 3}, {-1, 0}, {1, 1}, SLUICE_STATUS_INVALID_ARGUMENT, "has -1 tokens already"},
      {{0, 1}, {3, 3}, {INT64_MAX, 0}, {1, 1}, SLUICE_STATUS_LIMIT, "expected at most 2147483647"},
      {{0, 1}, {3, 3}, {INT32_MAX, 0}, {1, 1}, SLUICE_STATUS_LIMIT, "expected at most 2147483647"},
      {{0, 1}, {3, 3}, {400, 0}, {1, 1}, SLUICE_STATUS_LIMIT, "max_seq = 400"},
      {{0, 1},
       {100000, 3},
       {192, 0},
       {1, 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "193 tokens need 13 pages, a sequence has at most 12"},
  };
  sluice_session_t *s = make(true);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    sluice_page_list_t lists[2];
    sluice_part_t parts[2];
    for (int p = 0; p < 2; ++p) {
      lists[p] = (sluice_page_list_t){cases[i].past[p], pages[cases[i].list[p]], cases[i].count[p]};
      parts[p] = (sluice_part_t){.count = cases[i].rows[p], .tokens = text, .pages = &lists[p]};
    }
    CHECK_FAILS(sluice_session_step(s, "step", parts, 2, NULL), cases[i].status, cases[i].words);
  }
  // Full pages may be read by both.
  sluice_page_list_t lists[2] = {{16, pages[0], 2}, {16, (const int32_t[]){0, 8}, 2}};
  sluice_part_t parts[2] = {{.count = 1, .tokens = text, .pages = &lists[0]},
                            {.count = 1, .tokens = text, .pages = &lists[1]}};
  CHECK_OK(sluice_session_step(s, "step", parts, 2, NULL));
  lists[0].pages = NULL;
  CHECK_FAILS(sluice_session_step(s, "step", parts, 2, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
              "has 0 pages");
  sluice_session_release(s);
}

static void lists_and_sequences_do_not_mix(void) {
  sluice_session_t *outside = make(true), *inside = make(false);
  static const int32_t pages[] = {0};
  sluice_page_list_t list = {0, pages, 1};
  sluice_sequence_t sequence;
  CHECK_FAILS(sluice_sequence_create(outside, &sequence), SLUICE_STATUS_INVALID_ARGUMENT,
              "external_pages, so it has no sequences");
  CHECK_OK(sluice_sequence_create(inside, &sequence));
  sluice_part_t with_list = {.count = 1, .tokens = text, .pages = &list};
  sluice_part_t with_sequence = {.count = 1, .tokens = text, .sequence = sequence};
  sluice_part_t with_both = with_list, with_none = {.count = 1, .tokens = text};
  with_both.sequence = sequence;
  CHECK_FAILS(sluice_session_step(inside, "step", &with_list, 1, NULL),
              SLUICE_STATUS_INVALID_ARGUMENT, "without external_pages");
  CHECK_FAILS(sluice_session_step(inside, "step", &with_both, 1, NULL),
              SLUICE_STATUS_INVALID_ARGUMENT, "without external_pages");
  CHECK_FAILS(sluice_session_step(outside, "step", &with_sequence, 1, NULL),
              SLUICE_STATUS_INVALID_ARGUMENT, "expected a page list");
  CHECK_FAILS(sluice_session_step(outside, "step", &with_both, 1, NULL),
              SLUICE_STATUS_INVALID_ARGUMENT, "expected a page list");
  CHECK_FAILS(sluice_session_step(outside, "step", &with_none, 1, NULL),
              SLUICE_STATUS_INVALID_ARGUMENT, "part 0 has no page list");
  sluice_part_t mixed[2] = {with_list, with_none};
  sluice_arg_t args[] = {
      {"tokens", (void *)(uintptr_t)text, 2}, {"ask", NULL, 0}, {"logits", NULL, 0}};
  CHECK_FAILS(sluice_session_call(outside, "step", mixed, 2, args, 3),
              SLUICE_STATUS_INVALID_ARGUMENT, "either all parts have a page list or none has");
  // Without any pages, compiled code refuses the first one that it needs.
  CHECK_FAILS(sluice_session_call(outside, "step", &with_none, 1,
                                  (sluice_arg_t[]){{"tokens", (void *)(uintptr_t)text, 1},
                                                   {"ask", NULL, 0},
                                                   {"logits", NULL, 0}},
                                  3),
              SLUICE_STATUS_TRAP, "page number");
  CHECK_FAILS(sluice_session_encode(outside, "forward", &with_list, 1, NULL),
              SLUICE_STATUS_INVALID_ARGUMENT, "no pages");
  sluice_session_release(outside);
  sluice_session_release(inside);
}

int main(int argc, char **argv) {
  model = fixture_model(argc, argv);
  RUN(the_programs_tables_give_the_same_logits);
  RUN(bad_tables_are_refused);
  RUN(lists_and_sequences_do_not_mix);
  sluice_model_release(model);
  return check_finish();
}
