/* SPDX-License-Identifier: Apache-2.0
 *
 * runtime.h: what a program calls to run a compiled model.
 *
 * How a program uses this (examples/hello.c is this list as code):
 *
 *   1. sluice_model_load("NAME.sluice", NULL, &model)     maps the artefact
 *   2. sluice_session_create(model, &options, &session)   makes workers, scratch and page pool
 *   3. sluice_sequence_create(session, &sequence)         decoders: one per conversation
 *   4. fill a sluice_part_t per sequence: its tokens, and how many last rows to give logits for
 *   5. sluice_session_step(session, "step", parts, n, logits)   one step over all parts
 *   6. choose tokens (sluice_session_sample, or your own code), go to 4
 *   7. sluice_sequence_drop, sluice_session_release, sluice_model_release
 *
 *   Encoders: no 3; 5 is sluice_session_encode. Anything else a model exports: sluice_session_call.
 *
 * Every call that can fail returns a sluice_status_t and leaves its outputs untouched on failure;
 * the sentence that says what was expected, what was found and what to do is in
 * sluice_last_error(). There is no global state but that thread-local sentence. The environment is
 * not read. A step that succeeds allocates nothing, takes no lock and makes no system call (with
 * one thread, or with spin = always). NULL where an object is expected is INVALID_ARGUMENT (or -1,
 * NULL, nothing: what the call has for it); a pointer that is dangling or not ours cannot be told.
 *
 * Threads: models are immutable and shared freely; a session belongs to one thread at a time.
 * Forks: a model works in a forked process; a session with threads of its own does not, and says so
 * (INVALID_ARGUMENT); release is the one call that it takes there.
 * Files: an artefact is mapped, not copied. If one of its files is cut or its disk fails while it
 * is mapped, the kernel sends SIGBUS to the thread that touches the missing page, as with every
 * mapped file; threads of the runtime leave that signal to the program's handler. Replace an
 * artefact by renaming a new one into its place, which leaves what is mapped alone.
 */
#ifndef SLUICE_RT_RUNTIME_H
#define SLUICE_RT_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice-rt/kernel_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_API __attribute__((visibility("default")))

/* The newest manifest this runtime reads ("sluice": N in manifest.json). */
#define SLUICE_MANIFEST_VERSION 2
/* Dimensions of a tensor, at most. */
#define SLUICE_RANK_MAX 8

/* ---- Status -------------------------------------------------------------------------- */

/* Why a call failed. The list is closed: a new reason is a new major version. */
typedef enum sluice_status {
  SLUICE_STATUS_OK = 0,
  /* The call contradicts this header or the function's signature: fix the program. */
  SLUICE_STATUS_INVALID_ARGUMENT = 1,
  /* No such file, function, argument or sequence. */
  SLUICE_STATUS_NOT_FOUND = 2,
  /* The artefact's files contradict each other or their format: compile again. */
  SLUICE_STATUS_BAD_ARTEFACT = 3,
  /* Made for a newer runtime; the message names both versions. */
  SLUICE_STATUS_TOO_NEW = 4,
  /* Built for another machine; the message names what this one lacks. */
  SLUICE_STATUS_WRONG_TARGET = 5,
  /* The allocator or the system had no more. */
  SLUICE_STATUS_OUT_OF_MEMORY = 6,
  /* The page pool is used up: drop or truncate sequences and repeat the same call. */
  SLUICE_STATUS_OUT_OF_PAGES = 7,
  /* Past a limit of the model or of the session; the message names it. */
  SLUICE_STATUS_LIMIT = 8,
  /* Compiled code refused a value; the message has the line of the description. */
  SLUICE_STATUS_TRAP = 9,
  /* The operating system refused; the message has its reason. */
  SLUICE_STATUS_SYSTEM = 10,
  /* sluice_session_cancel was called. */
  SLUICE_STATUS_CANCELLED = 11,
} sluice_status_t;

/* The name of |status| without prefix, lower case ("out of pages"); never NULL. */
SLUICE_API const char *sluice_status_name(sluice_status_t status);

/* What the last failing call of this thread had to say: lower case, one sentence, "" before the
 * first failure. Owned by the runtime, valid until the thread's next failing call. Successful calls
 * leave it alone. */
SLUICE_API const char *sluice_last_error(void);

/* ---- What a program can plug in ------------------------------------------------------ */

