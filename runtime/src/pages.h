/* SPDX-License-Identifier: Apache-2.0
 *
 * pages.h: the page pool and the sequences that own its pages. Pages are counted references; a
 * sequence that is about to append gets a page of its own first (copy on write). Everything is
 * allocated when the pool is made.
 */
#ifndef SLUICE_RT_PAGES_H
#define SLUICE_RT_PAGES_H

#include "memory.h"

typedef struct sluice_seq {
  int64_t length;      /* tokens */
  int32_t pages;       /* pages held */
  int32_t *table;      /* [pages_per_seq] */
  uint32_t generation; /* odd while alive; part of the program's handle, so that old handles are
                          recognised */
  uint64_t marked;     /* number of the call that last used it: finds a sequence given twice */
} sluice_seq_t;

typedef struct sluice_pool {
  sluice_allocator_t allocator;
  const sluice_kv_info_t *kv;
  int32_t kv_count;
  int32_t page;          /* slots */
  int32_t pages_per_seq; /* for max_seq tokens */
  int64_t page_count;
  sluice_pages_t *memory; /* [kv_count] as compiled code sees it */
  int64_t *memory_bytes;  /* [kv_count] */
  int32_t *references;    /* [page_count] */
  int32_t *free_list;     /* [page_count] a stack of pages given back */
  int64_t stacked;        /* pages on the stack: the next to go */
  int64_t fresh;          /* pages handed out that were not on the stack: the others follow, in the
                             order of |first| and |step| */
  int64_t first, step;
  int64_t free_count; /* both kinds */
  sluice_seq_t *seqs; /* [seq_count] */
  int32_t *tables;    /* [seq_count * pages_per_seq] */
  uint8_t *counts;    /* the memory of references, free_list and tables */
  int32_t seq_count;
  bool poison;
  int64_t copies;
  int64_t bytes;
} sluice_pool_t;

/* Makes the pool for |page_count| pages (at most INT32_MAX) and |seq_count| sequences (at most
 * 2^24) of up to |max_seq| tokens. |shuffle| is the seed of the order of pages, 0 for ascending.
 * |pool| must be zero. */
sluice_status_t sluice_pool_create(const sluice_allocator_t *allocator, const sluice_kv_info_t *kv,
                                   int32_t kv_count, int64_t page_count, int32_t seq_count,
                                   int64_t max_seq, uint64_t shuffle, bool poison,
                                   sluice_pool_t *pool);
void sluice_pool_release(sluice_pool_t *pool);

/* The living sequence that |handle| names, or NULL. */
sluice_seq_t *sluice_pool_find(const sluice_pool_t *pool, sluice_sequence_t handle);

sluice_status_t sluice_pool_create_seq(sluice_pool_t *pool, sluice_sequence_t *out_handle);
sluice_status_t sluice_pool_fork_seq(sluice_pool_t *pool, const sluice_seq_t *seq,
                                     sluice_sequence_t *out_handle);
void sluice_pool_truncate_seq(sluice_pool_t *pool, sluice_seq_t *seq, int64_t length);
void sluice_pool_drop_seq(sluice_pool_t *pool, sluice_seq_t *seq);

/* What sluice_pool_reserve did to one sequence, so that it can be undone. */
typedef struct sluice_reservation {
  int32_t pages_before;
  int32_t shared_page; /* that a copy has replaced; -1: none */
} sluice_reservation_t;

/* Makes room for |count| more tokens: copies a shared last page, adds pages. Does not change the
 * length. false, with nothing changed, when there are too few pages. */
bool sluice_pool_reserve(sluice_pool_t *pool, sluice_seq_t *seq, int64_t count,
                         sluice_reservation_t *out_undo);
/* Undoes the latest sluice_pool_reserve of |seq|. */
void sluice_pool_unreserve(sluice_pool_t *pool, sluice_seq_t *seq,
                           const sluice_reservation_t *undo);

#endif
