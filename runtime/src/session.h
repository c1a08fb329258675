/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h: the inside of sluice_session_t: everything that a step needs, allocated once.
 */
#ifndef SLUICE_RT_SESSION_H
#define SLUICE_RT_SESSION_H

#include "model.h"
#include "page_lists.h"
#include "pages.h"
#include "team.h"

struct sluice_session {
  sluice_call_t
      call; /* the record that compiled code sees; 64-byte aligned because the session is */
  sluice_batch_t batch;
  const sluice_model_t *model;
  sluice_allocator_t allocator;
  sluice_team_t *team;
  sluice_pool_t pool;        /* page_count 0 where the model has no pages */
  sluice_page_marks_t marks; /* writer NULL unless the pages are the program's */
  sluice_home_t *own_home;
  int32_t max_rows, max_seqs, live_seqs;
  bool poison;
  int64_t steps;
  uint8_t *arena;
  int64_t arena_bytes;
  int32_t most_args, most_gathers;
  uint64_t call_number; /* marks sequences, so that one given twice is found */

  /* Arrays of the batch record; sizes as in kernel_abi.h with max_seqs for S and max_rows for R. */
  int32_t *row_start, *past, *row_seq, *position, *page_start;
  int32_t *page_table; /* [page_table_size] mapped: few steps have max_seqs sequences of max_seq */
  int64_t page_table_size;
  /* Per sequence of the call, [max_seqs]. */
  sluice_seq_t **seqs;
  sluice_reservation_t *undo;
  /* Tensors that the runtime fills itself, [max_rows]. */
  int32_t *tokens, *token_types, *ask;
  int64_t *rng;
  /* [most_args], [most_gathers] */
  void **args;
  int64_t *dims;
  int64_t *gather_tokens;
};

/* INVALID_ARGUMENT when |s| is NULL, or its threads are in another process. */
sluice_status_t sluice_session_check(const sluice_session_t *s);

#endif
