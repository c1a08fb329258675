/* SPDX-License-Identifier: Apache-2.0
 *
 * pages.c: the page pool: counted pages, sequences, fork, copy on write, truncate.
 */
#include "pages.h"

#include <string.h>

/* Bytes of one page in one layer of one kind: all heads, contiguous. */
static int64_t layer_bytes(const sluice_kv_info_t *kv) { return kv->page_bytes / kv->layers; }

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Pages in another order: n -> (first + n * step) mod page_count with a step that has no divisor in
 * common with page_count visits each page once, and needs no list of them. */
static void choose_order(sluice_pool_t *p, uint64_t seed) {
  p->first = 0;
  p->step = 1;
  if (seed == 0 || p->page_count == 0)
    return;
  // splitmix64's finaliser: any even-handed generator would do.
  uint64_t z = seed * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  p->first = (int64_t)((z >> 32) % (uint64_t)p->page_count);
  p->step = (int64_t)((z & UINT32_MAX) % (uint64_t)p->page_count);
  while (common_divisor(p->page_count, p->step) != 1)
    ++p->step; // page_count + 1 is one at the latest.
}

/* References, free list and the sequences' tables, one after another; small enough by what
 * sluice_pool_create asks for. */
static int64_t counts_bytes(const sluice_pool_t *p) {
  return (2 * p->page_count + (int64_t)p->seq_count * p->pages_per_seq) * (int64_t)sizeof(int32_t);
}

