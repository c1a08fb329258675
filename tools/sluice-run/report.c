/* SPDX-License-Identifier: Apache-2.0
 *
 * report.c: messages and exit codes.
 */
#define _GNU_SOURCE 1
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void report_line(const char *kind, const char *message) {
  fflush(stdout);
  fprintf(stderr, "sluice-run: %s: ", kind);
  // Names from files must not steer the terminal.
  for (const char *c = message; *c; ++c)
    fputc(((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f ? '?' : *c, stderr);
  fputc('\n', stderr);
}

int report_error(int code, const char *format, ...) {
  char message[4096];
  va_list list;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  report_line("error", message);
  return code;
}

int report_status(sluice_status_t status) {
  int code = EXIT_RUN_TIME;
  switch (status) {
  case SLUICE_STATUS_OK:
    return EXIT_OK;
  case SLUICE_STATUS_INVALID_ARGUMENT:
  case SLUICE_STATUS_NOT_FOUND:
  case SLUICE_STATUS_BAD_ARTEFACT:
  case SLUICE_STATUS_TOO_NEW:
  case SLUICE_STATUS_WRONG_TARGET:
  case SLUICE_STATUS_LIMIT:
    code = EXIT_BAD_INPUT;
    break;
  case SLUICE_STATUS_OUT_OF_MEMORY:
  case SLUICE_STATUS_OUT_OF_PAGES:
  case SLUICE_STATUS_TRAP:
  case SLUICE_STATUS_SYSTEM:
    break;
  case SLUICE_STATUS_CANCELLED:
    code = EXIT_INTERRUPTED;
    break;
  }
  return report_error(code, "%s", sluice_last_error());
}

int report_finish(int code) {
  if (fflush(stdout) != 0 || ferror(stdout)) {
    int reason = errno;
    return code != EXIT_OK ? code
                           : report_error(EXIT_RUN_TIME, "cannot write the results to stdout: %s",
                                          strerror(reason));
  }
  return code;
}

void report_json_string(const char *text) {
  putchar('"');
  for (const unsigned char *c = (const unsigned char *)text; *c; ++c)
    if (*c == '"' || *c == '\\')
      printf("\\%c", *c);
    else if (*c < 0x20)
      printf("\\u%04x", *c);
    else
      putchar(*c);
  putchar('"');
}

double report_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void *report_allocate(size_t count, size_t size) {
  void *pointer = calloc(count ? count : 1, size ? size : 1);
  if (!pointer)
    exit(report_error(EXIT_RUN_TIME, "no memory for %zu elements of %zu bytes", count, size));
  return pointer;
}
