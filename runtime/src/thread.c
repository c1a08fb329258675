/* SPDX-License-Identifier: Apache-2.0
 *
 * thread.c: starts threads and makes witnesses of a process.
 */
#define _GNU_SOURCE 1
#include "thread.h"

#include <signal.h>
#include <sys/mman.h>

int sluice_thread_start(pthread_t *out, void *(*run)(void *), void *argument) {
  // What the outside sends belongs to the program's threads. What an instruction of ours causes
  // (say, a mapped file that has shrunk) stays open: blocked, it would end the process without
  // asking the program's handler.
  static const int own[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
  sigset_t block, old;
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error != 0)
    return error;
  sigfillset(&block);
  for (size_t i = 0; i < sizeof own / sizeof own[0]; ++i)
    sigdelset(&block, own[i]);
  error = pthread_attr_setstacksize(&attributes, SLUICE_THREAD_STACK);
  pthread_sigmask(SIG_SETMASK, &block, &old);
  if (error == 0)
    error = pthread_create(out, &attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

enum { WITNESS_BYTES = 1 };

sluice_status_t sluice_witness_create(sluice_witness_t *out) {
  uint8_t *here;
  SLUICE_TRY(sluice_map_anonymous(WITNESS_BYTES, "the witness of a process", &here));
  *here = 1;
#ifdef MADV_WIPEONFORK
  // A kernel that cannot do this (before 4.14) leaves forks unnoticed, as they would be without us.
  (void)madvise(here, WITNESS_BYTES, MADV_WIPEONFORK);
#endif
  out->here = here;
  return SLUICE_STATUS_OK;
}

void sluice_witness_release(sluice_witness_t *witness) {
  sluice_unmap((void *)(uintptr_t)witness->here, WITNESS_BYTES);
  witness->here = NULL;
}
