/* SPDX-License-Identifier: Apache-2.0
 *
 * test_team.c: barriers under repetition with every policy, and the home of asynchronous gathers.
 */
#include "check.h"
#include "loading.h"

#include <time.h>

static sluice_model_t *model;

static void everybody_meets(void) {
  static const sluice_spin_t policies[] = {SLUICE_SPIN_AUTO, SLUICE_SPIN_NEVER, SLUICE_SPIN_ALWAYS};
  for (int p = 0; p < 3; ++p)
    for (int threads = 1; threads <= 4; threads *= 2) {
      // Four workers that never sleep on two cores wait for the scheduler: a few rounds tell as
      // much as many.
      int calls = threads == 4 ? (policies[p] == SLUICE_SPIN_ALWAYS ? 0 : 5) : 20;
      sluice_session_t *session = NULL;
      sluice_session_options_t options = {.threads = threads, .spin = policies[p]};
      REQUIRE_OK(sluice_session_create(model, &options, &session));
      for (int i = 0; i < calls; ++i) {
        int64_t wrong = -1;
        sluice_arg_t arg = {"wrong", &wrong, 1};
        CHECK_OK(sluice_session_call(session, "meet", NULL, 0, &arg, 1));
        CHECK(wrong == 0);
      }
      sluice_stats_t stats;
      sluice_session_stats(session, &stats);
      CHECK(stats.region_entries == calls && stats.barriers == calls * (2 * 1000 + 1 + 1));
      CHECK(policies[p] != SLUICE_SPIN_ALWAYS || stats.parks == 0);
      sluice_session_release(session);
    }
}