static sluice_status_t allocate(sluice_pool_t *p) {
  const sluice_allocator_t *a = &p->allocator;
  SLUICE_TRY(sluice_allocate(a, (size_t)p->kv_count, sizeof *p->memory, &p->memory));
  SLUICE_TRY(sluice_allocate(a, (size_t)p->kv_count, sizeof *p->memory_bytes, &p->memory_bytes));
  SLUICE_TRY(sluice_allocate(a, (size_t)p->seq_count, sizeof *p->seqs, &p->seqs));
  // Mapped, so that a generous number of pages or sequences costs nothing until it is used.
  SLUICE_TRY(sluice_map_anonymous(counts_bytes(p), "the page pool's counts", &p->counts));
  p->references = (int32_t *)p->counts;
  p->free_list = p->references + p->page_count;
  p->tables = p->free_list + p->page_count;
  for (int32_t i = 0; i < p->kv_count; ++i) {
    int64_t bytes;
    if (!sluice_mul(p->kv[i].page_bytes, p->page_count, &bytes) ||
        !sluice_add(p->bytes, bytes, &p->bytes))
      return sluice_fail(SLUICE_STATUS_OUT_OF_MEMORY,
                         "%lld pages of %lld bytes are more than memory can hold: ask for fewer "
                         "kv_pages",
                         (long long)p->page_count, (long long)p->kv[i].page_bytes);
    sluice_status_t status = sluice_map_anonymous(bytes, "the page pool", &p->memory[i].base);
    if (status != SLUICE_STATUS_OK)
      return sluice_fail_in(status, "%lld pages of %lld bytes (ask for fewer kv_pages)",
                            (long long)p->page_count, (long long)p->kv[i].page_bytes);
    p->memory_bytes[i] = bytes;
    p->memory[i].page_count = p->page_count;
  }
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_pool_create(const sluice_allocator_t *allocator, const sluice_kv_info_t *kv,
                                   int32_t kv_count, int64_t page_count, int32_t seq_count,
                                   int64_t max_seq, uint64_t shuffle, bool poison,
                                   sluice_pool_t *p) {
  p->allocator = *allocator;
  p->kv = kv;
  p->kv_count = kv_count;
  p->page = kv[0].page;
  p->page_count = p->free_count = page_count;
  p->seq_count = seq_count;
  p->pages_per_seq = (int32_t)sluice_ceil_div(max_seq, p->page);
  p->poison = poison;
  sluice_status_t status = allocate(p);
  if (status != SLUICE_STATUS_OK) {
    sluice_pool_release(p);
    return status;
  }
  choose_order(p, shuffle);
  for (int32_t i = 0; i < seq_count; ++i)
    p->seqs[i].table = p->tables + (int64_t)i * p->pages_per_seq;
  return SLUICE_STATUS_OK;
}

void sluice_pool_release(sluice_pool_t *p) {
  const sluice_allocator_t *a = &p->allocator;
  for (int32_t i = 0; p->memory && p->memory_bytes && i < p->kv_count; ++i)
    sluice_unmap(p->memory[i].base, p->memory_bytes[i]);
  sluice_free(a, p->memory, (size_t)p->kv_count, sizeof *p->memory);
  sluice_free(a, p->memory_bytes, (size_t)p->kv_count, sizeof *p->memory_bytes);
  sluice_free(a, p->seqs, (size_t)p->seq_count, sizeof *p->seqs);
  sluice_unmap(p->counts, counts_bytes(p));
  memset(p, 0, sizeof *p);
}

static int32_t take_page(sluice_pool_t *p) {
  if (p->free_count == 0)
    return -1;
  --p->free_count;
  int32_t page = p->stacked > 0 ? p->free_list[--p->stacked]
                                : (int32_t)((p->first + p->fresh++ * p->step) % p->page_count);
  p->references[page] = 1;
  // All bits set is a NaN in every float type.
  for (int32_t i = 0; p->poison && i < p->kv_count; ++i)
    for (int64_t layer = 0; layer < p->kv[i].layers; ++layer)
      memset(p->memory[i].base + (layer * p->page_count + page) * layer_bytes(&p->kv[i]), 0xff,
             (size_t)layer_bytes(&p->kv[i]));
  return page;
}

static void give_page(sluice_pool_t *p, int32_t page) {
  if (--p->references[page] == 0) {
    p->free_list[p->stacked++] = page;
    ++p->free_count;
  }
}

static void copy_page(sluice_pool_t *p, int32_t from, int32_t to) {
  for (int32_t i = 0; i < p->kv_count; ++i) {
    int64_t bytes = layer_bytes(&p->kv[i]);
    for (int64_t layer = 0; layer < p->kv[i].layers; ++layer) {
      uint8_t *base = p->memory[i].base + layer * p->page_count * bytes;
      memcpy(base + to * bytes, base + from * bytes, (size_t)bytes);
    }
  }
  ++p->copies;
}

sluice_seq_t *sluice_pool_find(const sluice_pool_t *p, sluice_sequence_t handle) {
  uint32_t index = (uint32_t)handle, generation = (uint32_t)(handle >> 32);
  if (index >= (uint32_t)p->seq_count || generation % 2 == 0 ||
      p->seqs[index].generation != generation)
    return NULL;
  return &p->seqs[index];
}

sluice_status_t sluice_pool_create_seq(sluice_pool_t *p, sluice_sequence_t *out_handle) {
  for (int32_t i = 0; i < p->seq_count; ++i) {
    sluice_seq_t *seq = &p->seqs[i];
    if (seq->generation % 2 == 1)
      continue;
    ++seq->generation;
    seq->length = seq->pages = 0;
    seq->marked = 0;
    *out_handle = (sluice_sequence_t)seq->generation << 32 | (uint32_t)i;
    return SLUICE_STATUS_OK;
  }
  return sluice_fail(SLUICE_STATUS_LIMIT,
                     "%d sequences are alive, which is the session's live_seqs: drop one, or make "
                     "a session with more",
                     p->seq_count);
}

sluice_status_t sluice_pool_fork_seq(sluice_pool_t *p, const sluice_seq_t *seq,
                                     sluice_sequence_t *out_handle) {
  sluice_sequence_t handle;
  SLUICE_TRY(sluice_pool_create_seq(p, &handle));
  sluice_seq_t *copy = sluice_pool_find(p, handle);
  copy->length = seq->length;
  copy->pages = seq->pages;
  for (int32_t i = 0; i < seq->pages; ++i) {
    copy->table[i] = seq->table[i];
    ++p->references[seq->table[i]];
  }
  *out_handle = handle;
  return SLUICE_STATUS_OK;
}

void sluice_pool_truncate_seq(sluice_pool_t *p, sluice_seq_t *seq, int64_t length) {
  int32_t keep = (int32_t)sluice_ceil_div(length, p->page);
  while (seq->pages > keep)
    give_page(p, seq->table[--seq->pages]);
  seq->length = length;
}

void sluice_pool_drop_seq(sluice_pool_t *p, sluice_seq_t *seq) {
  sluice_pool_truncate_seq(p, seq, 0);
  ++seq->generation;
}

bool sluice_pool_reserve(sluice_pool_t *p, sluice_seq_t *seq, int64_t count,
                         sluice_reservation_t *out_undo) {
  sluice_reservation_t undo = {seq->pages, -1};
  int32_t need = (int32_t)sluice_ceil_div(seq->length + count, p->page);
  bool enough = true;
  if (seq->length % p->page != 0 && p->references[seq->table[seq->pages - 1]] > 1) {
    int32_t shared = seq->table[seq->pages - 1], own = take_page(p);
    if (own < 0)
      return false;
    copy_page(p, shared, own);
    give_page(p, shared);
    seq->table[seq->pages - 1] = own;
    undo.shared_page = shared;
  }
  while (enough && seq->pages < need) {
    int32_t page = take_page(p);
    enough = page >= 0;
    if (enough)
      seq->table[seq->pages++] = page;
  }
  if (enough)
    *out_undo = undo;
  else
    sluice_pool_unreserve(p, seq, &undo);
  return enough;
}

void sluice_pool_unreserve(sluice_pool_t *p, sluice_seq_t *seq, const sluice_reservation_t *undo) {
  while (seq->pages > undo->pages_before)
    give_page(p, seq->table[--seq->pages]);
  if (undo->shared_page >= 0) {
    give_page(p, seq->table[seq->pages - 1]);
    seq->table[seq->pages - 1] = undo->shared_page;
    ++p->references[undo->shared_page];
    --p->copies;
  }
}
