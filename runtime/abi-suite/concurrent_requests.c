/* SPDX-License-Identifier: Apache-2.0
 *
 * concurrent_requests.c: many threads, each with a session of its own, answer requests from one
 * model at once. Every logit must have the bits of the same request answered alone. A request is a
 * prompt, some steps after it, a fork and steps of both; all of it is made from the request's
 * number. Every other thread has no sequences but numbers the pages itself, so it answers both
 * halves of a fork from their beginnings.
 *
 * usage:
 *
 *   concurrent_requests MODEL.sluice [--threads N] [--requests N] [--workers N] [--cancels MICROS]
 *
 * e.g. concurrent_requests tiny.sluice --threads 8 --requests 1000. With --cancels, another thread
 * cancels the steps of each session, at first so many microseconds apart and then less and less
 * often; cancelled steps are repeated.
 */
#include "sluice-rt/runtime.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROMPT = 24, STEPS = 3, PAGES = 16 };

static const sluice_model_t *model;
static int32_t vocab, prompt_most;
static int64_t width;
static int32_t requests = 1000, workers = 2, cancels; /* microseconds between cancels; 0: none */
static atomic_llong cancelled;

typedef struct worker {
  pthread_t thread;
  int32_t number;
  uint64_t *hashes; /* [requests] */
} worker_t;

static void check(sluice_status_t status, const char *what) {
  if (status == SLUICE_STATUS_OK)
    return;
  fprintf(stderr, "concurrent_requests: error: %s: %s\n", what, sluice_last_error());
  exit(4);
}

static uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static uint64_t hash_of(uint64_t hash, const float *values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    hash = (hash ^ bits) * 0x100000001b3u;
  }
  return hash;
}

/* One step, and again until nobody cancels it: a cancelled step has changed nothing. */
static void step(sluice_session_t *session, const sluice_part_t *parts, int32_t count,
                 float *logits) {
  sluice_status_t status;
  while ((status = sluice_session_step(session, "step", parts, count, logits)) ==
         SLUICE_STATUS_CANCELLED)
    atomic_fetch_add_explicit(&cancelled, 1, memory_order_relaxed);
  check(status, "step");
}

/* Answers request |number| and returns a hash of all logits of it. */
static uint64_t answer(sluice_session_t *session, uint64_t number, float *logits) {
  uint64_t state = mix(number + 1), hash = 0xcbf29ce484222325u;
  int32_t tokens[PROMPT], count = 1 + (int32_t)(state % (uint64_t)prompt_most);
  for (int32_t i = 0; i < count; ++i)
    tokens[i] = (int32_t)(mix(state + (uint64_t)i) % (uint64_t)vocab);
  sluice_sequence_t both[2];
  check(sluice_sequence_create(session, &both[0]), "create");
  sluice_part_t parts[2] = {{.sequence = both[0], .count = count, .ask = 1, .tokens = tokens}};
  step(session, parts, 1, logits);
  hash = hash_of(hash, logits, width);
  check(sluice_sequence_fork(session, both[0], &both[1]), "fork");
  for (int32_t i = 0; i < STEPS; ++i) {
    int32_t next[2];
    for (int p = 0; p < 2; ++p) {
      next[p] = (int32_t)(mix(state + 100 + (uint64_t)(2 * i + p)) % (uint64_t)vocab);
      parts[p] = (sluice_part_t){.sequence = both[p], .count = 1, .ask = 1, .tokens = &next[p]};
    }
    step(session, parts, 2, logits);
    hash = hash_of(hash, logits, 2 * width);
  }
  for (int p = 0; p < 2; ++p)
    check(sluice_sequence_drop(session, both[p]), "drop");
  return hash;
}

/* The same in a session whose pages are numbered here: each half has every other page. */
static uint64_t answer_with_lists(sluice_session_t *session, uint64_t number, float *logits) {
  uint64_t state = mix(number + 1), hash = 0xcbf29ce484222325u;
  int32_t tokens[PROMPT], count = 1 + (int32_t)(state % (uint64_t)prompt_most), pages[2][PAGES / 2];
  for (int32_t i = 0; i < count; ++i)
    tokens[i] = (int32_t)(mix(state + (uint64_t)i) % (uint64_t)vocab);
  sluice_part_t parts[2];
  sluice_page_list_t lists[2];
  for (int p = 0; p < 2; ++p) {
    for (int32_t i = 0; i < PAGES / 2; ++i)
      pages[p][i] = (int32_t)((state + (uint64_t)(2 * i + p) * 5) % PAGES);
    lists[p] = (sluice_page_list_t){0, pages[p], PAGES / 2};
    parts[p] = (sluice_part_t){.count = count, .ask = 1, .tokens = tokens, .pages = &lists[p]};
  }
  for (int p = 0; p < 2; ++p)
    step(session, &parts[p], 1, logits);
  hash = hash_of(hash, logits, width);
  for (int32_t i = 0; i < STEPS; ++i) {
    int32_t next[2];
    for (int p = 0; p < 2; ++p) {
      next[p] = (int32_t)(mix(state + 100 + (uint64_t)(2 * i + p)) % (uint64_t)vocab);
      lists[p].past = count + i;
      parts[p] = (sluice_part_t){.count = 1, .ask = 1, .tokens = &next[p], .pages = &lists[p]};
    }
    step(session, parts, 2, logits);
    hash = hash_of(hash, logits, 2 * width);
  }
  return hash;
}

