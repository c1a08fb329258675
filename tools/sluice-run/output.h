/* SPDX-License-Identifier: Apache-2.0
 *
 * output.h: a safetensors file that appears whole or not at all: it is written beside its place
 * under another name, through a map, and renamed when it is complete.
 */
#ifndef SLUICE_RUN_OUTPUT_H
#define SLUICE_RUN_OUTPUT_H

#include "sluice-rt/runtime.h"

enum { OUTPUT_TENSORS = 64 };

/* A tensor to be written. |data| is set by output_begin: zeros, to be filled by the caller. */
typedef struct output_tensor {
  const char *name;
  sluice_dtype_t dtype;
  int32_t rank;
  int64_t shape[SLUICE_RANK_MAX + 1];
  void *data;
} output_tensor_t;

/* Makes the file for |tensors| [count], with all data zero. Returns an exit code. One output at a
 * time. */
int output_begin(const char *path, output_tensor_t *tensors, int32_t count);
/* Puts the file in its place. Returns an exit code. */
int output_commit(void);
/* Removes what output_begin made, if anything. Safe in a signal handler. */
void output_abandon(void);
/* The same, and gives the memory back. Not for signal handlers. */
void output_discard(void);

#endif
