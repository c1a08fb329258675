/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h: the inside of sluice_model_t.
 */
#ifndef SLUICE_RT_MODEL_H
#define SLUICE_RT_MODEL_H

#include "manifest.h"
#include "safetensors.h"

struct sluice_model {
  sluice_allocator_t allocator;
  sluice_log_t log;
  char *path;
  size_t path_size;
  sluice_manifest_t manifest;
  bool metadata_only;
  void *library;            /* dlopen handle */
  sluice_entry_fn *entries; /* [function_count] */
  sluice_tensors_t tensors; /* weights.safetensors; empty when all are generated */
  uint8_t **data;           /* [weight_count] memory of all weights */
  uint8_t **weights;  /* [weight_count] as compiled code sees them: NULL for tables of a home */
  uint8_t *generated; /* one map for all generated weights */
  int64_t generated_bytes;
};

#endif
