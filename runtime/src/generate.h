/* SPDX-License-Identifier: Apache-2.0
 *
 * generate.h: weights made from a seed (docs/Contracts.md, section 5), written straight into their
 * packed layout. The bits are a function of seed, source tensor's name and index alone: the same on
 * every machine, thread count and layout.
 */
#ifndef SLUICE_RT_GENERATE_H
#define SLUICE_RT_GENERATE_H

#include "manifest.h"

/* Which code computes the formula; all give the same bits. */
typedef enum sluice_generate_path {
  SLUICE_GENERATE_BEST, /* the widest that the machine has */
  SLUICE_GENERATE_PLAIN,
  SLUICE_GENERATE_AVX2,
  SLUICE_GENERATE_AVX512,
} sluice_generate_path_t;

/* Whether the machine can run |path|. */
bool sluice_generate_has(sluice_generate_path_t path);

/* Fills data[i] for every generated one of the |count| weights, with |threads| threads in all
 * (fewer if the system gives fewer). data[i] is 64-byte aligned and info.bytes long. */
sluice_status_t sluice_generate(const sluice_allocator_t *allocator, const sluice_weight_t *weights,
                                int32_t count, uint8_t *const *data, int32_t threads,
                                sluice_generate_path_t path);

#endif
