/* SPDX-License-Identifier: Apache-2.0
 *
 * table_file.h: rows of a table in a file that is larger than memory, read as they are asked for.
 * The file is not mapped: it costs neither addresses nor resident memory of the process.
 */
#ifndef SLUICE_RT_TABLE_FILE_H
#define SLUICE_RT_TABLE_FILE_H

#include "memory.h"

typedef struct sluice_table_file {
  int fd; /* -1: none */
  int64_t offset;
  /* What the file was when it was opened. */
  uint64_t device, inode;
  int64_t size, changed_s, changed_ns;
} sluice_table_file_t;

/* Which rows of a request have been read, fixed in size: larger requests are served in parts. */
typedef struct sluice_row_index sluice_row_index_t;

/* Opens the regular file at |path|, which must have |bytes| bytes from |offset| on. NOT_FOUND,
 * SYSTEM, BAD_ARTEFACT (no regular file, or a short one). On failure there is nothing to close. */
sluice_status_t sluice_table_file_open(const char *path, int64_t offset, int64_t bytes,
                                       sluice_table_file_t *out);
/* The same for the one tensor of a safetensors file: |*offset| is where its data starts. The file
 * must end with the data. */
sluice_status_t sluice_table_file_find_data(const char *path, int64_t bytes, int64_t *offset);
void sluice_table_file_close(sluice_table_file_t *file);

sluice_status_t sluice_row_index_create(const sluice_allocator_t *allocator,
                                        sluice_row_index_t **out);
void sluice_row_index_release(const sluice_allocator_t *allocator, sluice_row_index_t *index);

/* Rows |ids| [count] of |row_bytes| each, which lie |stride| bytes apart in the file, to |dest|,
 * |dest_stride| bytes apart. Each row is read once for all places that ask for it; those that are
 * not in the system's cache are all asked for before the first is waited for. A sluice_trap_code_t;
 * what is wrong, in words, in |problem| [problem_size]. Allocates nothing. */
int32_t sluice_table_file_gather(const sluice_table_file_t *file, sluice_row_index_t *index,
                                 const int32_t *ids, int64_t count, int64_t rows, int64_t row_bytes,
                                 int64_t stride, uint8_t *dest, int64_t dest_stride, char *problem,
                                 size_t problem_size);

#endif
