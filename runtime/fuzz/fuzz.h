/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h: what the parts of the fuzzer of runtime.h share: the program that is read from bytes, the
 * sessions it works on, and how a call is judged.
 */
#ifndef SLUICE_FUZZ_FUZZ_H
#define SLUICE_FUZZ_FUZZ_H

#include "reference.h"
#include "sluice-rt/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS = 2, PARTS = 4, OPS = 48, ROWS = 64 };

/* The bytes of a program. Behind their end it goes on by chance, and the chance is a function of
 * them: so every input is a whole program, and the same one each time. */
typedef struct input {
  const uint8_t *at, *end;
  uint64_t chance;
} input_t;

static inline uint32_t byte(input_t *in) {
  if (in->at < in->end)
    return *in->at++;
  uint64_t z = in->chance += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return (uint32_t)(z >> 56);
}
static inline uint32_t below(input_t *in, uint32_t bound) { return byte(in) % bound; }
/* Once in |n| times. */
static inline bool rarely(input_t *in, uint32_t n) { return byte(in) % n == n - 1; }

static inline int64_t odd_number(input_t *in) {
  static const int64_t odd[] = {-1, 0, 1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1 << 24, 7};
  return odd[below(in, sizeof odd / sizeof odd[0])];
}

typedef struct world {
  sluice_session_t *session;
  sluice_session_options_t options;
  int32_t max_rows, max_seqs, live_seqs;
  bool cancelled; /* a cancel has not ended a call yet */
  sluice_sequence_t handles[REF_SEQS], stale;
  ref_pool_t pool;
} world_t;

/* The hand-written model, and its weight "head.bias". */
extern sluice_model_t *model;
extern float bias[REF_VOCAB];

/* ---- Judging ---- */

#define MUST(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: not true: %s (last error: %s)\n", __FILE__, __LINE__, #condition,    \
              sluice_last_error());                                                                \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

static inline uint32_t bit(sluice_status_t status) { return 1u << status; }

/* |faults| has a bit for each status that something about the call deserves. None: it must work. */
static inline void judge(sluice_status_t status, uint32_t faults) {
  if (status == SLUICE_STATUS_OK ? faults == 0 : (faults & bit(status)) != 0) {
    if (status != SLUICE_STATUS_OK) {
      // One sentence: there is one, it does not end in a line break, and it does not shout.
      const char *said = sluice_last_error();
      size_t length = strlen(said);
      MUST(length > 10 && said[length - 1] != '\n' && said[length - 1] != '.');
      MUST(!(said[0] >= 'A' && said[0] <= 'Z'));
    }
    return;
  }
  fprintf(stderr, "status %s (%s), expected one of the bits %x\n", sluice_status_name(status),
          sluice_last_error(), faults);
  abort();
}

/* A cancel ends the next call that reaches compiled code. */
static inline bool takes_cancel(world_t *w, uint32_t *faults) {
  if (*faults != 0 || !w->cancelled)
    return false;
  w->cancelled = false;
  *faults = bit(SLUICE_STATUS_CANCELLED);
  return true;
}

/* The number of a living sequence, or -1 and a handle that is none. */
int pick(const world_t *w, input_t *in, sluice_sequence_t *out_handle);

/* Calls that reach compiled code (fuzz_calls.c). */
void run_step(world_t *w, input_t *in);
void run_encode(world_t *w, input_t *in);
void run_sample(world_t *w, input_t *in);
void run_call(world_t *w, input_t *in);
void run_fetch(world_t *w, input_t *in);

#endif
