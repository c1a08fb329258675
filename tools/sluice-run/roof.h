/* SPDX-License-Identifier: Apache-2.0
 *
 * roof.h: the machine's read bandwidth, measured beside what it judges.
 */
#ifndef SLUICE_RUN_ROOF_H
#define SLUICE_RUN_ROOF_H

#include <stdint.h>

typedef struct roof roof_t;

/* A buffer larger than caches, to be read by |threads| threads; NULL when there is no memory for
 * it. */
roof_t *roof_create(int32_t threads);
void roof_release(roof_t *roof);

/* Bytes per second of reading the buffer once with all threads. */
double roof_read(roof_t *roof);

#endif
