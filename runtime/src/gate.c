/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c: spin, then park.
 */
#define _GNU_SOURCE 1
#include "gate.h"
#include "machine.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static void futex(atomic_uint *address, int operation, unsigned value) {
  syscall(SYS_futex, (void *)address, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void sluice_gate_wait(sluice_gate_t *gate, unsigned old, uint32_t spins) {
  for (uint32_t i = 0; i < spins || spins == SLUICE_SPIN_FOREVER; ++i) {
    if (atomic_load_explicit(&gate->value, memory_order_acquire) != old)
      return;
    sluice_pause();
  }
  // Sleepers are counted before the kernel compares the value, and sluice_gate_open reads the count
  // after it has changed the value: so either the kernel sees the new value or the opener sees the
  // sleeper.
  atomic_fetch_add(&gate->sleepers, 1);
  while (atomic_load(&gate->value) == old) {
    atomic_fetch_add_explicit(&gate->parks, 1, memory_order_relaxed);
    futex(&gate->value, FUTEX_WAIT, old);
  }
  atomic_fetch_sub(&gate->sleepers, 1);
}

void sluice_gate_open(sluice_gate_t *gate) {
  atomic_fetch_add(&gate->value, 1);
  if (atomic_load(&gate->sleepers) != 0)
    futex(&gate->value, FUTEX_WAKE, INT32_MAX);
}
