/* SPDX-License-Identifier: Apache-2.0
 *
 * test_table_file.c: a home whose table is a file: rows arrive as from memory, each is read once
 * per request, and files that are short, shrink, change or are none end in a status or a trap. With
 * --large: a table of 8 GiB, in 4 GiB of addresses.
 */
#define _GNU_SOURCE 1
#include "check.h"

#include "sluice-rt/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 5000, COLUMNS = 20, ROW_BYTES = COLUMNS * 4, OFFSET = 72 };

static char folder[] = "/tmp/sluice-table-XXXXXX";
static char path[64];

static uint32_t value_of(int64_t row, int64_t column) {
  uint64_t z = ((uint64_t)row << 20 ^ (uint64_t)column) * 0x9E3779B97F4A7C15u;
  return (uint32_t)((z ^ z >> 29) * 0xBF58476D1CE4E5B9u >> 32);
}

/* A file of |rows| rows after OFFSET bytes, the last row |missing| bytes short. */
static void write_table(int64_t rows, int64_t missing) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  uint32_t row[COLUMNS];
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < COLUMNS; ++c)
      row[c] = value_of(i, c);
    size_t bytes = (size_t)(ROW_BYTES - (i == rows - 1 ? missing : 0));
    CHECK(pwrite(fd, row, bytes, OFFSET + i * ROW_BYTES) == (ssize_t)bytes);
  }
  close(fd);
}

static sluice_home_t *make(void) {
  sluice_home_table_t table = {
      .rows = ROWS, .row_bytes = ROW_BYTES, .stride = ROW_BYTES, .path = path, .offset = OFFSET};
  sluice_home_t *home = NULL;
  REQUIRE_OK(sluice_home_create(NULL, &table, 1, &home));
  return home;
}

static int32_t fetch(sluice_home_t *home, const int32_t *ids, int64_t count, int64_t row_bytes,
                     void *out, int64_t stride) {
  int64_t token = home->gather_submit(home->self, 0, ids, count, row_bytes, (uint8_t *)out, stride);
  CHECK(token >= 0);
  return token >= 0 ? home->gather_await(home->self, token) : -1;
}

static void rows_arrive(void) {
  write_table(ROWS, 0);
  sluice_home_t *home = make();
  // More places than one part has, rows several times, places further apart than a row is long.
  enum { COUNT = 10007, STRIDE = ROW_BYTES + 12 };
  static int32_t ids[COUNT];
  uint8_t *out = calloc(COUNT, STRIDE);
  uint32_t state = 1;
  for (int i = 0; i < COUNT; ++i)
    ids[i] = (int32_t)((state = state * 1664525u + 1013904223u) >> 8) % (i % 3 ? ROWS : 7);
  ids[0] = 0, ids[1] = ROWS - 1, ids[2] = ROWS - 1;
  CHECK(fetch(home, ids, COUNT, ROW_BYTES, out, STRIDE) == SLUICE_TRAP_NONE);
  int64_t wrong = 0, touched = 0;
  for (int64_t i = 0; i < COUNT; ++i) {
    for (int64_t c = 0; c < COLUMNS; ++c) {
      uint32_t got;
      memcpy(&got, out + i * STRIDE + c * 4, sizeof got);
      wrong += got != value_of(ids[i], c);
    }
    for (int64_t b = ROW_BYTES; b < STRIDE; ++b)
      touched += out[i * STRIDE + b] != 0;
  }
  CHECK(wrong == 0);
  CHECK(touched == 0);
  CHECK(fetch(home, ids, 0, ROW_BYTES, out, STRIDE) == SLUICE_TRAP_NONE);
  free(out);
  sluice_home_release(home);
}

