/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.h: where memory comes from. Small blocks come from the program's allocator; big ones
 * (weights, pages, arena) are anonymous maps, zero until touched. Sizes that outside data decide
 * are multiplied with overflow checks only.
 */
#ifndef SLUICE_RT_MEMORY_H
#define SLUICE_RT_MEMORY_H

#include "status.h"

#include <limits.h>

/* Cache line, and the alignment that compiled code may rely on. */
enum { SLUICE_ALIGN = 64 };

/* |options| with malloc filled in where there is no allocator. */
sluice_allocator_t sluice_allocator_or_default(sluice_allocator_t allocator);

/* |count| * |size| zeroed bytes in |out|, 64-byte aligned; NULL in |out| for zero bytes. */
sluice_status_t sluice_allocate(const sluice_allocator_t *allocator, size_t count, size_t size,
                                void *out);

/* Gives back what sluice_allocate(|count|, |size|) gave; NULL is fine. */
void sluice_free(const sluice_allocator_t *allocator, void *pointer, size_t count, size_t size);

/* |bytes| zeroed bytes from the system, page-aligned, reserved but not touched. |what| is for the
 * message. */
sluice_status_t sluice_map_anonymous(int64_t bytes, const char *what, uint8_t **out);
void sluice_unmap(void *pointer, int64_t bytes);

/* A file mapped read-only. */
typedef struct sluice_file {
  const uint8_t *data; /* NULL when empty */
  int64_t bytes;
} sluice_file_t;

/* Maps the regular file at |path|. NOT_FOUND, SYSTEM, BAD_ARTEFACT (not a regular file). */
sluice_status_t sluice_file_map(const char *path, sluice_file_t *out);
void sluice_file_unmap(sluice_file_t *file);

/* a * b and a + b for numbers that must stay non-negative; false on overflow or negative operands.
 */
static inline bool sluice_mul(int64_t a, int64_t b, int64_t *out) {
  return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, out);
}
static inline bool sluice_add(int64_t a, int64_t b, int64_t *out) {
  return a >= 0 && b >= 0 && !__builtin_add_overflow(a, b, out);
}
/* |value| rounded up to a multiple of |unit|; false on overflow. */
static inline bool sluice_round_up(int64_t value, int64_t unit, int64_t *out) {
  if (!sluice_add(value, unit - 1, out))
    return false;
  *out -= *out % unit;
  return true;
}
static inline int64_t sluice_ceil_div(int64_t value, int64_t unit) {
  return value / unit + (value % unit != 0);
}

#endif
