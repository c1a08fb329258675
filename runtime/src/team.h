/* SPDX-License-Identifier: Apache-2.0
 *
 * team.h: the workers of a session. They enter a step once, meet at barriers inside it, and leave
 * it together. The thread that calls sluice_team_run is worker 0.
 */
#ifndef SLUICE_RT_TEAM_H
#define SLUICE_RT_TEAM_H

#include "memory.h"

typedef struct sluice_team sluice_team_t;

/* Workers of one team, at most. */
enum { SLUICE_TEAM_MAX = 256 };

/* Starts a team of |threads| (0: one per core) and stores it in |out_team|. */
sluice_status_t sluice_team_create(const sluice_allocator_t *allocator, int32_t threads,
                                   sluice_spin_t spin, sluice_team_t **out_team);
/* Stops and frees |team|; NULL is fine. */
void sluice_team_release(sluice_team_t *team);

int32_t sluice_team_workers(const sluice_team_t *team);

/* Runs |entry| on every worker with |call| and returns when all of them have returned. false when
 * the step was cancelled; with |may_leave| it has then ended at a barrier, unless it was past the
 * last one. */
bool sluice_team_run(sluice_team_t *team, sluice_entry_fn entry, sluice_call_t *call,
                     bool may_leave);

/* Cancels the step under way or, if there is none, the next one. From any thread, or a signal
 * handler. */
void sluice_team_cancel(sluice_team_t *team);

/* false in a process that was forked away from the team's threads: it must not run there. */
bool sluice_team_is_here(const sluice_team_t *team);

/* Returns when all workers have called it, or, when the step is cancelled, does not return; the
 * barrier of sluice_call_t. */
void sluice_team_barrier(void *team, int32_t me);

/* Counters for sluice_stats_t. */
int64_t sluice_team_regions(const sluice_team_t *team);
int64_t sluice_team_barriers(const sluice_team_t *team);
int64_t sluice_team_parks(const sluice_team_t *team);

#endif
