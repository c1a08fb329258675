/* SPDX-License-Identifier: Apache-2.0
 *
 * Scratch.h: readers take paths, fuzzers give bytes. A directory of this process, in memory where
 * the system has such a file system, whose files are rewritten by every execution. An input that
 * stands for several files is cut at lines "%%NAME".
 */
#ifndef SLUICE_TEST_FUZZ_SCRATCH_H
#define SLUICE_TEST_FUZZ_SCRATCH_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Seconds of processor time that one input may take. libFuzzer's own limit is of the clock, which a
 * loaded or halted machine exceeds without fault. */
enum { FUZZ_SECONDS = 2 };

static inline double fuzz_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Ends the run when the input that |start| was taken before took too long. */
static inline void fuzz_check_seconds(double start) {
  double spent = fuzz_seconds() - start;
  if (spent > FUZZ_SECONDS) {
    fprintf(stderr, "this input took %.1f s of processor time\n", spent);
    abort();
  }
}

static char scratch_root[128];

static void scratch_remove(void) {
  char command[192];
  snprintf(command, sizeof command, "rm -rf '%s'", scratch_root);
  if (system(command) != 0)
    fprintf(stderr, "cannot remove %s\n", scratch_root);
}

/* The directory; made by the first call, removed at exit. */
static inline const char *scratch(void) {
  if (scratch_root[0])
    return scratch_root;
  const char *base = getenv("SLUICE_FUZZ_SCRATCH");
  if (!base)
    base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(scratch_root, sizeof scratch_root, "%.100s/sluice-fuzz-XXXXXX", base);
  if (!mkdtemp(scratch_root))
    abort();
  atexit(scratch_remove);
  return scratch_root;
}

/* |name| inside the scratch directory, in memory that the eighth call from here on reuses. */
static inline const char *scratch_path(const char *name) {
  static char paths[8][256];
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, 256, "%s/%.100s", scratch(), name);
  return path;
}

/* A new file each time: what an earlier execution mapped keeps its contents. */
static inline const char *scratch_write(const char *name, const void *data, size_t bytes) {
  const char *path = scratch_path(name);
  unlink(path);
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    abort();
  for (size_t done = 0; done < bytes;) {
    ssize_t now = write(fd, (const char *)data + done, bytes - done);
    if (now <= 0)
      abort();
    done += (size_t)now;
  }
  close(fd);
  return path;
}

/* A safetensors file. 'R' and then bytes: these bytes. Else the first byte is a number in ASCII
 * from '0' up that is added to the header's true length, and the header ends at the first empty
 * line: mutations then reach what stands behind the length. */
static inline const char *scratch_write_tensors(const char *name, const uint8_t *data,
                                                size_t bytes) {
  if (bytes == 0 || data[0] == 'R')
    return scratch_write(name, data + (bytes != 0), bytes - (bytes != 0));
  const uint8_t *end = (const uint8_t *)memmem(data + 1, bytes - 1, "\n\n", 2);
  size_t header = end ? (size_t)(end - data) - 1 : bytes - 1;
  size_t rest = end ? bytes - header - 3 : 0;
  uint8_t *file = (uint8_t *)malloc(8 + header + rest);
  if (!file)
    abort();
  uint64_t said = header + (uint64_t)(int64_t)((int)data[0] - '0');
  memcpy(file, &said, 8);
  memcpy(file + 8, data + 1, header);
  if (rest)
    memcpy(file + 8 + header, end + 2, rest);
  const char *path = scratch_write(name, file, 8 + header + rest);
  free(file);
  return path;
}

/* Writes the files of |data| whose names are in |names| (NULL at the end) and removes the others of
 * them. Bytes before the first mark are the file names[0]. Names that end in .safetensors are
 * written by scratch_write_tensors. */
static inline void scratch_write_all(const uint8_t *data, size_t bytes, const char *const *names) {
  for (const char *const *name = names; *name; ++name)
    unlink(scratch_path(*name));
  const char *name = names[0];
  for (size_t at = 0; at <= bytes;) {
    const uint8_t *mark = NULL;
    for (size_t i = at; !mark && i + 2 <= bytes; ++i)
      if (data[i] == '%' && data[i + 1] == '%' && (i == 0 || data[i - 1] == '\n'))
        mark = data + i;
    size_t end = mark ? (size_t)(mark - data) : bytes;
    if (name && (end > at || at > 0)) {
      const char *dot = strrchr(name, '.');
      if (dot && strcmp(dot, ".safetensors") == 0)
        scratch_write_tensors(name, data + at, end - at);
      else
        scratch_write(name, data + at, end - at);
    }
    if (!mark)
      return;
    const uint8_t *line = (const uint8_t *)memchr(mark, '\n', bytes - end);
    size_t length = line ? (size_t)(line - mark) - 2 : 0;
    name = NULL;
    for (const char *const *known = names; *known && line; ++known)
      if (strlen(*known) == length && memcmp(*known, mark + 2, length) == 0)
        name = *known;
    at = line ? (size_t)(line - data) + 1 : bytes + 1;
  }
}

#endif
