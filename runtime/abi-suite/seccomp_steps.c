/* SPDX-License-Identifier: Apache-2.0
 *
 * seccomp_steps.c: proves that steady-state steps make no system call of the kinds that they must
 * not make.
 *
 *   seccomp_steps ARTEFACT THREADS [STEPS] [--plant]
 *
 * Warms a session up, installs a filter for all threads under which every system call but
 * exit_group kills the process (futex, clone, mmap and write among them), runs STEPS (64) steps,
 * and leaves by exit_group with 0. A decoder decodes two sequences, an encoder encodes two; other
 * models are refused. The workers spin.
 * --plant makes a write on purpose after half of the steps: then the process must be killed.
 */
#define _GNU_SOURCE 1
#include "sluice-rt/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Leaving, and what the kernel itself does to a thread that is interrupted while it sleeps. */
static const unsigned allowed[] = {SYS_exit_group, SYS_restart_syscall, SYS_rt_sigreturn};
enum { ALLOWED = sizeof allowed / sizeof allowed[0] };

static int fail(const char *what, const char *why) {
  fprintf(stderr, "seccomp_steps: error: %s: %s\n", what, why);
  return 4;
}

static int install_filter(void) {
  struct sock_filter code[1 + ALLOWED + 2];
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  code[0] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < ALLOWED; ++i)
    code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
                                               (unsigned char)(ALLOWED - i), 0);
  code[1 + ALLOWED] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  code[2 + ALLOWED] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail("PR_SET_NO_NEW_PRIVS", strerror(errno));
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
    return fail("seccomp", strerror(errno));
  return 0;
}

/* Threads of this process that sleep, and all of them; 0 when the kernel does not say. */
static int sleeping_threads(int *total) {
  DIR *tasks = opendir("/proc/self/task");
  int sleeping = 0;
  *total = 0;
  for (struct dirent *task; tasks && (task = readdir(tasks)) != NULL;) {
    char path[300], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
    FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (!file)
      continue;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *name_end = strrchr(text, ')');
    sleeping += name_end && name_end[1] == ' ' && name_end[2] == 'S';
    ++*total;
  }
  if (tasks)
    closedir(tasks);
  return sleeping;
}

/* The thread that serves another home sleeps until there is a request. On a busy machine it may not
 * have run at all when the steps are warm, and its way to sleep is a system call. */
static int await_helpers(int workers) {
  struct timespec pause = {0, 2000000};
  for (int i = 0, seen = 0; i < 5000; ++i) {
    int total, sleeping = sleeping_threads(&total);
    seen = total > 0 && sleeping >= total - workers ? seen + 1 : 0;
    if (seen == 3)
      return 0;
    nanosleep(&pause, NULL);
  }
  return fail("helper threads", "expected them to sleep within 10 seconds");
}

/* One step of the model: what is repeated. */
typedef struct stepper {
  const sluice_model_info_t *info;
  sluice_session_t *session;
  const sluice_function_info_t *function;
  sluice_part_t parts[2];
  int32_t tokens[2][16];
  float temperature[2];
  int64_t rng[2];
  float *out;
} stepper_t;

static sluice_status_t step(stepper_t *s, bool prefill) {
  if (s->info->kind == SLUICE_KIND_ENCODER)
    return sluice_session_encode(s->session, s->function->name, s->parts, 2, s->out);
  for (int i = 0; i < 2; ++i)
    s->parts[i].count = prefill ? 16 - i : 1;
  sluice_status_t status = sluice_session_step(s->session, s->function->name, s->parts, 2, s->out);
  int32_t next[2];
  if (status == SLUICE_STATUS_OK)
    status = sluice_session_sample(s->session, "sample", s->out, 2, s->temperature, s->rng, next);
  for (int i = 0; i < 2; ++i)
    s->tokens[i][0] = next[i];
  return status;
}

static int prepare(stepper_t *s, const sluice_model_t *model) {
  bool decoder = s->info->kind == SLUICE_KIND_DECODER;
  s->function = sluice_model_function(model, decoder ? "step" : "forward");
  if (s->info->kind == SLUICE_KIND_OP || !s->function)
    return fail(s->info->name, "expected a decoder or an encoder");
  size_t width = (size_t)s->function->args[s->function->arg_count - 1].row_elements;
  s->out = calloc(32 * width, sizeof *s->out);
  if (!s->out)
    return fail("memory", "none left");
  for (int i = 0; i < 2; ++i) {
    for (int t = 0; t < 16; ++t)
      s->tokens[i][t] = (int32_t)((7 * t + 3 * i + 1) %
                                  (s->info->limits.vocab < 40 ? s->info->limits.vocab : 40));
    s->parts[i] = (sluice_part_t){.count = 16 - i, .ask = decoder ? 1 : 0, .tokens = s->tokens[i]};
    if (decoder && sluice_sequence_create(s->session, &s->parts[i].sequence) != SLUICE_STATUS_OK)
      return fail("sequence", sluice_last_error());
  }
  return 0;
}

int main(int argc, char **argv) {
  bool plant = argc > 1 && strcmp(argv[argc - 1], "--plant") == 0;
  argc -= plant;
  if (argc != 3 && argc != 4) {
    fprintf(stderr, "usage: seccomp_steps ARTEFACT THREADS [STEPS] [--plant]\n");
    return 1;
  }
  int threads = atoi(argv[2]), steps = argc == 4 ? atoi(argv[3]) : 64;
  sluice_model_t *model;
  stepper_t s = {0};
  sluice_session_options_t options = {
      .threads = threads, .spin = SLUICE_SPIN_ALWAYS, .max_rows = 32, .max_seqs = 2};
  if (sluice_model_load(argv[1], NULL, &model) != SLUICE_STATUS_OK ||
      sluice_session_create(model, &options, &s.session) != SLUICE_STATUS_OK)
    return fail(argv[1], sluice_last_error());
  s.info = sluice_model_info(model);
  int code = prepare(&s, model);
  if (code != 0)
    return code;
  // Warm up: the first steps touch pages of memory, bind symbols and wake workers.
  for (int i = 0; i < 4; ++i)
    if (step(&s, i == 0) != SLUICE_STATUS_OK)
      return fail("warming up", sluice_last_error());
  sluice_stats_t before, after;
  sluice_session_stats(s.session, &before);
  code = await_helpers(threads);
  if (code == 0)
    code = install_filter();
  if (code != 0)
    return code;
  // From here on nothing may print: exit codes say what went wrong.
  for (int i = 0; i < steps; ++i) {
    if (step(&s, false) != SLUICE_STATUS_OK)
      syscall(SYS_exit_group, 5);
    if (plant && i == steps / 2)
      syscall(SYS_write, 2, "", 0);
  }
  sluice_session_stats(s.session, &after);
  int64_t calls = after.steps - before.steps;
  bool one_region = after.region_entries - before.region_entries == calls;
  bool no_park = after.parks == before.parks;
  syscall(SYS_exit_group, one_region && no_park && calls >= steps ? 0 : 6);
}
