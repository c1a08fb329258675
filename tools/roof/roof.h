/* SPDX-License-Identifier: Apache-2.0
 *
 * roof.h: what the machine can do at most, measured beside what it judges: read bandwidth, and the
 * rate of the instructions that linear layers are made of.
 */
#ifndef SLUICE_ROOF_H
#define SLUICE_ROOF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct roof roof_t;

/* A buffer larger than caches, to be read by |threads| threads; NULL when there is no memory for
 * it. */
roof_t *roof_create(int32_t threads);
void roof_release(roof_t *roof);

/* Bytes per second of reading the buffer once with all threads. */
double roof_read(roof_t *roof);

/* The instructions that have a ceiling. */
typedef enum roof_dot {
  ROOF_FMA = 0,    /* f32 fused multiply-add, in the widest registers */
  ROOF_DPBF16 = 1, /* vdpbf16ps */
  ROOF_VNNI = 2,   /* vpdpbusd, or sdot on Arm */
} roof_dot_t;
enum { ROOF_DOTS = 3 };

/* "fma", "dpbf16", "vnni". */
const char *roof_dot_name(roof_dot_t dot);

/* Operations per second (a multiply-add is two) of |threads| threads that do nothing else; 0 where
 * the processor has no such instruction. Takes some milliseconds. */
double roof_peak(int32_t threads, roof_dot_t dot);

/* All of it. */
typedef struct roof_ceilings {
  int32_t threads;
  double read;           /* bytes per second */
  double dot[ROOF_DOTS]; /* operations per second, 0: no such instruction */
} roof_ceilings_t;

/* Measures all with |threads| threads, the best of a few times. Takes a third of a second. 0 for
 * |read| when there is no memory for its buffer. */
void roof_measure(int32_t threads, roof_ceilings_t *out);

#ifdef __cplusplus
}
#endif
#endif
