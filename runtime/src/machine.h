/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.h: what the machine under the process can do: architecture, instruction-set features,
 * cores.
 */
#ifndef SLUICE_RT_MACHINE_H
#define SLUICE_RT_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum sluice_has { SLUICE_HAS_NOT, SLUICE_HAS, SLUICE_HAS_UNKNOWN } sluice_has_t;

/* "x86_64" or "aarch64". */
const char *sluice_machine_arch(void);
/* Whether processor and operating system have |feature|, by LLVM's name for it; UNKNOWN for a name
 * not in the table. */
sluice_has_t sluice_machine_feature(const char *feature);
/* Cores that this process may run on, at least 1. */
int32_t sluice_machine_cores(void);

/* Tells the core that this thread is waiting for another one. */
static inline void sluice_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
