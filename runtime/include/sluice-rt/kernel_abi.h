/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_abi.h: what compiled code sees of the runtime, and nothing else.
 *
 * The compiler emits functions of type sluice_entry_fn and reads the structs below at the offsets
 * asserted at the end of this file. The runtime fills one sluice_call_t per step; every worker of
 * the team then calls the entry once with the same record. Compiled code never allocates, locks or
 * makes a system call; the only things it calls are the function pointers in the record.
 *
 * Fields are ordered by use: what every phase touches stands in the first cache line. Reserved
 * space is zero. A change of any offset or meaning raises SLUICE_ABI_VERSION; the loader refuses a
 * library built for another one. Reserved space may get a meaning without that, where zero means
 * what it meant before and code that does not know it may ignore it.
 */
#ifndef SLUICE_RT_KERNEL_ABI_H
#define SLUICE_RT_KERNEL_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_ABI_VERSION 1u

/* Slots of one KV tile; pages are a multiple of it. */
#define SLUICE_TILE_SLOTS 16
/* Keys of one cut of an attention reduction. */
#define SLUICE_CUT_KEYS 256

/* What !sluice.batch is at run time: which rows belong to which sequence. All arrays are read-only
 * during a step. */
typedef struct sluice_batch {
  int32_t rows;             /* R: rows of this step, all sequences together */
  int32_t seqs;             /* S: sequences with rows in this step */
  const int32_t *row_start; /* [S + 1] first row of each sequence; first 0, last R, ascending */
  const int32_t *past; /* [S] keys in the pages before this step; all 0 where there is no cache */
  const int32_t *row_seq;    /* [R] sequence of each row */
  const int32_t *position;   /* [R] position of each row, for rotary and learned positions */
  const int32_t *page_start; /* [S + 1] first entry of each sequence in page_table; NULL where there
                                is no cache */
  const int32_t *page_table; /* [page_start[S]] page numbers, in order of the keys; NULL where there
                                is no cache */
} sluice_batch_t;

/* What !sluice.pages is at run time: the memory of one page pool. Layout: docs/Contracts.md,
 * section 3. */
typedef struct sluice_pages {
  uint8_t *base;      /* 64-byte aligned */
  int64_t page_count; /* pages in the pool; page numbers are below it (checked by compiled code) */
} sluice_pages_t;

/* Why compiled code refused to go on with a value from outside. The first one of a step is kept. */
typedef enum sluice_trap_code {
  SLUICE_TRAP_NONE = 0,
  SLUICE_TRAP_ID = 1,       /* a row number given to a gather is outside its table */
  SLUICE_TRAP_PAGE = 2,     /* a page number is outside the pool, or a sequence has too few pages */
  SLUICE_TRAP_POSITION = 3, /* a position is outside a table of positions */
  SLUICE_TRAP_TABLE = 4,    /* a home cannot read a table: its file is short, gone or changed */
} sluice_trap_code_t;

typedef struct sluice_trap {
  int32_t code; /* sluice_trap_code_t; written by compare-exchange from 0, so the first one stays */
  int32_t location; /* index into the manifest's "locations"; -1 unknown */
  int64_t value;    /* the value found */
  int64_t bound;    /* values must be in [0, bound) */
} sluice_trap_t;

/* A table that lives elsewhere (another device, a file, a near-memory unit): rows are fetched
 * asynchronously. submit() is called by one worker and returns at once; await() blocks until the
 * rows of |token| are in |dest|. Rows arrive in the order of |ids|, |row_bytes| each, |dest_stride|
 * bytes apart. */
typedef struct sluice_home {
  void *self;
  /* Returns a token, or -1 when the request cannot be taken (then await(-1) must not be called). */
  int64_t (*gather_submit)(void *self, int32_t table, const int32_t *ids, int64_t count,
                           int64_t row_bytes, uint8_t *dest, int64_t dest_stride);
  /* 0 when the rows have arrived, else a sluice_trap_code_t. */
  int32_t (*gather_await)(void *self, int64_t token);
} sluice_home_t;

/* Who wants to know what workers do, and when. Compiled code calls mark() on every worker: before
 * an op with its number in the manifest's "ops", and with SLUICE_MARK_IDLE before a barrier and at
 * the end of a step. So a mark ends what the one before it began. mark() may make system calls; it
 * must not block on another worker. */
#define SLUICE_MARK_IDLE (-1)
struct sluice_call;
typedef struct sluice_tracer {
  void *self;
  void (*mark)(void *self, const struct sluice_call *call, int32_t me, int32_t what);
} sluice_tracer_t;

/* One step. Filled by the runtime, shared by all workers, constant during the step except |trap|.
 */
typedef struct sluice_call {
  const sluice_batch_t *batch;
  uint8_t *arena;          /* 64-byte aligned scratch; size row*max_rows + seq*max_seqs + fixed */
  uint8_t *const *weights; /* [weights of the manifest] 64-byte aligned, manifest order */
  const sluice_pages_t *pages; /* [kv of the manifest] */
  void *const *args;           /* [args of the function] dense row-major tensors */
  const int64_t *dims;         /* [args of the function] size of each one's leading dimension */
  /* Returns when all workers have called it; does not return, to any of them, when the step is
   * cancelled. */
  void (*barrier)(void *team, int32_t me);
  void *team;
  /* second cache line */
  int64_t max_rows;          /* a multiple of 16, at least batch->rows */
  int64_t max_seqs;          /* at least batch->seqs */
  const sluice_home_t *home; /* where asynchronous gathers go; NULL when the manifest has none */
  int64_t *tokens;           /* [gathers of the function] tokens of gathers under way */
  sluice_trap_t trap;
  const sluice_tracer_t *tracer; /* NULL: nobody; reserved in libraries that do not know it */
} sluice_call_t;

/* |me| in [0, workers). */
typedef void (*sluice_entry_fn)(sluice_call_t *call, int32_t me, int32_t workers);

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define SLUICE_ABI_ASSERT _Static_assert
#else
#define SLUICE_ABI_ASSERT static_assert
#endif
SLUICE_ABI_ASSERT(sizeof(void *) == 8, "the ABI is for 64-bit targets");
SLUICE_ABI_ASSERT(sizeof(sluice_batch_t) == 56, "sluice_batch_t");
SLUICE_ABI_ASSERT(offsetof(sluice_batch_t, row_start) == 8, "row_start");
SLUICE_ABI_ASSERT(offsetof(sluice_batch_t, page_table) == 48, "page_table");
SLUICE_ABI_ASSERT(sizeof(sluice_pages_t) == 16, "sluice_pages_t");
SLUICE_ABI_ASSERT(sizeof(sluice_trap_t) == 24, "sluice_trap_t");
SLUICE_ABI_ASSERT(sizeof(sluice_call_t) == 128, "sluice_call_t");
SLUICE_ABI_ASSERT(offsetof(sluice_call_t, team) == 56, "team");
SLUICE_ABI_ASSERT(offsetof(sluice_call_t, max_rows) == 64, "max_rows");
SLUICE_ABI_ASSERT(offsetof(sluice_call_t, trap) == 96, "trap");
SLUICE_ABI_ASSERT(offsetof(sluice_call_t, tracer) == 120, "tracer");

#ifdef __cplusplus
}
#endif
#endif
