/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_calls.c: calls that reach compiled code, with good and bad parts, tables and tensors, and
 * what has to come out of them.
 */
#include "fuzz.h"

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

void run_step(world_t *w, input_t *in) {
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

void run_encode(world_t *w, input_t *in) {
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

void run_sample(world_t *w, input_t *in) {
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

void run_call(world_t *w, input_t *in) {
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
    sluice_arg_t *arg = &args[below(in, 3)];
    arg->data = NULL;
    faults |= arg->dim0 != 0 ? bit(SLUICE_STATUS_INVALID_ARGUMENT) : 0; // nothing needs no place
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

void run_fetch(world_t *w, input_t *in) {
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