/* Where small and middle-sized memory comes from (bookkeeping, tables, file headers). Weights,
 * pages and the arena are mapped from the system, because they must be aligned, lazily zeroed and
 * possibly larger than memory. allocate() returns |size| bytes aligned to |alignment| (a power of
 * two), or NULL; release() gets the same size back. Called during load, create and release, never
 * during a step. Must be thread-safe if models are made from many threads. */
typedef struct sluice_allocator {
  void *self;
  void *(*allocate)(void *self, size_t size, size_t alignment);
  void (*release)(void *self, void *pointer, size_t size);
} sluice_allocator_t;

typedef enum sluice_log_level {
  SLUICE_LOG_REMARK = 0,  /* what a curious user wants to know: sizes, choices */
  SLUICE_LOG_WARNING = 1, /* works, but not as one would like */
} sluice_log_level_t;

/* Receives remarks, without newline. Called on the thread that calls the runtime; never during a
 * step. */
typedef struct sluice_log {
  void *self;
  void (*write)(void *self, sluice_log_level_t level, const char *message);
} sluice_log_t;

/* ---- Models -------------------------------------------------------------------------- */

/* A loaded artefact with its weights. Immutable, so threads and sessions may share it. Must outlive
 * its sessions. */
typedef struct sluice_model sluice_model_t;

/* All zero means: all defaults. */
typedef struct sluice_model_options {
  sluice_allocator_t allocator; /* allocate == NULL: malloc */
  sluice_log_t log;             /* write == NULL: silence */
  int32_t threads;              /* that make generated weights; 0: the cores this process may use */
  /* Read the manifest and nothing else: no code, no weights, any target. Sessions are refused. */
  bool metadata_only;
  /* Which of an artefact's variants to take, counted from 1; 0: the first that this machine can
   * run. */
  uint8_t variant;
  bool reserved[2];
} sluice_model_options_t;

typedef enum sluice_kind {
  SLUICE_KIND_DECODER = 0, /* exports "step" (and "sample") over sequences with pages */
  SLUICE_KIND_ENCODER = 1, /* exports "forward" (and "embed") over rows */
  SLUICE_KIND_OP = 2,      /* exports anything; called by sluice_session_call */
} sluice_kind_t;

typedef enum sluice_dtype {
  SLUICE_DTYPE_F32 = 0,
  SLUICE_DTYPE_BF16 = 1,
  SLUICE_DTYPE_F16 = 2,
  SLUICE_DTYPE_I8 = 3,
  SLUICE_DTYPE_U8 = 4,
  SLUICE_DTYPE_I16 = 5,
  SLUICE_DTYPE_I32 = 6,
  SLUICE_DTYPE_I64 = 7,
} sluice_dtype_t;

/* Bytes of one element; 0 for a number that is no dtype. */
SLUICE_API size_t sluice_dtype_bytes(sluice_dtype_t dtype);
/* "f32", "bf16", ...; "?" for a number that is no dtype. */
SLUICE_API const char *sluice_dtype_name(sluice_dtype_t dtype);

/* A leading dimension whose size each call decides. */
enum { SLUICE_DIM_ROWS = -1, SLUICE_DIM_SEQS = -2, SLUICE_DIM_ASKED = -3 };

/* A bound that is not a number: none, or the number of rows of the call. */
enum { SLUICE_BOUND_NONE = -1, SLUICE_BOUND_ROWS = -2 };

/* One argument or result of an exported function. Owned by the model. */
typedef struct sluice_arg_info {
  const char *name;
  bool output;
  sluice_dtype_t dtype;
  int32_t rank;                   /* 1 .. SLUICE_RANK_MAX */
  int64_t shape[SLUICE_RANK_MAX]; /* [rank]; shape[0] may be a SLUICE_DIM_*; the others are sizes */
  int64_t row_elements;           /* product of shape[1 ..] */
  /* Integer inputs must be in [0, bound), checked before the call; or a SLUICE_BOUND_*. */
  int64_t bound;
} sluice_arg_info_t;

/* An exported function. Owned by the model. */
typedef struct sluice_function_info {
  const char *name;
  const char *symbol;
  int64_t arena_row, arena_seq, arena_fixed; /* bytes of scratch per row, per sequence, and once */
  int32_t gathers;                           /* asynchronous gathers it may have under way */
  int32_t arg_count;
  const sluice_arg_info_t *args; /* [arg_count] arguments first, then results */
} sluice_function_info_t;

