/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_api.c: random programs against runtime.h. The bytes of an input are a program: sessions with
 * odd options, sequences that are made, forked, cut and dropped, steps with good and bad parts,
 * page tables from outside, handles that are stale or invented, cancels, loads of artefacts that
 * are not what they say. reference.c says what has to come out: whether a call works, which
 * statuses it may have if not, every logit, every length, every free page. A difference ends the
 * process like a crash.
 *
 *   fuzz-api [-runs=N] [CORPUS]     (libFuzzer's options)
 */
#include "fixture.h"
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

static uint32_t byte(input_t *in) {
  if (in->at < in->end)
    return *in->at++;
  uint64_t z = in->chance += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return (uint32_t)(z >> 56);
}
static uint32_t below(input_t *in, uint32_t bound) { return byte(in) % bound; }
/* Once in |n| times. */
static bool rarely(input_t *in, uint32_t n) { return byte(in) % n == n - 1; }

static int64_t odd_number(input_t *in) {
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

static const char *good;
static sluice_model_t *model;
static float bias[REF_VOCAB];

/* ---- Judging ---- */

#define MUST(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: not true: %s (last error: %s)\n", __FILE__, __LINE__, #condition,    \
              sluice_last_error());                                                                \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

static uint32_t bit(sluice_status_t status) { return 1u << status; }

/* |faults| has a bit for each status that something about the call deserves. None: it must work. */
static void judge(sluice_status_t status, uint32_t faults) {
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
static bool takes_cancel(world_t *w, uint32_t *faults) {
  if (*faults != 0 || !w->cancelled)
    return false;
  w->cancelled = false;
  *faults = bit(SLUICE_STATUS_CANCELLED);
  return true;
}

static void check_world(const world_t *w) {
  sluice_stats_t stats;
  sluice_session_stats(w->session, &stats);
  MUST(stats.pages == w->pool.pages && stats.pages_free == w->pool.free);
  MUST(stats.max_rows == w->max_rows && stats.max_seqs == w->max_seqs);
  for (int i = 0; i < REF_SEQS; ++i) {
    const ref_seq_t *seq = &w->pool.seqs[i];
    if (!seq->alive)
      continue;
    int32_t pages[REF_TABLE + 1];
    MUST(sluice_sequence_length(w->session, w->handles[i]) == seq->length);
    MUST(sluice_sequence_pages(w->session, w->handles[i], pages, REF_TABLE + 1) == seq->pages);
    for (int32_t p = 0; p < seq->pages; ++p)
      MUST(pages[p] >= 0 && pages[p] < w->pool.pages);
  }
  MUST(w->stale == 0 || sluice_sequence_length(w->session, w->stale) == -1);
}

/* ---- Sessions ---- */

static void make_session(world_t *w, input_t *in) {
  sluice_session_release(w->session);
  memset(w, 0, sizeof *w);
  uint32_t faults = 0;
  sluice_session_options_t o = {.threads = rarely(in, 8) ? 2 + (int32_t)below(in, 2) : 1,
                                .spin = SLUICE_SPIN_NEVER,
                                .max_rows = 1 + (int32_t)below(in, ROWS),
                                .max_seqs = 1 + (int32_t)below(in, PARTS),
                                .live_seqs = 1 + (int32_t)below(in, REF_SEQS),
                                .kv_pages = 1 + below(in, REF_PAGES),
                                .page_shuffle = below(in, 3),
                                .poison = rarely(in, 2),
                                .external_pages = rarely(in, 3)};
  w->max_rows = (o.max_rows + 15) / 16 * 16;
  w->max_seqs = o.max_seqs;
  w->live_seqs = o.live_seqs;
  if (rarely(in, 12)) {
    // Absurd options; some are merely large, and then the session must work too.
    int64_t odd = odd_number(in);
    sluice_session_options_t absurd = o;
    switch (below(in, 6)) {
    case 0:
      absurd.threads = (int32_t)odd;
      break;
    case 1:
      absurd.max_rows = (int32_t)odd;
      break;
    case 2:
      absurd.max_seqs = (int32_t)odd;
      break;
    case 3:
      absurd.live_seqs = (int32_t)odd;
      break;
    case 4:
      absurd.kv_pages = odd;
      break;
    default:
      absurd.spin = (sluice_spin_t)odd;
      break;
    }
    sluice_session_t *other = NULL;
    // Some tens of megabytes of arrays for 2^24 rows are honest work, but not for thousands of
    // runs.
    if (absurd.max_rows != 1 << 24) {
      sluice_status_t status = sluice_session_create(model, &absurd, &other);
      judge(status, status == SLUICE_STATUS_OK
                        ? 0
                        : bit(SLUICE_STATUS_INVALID_ARGUMENT) | bit(SLUICE_STATUS_OUT_OF_MEMORY));
      MUST((status == SLUICE_STATUS_OK) == (other != NULL));
      sluice_session_release(other);
    }
  }
  w->options = o;
  w->pool.pages = w->pool.free = (int32_t)o.kv_pages;
  judge(sluice_session_create(model, &o, &w->session), faults);
}

/* ---- Sequences ---- */

static int alive_count(const world_t *w) {
  int count = 0;
  for (int i = 0; i < REF_SEQS; ++i)
    count += w->pool.seqs[i].alive;
  return count;
}

static int free_place(const world_t *w) {
  for (int i = 0; i < REF_SEQS; ++i)
    if (!w->pool.seqs[i].alive)
      return i;
  return -1;
}

/* The number of a living sequence, or -1 and a handle that is none. */
static int pick(const world_t *w, input_t *in, sluice_sequence_t *out_handle) {
  int first = (int)below(in, REF_SEQS);
  if (!rarely(in, 10))
    for (int i = 0; i < REF_SEQS; ++i) {
      int n = (first + i) % REF_SEQS;
      if (w->pool.seqs[n].alive) {
        *out_handle = w->handles[n];
        return n;
      }
    }
  // Stale, zero, or invented: an even generation, a number out of range, a generation to come.
  sluice_sequence_t invented[] = {w->stale, (sluice_sequence_t)2 << 32,
                                  ((sluice_sequence_t)1 << 32) | 4000, UINT64_MAX,
                                  ((sluice_sequence_t)1000001 << 32) | below(in, 8)};
  *out_handle = invented[below(in, 5)];
  return -1;
}

static void create_sequence(world_t *w, input_t *in) {
  sluice_sequence_t handle = 77;
  int place = free_place(w);
  bool null = rarely(in, 20);
  uint32_t faults = w->options.external_pages || null ? bit(SLUICE_STATUS_INVALID_ARGUMENT)
                    : alive_count(w) == w->live_seqs  ? bit(SLUICE_STATUS_LIMIT)
                                                      : 0;
  judge(sluice_sequence_create(w->session, null ? NULL : &handle), faults);
  MUST(faults == 0 || handle == 77);
  if (faults == 0) {
    MUST(place >= 0 && handle != SLUICE_SEQUENCE_NONE);
    w->handles[place] = handle;
    w->pool.seqs[place] = (ref_seq_t){.alive = true};
  }
}

static void fork_sequence(world_t *w, input_t *in) {
  sluice_sequence_t from, handle = 77;
  int which = pick(w, in, &from), place = free_place(w);
  uint32_t faults = which < 0                        ? bit(SLUICE_STATUS_NOT_FOUND)
                    : alive_count(w) == w->live_seqs ? bit(SLUICE_STATUS_LIMIT)
                                                     : 0;
  judge(sluice_sequence_fork(w->session, from, &handle), faults);
  MUST(faults == 0 || handle == 77);
  if (faults == 0) {
    MUST(place >= 0);
    w->handles[place] = handle;
    ref_fork(&w->pool, &w->pool.seqs[which], &w->pool.seqs[place]);
  }
}

static void truncate_sequence(world_t *w, input_t *in) {
  sluice_sequence_t handle;
  int which = pick(w, in, &handle);
  int64_t most = which < 0 ? 1 : w->pool.seqs[which].length;
  int64_t length = rarely(in, 6) ? odd_number(in) : (int64_t)(byte(in) * 2u) % (most + 1);
  uint32_t faults = which < 0                     ? bit(SLUICE_STATUS_NOT_FOUND)
                    : length < 0 || length > most ? bit(SLUICE_STATUS_INVALID_ARGUMENT)
                                                  : 0;
  judge(sluice_sequence_truncate(w->session, handle, length), faults);
  if (faults == 0)
    ref_truncate(&w->pool, &w->pool.seqs[which], (int32_t)length);
}

static void drop_sequence(world_t *w, input_t *in) {
  sluice_sequence_t handle;
  int which = pick(w, in, &handle);
  judge(sluice_sequence_drop(w->session, handle), which < 0 ? bit(SLUICE_STATUS_NOT_FOUND) : 0);
  if (which >= 0) {
    ref_truncate(&w->pool, &w->pool.seqs[which], 0);
    w->pool.seqs[which].alive = false;
    w->stale = handle;
  }
}

/* ---- Steps ---- */

typedef struct step {
  sluice_part_t parts[PARTS + 1];
  sluice_page_list_t lists[PARTS + 1];
  int32_t pages[PARTS + 1][REF_TABLE + 2];
  int32_t tokens[PARTS + 1][2 * ROWS], positions[PARTS + 1][2 * ROWS];
  int which[PARTS + 1]; /* sequence of each part */
  int32_t count, rows, asked;
  uint32_t faults;
  bool traps;
} step_t;

static void draw_rows(world_t *w, input_t *in, step_t *s, int i, int64_t past) {
  sluice_part_t *part = &s->parts[i];
  part->count = rarely(in, 4) ? 1 + (int32_t)below(in, 40) : 1 + (int32_t)below(in, 3);
  part->ask = rarely(in, 3) ? (int32_t)below(in, (uint32_t)part->count + 1) : 1;
  if (rarely(in, 40))
    part->count = (int32_t)odd_number(in);
  if (rarely(in, 40))
    part->ask = (int32_t)odd_number(in);
  if (part->count < 1 || part->ask < 0 || part->ask > part->count)
    s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  int32_t drawn = part->count < 0 ? 0 : part->count > ROWS ? ROWS : part->count;
  if (part->count > ROWS) // Too many for any session here, so nobody reads them.
    s->faults |= bit(SLUICE_STATUS_LIMIT);
  part->tokens = s->tokens[i];
  for (int32_t t = 0; t < drawn; ++t) {
    uint32_t token = byte(in);
    s->tokens[i][t] = token >= 252   ? (int32_t)odd_number(in)
                      : token >= 249 ? REF_REFUSED
                                     : (int32_t)token % REF_REFUSED;
    if (s->tokens[i][t] < 0 || s->tokens[i][t] >= REF_VOCAB)
      s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
    s->traps = s->traps || s->tokens[i][t] == REF_REFUSED;
  }
  if (rarely(in, 60)) {
    part->tokens = NULL;
    s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  }
  bool own = rarely(in, 6);
  part->positions = own ? s->positions[i] : NULL;
  for (int32_t t = 0; t < drawn; ++t) {
    s->positions[i][t] =
        own ? (rarely(in, 30) ? (int32_t)odd_number(in) : (int32_t)byte(in)) : (int32_t)(past + t);
    if (s->positions[i][t] < 0 || s->positions[i][t] >= REF_MAX_POSITIONS)
      s->faults |= bit(SLUICE_STATUS_LIMIT);
  }
  if (past > REF_MAX_SEQ || past + (int64_t)part->count > REF_MAX_SEQ)
    s->faults |= bit(SLUICE_STATUS_LIMIT);
  (void)w;
}

static void draw_sequence(world_t *w, input_t *in, step_t *s, int i) {
  s->which[i] = pick(w, in, &s->parts[i].sequence);
  if (s->which[i] < 0)
    s->faults |= bit(SLUICE_STATUS_NOT_FOUND) | bit(SLUICE_STATUS_INVALID_ARGUMENT);
  for (int j = 0; j < i; ++j)
    if (s->parts[j].sequence == s->parts[i].sequence)
      s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  draw_rows(w, in, s, i, s->which[i] < 0 ? 0 : w->pool.seqs[s->which[i]].length);
}

/* A page table of the program's, usually sound: part i prefers the pages i, i + 4, i + 8, ... */
static void draw_list(world_t *w, input_t *in, step_t *s, int i) {
  sluice_page_list_t *list = &s->lists[i];
  int64_t past = rarely(in, 20) ? odd_number(in) : below(in, 40);
  // Past the limit is past the limit, without overflows here.
  draw_rows(w, in, s, i, past < 0 ? 0 : past > REF_MAX_SEQ ? REF_MAX_SEQ : past);
  if (past < 0)
    s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  list->past = past;
  list->pages = s->pages[i];
  list->count = REF_TABLE + 2;
  for (int p = 0; p < REF_TABLE + 2; ++p) {
    uint32_t how = byte(in);
    s->pages[i][p] = how < 230   ? (p * PARTS + i) % w->pool.pages
                     : how < 250 ? (int32_t)(how % (uint32_t)w->pool.pages)
                                 : (int32_t)odd_number(in);
  }
  if (rarely(in, 30))
    list->count = (int32_t)odd_number(in);
  s->parts[i].pages = list;
  if (rarely(in, 60)) {
    list->pages = NULL;
    s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  }
}

/* Bounds, duplicates and aliasing, by comparing everything with everything. */
static void check_lists(const world_t *w, step_t *s) {
  if (s->faults != 0)
    return; // Sizes that make no sense cannot be compared.
  int64_t need[PARTS], first[PARTS];
  for (int i = 0; i < s->count; ++i) {
    first[i] = s->lists[i].past / REF_PAGE;
    need[i] = (s->lists[i].past + s->parts[i].count + REF_PAGE - 1) / REF_PAGE;
    bool bad = need[i] > s->lists[i].count || need[i] > w->pool.pages;
    for (int64_t p = 0; !bad && p < need[i]; ++p)
      bad = s->pages[i][p] < 0 || s->pages[i][p] >= w->pool.pages;
    if (bad) {
      s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
      return;
    }
  }
  for (int i = 0; i < s->count; ++i)
    for (int64_t p = 0; p < need[i]; ++p)
      for (int j = 0; j < s->count; ++j)
        for (int64_t q = 0; q < need[j]; ++q)
          if ((i != j || p != q) && s->pages[i][p] == s->pages[j][q] &&
              (i == j || p >= first[i] || q >= first[j]))
            s->faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
}

/* After a step that compiled code saw to its end: the logits of asked rows, from the histories. */
static void check_logits(const step_t *s, ref_slot_t (*histories)[REF_MAX_SEQ], const int32_t *past,
                         const float *logits) {
  int32_t row = 0;
  for (int i = 0; i < s->count; ++i)
    for (int32_t a = s->parts[i].ask; a > 0; --a, ++row) {
      float expected[REF_VOCAB];
      ref_logits(histories[i], past[i] + s->parts[i].count - a + 1, bias, expected);
      MUST(memcmp(expected, logits + row * REF_VOCAB, sizeof expected) == 0);
    }
}

static void run_step(world_t *w, input_t *in) {
  static step_t s;
  static ref_slot_t histories[PARTS][REF_MAX_SEQ];
  static float logits[2 * PARTS * ROWS * REF_VOCAB];
  int32_t past[PARTS] = {0};
  bool external = w->options.external_pages;
  memset(&s, 0, sizeof s);
  s.count = 1 + (int32_t)below(in, PARTS);
  int64_t rows = 0, asked = 0;
  for (int i = 0; i < s.count; ++i) {
    if (external)
      draw_list(w, in, &s, i);
    else
      draw_sequence(w, in, &s, i);
    rows += s.parts[i].count;
    asked += s.parts[i].ask;
  }
  if (s.count > w->max_seqs || rows > w->max_rows)
    s.faults |= bit(SLUICE_STATUS_LIMIT);
  if (external)
    check_lists(w, &s);
  const char *function = "step";
  if (rarely(in, 40)) {
    function = below(in, 2) ? NULL : "stop";
    s.faults |= bit(SLUICE_STATUS_NOT_FOUND);
  }
  float *out = logits;
  if (rarely(in, 40)) {
    out = NULL;
    if (asked > 0)
      s.faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  }
  int32_t given = s.count;
  if (rarely(in, 60)) {
    given = (int32_t)odd_number(in);
    given = given > 1 ? 0 : given;
    if (given < 1)
      s.faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
    else
      given = s.count;
  }
  static ref_pool_t after;
  after = w->pool;
  for (int i = 0; s.faults == 0 && i < s.count && !external; ++i)
    if (!ref_reserve(&after, &after.seqs[s.which[i]], s.parts[i].count))
      s.faults |= bit(SLUICE_STATUS_OUT_OF_PAGES);
  bool reached = s.faults == 0; // Compiled code.
  bool cancelled = takes_cancel(w, &s.faults);
  if (reached && s.traps) // It saw the token before it came to a barrier.
    s.faults = bit(SLUICE_STATUS_TRAP);
  if (rarely(in, 30)) // The session itself may be what is wrong.
    judge(sluice_session_step(NULL, function, s.parts, given, out),
          bit(SLUICE_STATUS_INVALID_ARGUMENT));
  judge(sluice_session_step(w->session, function, s.parts, given, out), s.faults);
  (void)cancelled;
  if (!reached)
    return;
  for (int i = 0; i < s.count; ++i) {
    past[i] = external ? (int32_t)s.lists[i].past : w->pool.seqs[s.which[i]].length;
    for (int32_t t = 0; t < s.parts[i].count; ++t) {
      ref_slot_t slot = ref_slot(s.tokens[i][t], s.positions[i][t]);
      int32_t at = past[i] + t;
      if (external) // Written even when the call failed later.
        w->pool.memory[s.pages[i][at / REF_PAGE]][at % REF_PAGE] = slot;
      else if (s.faults == 0)
        after.seqs[s.which[i]].history[at] = slot;
    }
  }
  if (s.faults != 0)
    return;
  for (int i = 0; i < s.count; ++i) {
    int32_t length = past[i] + s.parts[i].count;
    for (int32_t at = 0; at < length; ++at)
      histories[i][at] = external ? w->pool.memory[s.pages[i][at / REF_PAGE]][at % REF_PAGE]
                                  : after.seqs[s.which[i]].history[at];
    if (!external)
      after.seqs[s.which[i]].length = length;
  }
  if (!external)
    w->pool = after;
  check_logits(&s, histories, past, logits);
}

/* ---- Calls without pages ---- */

static void run_encode(world_t *w, input_t *in) {
  int32_t tokens[20], types[20], count = 1 + (int32_t)below(in, 20);
  float out[20 * 3];
  bool embeds = below(in, 2);
  uint32_t faults = count > w->max_rows ? bit(SLUICE_STATUS_LIMIT) : 0;
  for (int32_t i = 0; i < count; ++i) {
    tokens[i] = rarely(in, 60) ? (int32_t)odd_number(in) : (int32_t)below(in, REF_VOCAB);
    types[i] = rarely(in, 60) ? (int32_t)odd_number(in) : (int32_t)below(in, 2);
    if (tokens[i] < 0 || tokens[i] >= REF_VOCAB || (!embeds && (types[i] < 0 || types[i] > 1)))
      faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  }
  if (embeds && count > 12)
    faults |= bit(SLUICE_STATUS_LIMIT);
  sluice_part_t part = {.count = count, .tokens = tokens, .token_types = types};
  takes_cancel(w, &faults);
  judge(sluice_session_encode(w->session, embeds ? "embed" : "forward", &part, 1, out), faults);
  if (faults != 0)
    return;
  float sum = 0;
  for (int32_t i = 0; i < count; ++i) {
    sum += (float)tokens[i];
    if (!embeds)
      MUST(out[3 * i] == (float)tokens[i] &&
           out[3 * i + 1] == (float)i + 1000.0f * (float)types[i]);
  }
  MUST(!embeds || (out[0] == sum && out[1] == (float)count));
}

static void run_sample(world_t *w, input_t *in) {
  static float logits[ROWS * REF_VOCAB], temperature[ROWS];
  int64_t rng[ROWS], before[ROWS];
  int32_t tokens[ROWS], best[ROWS] = {0},
                        count = rarely(in, 20) ? (int32_t)odd_number(in) : (int32_t)below(in, 5);
  uint32_t faults = count < 0             ? bit(SLUICE_STATUS_INVALID_ARGUMENT)
                    : count > w->max_rows ? bit(SLUICE_STATUS_LIMIT)
                                          : 0;
  int32_t drawn = faults ? 0 : count;
  for (int32_t i = 0; i < drawn; ++i) {
    best[i] = (int32_t)below(in, REF_VOCAB);
    for (int32_t v = 0; v < REF_VOCAB; ++v)
      logits[i * REF_VOCAB + v] = v == best[i];
    rng[i] = before[i] = (int64_t)byte(in);
    temperature[i] = 0;
  }
  for (int32_t i = 0; i < drawn; ++i) {
    // Whatever is cut, the largest stays, unless a number makes no sense.
    static const float odd[] = {0, 1, 0.5f, -1, 1e30f, -0.0f, 3e-39f};
    sluice_sampling_t cut = {.temperature = odd[below(in, 7)],
                             .top_k =
                                 rarely(in, 8) ? (int32_t)odd_number(in) : (int32_t)below(in, 60),
                             .top_p = odd[below(in, 7)],
                             .min_p = odd[below(in, 7)],
                             .repetition_penalty = odd[below(in, 7)]};
    bool sound = cut.top_k >= 0 && cut.top_p >= 0 && cut.top_p <= 1 && cut.min_p >= 0 &&
                 cut.min_p <= 1 && cut.repetition_penalty >= 0 && cut.repetition_penalty <= 1e6f;
    judge(sluice_sampling_apply(&cut, logits + i * REF_VOCAB, REF_VOCAB),
          sound ? 0 : bit(SLUICE_STATUS_INVALID_ARGUMENT));
  }
  bool null = rarely(in, 30);
  if (null && count != 0)
    faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  takes_cancel(w, &faults);
  judge(sluice_session_sample(w->session, "sample", logits, count, temperature, null ? NULL : rng,
                              tokens),
        faults);
  for (int32_t i = 0; i < drawn; ++i)
    MUST(faults != 0 ? rng[i] == before[i] : tokens[i] == best[i]);
}

static void run_call(world_t *w, input_t *in) {
  static float x[ROWS * 3], y[6], z[ROWS * 3];
  int64_t rows = rarely(in, 10) ? odd_number(in) : 1 + below(in, ROWS),
          same = rarely(in, 20) ? odd_number(in) : rows;
  int64_t two = rarely(in, 20) ? odd_number(in) : 2;
  uint32_t faults = 0;
  if (rows < 0 || same != rows || two != 2)
    faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  if (rows > w->max_rows || same > w->max_rows)
    faults |= bit(SLUICE_STATUS_LIMIT);
  if (same < 0)
    faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  for (int i = 0; i < 6; ++i)
    y[i] = (float)byte(in);
  for (int i = 0; i < ROWS * 3; ++i)
    x[i] = (float)(i * 3);
  sluice_arg_t args[] = {{"z", z, same}, {"x", x, rows}, {"y", y, two}};
  int32_t count = 3;
  if (rarely(in, 20)) {
    args[below(in, 3)].name = below(in, 2) ? NULL : "w";
    faults |= bit(SLUICE_STATUS_NOT_FOUND);
  }
  if (rarely(in, 20)) {
    args[below(in, 3)].data = NULL;
    faults |= rows != 0 || same != 0 ? bit(SLUICE_STATUS_INVALID_ARGUMENT) : 0;
    if (faults == 0)
      return; // All empty but |y|, or |y| itself: both are told apart by what was drawn.
  }
  if (rarely(in, 20)) {
    count = (int32_t)below(in, 3);
    faults |= bit(SLUICE_STATUS_INVALID_ARGUMENT);
  }
  takes_cancel(w, &faults);
  judge(sluice_session_call(w->session, "add", NULL, 0, rarely(in, 60) && count == 0 ? NULL : args,
                            count),
        faults);
  for (int64_t i = 0; faults == 0 && i < rows * 3; ++i)
    MUST(z[i] == x[i] + y[i / 3 % 2 * 3 + i % 3]);
}

static void run_fetch(world_t *w, input_t *in) {
  int32_t ids[8], count = 1 + (int32_t)below(in, 8);
  float values[8][8];
  uint32_t faults = 0;
  for (int32_t i = 0; i < count; ++i) {
    ids[i] = rarely(in, 40) ? (int32_t)odd_number(in) : (int32_t)below(in, 20);
    if (ids[i] < 0 || ids[i] >= 20)
      faults = bit(SLUICE_STATUS_TRAP); // By the home, so compiled code is reached.
  }
  if (w->cancelled)
    faults |= bit(SLUICE_STATUS_CANCELLED);
  w->cancelled = false;
  sluice_arg_t args[] = {{"ids", ids, count}, {"values", values, count}};
  judge(sluice_session_call(w->session, "fetch", NULL, 0, args, 2), faults);
  for (int32_t i = 0; faults == 0 && i < count; ++i)
    MUST(memcmp(values[i], (const float *)sluice_model_weight_data(model, 1) + ids[i] * 8, 32) ==
         0);
}

/* ---- Models ---- */

static void load_another(input_t *in) {
  static const struct {
    const char *from, *to;
    sluice_status_t status;
  } edits[] = {
      {"\"sluice\": 1", "\"sluice\": 2", SLUICE_STATUS_TOO_NEW},
      {"\"abi\": 1", "\"abi\": 2", SLUICE_STATUS_TOO_NEW},
      {"ARCH", "riscv64", SLUICE_STATUS_WRONG_TARGET},
      {"\"features\": []", "\"features\": [\"+amx-nothing\"]", SLUICE_STATUS_WRONG_TARGET},
      {"\"library\": \"lib/model.so\"", "\"library\": \"lib/none.so\"", SLUICE_STATUS_BAD_ARTEFACT},
      {"\"symbol\": \"sluice_fn_step\"", "\"symbol\": \"sluice_fn_stop\"",
       SLUICE_STATUS_BAD_ARTEFACT},
      {"\"bytes\": 256", "\"bytes\": 4611686018427387904", SLUICE_STATUS_BAD_ARTEFACT},
      {"\"vocab\": 50", "\"vocab\": 50", SLUICE_STATUS_OK},
  };
  static const char *other;
  if (!other)
    other = fixture_create(FUZZ_LIBRARY);
  uint32_t which = below(in, sizeof edits / sizeof edits[0]);
  const char *const edit[] = {edits[which].from, edits[which].to, NULL};
  fixture_write_manifest(other, fixture_manifest, edit);
  sluice_model_options_t options = {.threads = (int32_t)below(in, 3),
                                    .metadata_only = rarely(in, 4)};
  sluice_model_t *loaded = NULL;
  sluice_status_t expected = edits[which].status;
  sluice_status_t status = sluice_model_load(other, &options, &loaded);
  // Who reads only the manifest does not see what is beside it.
  if (options.metadata_only && (which >= 2 && which <= 5))
    expected = SLUICE_STATUS_OK;
  MUST(status == expected && (status == SLUICE_STATUS_OK) == (loaded != NULL));
  sluice_session_t *session = NULL;
  if (loaded && options.metadata_only)
    judge(sluice_session_create(loaded, NULL, &session), bit(SLUICE_STATUS_INVALID_ARGUMENT));
  sluice_model_release(loaded);
}

static void say_null(world_t *w, input_t *in) {
  const uint32_t invalid = bit(SLUICE_STATUS_INVALID_ARGUMENT);
  sluice_session_t *session = NULL;
  sluice_model_t *none = NULL;
  sluice_home_t *home = NULL;
  sluice_home_table_t table = {NULL, odd_number(in), odd_number(in), odd_number(in)};
  sluice_stats_t stats;
  judge(sluice_model_load(NULL, NULL, &none), invalid);
  judge(sluice_model_load(good, NULL, NULL), invalid);
  judge(sluice_session_create(NULL, NULL, &session), invalid);
  judge(sluice_session_create(model, NULL, NULL), invalid);
  judge(sluice_sequence_drop(NULL, w->handles[0]), invalid);
  judge(sluice_session_sample(NULL, "sample", NULL, 0, NULL, NULL, NULL), invalid);
  MUST(sluice_sequence_length(NULL, w->handles[0]) == -1 && !sluice_model_info(NULL));
  MUST(!sluice_model_function(model, NULL) &&
       !sluice_model_weight_data(model, (int32_t)odd_number(in) | 2));
  sluice_session_cancel(NULL);
  sluice_session_stats(NULL, &stats);
  sluice_session_stats(w->session, NULL);
  MUST(stats.pages == 0);
  sluice_status_t status = sluice_home_create(NULL, &table, 1, &home);
  judge(status, status == SLUICE_STATUS_OK ? 0 : invalid);
  sluice_home_release(home);
}

/* ---- The program ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  good = fixture_create(FUZZ_LIBRARY);
  fixture_write_manifest(good, fixture_manifest, NULL);
  MUST(sluice_model_load(good, NULL, &model) == SLUICE_STATUS_OK);
  memcpy(bias, sluice_model_weight_data(model, 0), sizeof bias);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static world_t worlds[SESSIONS];
  input_t in = {data, data + size, 0xcbf29ce484222325u};
  for (size_t i = 0; i < size; ++i)
    in.chance = (in.chance ^ data[i]) * 0x100000001b3u;
  for (int i = 0; i < SESSIONS; ++i)
    make_session(&worlds[i], &in);
  for (uint32_t op = 0, ops = 1 + below(&in, OPS); op < ops; ++op) {
    uint32_t what = byte(&in);
    world_t *w = &worlds[what / 128];
    switch (what % 32) {
    case 0:
    case 1:
    case 2:
    case 3:
      create_sequence(w, &in);
      break;
    case 4:
    case 5:
    case 6:
      fork_sequence(w, &in);
      break;
    case 7:
    case 8:
      truncate_sequence(w, &in);
      break;
    case 9:
    case 10:
      drop_sequence(w, &in);
      break;
    case 11:
      run_encode(w, &in);
      break;
    case 12:
      run_sample(w, &in);
      break;
    case 13:
      run_call(w, &in);
      break;
    case 14:
      run_fetch(w, &in);
      break;
    case 15:
      say_null(w, &in);
      break;
    case 16:
      sluice_session_cancel(w->session);
      w->cancelled = true;
      break;
    case 17:
      if (rarely(&in, 8))
        make_session(w, &in);
      break;
    case 18:
      if (rarely(&in, 8))
        load_another(&in);
      break;
    default:
      run_step(w, &in);
      break;
    }
    check_world(w);
  }
  for (int i = 0; i < SESSIONS; ++i) {
    sluice_session_release(worlds[i].session);
    worlds[i].session = NULL;
  }
  return 0;
}
