/* SPDX-License-Identifier: Apache-2.0
 *
 * team.c: persistent workers and their barrier. All waiting is on two gates: |region| (a step has
 * begun) and |phase| (a barrier has opened).
 */
#define _GNU_SOURCE 1
#include "team.h"
#include "gate.h"
#include "machine.h"
#include "thread.h"

#include <setjmp.h>
#include <string.h>

/* Pauses before a waiter of spin = auto sleeps: some tens of microseconds. */
enum { AUTO_SPINS = 2000 };

typedef struct worker {
  sluice_team_t *team;
  int32_t me;
  pthread_t thread; /* of worker 0: unused, it is the caller's */
  jmp_buf leave;    /* where a cancelled step continues: behind its entry */
} worker_t;

struct sluice_team {
  sluice_gate_t region; /* steps begun; a last one without entry ends the workers */
  sluice_gate_t phase;  /* barriers opened */
  _Alignas(SLUICE_ALIGN) atomic_uint arrived; /* workers at the barrier that is not open yet */
  int64_t barriers;                           /* written by whoever opens the barrier */
  /* Read by everybody in a step, and written rarely. */
  _Alignas(SLUICE_ALIGN) sluice_entry_fn entry; /* of the step; NULL: stop */
  sluice_call_t *call;
  bool may_leave; /* the step may be left at a barrier */
  bool leaving;   /* it is; written by whoever opens the barrier at which all workers leave */
  int32_t workers, started;
  uint32_t spins; /* before sleeping */
  worker_t *all;  /* [workers] */
  atomic_bool cancel;
  int64_t regions;
  sluice_allocator_t allocator;
  sluice_witness_t witness; /* where there are helpers */
};

/* Returns when all workers have called it. */
static void meet(sluice_team_t *team) {
  unsigned now = atomic_load_explicit(&team->phase.value, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 ==
      (unsigned)team->workers) {
    // Everybody is here and nobody can arrive for the next barrier before this one opens.
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    ++team->barriers;
    // One worker decides for all, so either all leave at this barrier or none.
    bool leaving = team->may_leave && atomic_load_explicit(&team->cancel, memory_order_relaxed);
    if (leaving != team->leaving)
      team->leaving = leaving;
    sluice_gate_open(&team->phase);
  } else {
    sluice_gate_wait(&team->phase, now, team->spins);
  }
}

void sluice_team_barrier(void *self, int32_t me) {
  sluice_team_t *team = self;
  meet(team);
  // Compiled code has nothing to clean up: it allocates nothing and holds no lock.
  if (team->leaving)
    _longjmp(team->all[me].leave, 1);
}

static void enter(worker_t *worker) {
  sluice_team_t *team = worker->team;
  if (_setjmp(worker->leave) == 0)
    team->entry(team->call, worker->me, team->workers);
  meet(team);
}

static void *worker_main(void *argument) {
  worker_t *worker = argument;
  sluice_team_t *team = worker->team;
  for (unsigned seen = 0;; ++seen) {
    sluice_gate_wait(&team->region, seen, team->spins);
    if (!team->entry)
      return NULL;
    enter(worker);
  }
}

bool sluice_team_run(sluice_team_t *team, sluice_entry_fn entry, sluice_call_t *call,
                     bool may_leave) {
  team->entry = entry;
  team->call = call;
  team->may_leave = may_leave;
  ++team->regions;
  if (team->workers > 1)
    sluice_gate_open(&team->region);
  enter(&team->all[0]);
  // Taken here and nowhere else, so that every request ends one step: the one under way or the next
  // one, even if it was too late to end it early.
  return !atomic_exchange_explicit(&team->cancel, false, memory_order_relaxed);
}

void sluice_team_cancel(sluice_team_t *team) {
  atomic_store_explicit(&team->cancel, true, memory_order_relaxed);
}

bool sluice_team_is_here(const sluice_team_t *team) {
  return sluice_witness_is_here(&team->witness);
}

static sluice_status_t start_workers(sluice_team_t *team) {
  if (team->workers > 1)
    SLUICE_TRY(sluice_witness_create(&team->witness));
  for (team->started = 1; team->started < team->workers; ++team->started) {
    worker_t *worker = &team->all[team->started];
    int error = sluice_thread_start(&worker->thread, worker_main, worker);
    if (error != 0)
      return sluice_fail(SLUICE_STATUS_SYSTEM,
                         "cannot start worker %d of %d: %s (ask for fewer threads)",
                         team->started + 1, team->workers, strerror(error));
  }
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
      sluice_allocate(allocator, (size_t)threads, sizeof *team->all, &team->all);
  for (int32_t i = 0; i < threads && team->all; ++i) {
    team->all[i].team = team;
    team->all[i].me = i;
  }
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
  // A fork has the memory of the workers, but not the workers.
  for (int32_t i = 1; i < team->started && sluice_team_is_here(team); ++i)
    pthread_join(team->all[i].thread, NULL);
  sluice_witness_release(&team->witness);
  sluice_allocator_t allocator = team->allocator;
  sluice_free(&allocator, team->all, (size_t)team->workers, sizeof *team->all);
  sluice_free(&allocator, team, 1, sizeof *team);
}

int32_t sluice_team_workers(const sluice_team_t *team) { return team->workers; }
int64_t sluice_team_regions(const sluice_team_t *team) { return team->regions; }
int64_t sluice_team_barriers(const sluice_team_t *team) { return team->barriers; }
int64_t sluice_team_parks(const sluice_team_t *team) {
  return atomic_load_explicit(&team->region.parks, memory_order_relaxed) +
         atomic_load_explicit(&team->phase.parks, memory_order_relaxed);
}
