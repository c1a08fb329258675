/* SPDX-License-Identifier: Apache-2.0
 *
 * reference.h: what sessions of the hand-written model (abi-suite/fake_model.c) should do, in plain
 * loops: every sequence is its whole history, every page a number with a count. Shares no code with
 * the runtime.
 */
#ifndef SLUICE_FUZZ_REFERENCE_H
#define SLUICE_FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
  REF_VOCAB = 50,
  REF_REFUSED = 49, /* the token at which the model traps */
  REF_PAGE = 16,
  REF_MAX_SEQ = 400,
  REF_MAX_POSITIONS = 500,
  REF_SEQS = 6,
  REF_PAGES = 40,
  REF_TABLE = REF_MAX_SEQ / REF_PAGE
};

/* One token as the model keeps it in a page: what was read back is what was written. */
typedef struct ref_slot {
  int32_t key[2]; /* per layer */
  int32_t position, value;
} ref_slot_t;

typedef struct ref_seq {
  bool alive;
  int32_t length;
  ref_slot_t history[REF_MAX_SEQ];
  int32_t pages, page[REF_TABLE];
} ref_seq_t;

typedef struct ref_pool {
  int32_t pages, free;
  int32_t count[REF_PAGES]; /* references */
  ref_seq_t seqs[REF_SEQS];
  ref_slot_t memory[REF_PAGES][REF_PAGE]; /* where the program numbers the pages */
} ref_pool_t;

ref_slot_t ref_slot(int32_t token, int32_t position);

/* Logits after |history| [length]. */
void ref_logits(const ref_slot_t *history, int32_t length, const float *bias, float out[REF_VOCAB]);

/* Takes what |seq| needs for |count| more tokens: false, with the pool half changed, when there is
 * not enough (work on a copy). */
bool ref_reserve(ref_pool_t *pool, ref_seq_t *seq, int32_t count);
void ref_truncate(ref_pool_t *pool, ref_seq_t *seq, int32_t length);
void ref_fork(ref_pool_t *pool, const ref_seq_t *from, ref_seq_t *to);

#endif
