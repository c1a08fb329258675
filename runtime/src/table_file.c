/* SPDX-License-Identifier: Apache-2.0
 *
 * table_file.c: rows of a table in a file, each read once per request. Runs on the thread of a
 * home, which does nothing but wait for the disk.
 */
#define _GNU_SOURCE 1
#include "table_file.h"

#include "sluice-rt/kernel_abi.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Places of a request that are served together, and slots of the index: twice as many, so that it
 * never fills. */
enum { PART = 4096, SLOTS = 2 * PART };

struct sluice_row_index {
  int32_t row[SLOTS];   /* -1: free */
  int32_t place[SLOTS]; /* the first place of the part that asks for |row| */
  int32_t used[PART], used_count;
  int32_t waiting[PART]; /* first places whose rows were not in the cache */
};

sluice_status_t sluice_table_file_open(const char *path, int64_t offset, int64_t bytes,
                                       sluice_table_file_t *out) {
  struct stat info;
  int64_t end;
  out->fd = -1;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // does not wait for a pipe's other end
  if (fd < 0)
    return sluice_fail(errno == ENOENT || errno == ENOTDIR ? SLUICE_STATUS_NOT_FOUND
                                                           : SLUICE_STATUS_SYSTEM,
                       "cannot open the table %s: %s", path, strerror(errno));
  if (fstat(fd, &info) != 0) {
    int error = errno;
    close(fd);
    return sluice_fail(SLUICE_STATUS_SYSTEM, "cannot look at the table %s: %s", path,
                       strerror(error));
  }
  if (!S_ISREG(info.st_mode) || !sluice_add(offset, bytes, &end) || (int64_t)info.st_size < end) {
    close(fd);
    return S_ISREG(info.st_mode)
               ? sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                             "the table %s has %lld bytes, expected %lld from byte %lld on", path,
                             (long long)info.st_size, (long long)bytes, (long long)offset)
               : sluice_fail(SLUICE_STATUS_BAD_ARTEFACT, "the table %s is not a regular file",
                             path);
  }
  // Rows are asked for here and there: reading ahead would read what nobody wants.
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  *out = (sluice_table_file_t){.fd = fd,
                               .offset = offset,
                               .device = (uint64_t)info.st_dev,
                               .inode = (uint64_t)info.st_ino,
                               .size = (int64_t)info.st_size,
                               .changed_s = (int64_t)info.st_mtim.tv_sec,
                               .changed_ns = (int64_t)info.st_mtim.tv_nsec};
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_table_file_find_data(const char *path, int64_t bytes, int64_t *offset) {
  sluice_table_file_t file;
  uint8_t length[8];
  SLUICE_TRY(sluice_table_file_open(path, 0, 8, &file));
  bool whole = pread(file.fd, length, sizeof length, 0) == (ssize_t)sizeof length;
  sluice_table_file_close(&file);
  uint64_t header = 0;
  for (int i = 0; i < 8; ++i)
    header |= (uint64_t)length[i] << 8 * i;
  // What the header says in between is not needed: there is one tensor, and its size is known.
  if (!whole || header > INT64_MAX / 2 || file.size != (int64_t)header + 8 + bytes)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "the table %s has %lld bytes, expected its header and %lld bytes of rows",
                       path, (long long)file.size, (long long)bytes);
  *offset = (int64_t)header + 8;
  return SLUICE_STATUS_OK;
}

void sluice_table_file_close(sluice_table_file_t *file) {
  if (file->fd >= 0)
    close(file->fd);
  file->fd = -1;
}

sluice_status_t sluice_row_index_create(const sluice_allocator_t *allocator,
                                        sluice_row_index_t **out) {
  SLUICE_TRY(sluice_allocate(allocator, 1, sizeof **out, out));
  memset((*out)->row, 0xff, sizeof(*out)->row);
  return SLUICE_STATUS_OK;
}

void sluice_row_index_release(const sluice_allocator_t *allocator, sluice_row_index_t *index) {
  sluice_free(allocator, index, 1, sizeof *index);
}

/* The slot of |row|, or the free one where it belongs. */
static uint32_t slot_of(const sluice_row_index_t *index, int32_t row) {
  uint32_t slot = (uint32_t)row * 0x9E3779B1u >> 19; // 13 bits, as SLOTS has
  while (index->row[slot] >= 0 && index->row[slot] != row)
    slot = (slot + 1) % SLOTS;
  return slot;
}

