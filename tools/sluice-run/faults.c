/* SPDX-License-Identifier: Apache-2.0
 *
 * faults.c: what signals do. Handlers make only calls that are safe in them; sentences are made
 * when a map is named, not when it fails.
 */
#define _GNU_SOURCE 1
#include "faults.h"
#include "output.h"
#include "report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CUT                                                                                        \
  " was cut, or its disk failed, while it was in use: replace files by renaming new ones into "    \
  "their place\n"

enum { MAPS = 4, SENTENCE_BYTES = 4352 };

static struct map {
  uintptr_t begin, end;
  char sentence[SENTENCE_BYTES];
} maps[MAPS];
static volatile sig_atomic_t map_count;

static void interrupted(int number) {
  (void)number;
  output_abandon();
  _exit(EXIT_INTERRUPTED);
}

static void bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  static const char unknown[] = "sluice-run: error: a mapped file" CUT;
  const char *sentence = unknown;
  uintptr_t at = (uintptr_t)info->si_addr;
  if (info->si_code != BUS_ADRERR) {
    // Not a file's: let it end the process as it would without us.
    signal(number, SIG_DFL);
    return;
  }
  for (int i = 0; i < map_count; ++i)
    if (at >= maps[i].begin && at < maps[i].end)
      sentence = maps[i].sentence;
  ssize_t ignored = write(STDERR_FILENO, sentence, strlen(sentence));
  (void)ignored;
  output_abandon();
  _exit(EXIT_BAD_INPUT);
}

void faults_install(void) {
  struct sigaction action = {.sa_handler = interrupted};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  struct sigaction fault = {.sa_sigaction = bus_error, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &fault, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

void faults_name_map(const void *data, int64_t bytes, const char *path) {
  if (!data || map_count == MAPS)
    return;
  struct map *map = &maps[map_count];
  // The kernel speaks of whole pages.
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  map->begin = (uintptr_t)data / page * page;
  map->end = ((uintptr_t)data + (uintptr_t)bytes + page - 1) / page * page;
  snprintf(map->sentence, sizeof map->sentence, "sluice-run: error: %.4096s" CUT, path);
  ++map_count;
}

void faults_name_weights(const sluice_model_t *model) {
  const sluice_model_info_t *info = sluice_model_info(model);
  const uint8_t *begin = NULL, *end = NULL;
  for (int32_t i = 0; i < info->weight_count; ++i) {
    const uint8_t *data = sluice_model_weight_data(model, i);
    if (!data || info->weights[i].generated)
      continue;
    begin = !begin || data < begin ? data : begin;
    end = !end || data + info->weights[i].bytes > end ? data + info->weights[i].bytes : end;
  }
  char path[SENTENCE_BYTES];
  snprintf(path, sizeof path, "%.2000s/%.2000s", info->path, info->weight_file);
  faults_name_map(begin, end - begin, path);
}