/* One kind of KV page. Owned by the model. */
typedef struct sluice_kv_info {
  const char *name;
  int64_t layers, kv_heads, k, v; /* heads' sizes of keys and values */
  sluice_dtype_t dtype;
  int32_t page;       /* slots, that is tokens, of a page */
  int64_t page_bytes; /* of one page, all layers and heads */
  bool shared;        /* a value is the first v numbers of its key, and has no room of its own */
} sluice_kv_info_t;

/* One packed weight. Owned by the model. */
typedef struct sluice_weight_info {
  const char *name;
  sluice_dtype_t dtype;
  int32_t rank;
  int64_t shape[SLUICE_RANK_MAX]; /* [rank] logical; the first is the stack if |stack| > 0 */
  int64_t stack;                  /* blocks; 0: not stacked */
  bool panel;                     /* packed in panels; else row-major */
  bool generated;                 /* made from a seed at load; else mapped from the file */
  int64_t bytes;                  /* packed, all blocks */
  int64_t stride;                 /* packed, of one block */
  int32_t code_bits;  /* 4 or 8: stored as codes with scales; 0: as numbers of |dtype| */
  int32_t code_group; /* inputs that share a scale; 0 without codes */
} sluice_weight_info_t;

/* An amount that a step decides: |fixed| once, and so much for each row, sequence and asked row,
 * for each key that the step's sequences have (cached ones and its own), and for each pair of a row
 * and a key that it sees. */
typedef struct sluice_amount {
  int64_t fixed, row, seq, asked, key, pair;
} sluice_amount_t;

/* One op of compiled code: what a tracer's marks number (kernel_abi.h). Texts are never NULL. Owned
 * by the model. */
typedef struct sluice_op_info {
  int32_t function;       /* index of the function that runs it */
  int64_t times;          /* that a step runs it (layers) */
  const char *op;         /* "linear" */
  const char *phase;      /* "layers.qkv" */
  const char *share;      /* what workers divide: "rows", "columns", ... */
  const char *path;       /* the kernel that was chosen, and how it steps */
  const char *dot;        /* how a step of a linear layer's chain is done: "fma", ...; else "" */
  const char *dtype;      /* of its weights, else of what it makes */
  const char *schedule;   /* register tile and blocking of a linear layer; else "" */
  const char *mask;       /* of attention: "causal", "all", "other"; else "" */
  const char *reason;     /* why this path and schedule */
  const char *location;   /* file:line:column of the description, "" when there is none */
  int64_t weight_bytes;   /* read once per run, whatever the rows (none: no asked rows, no run) */
  sluice_amount_t memory; /* bytes per run from outside: tables' rows, keys and values */
  sluice_amount_t rows;   /* bytes per run read and written in scratch and arguments */
  sluice_amount_t operations; /* per run */
} sluice_op_info_t;

/* What a model can be asked; -1 where the description sets no limit. */
typedef struct sluice_limits {
  int64_t vocab;         /* token ids are below it */
  int64_t max_positions; /* positions are below it */
  int64_t max_seq;       /* tokens of one sequence, at most */
  int64_t token_types;
  int64_t embed_max_seq; /* tokens that "embed" takes per sequence, at most */
} sluice_limits_t;

/* Everything about a model that is not a list of its own. Owned by the model. */
typedef struct sluice_model_info {
  const char *path;
  const char *name;
  const char *compiler;
  const char *triple;
  const char *cpu;
  const char *dot; /* "fma", "dpbf16": which chain linear layers follow */
  int32_t feature_count;
  const char *const *features; /* [feature_count] of the processor, that the code needs */
  sluice_kind_t kind;
  sluice_limits_t limits;
  int32_t function_count, weight_count, kv_count, eos_count;
  const sluice_function_info_t *functions; /* [function_count] */
  const sluice_weight_info_t *weights;     /* [weight_count] */
  const sluice_kv_info_t *kv;              /* [kv_count] */
  const int32_t *eos;                      /* [eos_count] ids that end a generation */
  int64_t weight_bytes;                    /* of all weights, packed */
  int32_t op_count;
  const sluice_op_info_t *ops; /* [op_count], the ops of each function in the order they run */
  /* Processors that the artefact has code for, the best first, and which of them this is about. An
   * artefact for one has one. */
  int32_t variant_count, variant;
  const char *const *variants; /* [variant_count] LLVM's names */
  int64_t max_rows, max_seqs;  /* of one step, as compiled for; -1: a session says */
  const char *weight_file;     /* below |path|; it is there unless all weights are generated */
} sluice_model_info_t;