static sluice_session_t *make_session(int32_t threads, uint64_t shuffle, bool external) {
  sluice_session_options_t options = {.threads = threads,
                                      .spin = SLUICE_SPIN_NEVER,
                                      .max_rows = 32,
                                      .max_seqs = 2,
                                      .kv_pages = PAGES,
                                      .page_shuffle = shuffle,
                                      .poison = true,
                                      .external_pages = external};
  sluice_session_t *session;
  check(sluice_session_create(model, &options, &session), "session");
  return session;
}

typedef struct canceller {
  pthread_t thread;
  sluice_session_t *session;
  atomic_bool stop;
} canceller_t;

static void *cancel_often(void *argument) {
  canceller_t *c = argument;
  for (int64_t n = 0; !atomic_load(&c->stop); ++n) {
    // Ever longer, so that a slow machine gets its steps done.
    int64_t micros = cancels + cancels * n * n / 64;
    struct timespec pause = {micros / 1000000, micros % 1000000 * 1000};
    nanosleep(&pause, NULL);
    sluice_session_cancel(c->session);
  }
  return NULL;
}

static void *work(void *argument) {
  worker_t *w = argument;
  bool external = w->number % 2 == 1;
  sluice_session_t *session = make_session(workers, (uint64_t)w->number + 1, external);
  float *logits = malloc((size_t)(2 * width) * sizeof *logits);
  if (!logits)
    exit(4);
  canceller_t canceller = {.session = session};
  if (cancels > 0 && pthread_create(&canceller.thread, NULL, cancel_often, &canceller) != 0)
    exit(4);
  for (int32_t i = 0; i < requests; ++i)
    w->hashes[i] = (external ? answer_with_lists : answer)(
        session, (uint64_t)w->number * 1000003u + (uint64_t)i, logits);
  atomic_store(&canceller.stop, true);
  if (cancels > 0)
    pthread_join(canceller.thread, NULL);
  free(logits);
  sluice_session_release(session);
  return NULL;
}

static int usage(void) {
  fprintf(stderr, "usage: concurrent_requests MODEL.sluice [--threads N] [--requests N] "
                  "[--workers N] [--cancels MICROSECONDS]\ne.g.   concurrent_requests tiny.sluice "
                  "--threads 8 --requests 1000\n");
  return 1;
}

int main(int argc, char **argv) {
  enum { MOST = 64 };
  static worker_t all[MOST];
  int32_t threads = 8;
  if (argc < 2 || argv[1][0] == '-')
    return usage();
  for (int i = 2; i + 1 < argc; i += 2) {
    int32_t *place = strcmp(argv[i], "--threads") == 0    ? &threads
                     : strcmp(argv[i], "--requests") == 0 ? &requests
                     : strcmp(argv[i], "--workers") == 0  ? &workers
                     : strcmp(argv[i], "--cancels") == 0  ? &cancels
                                                          : NULL;
    if (!place || (*place = atoi(argv[i + 1])) < 1)
      return usage();
  }
  if (threads > MOST || argc % 2 != 0)
    return usage();
  sluice_model_t *loaded;
  check(sluice_model_load(argv[1], NULL, &loaded), argv[1]);
  model = loaded;
  const sluice_model_info_t *info = sluice_model_info(model);
  const sluice_function_info_t *step = sluice_model_function(model, "step");
  if (!step || step->arg_count == 0) {
    fprintf(stderr, "concurrent_requests: error: %s has no function \"step\"\n", argv[1]);
    return 2;
  }
  vocab = (int32_t)info->limits.vocab;
  width = step->args[step->arg_count - 1].row_elements;
  prompt_most =
      info->limits.max_seq < PROMPT + STEPS ? (int32_t)info->limits.max_seq - STEPS : PROMPT;
  if (prompt_most < 1) {
    fprintf(stderr, "concurrent_requests: error: max_seq is %lld, expected at least %d\n",
            (long long)info->limits.max_seq, STEPS + 1);
    return 2;
  }
  for (int32_t i = 0; i < threads; ++i) {
    all[i].number = i;
    all[i].hashes = calloc((size_t)requests, sizeof *all[i].hashes);
    if (!all[i].hashes || pthread_create(&all[i].thread, NULL, work, &all[i]) != 0) {
      fprintf(stderr, "concurrent_requests: error: cannot start thread %d\n", i);
      return 4;
    }
  }
  for (int32_t i = 0; i < threads; ++i)
    pthread_join(all[i].thread, NULL);
  // The same requests, one after another, by one worker.
  sluice_session_t *alone = make_session(1, 0, false);
  float *logits = malloc((size_t)(2 * width) * sizeof *logits);
  int64_t differ = 0;
  for (int32_t t = 0; logits && t < threads; ++t)
    for (int32_t i = 0; i < requests; ++i)
      differ += answer(alone, (uint64_t)t * 1000003u + (uint64_t)i, logits) != all[t].hashes[i];
  printf(
      "%d threads x %d requests of one model, %d workers each: %lld differ from the serial run\n",
      threads, requests, workers, (long long)differ);
  if (cancels > 0)
    printf("cancelled and repeated: %s\n", atomic_load(&cancelled) > 0 ? "yes" : "none");
  free(logits);
  for (int32_t i = 0; i < threads; ++i)
    free(all[i].hashes);
  sluice_session_release(alone);
  sluice_model_release(loaded);
  return differ == 0 ? 0 : 5;
}
