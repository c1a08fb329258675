/* SPDX-License-Identifier: Apache-2.0
 *
 * check.h: what the tests of this folder are made of: a check that counts, and one line per test. A
 * program of tests ends with "return check_finish();".
 */
#ifndef SLUICE_ABI_SUITE_CHECK_H
#define SLUICE_ABI_SUITE_CHECK_H

#include "sluice-rt/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures, check_tests, check_failed_before;

/* Counts a failure and goes on. */
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      ++check_failures;                                                                            \
      printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                             \
    }                                                                                              \
  } while (0)

/* |expression| must be SLUICE_STATUS_OK; the runtime's sentence is printed if not. */
#define CHECK_OK(expression)                                                                       \
  do {                                                                                             \
    sluice_status_t status_ = (expression);                                                        \
    if (status_ != SLUICE_STATUS_OK) {                                                             \
      ++check_failures;                                                                            \
      printf("%s:%d: %s gave \"%s\": %s\n", __FILE__, __LINE__, #expression,                       \
             sluice_status_name(status_), sluice_last_error());                                    \
    }                                                                                              \
  } while (0)

/* As CHECK_OK, but the program ends: what follows would use what was not made. */
#define REQUIRE_OK(expression)                                                                     \
  do {                                                                                             \
    CHECK_OK(expression);                                                                          \
    if (check_failures != 0)                                                                       \
      exit(1);                                                                                     \
  } while (0)

/* |expression| must fail with |expected|, and its sentence must contain |words|. */
#define CHECK_FAILS(expression, expected, words)                                                   \
  check_fails(__FILE__, __LINE__, #expression, (expression), (expected), (words))

static inline void check_fails(const char *file, int line, const char *text, sluice_status_t got,
                               sluice_status_t expected, const char *words) {
  if (got == expected && (got == SLUICE_STATUS_OK || strstr(sluice_last_error(), words)))
    return;
  ++check_failures;
  printf("%s:%d: %s gave \"%s\" (%s), expected \"%s\" with \"%s\"\n", file, line, text,
         sluice_status_name(got), sluice_last_error(), sluice_status_name(expected), words);
}

#define RUN(test)                                                                                  \
  do {                                                                                             \
    check_failed_before = check_failures;                                                          \
    test();                                                                                        \
    ++check_tests;                                                                                 \
    printf("%s %s\n", check_failures == check_failed_before ? "PASS" : "FAIL", #test);             \
    fflush(stdout);                                                                                \
  } while (0)

static inline int check_finish(void) {
  printf("%d tests, %d failed checks\n", check_tests, check_failures);
  return check_failures == 0 ? 0 : 1;
}

#endif
