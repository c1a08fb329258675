/* SPDX-License-Identifier: Apache-2.0
 *
 * team.c: persistent workers and their barrier. All waiting is on two gates: |region| (a step has
 * begun) and |phase| (a barrier has opened).
 */
#define _GNU_SOURCE 1
#include "team.h"
#include "gate.h"
#include "machine.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/* Pauses before a waiter of spin = auto sleeps: some tens of microseconds. */
enum { AUTO_SPINS = 2000 };

typedef struct worker {
  sluice_team_t *team;
  int32_t me;
  pthread_t thread;
} worker_t;

struct sluice_team {
  sluice_gate_t region; /* steps begun; a last one without entry ends the workers */
  sluice_gate_t phase;  /* barriers opened */
  _Alignas(SLUICE_ALIGN) atomic_uint arrived;   /* workers at the barrier that is not open yet */
  _Alignas(SLUICE_ALIGN) sluice_entry_fn entry; /* of the step; NULL: stop */
  sluice_call_t *call;
  int64_t regions;
  int64_t barriers; /* written by whoever opens the barrier */
  int32_t workers, started;
  uint32_t spins; /* before sleeping */
  sluice_allocator_t allocator;
  worker_t *helpers; /* [workers - 1] */
};

void sluice_team_barrier(void *self, int32_t me) {
  sluice_team_t *team = self;
  (void)me;
  unsigned now = atomic_load_explicit(&team->phase.value, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 ==
      (unsigned)team->workers) {
    // Everybody is here and nobody can arrive for the next barrier before this one opens.
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    ++team->barriers;
    sluice_gate_open(&team->phase);
  } else {
    sluice_gate_wait(&team->phase, now, team->spins);
  }
}

static void *worker_main(void *argument) {
  worker_t *worker = argument;
  sluice_team_t *team = worker->team;
  for (unsigned seen = 0;; ++seen) {
    sluice_gate_wait(&team->region, seen, team->spins);
    if (!team->entry)
      return NULL;
    team->entry(team->call, worker->me, team->workers);
    sluice_team_barrier(team, worker->me);
  }
}

void sluice_team_run(sluice_team_t *team, sluice_entry_fn entry, sluice_call_t *call) {
  team->entry = entry;
  team->call = call;
  ++team->regions;
  if (team->workers > 1)
    sluice_gate_open(&team->region);
  entry(call, 0, team->workers);
  sluice_team_barrier(team, 0);
}

static sluice_status_t start_workers(sluice_team_t *team) {
  // Signals belong to the program's threads, not to these.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int error = 0;
  while (team->started < team->workers - 1 && error == 0) {
    worker_t *worker = &team->helpers[team->started];
    worker->team = team;
    worker->me = team->started + 1;
    error = pthread_create(&worker->thread, NULL, worker_main, worker);
    team->started += error == 0;
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (error != 0)
    return sluice_fail(SLUICE_STATUS_SYSTEM, "cannot start worker %d of %d: %s", team->started + 2,
                       team->workers, strerror(error));
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_team_create(const sluice_allocator_t *allocator, int32_t threads,
                                   sluice_spin_t spin, sluice_team_t **out_team) {
  int32_t cores = sluice_machine_cores(), most = 4 * cores > 16 ? 4 * cores : 16;
  if (most > SLUICE_TEAM_MAX || most <= 0)
    most = SLUICE_TEAM_MAX;
  if (threads < 0 || threads > most)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "%d threads asked for, expected 1 to %d on the %d core%s this process may "
                       "use (0: one per core)",
                       threads, most, cores, cores == 1 ? "" : "s");
  if (spin < SLUICE_SPIN_AUTO || spin > SLUICE_SPIN_NEVER)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "spin is %d, expected a sluice_spin_t",
                       (int)spin);
  if (threads == 0)
    threads = cores < most ? cores : most;
  sluice_team_t *team;
  SLUICE_TRY(sluice_allocate(allocator, 1, sizeof *team, &team));
  team->allocator = *allocator;
  team->workers = threads;
  // Spinning for somebody who has no core to run on only delays him.
  team->spins = spin == SLUICE_SPIN_ALWAYS                     ? SLUICE_SPIN_FOREVER
                : spin == SLUICE_SPIN_NEVER || threads > cores ? 0
                                                               : AUTO_SPINS;
  sluice_status_t status =
      sluice_allocate(allocator, (size_t)threads - 1, sizeof *team->helpers, &team->helpers);
  if (status == SLUICE_STATUS_OK)
    status = start_workers(team);
  if (status == SLUICE_STATUS_OK)
    *out_team = team;
  else
    sluice_team_release(team);
  return status;
}

void sluice_team_release(sluice_team_t *team) {
  if (!team)
    return;
  team->entry = NULL;
  sluice_gate_open(&team->region);
  for (int32_t i = 0; i < team->started; ++i)
    pthread_join(team->helpers[i].thread, NULL);
  sluice_allocator_t allocator = team->allocator;
  sluice_free(&allocator, team->helpers, (size_t)team->workers - 1, sizeof *team->helpers);
  sluice_free(&allocator, team, 1, sizeof *team);
}

int32_t sluice_team_workers(const sluice_team_t *team) { return team->workers; }
int64_t sluice_team_regions(const sluice_team_t *team) { return team->regions; }
int64_t sluice_team_barriers(const sluice_team_t *team) { return team->barriers; }
int64_t sluice_team_parks(const sluice_team_t *team) {
  return atomic_load_explicit(&team->region.parks, memory_order_relaxed) +
         atomic_load_explicit(&team->phase.parks, memory_order_relaxed);
}