/* Loads the artefact directory at |path| and stores the model in |out_model|.
 *
 * Every byte but the compiled code's is checked; that code is trusted as a program is.
 * The weight file is mapped, not copied: it must stay in place and unchanged until
 * sluice_model_release(). Weights that the manifest only seeds are made here. |options| may be
 * NULL.
 *
 * NOT_FOUND      no artefact at |path|
 * BAD_ARTEFACT   a member is missing, cut, or contradicts another; the message says where
 * TOO_NEW        needs a newer runtime
 * WRONG_TARGET   built for another architecture, or for features that this machine lacks
 * OUT_OF_MEMORY, SYSTEM */
SLUICE_API sluice_status_t sluice_model_load(const char *path,
                                             const sluice_model_options_t *options,
                                             sluice_model_t **out_model);

/* Frees |model| (NULL is fine). No session of it may be left. */
SLUICE_API void sluice_model_release(sluice_model_t *model);

/* What |model| is. Valid as long as the model. */
SLUICE_API const sluice_model_info_t *sluice_model_info(const sluice_model_t *model);

/* The function called |name|, or NULL (and no error message). */
SLUICE_API const sluice_function_info_t *sluice_model_function(const sluice_model_t *model,
                                                               const char *name);

/* The memory of weight |index| in [0, weight_count), |bytes| long, read-only; NULL outside. For
 * tools. */
SLUICE_API const void *sluice_model_weight_data(const sluice_model_t *model, int32_t index);

/* ---- Sessions ------------------------------------------------------------------------ */

/* One team of workers with its scratch memory and page pool. One thread at a time. */
typedef struct sluice_session sluice_session_t;

/* What workers do while they wait for each other. */
typedef enum sluice_spin {
  SLUICE_SPIN_AUTO = 0,   /* spin some tens of microseconds, then sleep */
  SLUICE_SPIN_ALWAYS = 1, /* never sleep, not even between steps: lowest latency, burns its cores */
  SLUICE_SPIN_NEVER = 2,  /* sleep at once: for machines that others use too */
} sluice_spin_t;

/* All zero means: all defaults. */
typedef struct sluice_session_options {
  int32_t threads; /* workers, the calling thread included; 0: the cores this process may use */
  sluice_spin_t spin;
  int32_t max_rows;  /* rows of one step, at most; 0: 512 (or max_seqs, if that is more) */
  int32_t max_seqs;  /* sequences of one step, at most; 0: 8 */
  int32_t live_seqs; /* sequences alive at once, at most; 0: 2 * max_seqs */
  int32_t reserved;
  /* Pages of the pool; 0: for max_seqs sequences of the model's max_seq, but at most half of the
   * machine's memory. They cost nothing before they are written. */
  int64_t kv_pages;
  /* Not 0: seed of a random order in which pages are handed out. Results do not depend on it. */
  uint64_t page_shuffle;
  /* Fill scratch and pages that are handed out with NaN: finds reads of what nobody wrote. */
  bool poison;
  /* The program numbers the pages: there are no sequences, every part of a call brings its
   * sluice_page_list_t, and kv_pages of them are there. */
  bool external_pages;
  bool reserved_flags[6];
  /* Serves asynchronous gathers; NULL: the runtime's own. Must outlive the session. */
  const sluice_home_t *home;
} sluice_session_options_t;

/* Makes a session of |model|. |options| may be NULL. Everything that steps need is allocated here.
 *
 * INVALID_ARGUMENT  a count is negative or absurd; the message says what is possible
 * OUT_OF_MEMORY, SYSTEM (a thread could not be started) */
SLUICE_API sluice_status_t sluice_session_create(const sluice_model_t *model,
                                                 const sluice_session_options_t *options,
                                                 sluice_session_t **out_session);

/* Cancels the call that |session| is in or, if it is in none, its next one: that call returns
 * CANCELLED, as soon as its workers meet at their next barrier, and no sequence has changed. Each
 * cancel ends one call; several before it ends count as one. A function that gathers from a home of
 * the program runs to its end first. For any thread, and for signal handlers. NULL is fine. */
