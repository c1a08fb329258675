/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cancel.c: steps that are cancelled in the middle, and processes that are forked away from
 * the runtime's threads.
 */
#define _GNU_SOURCE 1
#include "check.h"
#include "loading.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { VOCAB = 50 };
static sluice_model_t *model;

static sluice_session_t *make(int32_t threads) {
  sluice_session_t *session = NULL;
  sluice_session_options_t options = {.threads = threads, .max_seqs = 4, .max_rows = 64};
  REQUIRE_OK(sluice_session_create(model, &options, &session));
  return session;
}

static void pause_a_little(void) {
  struct timespec pause = {0, 2000000};
  nanosleep(&pause, NULL);
}

static void *cancel_soon(void *session) {
  pause_a_little();
  sluice_session_cancel(session);
  return NULL;
}

/* The function ends no other way, so a test that returns has left it in the middle. */
static void the_middle_of_a_step_is_left(void) {
  for (int32_t threads = 1; threads <= 4; ++threads) {
    sluice_session_t *s = make(threads);
    // More often than the home has places for requests: what is left behind must be cleared away.
    for (int i = 0; i < 70; ++i) {
      static int32_t ids[4] = {1, 2, 3, 4}, begun[4][8];
      sluice_arg_t args[] = {{"ids", ids, 4}, {"begun", begun, 4}};
      pthread_t other;
      if (i % 10 != 0)
        sluice_session_cancel(s); // Before the step: the next one is cancelled.
      else if (pthread_create(&other, NULL, cancel_soon, s) != 0)
        exit(70);
      CHECK_FAILS(sluice_session_call(s, "forever", NULL, 0, args, 2), SLUICE_STATUS_CANCELLED,
                  "forever was cancelled");
      if (i % 10 == 0)
        pthread_join(other, NULL);
    }
    // And the session works as before.
    int32_t ids[3] = {7, 0, 19};
    float values[3][8];
    sluice_arg_t args[] = {{"ids", ids, 3}, {"values", values, 3}};
    CHECK_OK(sluice_session_call(s, "fetch", NULL, 0, args, 2));
    CHECK(memcmp(values[2], (const float *)sluice_model_weight_data(model, 1) + 19 * 8,
                 sizeof values[2]) == 0);
    sluice_session_release(s);
  }
}

static const int32_t text[20] = {5, 9, 14, 22, 31, 8, 44, 1, 0, 17, 26, 35, 2, 7, 19, 28, 41, 33};

static void a_cancelled_step_changes_no_sequence(void) {
  sluice_session_t *s = make(2);
  sluice_sequence_t a, b;
  float expected[VOCAB], got[VOCAB];
  sluice_stats_t before, after;
  CHECK_OK(sluice_sequence_create(s, &a));
  CHECK_OK(sluice_sequence_create(s, &b));
  sluice_part_t part = {.sequence = a, .count = 18, .ask = 1, .tokens = text};
  CHECK_OK(sluice_session_step(s, "step", &part, 1, expected));
  part = (sluice_part_t){.sequence = b, .count = 10, .ask = 1, .tokens = text};
  CHECK_OK(sluice_session_step(s, "step", &part, 1, got));
  sluice_session_stats(s, &before);
  part = (sluice_part_t){.sequence = b, .count = 8, .ask = 1, .tokens = text + 10};
  sluice_session_cancel(s);
  sluice_session_cancel(s);
  CHECK_FAILS(sluice_session_step(s, "step", &part, 1, got), SLUICE_STATUS_CANCELLED,
              "step was cancelled by sluice_session_cancel");
  sluice_session_stats(s, &after);
  CHECK(sluice_sequence_length(s, b) == 10 && after.pages_free == before.pages_free);
  CHECK_OK(sluice_session_step(s, "step", &part, 1, got)); // The same call again.
  CHECK(memcmp(expected, got, sizeof got) == 0);
  // A refused call is not what was cancelled.
  sluice_session_cancel(s);
  CHECK_FAILS(sluice_session_step(s, "stop", &part, 1, got), SLUICE_STATUS_NOT_FOUND, "stop");
  float temperature = 0;
  int64_t rng = 77;
  int32_t token = -1;
  CHECK_FAILS(sluice_session_sample(s, "sample", got, 1, &temperature, &rng, &token),
              SLUICE_STATUS_CANCELLED, "sample was cancelled");
  CHECK(rng == 77);
  CHECK_OK(sluice_session_sample(s, "sample", got, 1, &temperature, &rng, &token));
  CHECK(rng != 77 && token >= 0);
  sluice_session_release(s);
  sluice_session_cancel(NULL);
}

static _Atomic(sluice_session_t *) interrupted;
static void on_signal(int number) {
  (void)number;
  sluice_session_cancel(interrupted);
}

static void *interrupt_soon(void *thread) {
  pause_a_little();
  pthread_kill(*(pthread_t *)thread, SIGUSR1);
  return NULL;
}

