/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h: a counter that threads wait on. A waiter spins, then sleeps in a futex; whoever moves the
 * counter calls the kernel only if somebody sleeps. Without sleepers nothing here is a system call.
 */
#ifndef SLUICE_RT_GATE_H
#define SLUICE_RT_GATE_H

#include "memory.h"

#include <stdatomic.h>

/* Spins that never end: the waiter does not sleep. */
#define SLUICE_SPIN_FOREVER UINT32_MAX

/* The counter has its cache line for itself, so that spinning on it does not slow down its
 * neighbours. */
typedef struct sluice_gate {
  _Alignas(SLUICE_ALIGN) atomic_uint value;
  _Alignas(SLUICE_ALIGN) atomic_uint sleepers;
  atomic_llong parks; /* times that somebody went to sleep here */
} sluice_gate_t;

/* Waits until the counter is no longer |old|; sleeps after |spins| looks at it. */
void sluice_gate_wait(sluice_gate_t *gate, unsigned old, uint32_t spins);
/* Moves the counter by one and wakes everybody. What was written before is visible to whoever sees
 * the new value. */
void sluice_gate_open(sluice_gate_t *gate);

#endif