SLUICE_API void sluice_session_cancel(sluice_session_t *session);

/* Stops the workers and frees everything, sequences included. NULL is fine. */
SLUICE_API void sluice_session_release(sluice_session_t *session);

/* From the next step on tells |tracer| what each worker does (kernel_abi.h says when); NULL:
 * nobody. |tracer| must outlive the session or be taken back. Without one a step costs nothing more
 * and still makes no system call. Must not be called during a step. */
SLUICE_API void sluice_session_trace(sluice_session_t *session, const sluice_tracer_t *tracer);

/* Where memory should lie on machines with several nodes of it. */
typedef enum sluice_numa {
  SLUICE_NUMA_NONE = 0,       /* where the system puts it */
  SLUICE_NUMA_LOCAL = 1,      /* each worker's part of weights and scratch on the worker's node */
  SLUICE_NUMA_INTERLEAVE = 2, /* page by page over all nodes */
} sluice_numa_t;

/* Where workers run and what they read lies. */
typedef struct sluice_placement {
  size_t size; /* sizeof(sluice_placement_t): what the program was compiled with */
  /* [cpu_count] the processor of each worker, or NULL: wherever the system runs them. Worker 0 is
   * the thread that calls sluice_session_place, and must be the one that makes steps. */
  const int32_t *cpus;
  int32_t cpu_count; /* the session's threads */
  sluice_numa_t numa;
} sluice_placement_t;

/* Pins the session's workers and moves memory to them, once; counts as a region in the stats. The
 * calling thread stays pinned when the session is gone. With SLUICE_NUMA_LOCAL, weights that are
 * shared by sessions follow the one that was placed last.
 *
 * INVALID_ARGUMENT  not one processor for each worker, one twice, or one that this process may not
 *                   use: the message says which
 * SYSTEM            the kernel refused; the message has its reason */
SLUICE_API sluice_status_t sluice_session_place(sluice_session_t *session,
                                                const sluice_placement_t *placement);

/* Writes the numbers of up to |capacity| processors that this process may use to |out|, ascending,
 * and returns how many there are; -1 when the system does not say. */
SLUICE_API int32_t sluice_allowed_cpus(int32_t *out, int32_t capacity);

/* Counters since the session was made. */
typedef struct sluice_stats {
  int32_t threads;
  int32_t max_rows, max_seqs, live_seqs; /* as the session has them, defaults filled in */
  int64_t arena_bytes;                   /* scratch */
  int64_t steps;                         /* calls of compiled functions that were begun */
  int64_t region_entries;                /* parallel regions entered: one per step */
  int64_t barriers;                      /* of those steps, the one that ends each step included */
  int64_t parks;                         /* times that a thread of the team went to sleep */
  int64_t pages, pages_free;             /* of the pool */
  int64_t page_copies;                   /* pages copied because a shared one was appended to */
  int64_t page_pool_bytes;
} sluice_stats_t;

SLUICE_API void sluice_session_stats(const sluice_session_t *session, sluice_stats_t *out_stats);

/* ---- Homes of asynchronous gathers --------------------------------------------------- */

/* A table whose rows can be fetched: in memory (or in a file that the program has mapped), or in a
 * file that is read row by row and may be larger than memory. */
typedef struct sluice_home_table {
  const void *data;
  int64_t rows;
  int64_t row_bytes; /* of a row; requests must ask for the same */
  int64_t stride;    /* bytes from one row to the next, at least row_bytes */
  const char
      *path;      /* a regular file, used when |data| is NULL; may be NULL when there are no rows */
  int64_t offset; /* of the first row in the file */
} sluice_home_table_t;

/* Makes a home (see kernel_abi.h) with a thread of its own that copies rows out of |tables|
 * [count]; table numbers are indices of it. The tables' data must outlive the home; files are
 * opened here, and must stay as they are: a request that finds its file shorter or changed ends in
 * SLUICE_TRAP_TABLE. Of a file each row is read once per request, however often it is asked for.
 * submit and await allocate nothing; up to 64 requests may be under way. Sessions make one by
 * themselves where the model gathers asynchronously; its tables are the model's weights.
 * |allocator| may be NULL. INVALID_ARGUMENT, OUT_OF_MEMORY, SYSTEM, NOT_FOUND (no such file),
 * BAD_ARTEFACT (a file that is too short). */
