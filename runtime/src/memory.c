/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c: allocator defaults, anonymous maps and mapped files.
 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *default_allocate(void *self, size_t size, size_t alignment) {
  (void)self;
  void *pointer = NULL;
  return posix_memalign(&pointer, alignment, size) == 0 ? pointer : NULL;
}

static void default_release(void *self, void *pointer, size_t size) {
  (void)self, (void)size;
  free(pointer);
}

sluice_allocator_t sluice_allocator_or_default(sluice_allocator_t allocator) {
  if (allocator.allocate && allocator.release)
    return allocator;
  return (sluice_allocator_t){NULL, default_allocate, default_release};
}

sluice_status_t sluice_allocate(const sluice_allocator_t *allocator, size_t count, size_t size,
                                void *out) {
  size_t bytes;
  void *pointer = NULL;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
    return sluice_fail(SLUICE_STATUS_OUT_OF_MEMORY,
                       "%zu elements of %zu bytes are more than memory can hold", count, size);
  if (bytes != 0) {
    pointer = allocator->allocate(allocator->self, bytes, SLUICE_ALIGN);
    if (!pointer)
      return sluice_fail(SLUICE_STATUS_OUT_OF_MEMORY, "the allocator has no %zu bytes", bytes);
    memset(pointer, 0, bytes);
  }
  memcpy(out, &pointer, sizeof pointer);
  return SLUICE_STATUS_OK;
}

void sluice_free(const sluice_allocator_t *allocator, void *pointer, size_t count, size_t size) {
  if (pointer)
    allocator->release(allocator->self, pointer, count * size);
}

sluice_status_t sluice_map_anonymous(int64_t bytes, const char *what, uint8_t **out) {
  if (bytes == 0) {
    *out = NULL;
    return SLUICE_STATUS_OK;
  }
  void *data = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return sluice_fail(SLUICE_STATUS_OUT_OF_MEMORY, "cannot reserve %lld bytes for %s: %s",
                       (long long)bytes, what, strerror(errno));
  // A hint: big pages spare the translation misses of streaming through gigabytes. Not having them
  // is no failure.
  if (bytes >= (int64_t)4 << 20)
    (void)madvise(data, (size_t)bytes, MADV_HUGEPAGE);
  *out = data;
  return SLUICE_STATUS_OK;
}

void sluice_unmap(void *pointer, int64_t bytes) {
  if (pointer && bytes > 0)
    munmap(pointer, (size_t)bytes);
}

sluice_status_t sluice_file_map(const char *path, sluice_file_t *out) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    int reason = errno;
    return sluice_fail(reason == ENOENT || reason == ENOTDIR ? SLUICE_STATUS_NOT_FOUND
                                                             : SLUICE_STATUS_SYSTEM,
                       "cannot open %s: %s", path, strerror(reason));
  }
  struct stat info;
  if (fstat(fd, &info) != 0) {
    int reason = errno;
    close(fd);
    return sluice_fail(SLUICE_STATUS_SYSTEM, "cannot read %s: %s", path, strerror(reason));
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT, "%s is not a regular file", path);
  }
  sluice_file_t file = {NULL, info.st_size};
  if (file.bytes > 0) {
    void *data = mmap(NULL, (size_t)file.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      int reason = errno;
      close(fd);
      return sluice_fail(SLUICE_STATUS_SYSTEM, "cannot map %s: %s", path, strerror(reason));
    }
    file.data = data;
  }
  close(fd);
  *out = file;
  return SLUICE_STATUS_OK;
}

void sluice_file_unmap(sluice_file_t *file) {
  if (file->data)
    munmap((void *)(uintptr_t)file->data, (size_t)file->bytes);
  *file = (sluice_file_t){NULL, 0};
}