static void clear(sluice_row_index_t *index) {
  for (int32_t i = 0; i < index->used_count; ++i)
    index->row[index->used[i]] = -1;
  index->used_count = 0;
}

/* Whether the file is still the one that was opened, as far as can be seen without reading it. */
static bool is_same(const sluice_table_file_t *file, char *problem, size_t size) {
  struct stat info;
  if (fstat(file->fd, &info) != 0) {
    snprintf(problem, size, "cannot look at a table's file: %s", strerror(errno));
    return false;
  }
  if ((int64_t)info.st_size < file->size) {
    snprintf(problem, size, "a table's file shrank from %lld to %lld bytes while it was in use",
             (long long)file->size, (long long)info.st_size);
    return false;
  }
  if ((int64_t)info.st_size != file->size || (int64_t)info.st_mtim.tv_sec != file->changed_s ||
      (int64_t)info.st_mtim.tv_nsec != file->changed_ns) {
    snprintf(problem, size, "a table's file was changed while it was in use");
    return false;
  }
  return true;
}

/* All of a row, waiting for the disk. */
static bool read_row(const sluice_table_file_t *file, int64_t at, uint8_t *to, int64_t bytes,
                     char *problem, size_t size) {
  while (bytes > 0) {
    ssize_t got = pread(file->fd, to, (size_t)bytes, at);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      if (got < 0)
        snprintf(problem, size, "cannot read a table at byte %lld: %s", (long long)at,
                 strerror(errno));
      else
        snprintf(problem, size, "a table's file ends at byte %lld, in the middle of a row",
                 (long long)at);
      return false;
    }
    to += got;
    at += got;
    bytes -= got;
  }
  return true;
}

/* A row that the system has in memory; false, and perhaps some bytes, when it has not all of it. */
static bool read_cached(const sluice_table_file_t *file, int64_t at, uint8_t *to, int64_t bytes) {
#ifdef RWF_NOWAIT
  struct iovec vector = {to, (size_t)bytes};
  return preadv2(file->fd, &vector, 1, at, RWF_NOWAIT) == bytes;
#else
  (void)file, (void)at, (void)to, (void)bytes;
  return false;
#endif
}

int32_t sluice_table_file_gather(const sluice_table_file_t *file, sluice_row_index_t *index,
                                 const int32_t *ids, int64_t count, int64_t rows, int64_t row_bytes,
                                 int64_t stride, uint8_t *dest, int64_t dest_stride, char *problem,
                                 size_t size) {
  if (!is_same(file, problem, size))
    return SLUICE_TRAP_TABLE;
  int32_t result = SLUICE_TRAP_NONE;
  for (int64_t first = 0; first < count && result == SLUICE_TRAP_NONE; first += PART) {
    int32_t part = count - first < PART ? (int32_t)(count - first) : PART, waiting = 0;
    // What is in memory comes at once; of the rest the disk hears before anybody waits for it.
    for (int32_t i = 0; i < part; ++i) {
      int32_t row = ids[first + i];
      if (row < 0 || row >= rows) {
        clear(index);
        return SLUICE_TRAP_ID;
      }
      uint32_t slot = slot_of(index, row);
      if (index->row[slot] >= 0)
        continue;
      index->row[slot] = row;
      index->place[slot] = i;
      index->used[index->used_count++] = (int32_t)slot;
      int64_t at = file->offset + row * stride;
      if (!read_cached(file, at, dest + (first + i) * dest_stride, row_bytes)) {
        posix_fadvise(file->fd, at, row_bytes, POSIX_FADV_WILLNEED);
        index->waiting[waiting++] = i;
      }
    }
    for (int32_t w = 0; w < waiting && result == SLUICE_TRAP_NONE; ++w) {
      int64_t place = first + index->waiting[w];
      if (!read_row(file, file->offset + ids[place] * stride, dest + place * dest_stride, row_bytes,
                    problem, size))
        result = SLUICE_TRAP_TABLE;
    }
    for (int32_t i = 0; i < part && result == SLUICE_TRAP_NONE; ++i) {
      int64_t source = index->place[slot_of(index, ids[first + i])];
      if (source != i)
        memcpy(dest + (first + i) * dest_stride, dest + (first + source) * dest_stride,
               (size_t)row_bytes);
    }
    clear(index);
  }
  // Once more: rows that were written while they were read may be half of each.
  if (result == SLUICE_TRAP_NONE && !is_same(file, problem, size))
    result = SLUICE_TRAP_TABLE;
  return result;
}
