// SPDX-License-Identifier: Apache-2.0
// Preloaded: does something to the file $MEANWHILE_FILE when the program reserves space for its
// output.
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int posix_fallocate(int fd, off_t offset, off_t length) {
  const char *path = getenv("MEANWHILE_FILE"), *what = getenv("MEANWHILE");
  if (path && strcmp(what, "shrink") == 0 && truncate(path, 0) != 0)
    abort();
  if (path && strcmp(what, "vanish") == 0 && unlink(path) != 0)
    abort();
  if (path && strcmp(what, "change") == 0) {
    int file = open(path, O_RDWR);
    off_t end = lseek(file, 0, SEEK_END);
    for (off_t at = 0; at < end; ++at)
      if (pwrite(file, "\xff", 1, at) != 1)
        abort();
    close(file);
  }
  return syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : 28;
}