static void numbers_outside_are_refused(void) {
  write_table(ROWS, 0);
  sluice_home_t *home = make();
  uint8_t out[3 * ROW_BYTES];
  const int32_t cases[][3] = {{0, ROWS, 1}, {-1, 2, 3}, {1, 1, INT32_MIN}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    CHECK(fetch(home, cases[i], 3, ROW_BYTES, out, ROW_BYTES) == SLUICE_TRAP_ID);
    // And the next request is none the worse for it.
    const int32_t good[] = {2, 1, 2};
    CHECK(fetch(home, good, 3, ROW_BYTES, out, ROW_BYTES) == SLUICE_TRAP_NONE);
    uint32_t first;
    memcpy(&first, out + 2 * ROW_BYTES, sizeof first);
    CHECK(first == value_of(2, 0));
  }
  sluice_home_release(home);
}

static void bad_files_are_refused(void) {
  sluice_home_t *home = NULL;
  sluice_home_table_t table = {
      .rows = ROWS, .row_bytes = ROW_BYTES, .stride = ROW_BYTES, .path = path, .offset = OFFSET};
  write_table(ROWS, 1);
  CHECK_FAILS(sluice_home_create(NULL, &table, 1, &home), SLUICE_STATUS_BAD_ARTEFACT,
              "has 400071 bytes, expected 400000 from byte 72 on");
  unlink(path);
  CHECK_FAILS(sluice_home_create(NULL, &table, 1, &home), SLUICE_STATUS_NOT_FOUND,
              "cannot open the table");
  CHECK(mkfifo(path, 0600) == 0);
  CHECK_FAILS(sluice_home_create(NULL, &table, 1, &home), SLUICE_STATUS_BAD_ARTEFACT,
              "is not a regular file");
  unlink(path);
  table.path = folder;
  CHECK_FAILS(sluice_home_create(NULL, &table, 1, &home), SLUICE_STATUS_BAD_ARTEFACT,
              "is not a regular file");
  table.path = NULL;
  CHECK_FAILS(sluice_home_create(NULL, &table, 1, &home), SLUICE_STATUS_INVALID_ARGUMENT,
              "in memory or in a file");
  table = (sluice_home_table_t){
      .rows = INT64_MAX, .row_bytes = 8, .stride = 8, .path = path, .offset = 0};
  CHECK_FAILS(sluice_home_create(NULL, &table, 1, &home), SLUICE_STATUS_INVALID_ARGUMENT,
              "more than 2^63 bytes");
  table.rows = 1;
  table.offset = -1;
  CHECK_FAILS(sluice_home_create(NULL, &table, 1, &home), SLUICE_STATUS_INVALID_ARGUMENT,
              "table 0");
}

/* What may happen to a file that is in use. */
static void cut_file(void) { CHECK(truncate(path, OFFSET + 100 * ROW_BYTES + 7) == 0); }
static void lengthen_file(void) { CHECK(truncate(path, OFFSET + (ROWS + 1) * ROW_BYTES) == 0); }
static void rewrite_row(void) {
  int fd = open(path, O_WRONLY);
  CHECK(pwrite(fd, "x", 1, OFFSET) == 1);
  struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = 1234567, .tv_nsec = 5}};
  CHECK(futimens(fd, times) == 0); // another moment, however coarse the clock is
  close(fd);
}

static void files_must_stay_as_they_are(void) {
  void (*const changes[])(void) = {cut_file, lengthen_file, rewrite_row};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; ++i) {
    write_table(ROWS, 0);
    sluice_home_t *home = make();
    const int32_t ids[] = {3, 4000, 3};
    uint8_t out[3 * ROW_BYTES];
    CHECK(fetch(home, ids, 3, ROW_BYTES, out, ROW_BYTES) == SLUICE_TRAP_NONE);
    changes[i]();
    CHECK(fetch(home, ids, 3, ROW_BYTES, out, ROW_BYTES) == SLUICE_TRAP_TABLE);
    CHECK(fetch(home, ids, 1, ROW_BYTES, out, ROW_BYTES) == SLUICE_TRAP_TABLE);
    sluice_home_release(home);
  }
  // A file that is removed, or has another put in its place, is still there for who has it open.
  write_table(ROWS, 0);
  sluice_home_t *home = make();
  const int32_t ids[] = {1};
  uint8_t out[ROW_BYTES];
  unlink(path);
  write_table(2, 0);
  CHECK(fetch(home, ids, 1, ROW_BYTES, out, ROW_BYTES) == SLUICE_TRAP_NONE);
  sluice_home_release(home);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int64_t status_kib(const char *name) {
  char line[256];
  int64_t kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0)
      kib = strtoll(line + strlen(name) + 1, NULL, 10);
  if (file)
    fclose(file);
  return kib;
}

