/* SPDX-License-Identifier: Apache-2.0
 *
 * thread.h: how the runtime starts threads of its own, and how it notices that a process was forked
 * away from them.
 */
#ifndef SLUICE_RT_THREAD_H
#define SLUICE_RT_THREAD_H

#include "memory.h"

#include <pthread.h>

/* Stack of a thread of ours: the 1 MiB that compiled code may use, and as much for the rest. The
 * system's default follows a limit of the shell, so it promises nothing. */
enum { SLUICE_THREAD_STACK = 2 << 20 };

/* Starts |run|(|argument|) on a thread that takes no signals but those that its own instructions
 * cause. Returns 0 or an errno number. */
int sluice_thread_start(pthread_t *out, void *(*run)(void *), void *argument);

/* A byte that is true in the process that made it and false in its forks. */
typedef struct sluice_witness {
  const uint8_t *here;
} sluice_witness_t;

sluice_status_t sluice_witness_create(sluice_witness_t *out);
/* Whether the threads that were started with |witness| exist in this process; true when zero. */
static inline bool sluice_witness_is_here(const sluice_witness_t *witness) {
  return !witness->here || *witness->here;
}
void sluice_witness_release(sluice_witness_t *witness);

#endif
