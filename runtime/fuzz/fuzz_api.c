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
#include "fuzz.h"

static const char *good;
sluice_model_t *model;
float bias[REF_VOCAB];

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

int pick(const world_t *w, input_t *in, sluice_sequence_t *out_handle) {
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

/* ---- Models ---- */

static void load_another(input_t *in) {
  static const struct {
    const char *from, *to;
    sluice_status_t status;
  } edits[] = {
      {"\"sluice\": 1", "\"sluice\": 99", SLUICE_STATUS_TOO_NEW},
      {"\"abi\": 1", "\"abi\": 99", SLUICE_STATUS_TOO_NEW},
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
  sluice_home_table_t table = {
      .rows = odd_number(in), .row_bytes = odd_number(in), .stride = odd_number(in)};
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
