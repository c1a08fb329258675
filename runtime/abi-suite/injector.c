/* SPDX-License-Identifier: Apache-2.0
 *
 * injector.c: see injector.h. Only the thread that called inject() is refused anything, so that a
 * worker's request does not move the count.
 */
#define _GNU_SOURCE 1
#include "injector.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static _Thread_local bool armed, refuse_all;
static _Thread_local long first_refused, requests;
static _Thread_local request_t refused;
static atomic_long blocks, mapped, files, threads, libraries;

void inject(long first, bool all) {
  first_refused = first;
  refuse_all = all;
  requests = 0;
  refused = REQUEST_NONE;
  armed = true;
}

request_t inject_nothing(long *out_requests) {
  armed = false;
  if (out_requests)
    *out_requests = requests;
  return refused;
}

const char *request_name(request_t request) {
  static const char *const names[] = {"nothing", "posix_memalign", "mmap",   "mprotect", "open",
                                      "fstat",   "pthread_create", "dlopen", "malloc"};
  return names[request];
}

holdings_t holdings_now(void) {
  return (holdings_t){atomic_load(&blocks), atomic_load(&mapped), atomic_load(&files),
                      atomic_load(&threads), atomic_load(&libraries)};
}

static bool refuse(request_t request) {
  if (!armed)
    return false;
  ++requests;
  if (requests != first_refused && !(refuse_all && requests > first_refused))
    return false;
  if (refused == REQUEST_NONE)
    refused = request;
  return true;
}

/* ---- The runtime's own requests ---- */

int __real_posix_memalign(void **out, size_t alignment, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size) {
  if (refuse(REQUEST_ALLOCATE))
    return ENOMEM;
  bool was = armed;
  armed = false; // What is below this one request is part of it.
  int error = __real_posix_memalign(out, alignment, size);
  armed = was;
  blocks += error == 0;
  return error;
}

void __real_free(void *pointer);
void __wrap_free(void *pointer);
void __wrap_free(void *pointer) {
  blocks -= pointer != NULL;
  __real_free(pointer);
}

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (refuse(REQUEST_MAP)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  void *data = __real_mmap(at, bytes, protection, flags, fd, offset);
  mapped += data == MAP_FAILED ? 0 : (long)bytes;
  return data;
}

int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes) {
  mapped -= (long)bytes;
  return __real_munmap(at, bytes);
}

int __real_mprotect(void *at, size_t bytes, int protection);
int __wrap_mprotect(void *at, size_t bytes, int protection);
int __wrap_mprotect(void *at, size_t bytes, int protection) {
  if (refuse(REQUEST_PROTECT)) {
    errno = ENOMEM;
    return -1;
  }
  return __real_mprotect(at, bytes, protection);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
  if (refuse(REQUEST_OPEN)) {
    errno = EMFILE;
    return -1;
  }
  int fd = __real_open(path, flags); // The runtime creates no files.
  files += fd >= 0;
  return fd;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
  --files;
  return __real_close(fd);
}

int __real_fstat(int fd, struct stat *out);
int __wrap_fstat(int fd, struct stat *out);
int __wrap_fstat(int fd, struct stat *out) {
  if (refuse(REQUEST_STAT)) {
    errno = EIO;
    return -1;
  }
  return __real_fstat(fd, out);
}

int __real_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument) {
  if (refuse(REQUEST_THREAD))
    return EAGAIN;
  int error = __real_pthread_create(out, attributes, run, argument);
  threads += error == 0;
  return error;
}

int __real_pthread_join(pthread_t thread, void **out);
int __wrap_pthread_join(pthread_t thread, void **out);
int __wrap_pthread_join(pthread_t thread, void **out) {
  --threads;
  return __real_pthread_join(thread, out);
}

void *__real_dlopen(const char *path, int flags);
void *__wrap_dlopen(const char *path, int flags);
void *__wrap_dlopen(const char *path, int flags) {
  if (refuse(REQUEST_LOAD)) {
    (void)__real_dlopen("/nonexistent/refused.so", RTLD_NOW); // So that dlerror() has a sentence.
    return NULL;
  }
  void *handle = __real_dlopen(path, flags);
  libraries += handle != NULL;
  return handle;
}

int __real_dlclose(void *handle);
int __wrap_dlclose(void *handle);
int __wrap_dlclose(void *handle) {
  --libraries;
  return __real_dlclose(handle);
}

/* ---- libc's requests ---- */

#ifndef SANITIZED
// Seen by libc and by other libraries, too.
#pragma GCC visibility push(default)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}
void *malloc(size_t size) { return refuse(REQUEST_LIBC) ? no_memory() : __libc_malloc(size); }
void *calloc(size_t count, size_t size) {
  return refuse(REQUEST_LIBC) ? no_memory() : __libc_calloc(count, size);
}
void *realloc(void *pointer, size_t size) {
  return refuse(REQUEST_LIBC) ? no_memory() : __libc_realloc(pointer, size);
}
#pragma GCC visibility pop
#endif
