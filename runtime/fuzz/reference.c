/* SPDX-License-Identifier: Apache-2.0
 *
 * reference.c: see reference.h.
 */
#include "reference.h"

ref_slot_t ref_slot(int32_t token, int32_t position) {
  return (ref_slot_t){{token, token + 1}, position, token + 2};
}

void ref_logits(const ref_slot_t *history, int32_t length, const float *bias,
                float out[REF_VOCAB]) {
  uint64_t sum = 1;
  for (int32_t i = 0; i < length; ++i)
    for (int layer = 0; layer < 2; ++layer) {
      sum = sum * 0x9E3779B97F4A7C15u + (uint64_t)history[i].key[layer] * 1000003u +
            (uint64_t)history[i].position * 4099u + (uint64_t)history[i].value;
      sum ^= sum >> 29;
    }
  for (int32_t v = 0; v < REF_VOCAB; ++v) {
    uint64_t z = (sum + (uint64_t)v) * 0xBF58476D1CE4E5B9u;
    out[v] = (float)(z >> 40) * 0x1p-24f + bias[v];
  }
  out[REF_REFUSED] = -1;
}

static int32_t take(ref_pool_t *pool) {
  for (int32_t page = 0; page < pool->pages; ++page)
    if (pool->count[page] == 0) {
      pool->count[page] = 1;
      --pool->free;
      return page;
    }
  return -1;
}

static void give(ref_pool_t *pool, int32_t page) {
  if (--pool->count[page] == 0)
    ++pool->free;
}

bool ref_reserve(ref_pool_t *pool, ref_seq_t *seq, int32_t count) {
  // A page that others have too is not written.
  if (seq->length % REF_PAGE != 0 && pool->count[seq->page[seq->pages - 1]] > 1) {
    int32_t own = take(pool);
    if (own < 0)
      return false;
    give(pool, seq->page[seq->pages - 1]);
    seq->page[seq->pages - 1] = own;
  }
  while (seq->pages * REF_PAGE < seq->length + count) {
    int32_t page = take(pool);
    if (page < 0)
      return false;
    seq->page[seq->pages++] = page;
  }
  return true;
}

void ref_truncate(ref_pool_t *pool, ref_seq_t *seq, int32_t length) {
  while ((seq->pages - 1) * REF_PAGE >= length && seq->pages > 0)
    give(pool, seq->page[--seq->pages]);
  seq->length = length;
}

void ref_fork(ref_pool_t *pool, const ref_seq_t *from, ref_seq_t *to) {
  *to = *from;
  for (int32_t i = 0; i < from->pages; ++i)
    ++pool->count[from->page[i]];
}
