/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_model.c: a model's library written by hand against kernel_abi.h, so that the runtime is
 * tested without a compiler. Its decoder keeps tokens and positions in the page pool and makes
 * logits out of the whole history it finds there: a page that is missing, mixed up, shared by
 * mistake or not copied changes them.
 */
#include "sluice-rt/kernel_abi.h"

#ifndef FAKE_ABI
#define FAKE_ABI SLUICE_ABI_VERSION
#endif
#define EXPORT __attribute__((visibility("default")))

/* What every exported function is. */
typedef void sluice_entry_t(sluice_call_t *call, int32_t me, int32_t workers);

extern EXPORT const uint32_t sluice_abi_version;
const uint32_t sluice_abi_version = FAKE_ABI;

/* As the manifest of fixture.c says. */
enum {
  VOCAB = 50,
  LAYERS = 2,
  KEY = 2,
  VALUE = 3,
  PAGE = 16,
  TILE = (KEY + VALUE) * SLUICE_TILE_SLOTS
};
/* The token that the fake refuses, to have a trap at hand. */
enum { REFUSED = 49 };

static void trap(sluice_call_t *call, int32_t code, int32_t location, int64_t value,
                 int64_t bound) {
  int32_t none = 0;
  if (__atomic_compare_exchange_n(&call->trap.code, &none, code, 0, __ATOMIC_RELAXED,
                                  __ATOMIC_RELAXED)) {
    call->trap.location = location;
    call->trap.value = value;
    call->trap.bound = bound;
  }
}

static int64_t share(int64_t items, int32_t me, int32_t workers) { return items * me / workers; }

/* The tile of |slot| of |seq| in |layer|; NULL after a trap. */
static float *tile_of(sluice_call_t *call, int64_t layer, int32_t seq, int64_t slot) {
  const sluice_batch_t *b = call->batch;
  int64_t index = b->page_start[seq] + slot / PAGE;
  if (index >= b->page_start[seq + 1]) {
    trap(call, SLUICE_TRAP_PAGE, 1, slot / PAGE, b->page_start[seq + 1] - b->page_start[seq]);
    return 0;
  }
  int64_t page = b->page_table[index];
  if (page < 0 || page >= call->pages[0].page_count) {
    trap(call, SLUICE_TRAP_PAGE, 1, page, call->pages[0].page_count);
    return 0;
  }
  return (float *)call->pages[0].base + (layer * call->pages[0].page_count + page) * TILE;
}

EXPORT sluice_entry_t sluice_fn_step;
void sluice_fn_step(sluice_call_t *call, int32_t me, int32_t workers) {
  const sluice_batch_t *b = call->batch;
  const int32_t *tokens = call->args[0], *ask = call->args[1];
  float *logits = call->args[2];
  const float *bias = (const float *)call->weights[0];
  for (int64_t row = share(b->rows, me, workers); row < share(b->rows, me + 1, workers); ++row) {
    int32_t seq = b->row_seq[row];
    int64_t slot = b->past[seq] + row - b->row_start[seq];
    if (tokens[row] == REFUSED)
      trap(call, SLUICE_TRAP_ID, 0, tokens[row], REFUSED);
    for (int64_t layer = 0; layer < LAYERS; ++layer) {
      float *tile = tile_of(call, layer, seq, slot);
      if (!tile)
        continue;
      tile[slot % PAGE] = (float)tokens[row] + (float)layer;
      tile[SLUICE_TILE_SLOTS + slot % PAGE] = (float)b->position[row];
      for (int64_t d = 0; d < VALUE; ++d)
        tile[KEY * SLUICE_TILE_SLOTS + slot % PAGE * VALUE + d] = (float)(tokens[row] + d);
    }
  }
  call->barrier(call->team, me);
  int64_t asked = call->dims[1];
  for (int64_t a = share(asked, me, workers); a < share(asked, me + 1, workers); ++a) {
    int32_t row = ask[a], seq = b->row_seq[row];
    int64_t last = b->past[seq] + row - b->row_start[seq];
    uint64_t history = 1;
    for (int64_t slot = 0; slot <= last; ++slot)
      for (int64_t layer = 0; layer < LAYERS; ++layer) {
        const float *tile = tile_of(call, layer, seq, slot);
        if (!tile)
          break;
        float key = tile[slot % PAGE], position = tile[SLUICE_TILE_SLOTS + slot % PAGE];
        float value = tile[KEY * SLUICE_TILE_SLOTS + slot % PAGE * VALUE + VALUE - 1];
        if (!(key >= 0 && key < 1000 && position >= 0 && value >= 0 && value < 1000)) {
          trap(call, SLUICE_TRAP_PAGE, 1, -1, 1); // Nobody wrote this slot.
          break;
        }
        history = history * 0x9E3779B97F4A7C15u + (uint64_t)key * 1000003u +
                  (uint64_t)position * 4099u + (uint64_t)value;
        history ^= history >> 29;
      }
    for (int64_t v = 0; v < VOCAB; ++v) {
      uint64_t z = (history + (uint64_t)v) * 0xBF58476D1CE4E5B9u;
      logits[a * VOCAB + v] = (float)(z >> 40) * 0x1p-24f + bias[v];
    }
    logits[a * VOCAB + REFUSED] = -1; // Never the largest.
#ifdef FAKE_BATCH_DEPENDENT
    logits[a * VOCAB] +=
        (float)(b->rows % 3); // What a model must not do, so that a test can find it.
#endif
  }
  call->barrier(call->team, me);
}

