/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.h: a reader of safetensors files that trusts nothing. The file is mapped; tensors are
 * views into it.
 *
 * Format: u64 little-endian header size (at most 100,000,000), a JSON object {"name": {"dtype",
 * "shape", "data_offsets": [begin, end]}}, optionally "__metadata__" (strings), then the data.
 * Offsets count from the end of the header; together the tensors must cover the data exactly,
 * without holes or overlaps.
 */
#ifndef SLUICE_RT_SAFETENSORS_H
#define SLUICE_RT_SAFETENSORS_H

#include "json.h"

typedef struct sluice_tensor {
  const char *name;
  const char *dtype; /* as in the file: "F32", "BF16", "I64", ... */
  int32_t bits;      /* of an element */
  int32_t rank;
  int64_t shape[SLUICE_RANK_MAX];
  int64_t elements;
  int64_t begin, end; /* bytes in the file */
  const uint8_t *data;
} sluice_tensor_t;

typedef struct sluice_tensors {
  char *path;
  size_t path_size;
  sluice_file_t file;
  sluice_json_doc_t doc;
  sluice_tensor_t *tensors; /* [count] by name, ascending bytes */
  size_t count;
  sluice_allocator_t allocator;
} sluice_tensors_t;

/* Opens and checks |path|. NOT_FOUND, SYSTEM, BAD_ARTEFACT, OUT_OF_MEMORY. */
sluice_status_t sluice_tensors_open(const sluice_allocator_t *allocator, const char *path,
                                    sluice_tensors_t *out_tensors);
void sluice_tensors_close(sluice_tensors_t *tensors);

/* The tensor called |name|, or NULL. */
const sluice_tensor_t *sluice_tensors_find(const sluice_tensors_t *tensors, const char *name);

#endif
