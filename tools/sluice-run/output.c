/* SPDX-License-Identifier: Apache-2.0
 *
 * output.c: writes safetensors files atomically.
 */
#define _GNU_SOURCE 1
#include "output.h"
#include "memory.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };
static char target_path[PATH_BYTES], temporary_path[PATH_BYTES];
static volatile sig_atomic_t is_open;
static uint8_t *map;
static int64_t map_bytes;

static const char *dtype_in_file(sluice_dtype_t dtype) {
  static const char *const names[] = {"F32", "BF16", "F16", "I8", "U8", "I16", "I32", "I64"};
  return names[dtype];
}

static int order_of_write(const void *a, const void *b) {
  const output_tensor_t *x = *(const output_tensor_t *const *)a,
                        *y = *(const output_tensor_t *const *)b;
  size_t s = sluice_dtype_bytes(x->dtype), t = sluice_dtype_bytes(y->dtype);
  return s != t ? (s < t) - (s > t) : strcmp(x->name, y->name);
}

static void put_escaped(FILE *to, const char *text) {
  for (; *text; ++text) {
    if (*text == '"' || *text == '\\')
      fputc('\\', to);
    fputc(*text, to);
  }
}

/* The header for tensors in the order |sorted|: widest element first, then by name. */
static int make_header(output_tensor_t *const *sorted, int32_t count, char **out, size_t *out_size,
                       int64_t *out_data) {
  FILE *header = open_memstream(out, out_size);
  if (!header)
    return report_error(EXIT_RUN_TIME, "no memory for the header of the output");
  int64_t at = 0;
  fputc('{', header);
  for (int32_t i = 0; i < count; ++i) {
    int64_t bytes = (int64_t)sluice_dtype_bytes(sorted[i]->dtype), end;
    fputs(i ? ",\"" : "\"", header);
    put_escaped(header, sorted[i]->name);
    fprintf(header, "\":{\"dtype\":\"%s\",\"shape\":[", dtype_in_file(sorted[i]->dtype));
    for (int32_t d = 0; d < sorted[i]->rank; ++d) {
      fprintf(header, d ? ",%lld" : "%lld", (long long)sorted[i]->shape[d]);
      if (!sluice_mul(bytes, sorted[i]->shape[d], &bytes))
        bytes = -1;
    }
    if (!sluice_add(at, bytes, &end)) {
      fclose(header);
      return report_error(EXIT_RUN_TIME, "the output %s does not fit in 63 bits", sorted[i]->name);
    }
    fprintf(header, "],\"data_offsets\":[%lld,%lld]}", (long long)at, (long long)end);
    at = end;
  }
  fputc('}', header);
  // So that the data starts at a multiple of 64 in the file.
  for (long used = ftell(header); (used + 8) % 64 != 0; ++used)
    fputc(' ', header);
  if (fclose(header) != 0)
    return report_error(EXIT_RUN_TIME, "no memory for the header of the output");
  *out_data = at;
  return EXIT_OK;
}

static int open_temporary(const char *path, int64_t bytes) {
  if (snprintf(target_path, sizeof target_path, "%s", path) >= PATH_BYTES ||
      snprintf(temporary_path, sizeof temporary_path, "%s.%ld.part", path, (long)getpid()) >=
          PATH_BYTES)
    return report_error(EXIT_BAD_INPUT, "the path of the output is longer than %d bytes",
                        PATH_BYTES);
  struct stat info;
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
    return report_error(EXIT_BAD_INPUT, "%s is there and is not a regular file", path);
  int fd = open(temporary_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    return report_error(EXIT_BAD_INPUT, "cannot write %s: %s", path, strerror(errno));
  is_open = 1;
  // Reserved now, so that a full disk is a sentence here and not a signal in the middle of a write
  // to the map.
  int error = posix_fallocate(fd, 0, bytes);
  void *data = error == 0 ? mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                          : MAP_FAILED;
  if (data == MAP_FAILED)
    error = error ? error : errno;
  close(fd);
  if (error != 0) {
    output_abandon();
    return report_error(EXIT_RUN_TIME, "cannot write %lld bytes to %s: %s", (long long)bytes, path,
                        strerror(error));
  }
  map = data;
  map_bytes = bytes;
  return EXIT_OK;
}

int output_begin(const char *path, output_tensor_t *tensors, int32_t count) {
  output_tensor_t *sorted[OUTPUT_TENSORS];
  char *header;
  size_t header_bytes;
  int64_t data_bytes, bytes;
  if (count > OUTPUT_TENSORS)
    return report_error(EXIT_BAD_INPUT, "%d outputs, expected at most %d", count, OUTPUT_TENSORS);
  for (int32_t i = 0; i < count; ++i)
    sorted[i] = &tensors[i];
  qsort(sorted, (size_t)count, sizeof sorted[0], order_of_write);
  TRY(make_header(sorted, count, &header, &header_bytes, &data_bytes));
  int code = EXIT_OK;
  if (!sluice_add(data_bytes, 8 + (int64_t)header_bytes, &bytes))
    code = report_error(EXIT_RUN_TIME, "the output does not fit in 63 bits");
  if (code == EXIT_OK)
    code = open_temporary(path, bytes);
  if (code == EXIT_OK) {
    for (int i = 0; i < 8; ++i)
      map[i] = (uint8_t)((uint64_t)header_bytes >> (8 * i));
    memcpy(map + 8, header, header_bytes);
    uint8_t *at = map + 8 + header_bytes;
    for (int32_t i = 0; i < count; ++i) {
      int64_t size = (int64_t)sluice_dtype_bytes(sorted[i]->dtype);
      sorted[i]->data = at;
      for (int32_t d = 0; d < sorted[i]->rank; ++d)
        size *= sorted[i]->shape[d];
      at += size;
    }
  }
  free(header);
  return code;
}

static void output_unmap(void) {
  if (map)
    munmap(map, (size_t)map_bytes);
  map = NULL;
}

int output_commit(void) {
  output_unmap();
  if (rename(temporary_path, target_path) != 0) {
    int reason = errno;
    output_abandon();
    return report_error(EXIT_RUN_TIME, "cannot put %s in its place: %s", target_path,
                        strerror(reason));
  }
  is_open = 0;
  return EXIT_OK;
}

void output_abandon(void) {
  if (is_open)
    unlink(temporary_path);
  is_open = 0;
}

void output_discard(void) {
  output_unmap();
  output_abandon();
}