EXPORT sluice_entry_t sluice_fn_sample;
void sluice_fn_sample(sluice_call_t *call, int32_t me, int32_t workers) {
  const float *logits = call->args[0], *temperature = call->args[1];
  const int64_t *rng = call->args[2];
  int32_t *tokens = call->args[3];
  int64_t *rng_out = call->args[4];
  for (int64_t i = share(call->dims[0], me, workers); i < share(call->dims[0], me + 1, workers);
       ++i) {
    uint64_t state = (uint64_t)rng[i] * 6364136223846793005u + 1442695040888963407u;
    int32_t best = 0, possible[VOCAB], count = 0;
    for (int32_t v = 0; v < VOCAB; ++v) {
      best = logits[i * VOCAB + v] > logits[i * VOCAB + best] ? v : best;
      if (logits[i * VOCAB + v] > -__builtin_inff())
        possible[count++] = v;
    }
    // Evenly among what is not forbidden.
    tokens[i] = temperature[i] == 0 || count == 0 ? best : possible[(int32_t)(state >> 33) % count];
    rng_out[i] = (int64_t)state;
  }
}

EXPORT sluice_entry_t sluice_fn_forward;
void sluice_fn_forward(sluice_call_t *call, int32_t me, int32_t workers) {
  const sluice_batch_t *b = call->batch;
  const int32_t *tokens = call->args[0], *types = call->args[1];
  float *out = call->args[2];
  for (int64_t r = share(b->rows, me, workers); r < share(b->rows, me + 1, workers); ++r) {
    out[r * 3] = (float)tokens[r];
    out[r * 3 + 1] = (float)b->position[r] + 1000.0f * (float)types[r];
    out[r * 3 + 2] = (float)b->row_seq[r];
  }
}

EXPORT sluice_entry_t sluice_fn_embed;
void sluice_fn_embed(sluice_call_t *call, int32_t me, int32_t workers) {
  const sluice_batch_t *b = call->batch;
  const int32_t *tokens = call->args[0];
  float *out = call->args[1];
  for (int64_t s = share(b->seqs, me, workers); s < share(b->seqs, me + 1, workers); ++s) {
    float sum = 0;
    for (int32_t r = b->row_start[s]; r < b->row_start[s + 1]; ++r)
      sum += (float)tokens[r];
    out[s * 2] = sum;
    out[s * 2 + 1] = (float)(b->row_start[s + 1] - b->row_start[s]);
  }
}

EXPORT sluice_entry_t sluice_fn_add;
void sluice_fn_add(sluice_call_t *call, int32_t me, int32_t workers) {
  const float *x = call->args[0], *y = call->args[1];
  float *z = call->args[2];
  int64_t rows = call->dims[0];
  for (int64_t r = share(rows, me, workers); r < share(rows, me + 1, workers); ++r)
    for (int64_t c = 0; c < 3; ++c)
      z[r * 3 + c] = x[r * 3 + c] + y[r % 2 * 3 + c];
}

/* Barriers under load: in every round each worker writes its number of the round, and after the
 * barrier everybody must find everybody's. Counts what is wrong. */
EXPORT sluice_entry_t sluice_fn_meet;
void sluice_fn_meet(sluice_call_t *call, int32_t me, int32_t workers) {
  enum { ROUNDS = 1000, GAP = 8 };
  int64_t *slots = (int64_t *)call->arena, *wrong = call->args[0], mine = 0;
  for (int64_t round = 1; round <= ROUNDS; ++round) {
    slots[me * GAP] = round;
    call->barrier(call->team, me);
    for (int32_t w = 0; w < workers; ++w)
      mine += slots[w * GAP] != round;
    call->barrier(call->team, me);
  }
  slots[me * GAP] = mine;
  call->barrier(call->team, me);
  if (me == 0) {
    *wrong = 0;
    for (int32_t w = 0; w < workers; ++w)
      *wrong += slots[w * GAP];
  }
}

/* Rows of weight 1 by two asynchronous gathers: the first half of the ids and the second half. */
EXPORT sluice_entry_t sluice_fn_fetch;
void sluice_fn_fetch(sluice_call_t *call, int32_t me, int32_t workers) {
  (void)workers;
  const int32_t *ids = call->args[0];
  float *values = call->args[1];
  int64_t rows = call->dims[0], half = rows / 2;
  if (me == 0) {
    // The table is a home's, so its memory is not ours.
    if (call->weights[1])
      trap(call, SLUICE_TRAP_PAGE, -1, 0, 0);
    call->tokens[0] =
        call->home->gather_submit(call->home->self, 1, ids, half, 32, (uint8_t *)values, 32);
    call->tokens[1] = call->home->gather_submit(call->home->self, 1, ids + half, rows - half, 32,
                                                (uint8_t *)(values + half * 8), 32);
  }
  call->barrier(call->team, me);
  if (me == 0)
    for (int i = 0; i < 2; ++i) {
      int32_t code = call->tokens[i] < 0
                         ? SLUICE_TRAP_ID
                         : call->home->gather_await(call->home->self, call->tokens[i]);
      if (code != SLUICE_TRAP_NONE)
        trap(call, code, 1, -1, 20);
    }
  call->barrier(call->team, me);
}

/* Never ends by itself, and leaves a gather behind when it is cancelled. */
EXPORT sluice_entry_t sluice_fn_forever;
void sluice_fn_forever(sluice_call_t *call, int32_t me, int32_t workers) {
  const int32_t *ids = call->args[0];
  int32_t *begun = call->args[1];
  (void)workers;
  if (me == 0)
    call->tokens[0] = call->home->gather_submit(call->home->self, 1, ids, call->dims[0], 32,
                                                (uint8_t *)begun, 32);
  for (;;)
    call->barrier(call->team, me);
}