static void signal_handlers_cancel(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  interrupted = make(3);
  static int32_t ids[4] = {1, 2, 3, 4}, begun[4][8];
  sluice_arg_t args[] = {{"ids", ids, 4}, {"begun", begun, 4}};
  pthread_t self = pthread_self(), other;
  if (pthread_create(&other, NULL, interrupt_soon, &self) != 0)
    exit(70);
  CHECK_FAILS(sluice_session_call(interrupted, "forever", NULL, 0, args, 2),
              SLUICE_STATUS_CANCELLED, "cancelled");
  pthread_join(other, NULL);
  sluice_session_release(interrupted);
}

/* A home that is not the runtime's: its requests cannot be called back, so the step runs to its
 * end. */
static int submitted, awaited;
static int64_t count_submit(void *self, int32_t table, const int32_t *ids, int64_t count,
                            int64_t row_bytes, uint8_t *dest, int64_t dest_stride) {
  (void)self, (void)table, (void)ids;
  for (int64_t i = 0; i < count; ++i)
    memset(dest + i * dest_stride, 1, (size_t)row_bytes);
  return submitted++;
}
static int32_t count_await(void *self, int64_t token) {
  (void)self, (void)token;
  ++awaited;
  return 0;
}

static void other_homes_are_waited_for(void) {
  sluice_home_t home = {NULL, count_submit, count_await};
  sluice_session_options_t options = {.threads = 2, .home = &home};
  sluice_session_t *s;
  REQUIRE_OK(sluice_session_create(model, &options, &s));
  int32_t ids[3] = {7, 0, 19};
  float values[3][8];
  sluice_arg_t args[] = {{"ids", ids, 3}, {"values", values, 3}};
  sluice_session_cancel(s);
  CHECK_FAILS(sluice_session_call(s, "fetch", NULL, 0, args, 2), SLUICE_STATUS_CANCELLED, "fetch");
  CHECK(submitted == 2 && awaited == 2);
  CHECK_OK(sluice_session_call(s, "fetch", NULL, 0, args, 2));
  sluice_session_release(s);
}

/* Runs |child| in a fork and expects it to end with 0. */
static void in_a_fork(void (*child)(sluice_session_t *), sluice_session_t *session) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    child(session);
    fflush(stdout);
    _exit(check_failures != check_failed_before);
  }
  int how = 0;
  CHECK(pid > 0 && waitpid(pid, &how, 0) == pid && WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static void step_in_child(sluice_session_t *inherited) {
  (void)inherited;
  sluice_session_t *s = make(2);
  sluice_sequence_t a;
  float logits[VOCAB];
  CHECK_OK(sluice_sequence_create(s, &a));
  sluice_part_t part = {.sequence = a, .count = 18, .ask = 1, .tokens = text};
  CHECK_OK(sluice_session_step(s, "step", &part, 1, logits));
  sluice_session_release(s);
  sluice_model_release(model);
}

static void refuse_in_child(sluice_session_t *inherited) {
  sluice_sequence_t a;
  int32_t ids[3] = {7, 0, 19};
  float values[3][8];
  sluice_arg_t args[] = {{"ids", ids, 3}, {"values", values, 3}};
  CHECK_FAILS(sluice_sequence_create(inherited, &a), SLUICE_STATUS_INVALID_ARGUMENT,
              "before this process was forked");
  CHECK_FAILS(sluice_session_call(inherited, "fetch", NULL, 0, args, 2),
              SLUICE_STATUS_INVALID_ARGUMENT, "make a session after the fork");
  sluice_session_release(inherited);
}

static void step_alone_in_child(sluice_session_t *inherited) {
  sluice_part_t part = {.count = 3, .tokens = text};
  float out[3][3];
  CHECK_OK(sluice_session_encode(inherited, "forward", &part, 1, out[0]));
  CHECK(out[2][0] == 14);
  // But the thread of its home is not here.
  int32_t ids[3] = {7, 0, 19};
  float values[3][8];
  sluice_arg_t args[] = {{"ids", ids, 3}, {"values", values, 3}};
  CHECK_FAILS(sluice_session_call(inherited, "fetch", NULL, 0, args, 2), SLUICE_STATUS_TRAP,
              "fetch");
  sluice_session_release(inherited);
}

static void forks_are_noticed(void) {
  sluice_session_t *alone = make(1), *team = make(3);
  in_a_fork(step_in_child, NULL);
  in_a_fork(refuse_in_child, team);
  in_a_fork(step_alone_in_child, alone);
  // The parent's sessions are as they were.
  int32_t ids[3] = {7, 0, 19};
  float values[3][8];
  sluice_arg_t args[] = {{"ids", ids, 3}, {"values", values, 3}};
  CHECK_OK(sluice_session_call(alone, "fetch", NULL, 0, args, 2));
  CHECK_OK(sluice_session_call(team, "fetch", NULL, 0, args, 2));
  sluice_session_release(team);
  sluice_session_release(alone);
}

int main(int argc, char **argv) {
  model = fixture_model(argc, argv);
  RUN(the_middle_of_a_step_is_left);
  RUN(a_cancelled_step_changes_no_sequence);
  RUN(signal_handlers_cancel);
  RUN(other_homes_are_waited_for);
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_FORKS 1 // It ends a fork that starts threads.
#endif
#endif
#ifndef NO_FORKS
  RUN(forks_are_noticed);
#else
  (void)forks_are_noticed;
#endif
  sluice_model_release(model);
  return check_finish();
}