/* 8 GiB, of which rows of 2 GiB are written and read once, in requests of 512 tokens. */
static int large(const char *where) {
  enum { BYTES = 4096, IDS = 12288 };
  const int64_t rows = ((int64_t)8 << 30) / BYTES, distinct = ((int64_t)2 << 30) / BYTES;
  struct rlimit limit = {(rlim_t)4 << 30, (rlim_t)4 << 30};
  snprintf(path, sizeof path, "%s/table-8g", where);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, rows * BYTES) != 0 || setrlimit(RLIMIT_AS, &limit) != 0) {
    fprintf(stderr, "test_table_file: %s: %s\n", path, strerror(errno));
    return 4;
  }
  uint32_t row[BYTES / 4];
  // Multiplying by an odd number visits each row of a power of two once.
  for (int64_t i = 0; i < distinct; ++i) {
    int64_t number = i * 2654435761 % rows;
    for (int64_t c = 0; c < BYTES / 4; ++c)
      row[c] = value_of(number, c);
    if (pwrite(fd, row, BYTES, number * BYTES) != BYTES) {
      fprintf(stderr, "test_table_file: cannot write: %s\n", strerror(errno));
      unlink(path);
      return 4;
    }
  }
  fsync(fd);
  sluice_home_table_t table = {.rows = rows, .row_bytes = BYTES, .stride = BYTES, .path = path};
  sluice_home_t *home = NULL;
  REQUIRE_OK(sluice_home_create(NULL, &table, 1, &home));
  static int32_t ids[IDS];
  uint8_t *out = malloc((size_t)IDS * BYTES);
  int64_t wrong = 0, peak = 0;
  double cold = 0, warm = 0;
  for (int pass = 0; pass < 2; ++pass) {
    if (pass == 0)
      posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    for (int64_t first = 0; first < distinct; first += IDS) {
      int64_t count = distinct - first < IDS ? distinct - first : IDS;
      for (int64_t i = 0; i < count; ++i)
        ids[i] = (int32_t)((first + i) * 2654435761 % rows);
      double start = seconds();
      CHECK(fetch(home, ids, count, BYTES, out, BYTES) == SLUICE_TRAP_NONE);
      *(pass ? &warm : &cold) += seconds() - start;
      for (int64_t i = 0; i < count && pass == 0; ++i)
        for (int64_t c = 0; c < BYTES / 4; ++c) {
          uint32_t got;
          memcpy(&got, out + i * BYTES + c * 4, sizeof got);
          wrong += got != value_of(ids[i], c);
        }
      int64_t now = status_kib("RssAnon:") + status_kib("RssFile:");
      peak = now > peak ? now : peak;
    }
  }
  CHECK(wrong == 0);
  CHECK(peak < (int64_t)2 << 20);
  printf("8 GiB table, %lld rows of %d bytes read: cold %.2f us a row, again %.2f us a row, "
         "RssAnon + RssFile at most %lld MiB, "
         "under RLIMIT_AS = 4 GiB\n",
         (long long)distinct, BYTES, 1e6 * cold / (double)distinct, 1e6 * warm / (double)distinct,
         (long long)(peak >> 10));
  sluice_home_release(home);
  free(out);
  close(fd);
  unlink(path);
  return check_finish();
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--large") == 0)
    return large(argv[2]);
  if (!mkdtemp(folder))
    return 4;
  snprintf(path, sizeof path, "%s/table", folder);
  RUN(rows_arrive);
  RUN(numbers_outside_are_refused);
  RUN(bad_files_are_refused);
  RUN(files_must_stay_as_they_are);
  unlink(path);
  rmdir(folder);
  return check_finish();
}
