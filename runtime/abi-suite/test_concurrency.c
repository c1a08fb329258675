/* SPDX-License-Identifier: Apache-2.0
 *
 * test_concurrency.c: models that come and go ten thousand times, on several threads at once;
 * sessions that wander between threads; cancels that come at any moment. (Requests on many threads:
 * concurrent_requests.c.) test_concurrency LIBRARY [LOADS]
 */
#define _GNU_SOURCE 1
#include "check.h"
#include "fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { VOCAB = 50, THREADS = 4 };
static const char *artefact;
static sluice_model_t *model;
static int loads = 300;

static int entries_of(const char *folder) {
  int count = 0;
  DIR *dir = opendir(folder);
  while (dir && readdir(dir))
    ++count;
  if (dir)
    closedir(dir);
  return count;
}

/* What the process has of the kernel. */
typedef struct process {
  int files, threads, maps;
  long resident; /* pages */
} process_t;

static process_t look(void) {
  process_t p = {entries_of("/proc/self/fd"), entries_of("/proc/self/task"), 0, 0};
  FILE *maps = fopen("/proc/self/maps", "r"), *statm = fopen("/proc/self/statm", "r");
  for (int c; maps && (c = getc(maps)) != EOF;)
    p.maps += c == '\n';
  bool readable = maps && statm && fscanf(statm, "%*d %ld", &p.resident) == 1;
  CHECK(readable);
  if (maps)
    fclose(maps);
  if (statm)
    fclose(statm);
  return p;
}

static const int32_t text[18] = {5, 9, 14, 22, 31, 8, 44, 1, 0, 17, 26, 35, 2, 7, 19, 28, 41, 33};

static void load_and_step(const float *expected) {
  sluice_model_t *own = NULL;
  sluice_session_t *s = NULL;
  sluice_sequence_t sequence;
  sluice_session_options_t options = {.threads = 2, .max_rows = 32, .kv_pages = 4};
  float logits[VOCAB];
  REQUIRE_OK(sluice_model_load(artefact, NULL, &own));
  REQUIRE_OK(sluice_session_create(own, &options, &s));
  REQUIRE_OK(sluice_sequence_create(s, &sequence));
  sluice_part_t part = {.sequence = sequence, .count = 18, .ask = 1, .tokens = text};
  REQUIRE_OK(sluice_session_step(s, "step", &part, 1, logits));
  if (expected)
    CHECK(memcmp(expected, logits, sizeof logits) == 0);
  sluice_session_release(s);
  sluice_model_release(own);
}

static void models_come_and_go(void) {
  for (int i = 0; i < 50; ++i)
    load_and_step(NULL); // So that caches of libc and of the sanitizers are filled.
  process_t before = look();
  for (int i = 0; i < loads; ++i)
    load_and_step(NULL);
  process_t after = look();
  printf("  %d loads: %+d files, %+d threads, %+d maps, %+ld resident pages\n", loads,
         after.files - before.files, after.threads - before.threads, after.maps - before.maps,
         after.resident - before.resident);
  CHECK(after.files == before.files && after.threads == before.threads);
  // Allocators and sanitizers keep maps and pages for themselves, but not one for every load.
  CHECK(after.maps - before.maps < 20 + loads / 20);
  CHECK(after.resident - before.resident < 2048 + loads / 4);
}

static float expected_logits[VOCAB];
static void *load_often(void *argument) {
  (void)argument;
  for (int i = 0; i < 20; ++i) {
    load_and_step(expected_logits);
    // The sentence of a failure belongs to the thread that failed.
    char path[64];
    sluice_model_t *none = NULL;
    snprintf(path, sizeof path, "/nonexistent/%lx", (unsigned long)pthread_self());
    CHECK_FAILS(sluice_model_load(path, NULL, &none), SLUICE_STATUS_NOT_FOUND, path);
    CHECK(none == NULL);
  }
  return NULL;
}

static void run_threads(void *(*run)(void *)) {
  pthread_t all[THREADS];
  for (int i = 0; i < THREADS; ++i)
    if (pthread_create(&all[i], NULL, run, NULL) != 0)
      exit(70);
  for (int i = 0; i < THREADS; ++i)
    pthread_join(all[i], NULL);
}

