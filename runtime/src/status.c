/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c: names of statuses and the thread's last error sentence.
 */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024 };
static _Thread_local char last_error[MESSAGE_BYTES];

const char *sluice_last_error(void) { return last_error; }

const char *sluice_status_name(sluice_status_t status) {
  switch (status) {
  case SLUICE_STATUS_OK:
    return "ok";
  case SLUICE_STATUS_INVALID_ARGUMENT:
    return "invalid argument";
  case SLUICE_STATUS_NOT_FOUND:
    return "not found";
  case SLUICE_STATUS_BAD_ARTEFACT:
    return "bad artefact";
  case SLUICE_STATUS_TOO_NEW:
    return "too new";
  case SLUICE_STATUS_WRONG_TARGET:
    return "wrong target";
  case SLUICE_STATUS_OUT_OF_MEMORY:
    return "out of memory";
  case SLUICE_STATUS_OUT_OF_PAGES:
    return "out of pages";
  case SLUICE_STATUS_LIMIT:
    return "limit";
  case SLUICE_STATUS_TRAP:
    return "trap";
  case SLUICE_STATUS_SYSTEM:
    return "system";
  case SLUICE_STATUS_CANCELLED:
    return "cancelled";
  }
  return "unknown status";
}

sluice_status_t sluice_fail(sluice_status_t status, const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(last_error, sizeof last_error, format, list);
  va_end(list);
  return status;
}

sluice_status_t sluice_fail_in(sluice_status_t status, const char *format, ...) {
  char joined[MESSAGE_BYTES];
  va_list list;
  va_start(list, format);
  int used = vsnprintf(joined, sizeof joined, format, list);
  va_end(list);
  if (used < 0)
    used = 0;
  if ((size_t)used < sizeof joined)
    snprintf(joined + used, sizeof joined - (size_t)used, ": %s", last_error);
  memcpy(last_error, joined, sizeof joined);
  return status;
}