SLUICE_API sluice_status_t sluice_home_create(const sluice_allocator_t *allocator,
                                              const sluice_home_table_t *tables, int32_t count,
                                              sluice_home_t **out_home);
/* Stops the thread and frees |home| (made by sluice_home_create, or NULL). No request may be under
 * way. */
SLUICE_API void sluice_home_release(sluice_home_t *home);

/* ---- Sequences ----------------------------------------------------------------------- */

/* A sequence of tokens whose keys and values are in the session's pages. Belongs to one session; a
 * number that was dropped is recognised and refused. */
typedef uint64_t sluice_sequence_t;
#define SLUICE_SEQUENCE_NONE ((sluice_sequence_t)0)

/* Makes an empty sequence. LIMIT when live_seqs are alive; INVALID_ARGUMENT when the model has no
 * pages. */
SLUICE_API sluice_status_t sluice_sequence_create(sluice_session_t *session,
                                                  sluice_sequence_t *out_sequence);

/* Makes a sequence that continues where |sequence| is now. Pages are shared, and copied when either
 * one appends to a page that is not full. NOT_FOUND when |sequence| is not alive; LIMIT as create.
 */
SLUICE_API sluice_status_t sluice_sequence_fork(sluice_session_t *session,
                                                sluice_sequence_t sequence,
                                                sluice_sequence_t *out_sequence);

/* Forgets all tokens from |length| on and gives pages back. INVALID_ARGUMENT unless 0 <= length <=
 * the length now. */
SLUICE_API sluice_status_t sluice_sequence_truncate(sluice_session_t *session,
                                                    sluice_sequence_t sequence, int64_t length);

/* Ends |sequence| and gives its pages back. NOT_FOUND when it is not alive. */
SLUICE_API sluice_status_t sluice_sequence_drop(sluice_session_t *session,
                                                sluice_sequence_t sequence);

/* Tokens in |sequence|, or -1 when it is not alive. */
SLUICE_API int64_t sluice_sequence_length(const sluice_session_t *session,
                                          sluice_sequence_t sequence);

/* Copies up to |capacity| of the sequence's page numbers, in order of the tokens, to |out_pages|
 * and returns how many the sequence has, or -1 when it is not alive. For tools and tests. */
SLUICE_API int64_t sluice_sequence_pages(const sluice_session_t *session,
                                         sluice_sequence_t sequence, int32_t *out_pages,
                                         int64_t capacity);

/* ---- Calls --------------------------------------------------------------------------- */

/* The pages of one part of a call in a session with external_pages: a page table from outside.
 * Every call checks all of them: the numbers are below kv_pages, none stands twice in a list, and a
 * page that this call appends to is in no other list (pages that are only read may be shared). What
 * the pages hold is the program's word: tokens of the same model, written in order by earlier
 * calls. */
typedef struct sluice_page_list {
  int64_t past;         /* tokens that the pages hold already; this call's rows come behind them */
  const int32_t *pages; /* [count] page numbers in order of the tokens */
  int32_t count;        /* at least as many as past and this call's rows need; more are not read */
} sluice_page_list_t;

/* The rows that one sequence has in one call. Arrays are the caller's and are read during the call
 * only. */
typedef struct sluice_part {
  /* Where the model has pages, else SLUICE_SEQUENCE_NONE; at most once per call. */
  sluice_sequence_t sequence;
  int32_t count; /* rows, at least 1 */
  int32_t ask;   /* the last |ask| rows are asked for, 0 .. count; where the function takes "ask" */
  const int32_t *tokens;      /* [count] ids; in sluice_session_call NULL */
  const int32_t *positions;   /* [count], or NULL: the sequence's length, and so on upwards */
  const int32_t *token_types; /* [count], or NULL: all 0; where the function takes "token_types" */
  /* Instead of |sequence| in a session with external_pages, else NULL. */
  const sluice_page_list_t *pages;
} sluice_part_t;

/* Runs the decoder function |function| (usually "step") once over all |parts| and appends their
 * rows to their sequences. |out_logits| is f32, [asked rows of all parts, in order][row_elements of
 * the function's result]; it may be NULL when nothing is asked.
 *
 * On failure no sequence has changed.
 * INVALID_ARGUMENT  e.g. a token id outside the vocabulary, a sequence given twice
 * NOT_FOUND         no such function or sequence
 * LIMIT             more rows or sequences than the session has; past max_seq, max_positions
 * OUT_OF_PAGES      drop something and repeat
 * TRAP              compiled code met a value that it must not use
 * CANCELLED         by sluice_session_cancel
 * With the last two, |out_logits| may hold anything. */
