/* SPDX-License-Identifier: Apache-2.0
 *
 * injector.h: lets the n-th request that the runtime makes to the system fail, and counts what it
 * holds. The linker puts these definitions before the system's for the runtime's own calls
 * (--wrap); without sanitizers malloc is replaced for the whole process, so that what libc asks for
 * on the runtime's behalf (in dlopen, pthread_create, qsort) fails too.
 */
#ifndef SLUICE_ABI_SUITE_INJECTOR_H
#define SLUICE_ABI_SUITE_INJECTOR_H

#include <stdbool.h>

typedef enum request {
  REQUEST_NONE,
  REQUEST_ALLOCATE, /* posix_memalign */
  REQUEST_MAP,      /* mmap */
  REQUEST_PROTECT,  /* mprotect */
  REQUEST_OPEN,     /* open */
  REQUEST_STAT,     /* fstat */
  REQUEST_THREAD,   /* pthread_create */
  REQUEST_LOAD,     /* dlopen */
  REQUEST_LIBC,     /* malloc, calloc, realloc by libc itself */
  REQUESTS
} request_t;

/* From now on, the |first|-th request of this thread fails, and with |all| every later one. */
void inject(long first, bool all);
/* No request fails any more. Returns what was refused first, and in |out_requests| how many there
 * were. */
request_t inject_nothing(long *out_requests);
const char *request_name(request_t request);

/* What the runtime holds now: blocks, mapped bytes, descriptors, threads, libraries. */
typedef struct holdings {
  long blocks, mapped, files, threads, libraries;
} holdings_t;
holdings_t holdings_now(void);

#endif