static sluice_session_t *shared;
static sluice_sequence_t shared_sequence;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int position;

static void *step_in_turn(void *argument) {
  (void)argument;
  for (bool more = true; more;) {
    pthread_mutex_lock(&turn);
    more = position < 18;
    if (more) {
      float logits[VOCAB];
      sluice_part_t part = {
          .sequence = shared_sequence, .count = 1, .ask = 1, .tokens = &text[position]};
      REQUIRE_OK(sluice_session_step(shared, "step", &part, 1, logits));
      if (++position == 18)
        CHECK(memcmp(expected_logits, logits, sizeof logits) == 0);
    }
    pthread_mutex_unlock(&turn);
  }
  return NULL;
}

static void models_come_and_go_on_threads(void) { run_threads(load_often); }

static void a_session_wanders_between_threads(void) {
  sluice_session_options_t options = {.threads = 2};
  REQUIRE_OK(sluice_session_create(model, &options, &shared));
  for (int round = 0; round < 20; ++round) {
    REQUIRE_OK(sluice_sequence_create(shared, &shared_sequence));
    position = 0;
    run_threads(step_in_turn);
    REQUIRE_OK(sluice_sequence_drop(shared, shared_sequence));
  }
  sluice_session_release(shared);
}

static atomic_bool stop;
static atomic_int cancels;
static void *cancel_often(void *argument) {
  (void)argument;
  struct timespec pause = {0, 50000};
  while (!stop) {
    sluice_session_cancel(shared);
    ++cancels;
    nanosleep(&pause, NULL);
  }
  return NULL;
}

/* Whenever a cancel comes, the step has happened or it has not. */
static void cancels_come_at_any_moment(void) {
  sluice_session_options_t options = {.threads = 3, .kv_pages = 4};
  REQUIRE_OK(sluice_session_create(model, &options, &shared));
  pthread_t other;
  stop = false;
  if (pthread_create(&other, NULL, cancel_often, NULL) != 0)
    exit(70);
  int cancelled = 0, done = 0;
  while (cancelled < 100 || done < 100) {
    REQUIRE_OK(sluice_sequence_create(shared, &shared_sequence));
    for (position = 0; position < 18;) {
      float logits[VOCAB];
      sluice_part_t part = {.sequence = shared_sequence,
                            .count = position == 0 ? 10 : 1,
                            .ask = 1,
                            .tokens = &text[position]};
      sluice_status_t status = sluice_session_step(shared, "step", &part, 1, logits);
      CHECK(status == SLUICE_STATUS_OK || status == SLUICE_STATUS_CANCELLED);
      cancelled += status == SLUICE_STATUS_CANCELLED;
      position += status == SLUICE_STATUS_OK ? part.count : 0;
      CHECK(sluice_sequence_length(shared, shared_sequence) == position);
      if (status == SLUICE_STATUS_OK && position == 18) {
        CHECK(memcmp(expected_logits, logits, sizeof logits) == 0);
        ++done;
      }
    }
    REQUIRE_OK(sluice_sequence_drop(shared, shared_sequence));
  }
  stop = true;
  pthread_join(other, NULL);
  CHECK(cancelled <= cancels);
  sluice_stats_t stats;
  sluice_session_stats(shared, &stats);
  CHECK(stats.pages_free == stats.pages);
  sluice_session_release(shared);
}

int main(int argc, char **argv) {
  if (argc < 2)
    return 1;
  if (argc > 2)
    loads = atoi(argv[2]);
  artefact = fixture_create(argv[1]);
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  REQUIRE_OK(sluice_model_load(artefact, NULL, &model));
  sluice_session_t *s;
  sluice_sequence_t sequence;
  REQUIRE_OK(sluice_session_create(model, NULL, &s));
  REQUIRE_OK(sluice_sequence_create(s, &sequence));
  sluice_part_t part = {.sequence = sequence, .count = 18, .ask = 1, .tokens = text};
  REQUIRE_OK(sluice_session_step(s, "step", &part, 1, expected_logits));
  sluice_session_release(s);
  RUN(models_come_and_go);
  RUN(models_come_and_go_on_threads);
  RUN(a_session_wanders_between_threads);
  RUN(cancels_come_at_any_moment);
  sluice_model_release(model);
  return check_finish();
}
