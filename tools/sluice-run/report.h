/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h: how sluice-run speaks: one sentence on stderr, an exit code, results on stdout.
 */
#ifndef SLUICE_RUN_REPORT_H
#define SLUICE_RUN_REPORT_H

#include "sluice-rt/runtime.h"

/* Exit codes of all tools. */
enum {
  EXIT_OK = 0,
  EXIT_USAGE = 1,
  EXIT_BAD_INPUT = 2,
  EXIT_NOT_BUILT = 3,
  EXIT_RUN_TIME = 4,
  EXIT_INTERNAL = 70,
  EXIT_INTERRUPTED = 130,
};

/* Prints "sluice-run: error: ..." and returns |code|, so that "return report_error(...)" is one
 * line. */
int report_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints "sluice-run: |kind|: |message|" on stderr, control characters as "?". */
void report_line(const char *kind, const char *message);

/* Prints the runtime's sentence and returns the exit code of |status|. */
int report_status(sluice_status_t status);

/* Flushes stdout. A result that could not be written is a failure: returns EXIT_RUN_TIME then, else
 * |code|. */
int report_finish(int code);

/* Prints |text| as a JSON string on stdout. */
void report_json_string(const char *text);

/* Seconds of a clock that only goes forward. */
double report_seconds(void);

/* malloc for |count| elements of |size| bytes, zeroed; ends the process with a sentence when there
 * is none. */
void *report_allocate(size_t count, size_t size);

/* Returns the code of a failing |expression| (an int that is 0 on success). */
#define TRY(expression)                                                                            \
  do {                                                                                             \
    int try_code_ = (expression);                                                                  \
    if (try_code_ != EXIT_OK)                                                                      \
      return try_code_;                                                                            \
  } while (0)

/* Reports and returns when a runtime call fails. */
#define TRY_STATUS(expression)                                                                     \
  do {                                                                                             \
    sluice_status_t try_status_ = (expression);                                                    \
    if (try_status_ != SLUICE_STATUS_OK)                                                           \
      return report_status(try_status_);                                                           \
  } while (0)

#endif