SLUICE_API sluice_status_t sluice_session_step(sluice_session_t *session, const char *function,
                                               const sluice_part_t *parts, int32_t part_count,
                                               float *out_logits);

/* Runs the encoder function |function| ("forward" or "embed") over all |parts| (sequence and ask
 * unused). |out_values| is f32: [rows of all parts][width] or, for a function whose result is per
 * sequence, [part_count][width]. Statuses as sluice_session_step. */
SLUICE_API sluice_status_t sluice_session_encode(sluice_session_t *session, const char *function,
                                                 const sluice_part_t *parts, int32_t part_count,
                                                 float *out_values);

/* Chooses one token per row of |logits| with the model's own function |function| (usually
 * "sample"). |logits| [count][row_elements of its logits]; |temperature| [count], 0 = the largest
 * logit (the first, if there are several); |rng| [count] state, updated; |out_tokens| [count].
 * LIMIT when |count| is more than max_rows. */
SLUICE_API sluice_status_t sluice_session_sample(sluice_session_t *session, const char *function,
                                                 const float *logits, int32_t count,
                                                 const float *temperature, int64_t *rng,
                                                 int32_t *out_tokens);

/* What is done to a row of logits before a token is drawn from it. All zero: nothing. In this
 * order:
 *
 *   bias                 logits[bias_tokens[i]] += bias[i]
 *   repetition_penalty   of each token in |seen|: a logit above 0 is divided by it, another one
 *                        multiplied; a token that stands there twice is penalised twice
 *   top_k                the top_k largest stay
 *   top_p                of the rest, the largest stay whose probabilities at |temperature| first
 *                        reach top_p together
 *   min_p                of the rest, those stay that are at least min_p times as probable as the
 *                        most probable one
 *
 * What does not stay becomes -inf, which is never drawn. Among equal logits the smaller ids stay.
 * The last three do nothing where |temperature| is not above 0. Probabilities are computed in f64
 * with an exponential of our own, so what stays is the same on every machine. */
typedef struct sluice_sampling {
  float temperature;        /* as given to sluice_session_sample afterwards */
  int32_t top_k;            /* 0: all */
  float top_p;              /* in [0, 1]; 0 and 1: all */
  float min_p;              /* in [0, 1]; 0: all */
  float repetition_penalty; /* 0 and 1: none */
  int32_t bias_count;
  const int32_t *bias_tokens; /* [bias_count] */
  const float *bias;          /* [bias_count]; -inf forbids a token */
  const int32_t *seen;        /* [seen_count] */
  int64_t seen_count;
} sluice_sampling_t;

/* Applies |sampling| to one row |logits| [vocab], in place. Allocates nothing; needs no session,
 * and may be called on many threads. INVALID_ARGUMENT: a number or token out of range; |logits| is
 * as it was. */
SLUICE_API sluice_status_t sluice_sampling_apply(const sluice_sampling_t *sampling, float *logits,
                                                 int64_t vocab);

/* The natural logarithm of the probability that one row |logits| [vocab] gives to |token|: its
 * log-softmax, in f64. -inf for a token whose logit is -inf or NaN. INVALID_ARGUMENT. */
SLUICE_API sluice_status_t sluice_logits_score(const float *logits, int64_t vocab, int32_t token,
                                               double *out_log_probability);

/* A tensor for sluice_session_call: dense, row-major, of the dtype and shape that the function
 * says. */
typedef struct sluice_arg {
  const char *name;
  void *data;   /* inputs are only read; may be NULL when the tensor is empty */
  int64_t dim0; /* size of the leading dimension */
} sluice_arg_t;

/* Runs any exported function. |args| are matched by name, in any order, and must be complete;
 * leading dimensions with the same letter must agree. |parts| says how rows are divided among
 * sequences and where pages are; NULL for functions without pages: then all rows are one sequence
 * (or one row each, if the function has a tensor per sequence). Statuses as sluice_session_step. */
SLUICE_API sluice_status_t sluice_session_call(sluice_session_t *session, const char *function,
                                               const sluice_part_t *parts, int32_t part_count,
                                               const sluice_arg_t *args, int32_t arg_count);

#ifdef __cplusplus
}
#endif
#endif
