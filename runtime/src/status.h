/* SPDX-License-Identifier: Apache-2.0
 *
 * status.h: how a failure gets its sentence. The sentence is the thread's own, so models and
 * sessions need no lock for it.
 */
#ifndef SLUICE_RT_STATUS_H
#define SLUICE_RT_STATUS_H

#include "sluice-rt/runtime.h"

/* Writes the thread's error sentence and returns |status|, so that "return sluice_fail(...)" is one
 * line. */
sluice_status_t sluice_fail(sluice_status_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "|format|: " in front of the sentence that is there, and returns |status|. */
sluice_status_t sluice_fail_in(sluice_status_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns |status| of the enclosing function unless |expression| is OK. */
#define SLUICE_TRY(expression)                                                                     \
  do {                                                                                             \
    sluice_status_t try_status_ = (expression);                                                    \
    if (try_status_ != SLUICE_STATUS_OK)                                                           \
      return try_status_;                                                                          \
  } while (0)

#endif