static void idle_workers_sleep(void) {
  sluice_session_t *session = NULL;
  sluice_session_options_t options = {.threads = 2};
  REQUIRE_OK(sluice_session_create(model, &options, &session));
  struct timespec pause = {0, 50000000}, before, after;
  sluice_stats_t stats = {0};
  // On a busy machine it may take a while until the worker has run at all.
  for (int i = 0; i < 200 && stats.parks == 0; ++i) {
    nanosleep(&pause, NULL);
    sluice_session_stats(session, &stats);
  }
  CHECK(stats.parks >= 1);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  nanosleep(&pause, NULL);
  nanosleep(&pause, NULL);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  double used =
      (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
  CHECK(used < 0.02);
  sluice_session_release(session);
}

static void sessions_come_and_go(void) {
  for (int i = 0; i < 200; ++i) {
    sluice_session_t *session = NULL;
    sluice_session_options_t options = {.threads = 1 + i % 4,
                                        .spin = i % 8 < 4 ? SLUICE_SPIN_AUTO : SLUICE_SPIN_NEVER};
    REQUIRE_OK(sluice_session_create(model, &options, &session));
    sluice_session_release(session);
  }
}

static void gathers_fetch_rows(void) {
  for (int threads = 1; threads <= 2; ++threads) {
    sluice_session_t *session = NULL;
    sluice_session_options_t options = {.threads = threads};
    REQUIRE_OK(sluice_session_create(model, &options, &session));
    const float *table = sluice_model_weight_data(model, 1);
    for (int round = 0; round < 300; ++round) {
      int32_t ids[7];
      float values[7][8];
      for (int i = 0; i < 7; ++i)
        ids[i] = (round * 13 + i * i) % 20;
      sluice_arg_t args[] = {{"ids", ids, 7}, {"values", values, 7}};
      CHECK_OK(sluice_session_call(session, "fetch", NULL, 0, args, 2));
      for (int i = 0; i < 7; ++i)
        CHECK(memcmp(values[i], table + ids[i] * 8, sizeof values[i]) == 0);
      ids[round % 7] = round % 2 ? 20 : -1;
      CHECK_FAILS(sluice_session_call(session, "fetch", NULL, 0, args, 2), SLUICE_STATUS_TRAP,
                  "row number of a gather");
    }
    sluice_session_release(session);
  }
}

static void homes_refuse_what_they_cannot_do(void) {
  static const float rows[4][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  static const int32_t ids[] = {3, 0, 2};
  sluice_home_table_t table = {.data = rows, .rows = 4, .row_bytes = 8, .stride = 8}, thin = table;
  thin.stride = 4;
  sluice_home_t *home = NULL;
  float out[3][4];
  CHECK_FAILS(sluice_home_create(NULL, &thin, 1, &home), SLUICE_STATUS_INVALID_ARGUMENT, "stride");
  REQUIRE_OK(sluice_home_create(NULL, &table, 1, &home));
  CHECK(home->gather_submit(home->self, 1, ids, 3, 8, (uint8_t *)out, 16) == -1);
  CHECK(home->gather_submit(home->self, 0, ids, 3, 4, (uint8_t *)out, 16) == -1);
  // The ring takes 64 requests, and more as soon as one is awaited.
  int64_t tokens[64];
  for (int i = 0; i < 64; ++i) {
    tokens[i] = home->gather_submit(home->self, 0, ids, 3, 8, (uint8_t *)out, 16);
    CHECK(tokens[i] >= 0);
  }
  CHECK(home->gather_submit(home->self, 0, ids, 3, 8, (uint8_t *)out, 16) == -1);
  for (int i = 63; i >= 0; --i)
    CHECK(home->gather_await(home->self, tokens[i]) == SLUICE_TRAP_NONE);
  CHECK(out[0][1] == 7 && out[1][0] == 0 && out[2][1] == 5);
  int64_t token = home->gather_submit(home->self, 0, ids, 3, 8, (uint8_t *)out, 16);
  CHECK(token >= 0 && home->gather_await(home->self, token) == SLUICE_TRAP_NONE);
  sluice_home_release(home);
}

/* A home of the program's that fails in every way it can. */
static int64_t next_token;
static int32_t next_code;
static int64_t fail_to_submit(void *self, int32_t table, const int32_t *ids, int64_t count,
                              int64_t row_bytes, uint8_t *dest, int64_t dest_stride) {
  (void)self, (void)table, (void)ids;
  for (int64_t i = 0; i < count; ++i)
    memset(dest + i * dest_stride, 0, (size_t)row_bytes);
  return next_token;
}
static int32_t fail_to_arrive(void *self, int64_t token) {
  (void)self, (void)token;
  return next_code;
}

static void homes_that_fail_end_one_step(void) {
  static const struct {
    int64_t token;
    int32_t code;
    sluice_status_t status;
    const char *words;
  } cases[] = {{-1, 0, SLUICE_STATUS_TRAP, "a row number of a gather is"},
               {5, SLUICE_TRAP_ID, SLUICE_STATUS_TRAP, "a row number of a gather is"},
               {5, SLUICE_TRAP_PAGE, SLUICE_STATUS_TRAP, "a page number is"},
               {INT64_MAX, 77, SLUICE_STATUS_TRAP, "fake.yaml:9:1: a value is"},
               {INT64_MIN, 0, SLUICE_STATUS_TRAP, "a row number"},
               {5, -1, SLUICE_STATUS_TRAP, "a value is"},
               {5, 0, SLUICE_STATUS_OK, ""}};
  sluice_home_t home = {NULL, fail_to_submit, fail_to_arrive};
  sluice_session_options_t options = {.threads = 2, .home = &home};
  sluice_session_t *session = NULL;
  REQUIRE_OK(sluice_session_create(model, &options, &session));
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    int32_t ids[3] = {1, 2, 3};
    float values[3][8];
    sluice_arg_t args[] = {{"ids", ids, 3}, {"values", values, 3}};
    next_token = cases[i].token;
    next_code = cases[i].code;
    CHECK_FAILS(sluice_session_call(session, "fetch", NULL, 0, args, 2), cases[i].status,
                cases[i].words);
    // What has nothing to do with the home goes on.
    sluice_part_t part = {.count = 3, .tokens = ids};
    CHECK_OK(sluice_session_encode(session, "forward", &part, 1, values[0]));
  }
  sluice_session_release(session);
}

int main(int argc, char **argv) {
  model = fixture_model(argc, argv);
  RUN(everybody_meets);
  RUN(idle_workers_sleep);
  RUN(sessions_come_and_go);
  RUN(gathers_fetch_rows);
  RUN(homes_refuse_what_they_cannot_do);
  RUN(homes_that_fail_end_one_step);
  sluice_model_release(model);
  return check_finish();
}
