/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.c: times prefill and decode of a decoder, or calls of an encoder or any other function,
 * each beside a read loop that runs in the same repetition. Every number is a median over
 * repetitions; --format=json has all of them.
 */
#define _GNU_SOURCE 1
#include "commands.h"
#include "memory.h"
#include "report.h"
#include "roof.h"
#include "tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One timed stretch. */
typedef struct sample {
  double real, cpu; /* seconds, of all iterations */
  double roof;      /* bytes per second, read beside it */
} sample_t;

/* A line of the report: what one stretch does, and its samples. */
typedef struct entry {
  char name[128];
  int64_t iterations;
  double tokens;     /* of one sample, all iterations together; rows for functions without tokens */
  double bytes;      /* that must be read: weights once per step, and keys and values */
  double flops;      /* of the linear layers */
  sample_t *samples; /* [repetitions] */
} entry_t;

typedef struct bench {
  const sluice_model_t *model;
  const sluice_model_info_t *info;
  const options_t *o;
  sluice_session_t *session;
  roof_t *roof;
  int32_t threads, max_rows;
  entry_t entries[2];
  int entry_count;
  uint64_t random;
} bench_t;

static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t next_random(bench_t *b) {
  b->random = b->random * 6364136223846793005u + 1442695040888963407u;
  return b->random >> 33;
}

static entry_t *add_entry(bench_t *b, const char *what) {
  entry_t *entry = &b->entries[b->entry_count++];
  snprintf(entry->name, sizeof entry->name, "%s/prompt:%lld/batch:%lld/threads:%d", what,
           (long long)b->o->prompt, (long long)b->o->batch, b->threads);
  entry->samples = report_allocate((size_t)b->o->repetitions, sizeof *entry->samples);
  return entry;
}

/* What a step over |rows| rows, |asked| of them asked for, must read and compute: every panel once.
 */
static void count_step(const sluice_model_info_t *info, double rows, double asked, entry_t *entry) {
  for (int32_t i = 0; i < info->weight_count; ++i) {
    const sluice_weight_info_t *w = &info->weights[i];
    double elements = 1;
    for (int32_t d = 0; d < w->rank; ++d)
      elements *= (double)w->shape[d];
    if (!w->panel)
      continue;
    // The panel over the vocabulary is the head of a decoder: only asked rows go through it.
    bool head =
        info->kind == SLUICE_KIND_DECODER && w->stack == 0 && w->shape[0] == info->limits.vocab;
    entry->bytes += head && asked == 0 ? 0 : (double)w->bytes;
    entry->flops += 2 * elements * (head ? asked : rows);
  }
}

static double kv_bytes_per_token(const sluice_model_info_t *info) {
  double bytes = 0;
  for (int32_t i = 0; i < info->kv_count; ++i)
    bytes += (double)info->kv[i].page_bytes / info->kv[i].page;
  return bytes;
}

typedef struct stopwatch {
  double real, cpu, roof;
} stopwatch_t;

static void start(bench_t *b, stopwatch_t *watch) {
  watch->roof = roof_read(b->roof);
  watch->cpu = cpu_seconds();
  watch->real = report_seconds();
}

static void stop(bench_t *b, const stopwatch_t *watch, sample_t *out) {
  out->real = report_seconds() - watch->real;
  out->cpu = cpu_seconds() - watch->cpu;
  out->roof = (watch->roof + roof_read(b->roof)) / 2;
}

/* All prompts, in steps of at most max_rows rows; logits of each one's last row are in |logits| in
 * the end. */
static sluice_status_t prefill(bench_t *b, const char *step, const sluice_sequence_t *sequences,
                               const int32_t *tokens, float *logits, int64_t width,
                               sluice_part_t *parts, int64_t *out_steps) {
  int64_t seq = 0, done = 0;
  *out_steps = 0;
  while (seq < b->o->batch) {
    int32_t room = b->max_rows, count = 0;
    int64_t first = -1;
    for (; seq < b->o->batch && room > 0; ++count) {
      int64_t left = b->o->prompt - done;
      int32_t take = (int32_t)(left < room ? left : room);
      parts[count] = (sluice_part_t){.sequence = sequences[seq],
                                     .count = take,
                                     .ask = take == left,
                                     .tokens = tokens + seq * b->o->prompt + done};
      if (take == left && first < 0)
        first = seq;
      room -= take;
      done = take == left ? 0 : done + take;
      seq += take == left;
    }
    sluice_status_t status = sluice_session_step(b->session, step, parts, count,
                                                 first >= 0 ? logits + first * width : NULL);
    if (status != SLUICE_STATUS_OK)
      return status;
    ++*out_steps;
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t decode(bench_t *b, const char *step, int64_t steps,
                              const sluice_sequence_t *sequences, float *logits,
                              sluice_part_t *parts, int32_t *next, float *temperature,
                              int64_t *rng) {
  int32_t batch = (int32_t)b->o->batch;
  for (int64_t s = 0; s < steps; ++s) {
    sluice_status_t status =
        sluice_session_sample(b->session, "sample", logits, batch, temperature, rng, next);
    for (int32_t i = 0; i < batch && status == SLUICE_STATUS_OK; ++i)
      parts[i] =
          (sluice_part_t){.sequence = sequences[i], .count = 1, .ask = 1, .tokens = &next[i]};
    if (status == SLUICE_STATUS_OK)
      status = sluice_session_step(b->session, step, parts, batch, logits);
    if (status != SLUICE_STATUS_OK)
      return status;
  }
  return SLUICE_STATUS_OK;
}

static int bench_decoder(bench_t *b, const char *step, int64_t width) {
  const options_t *o = b->o;
  size_t batch = (size_t)o->batch;
  sluice_sequence_t *sequences = report_allocate(batch, sizeof *sequences);
  int32_t *tokens = report_allocate(batch * (size_t)o->prompt, sizeof *tokens);
  int32_t *next = report_allocate(batch, sizeof *next);
  float *logits = report_allocate(batch * (size_t)width, sizeof *logits);
  float *temperature = report_allocate(batch, sizeof *temperature);
  int64_t *rng = report_allocate(batch, sizeof *rng), steps = 0;
  sluice_part_t *parts = report_allocate(batch, sizeof *parts);
  entry_t *entry[2] = {add_entry(b, "prefill"), o->generate ? add_entry(b, "decode") : NULL};
  sluice_status_t status = SLUICE_STATUS_OK;
  for (int64_t i = 0; i < o->batch * o->prompt; ++i)
    tokens[i] = (int32_t)(next_random(b) % (uint64_t)b->info->limits.vocab);
  // Repetition -1 warms up: pages are touched, workers are awake.
  for (int64_t r = -1; r < o->repetitions && status == SLUICE_STATUS_OK; ++r) {
    sample_t ignored, *to[2] = {r < 0 ? &ignored : &entry[0]->samples[r],
                                r < 0 || !entry[1] ? &ignored : &entry[1]->samples[r]};
    stopwatch_t watch;
    for (size_t i = 0; i < batch && status == SLUICE_STATUS_OK; ++i)
      status = sluice_sequence_create(b->session, &sequences[i]);
    start(b, &watch);
    if (status == SLUICE_STATUS_OK)
      status = prefill(b, step, sequences, tokens, logits, width, parts, &steps);
    stop(b, &watch, to[0]);
    if (status == SLUICE_STATUS_OK && entry[1]) {
      start(b, &watch);
      status = decode(b, step, r < 0 ? (o->generate < 4 ? o->generate : 4) : o->generate, sequences,
                      logits, parts, next, temperature, rng);
      stop(b, &watch, to[1]);
    }
    for (size_t i = 0; i < batch && status == SLUICE_STATUS_OK; ++i)
      status = sluice_sequence_drop(b->session, sequences[i]);
  }
  double kv = kv_bytes_per_token(b->info), n = (double)o->batch;
  entry[0]->iterations = 1;
  entry[0]->tokens = n * (double)o->prompt;
  for (int64_t s = 0; s < steps; ++s)
    count_step(b->info, entry[0]->tokens / (double)steps, n / (double)steps, entry[0]);
  if (entry[1]) {
    entry[1]->iterations = o->generate;
    entry[1]->tokens = n * (double)o->generate;
    entry_t one = {0};
    count_step(b->info, n, n, &one);
    // The past of step s is prompt + s tokens, for each sequence.
    double past = ((double)o->prompt + ((double)o->generate - 1) / 2) * n;
    entry[1]->bytes = (double)o->generate * (one.bytes + kv * past);
    entry[1]->flops = (double)o->generate * one.flops;
  }
  free(sequences);
  free(tokens);
  free(next);
  free(logits);
  free(temperature);
  free(rng);
  free(parts);
  return report_status(status);
}

/* Times |call| until a sample has lasted a fifth of a second. */
static int bench_calls(bench_t *b, entry_t *entry, int (*call)(void *), void *self) {
  TRY(call(self));
  double begun = report_seconds();
  TRY(call(self));
  double once = report_seconds() - begun;
  entry->iterations = once > 0.2 ? 1 : 1 + (int64_t)(0.2 / (once > 1e-7 ? once : 1e-7));
  for (int64_t r = 0; r < b->o->repetitions; ++r) {
    stopwatch_t watch;
    start(b, &watch);
    for (int64_t i = 0; i < entry->iterations; ++i)
      TRY(call(self));
    stop(b, &watch, &entry->samples[r]);
  }
  double n = (double)entry->iterations;
  entry->tokens *= n;
  entry->bytes *= n;
  entry->flops *= n;
  return EXIT_OK;
}

typedef struct encoding {
  bench_t *b;
  const char *function;
  sluice_part_t *parts;
  float *out;
} encoding_t;

static int encode(void *self) {
  encoding_t *e = self;
  return report_status(
      sluice_session_encode(e->b->session, e->function, e->parts, (int32_t)e->b->o->batch, e->out));
}

static int bench_encoder(bench_t *b, const sluice_function_info_t *function) {
  const options_t *o = b->o;
  size_t rows = (size_t)(o->batch * o->prompt);
  int64_t width = function->args[function->arg_count - 1].row_elements;
  int32_t *tokens = report_allocate(rows, sizeof *tokens);
  encoding_t e = {b, function->name, report_allocate((size_t)o->batch, sizeof *e.parts),
                  report_allocate(rows * (size_t)width, sizeof *e.out)};
  for (size_t i = 0; i < rows; ++i)
    tokens[i] = (int32_t)(next_random(b) % (uint64_t)b->info->limits.vocab);
  for (int64_t i = 0; i < o->batch; ++i)
    e.parts[i] = (sluice_part_t){.count = (int32_t)o->prompt, .tokens = tokens + i * o->prompt};
  entry_t *entry = add_entry(b, function->name);
  entry->tokens = (double)rows;
  count_step(b->info, (double)rows, 0, entry);
  int code = bench_calls(b, entry, encode, &e);
  free(tokens);
  free(e.parts);
  free(e.out);
  return code;
}

typedef struct calling {
  bench_t *b;
  const sluice_function_info_t *function;
  sluice_arg_t *args;
} calling_t;

static int call_named(void *self) {
  calling_t *c = self;
  return report_status(sluice_session_call(c->b->session, c->function->name, NULL, 0, c->args,
                                           c->function->arg_count));
}

/* Random floats in [-1, 1), integers 0: in bounds for every table. */
static void fill_random(bench_t *b, const sluice_arg_info_t *info, void *data, int64_t elements) {
  for (int64_t i = 0; i < elements && !info->output; ++i) {
    float value = (float)(next_random(b) & 0xffffff) * 0x1p-23f - 1;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (info->dtype == SLUICE_DTYPE_F32)
      ((float *)data)[i] = value;
    else if (info->dtype == SLUICE_DTYPE_BF16)
      ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
    else if (info->dtype == SLUICE_DTYPE_F16)
      // Normal numbers of both signs from 1/4 up to 1: random sign and mantissa, exponent of 1/2 or
      // 1/4.
      ((uint16_t *)data)[i] = (uint16_t)((bits >> 16 & 0x8000) | 0x3400 | (bits & 0x7ff));
  }
}

static int bench_function(bench_t *b, const sluice_function_info_t *function) {
  const int64_t rows = b->o->prompt * b->o->batch;
  calling_t c = {b, function, report_allocate((size_t)function->arg_count, sizeof *c.args)};
  entry_t *entry = add_entry(b, function->name);
  entry->tokens = (double)rows;
  count_step(b->info, (double)rows, (double)rows, entry);
  for (int32_t i = 0; i < function->arg_count; ++i) {
    const sluice_arg_info_t *info = &function->args[i];
    int64_t dim = info->shape[0] > 0                  ? info->shape[0]
                  : info->shape[0] == SLUICE_DIM_SEQS ? 1
                                                      : rows;
    void *data =
        report_allocate((size_t)(dim * info->row_elements), sluice_dtype_bytes(info->dtype));
    fill_random(b, info, data, dim * info->row_elements);
    c.args[i] = (sluice_arg_t){info->name, data, dim};
  }
  int code = bench_calls(b, entry, call_named, &c);
  for (int32_t i = 0; i < function->arg_count; ++i)
    free(c.args[i].data);
  free(c.args);
  return code;
}

static int by_real(const void *x, const void *y) {
  double a = ((const sample_t *)x)->real, b = ((const sample_t *)y)->real;
  return (a > b) - (a < b);
}

static void print_json_entry(const bench_t *b, const entry_t *e, const sample_t *s, int64_t index) {
  double n = (double)e->iterations;
  printf("%s    {\"name\": \"%s%s\", \"run_name\": \"%s\", \"run_type\": \"%s\", ",
         e == b->entries && index == 0 ? "" : ",\n", e->name, index < 0 ? "_median" : "", e->name,
         index < 0 ? "aggregate" : "iteration");
  if (index < 0)
    fputs("\"aggregate_name\": \"median\", ", stdout);
  else
    printf("\"repetition_index\": %lld, ", (long long)index);
  printf(
      "\"repetitions\": %lld, \"threads\": %d, \"iterations\": %lld, \"real_time\": %.6g, "
      "\"cpu_time\": %.6g, "
      "\"time_unit\": \"ms\", \"tokens_per_s\": %.6g, \"GB_per_s\": %.6g, \"GFLOP_per_s\": %.6g, "
      "\"roof_GB_per_s\": %.6g, \"percent_of_roof\": %.4g}",
      (long long)b->o->repetitions, b->threads, (long long)e->iterations, 1e3 * s->real / n,
      1e3 * s->cpu / n, e->tokens / s->real, 1e-9 * e->bytes / s->real, 1e-9 * e->flops / s->real,
      1e-9 * s->roof, 100 * e->bytes / s->real / s->roof);
}

static void print_context(const bench_t *b) {
  char date[64] = "", host[256] = "", line[256], cpu[200] = "";
  time_t now = time(NULL);
  struct tm local;
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &local));
  gethostname(host, sizeof host - 1);
  FILE *info = fopen("/proc/cpuinfo", "r");
  while (info && fgets(line, sizeof line, info))
    if (!cpu[0] && strncmp(line, "model name", 10) == 0 && strchr(line, ':'))
      snprintf(cpu, sizeof cpu, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"),
               strchr(line, ':') + 2);
  if (info)
    fclose(info);
  double load[3] = {0};
  if (getloadavg(load, 3) != 3)
    memset(load, 0, sizeof load);
  printf("{\n  \"context\": {\"date\": \"%s\", \"executable\": \"sluice-run\", \"host_name\": ",
         date);
  report_json_string(host);
  printf(", \"num_cpus\": %ld, \"cpu\": ", sysconf(_SC_NPROCESSORS_ONLN));
  report_json_string(cpu);
  printf(", \"load_avg\": [%.2f, %.2f, %.2f], \"library_build_type\": \"%s\", \"model\": ", load[0],
         load[1], load[2],
#ifdef __OPTIMIZE__
         "release"
#else
         "debug"
#endif
  );
  report_json_string(b->info->name);
  fputs(", \"target_cpu\": ", stdout);
  report_json_string(b->info->cpu);
  fputs(", \"dot\": ", stdout);
  report_json_string(b->info->dot);
  printf(", \"weight_bytes\": %lld, \"max_rows\": %d},\n  \"benchmarks\": [\n",
         (long long)b->info->weight_bytes, b->max_rows);
}

static void print_report(bench_t *b) {
  size_t repetitions = (size_t)b->o->repetitions;
  if (b->o->json)
    print_context(b);
  else
    printf("%-44s %12s %12s %10s %10s %10s\n", "", "ms", "tokens/s", "GFLOP/s", "GB/s",
           "% of read");
  for (int i = 0; i < b->entry_count; ++i) {
    entry_t *e = &b->entries[i];
    for (size_t r = 0; r < repetitions && b->o->json; ++r)
      print_json_entry(b, e, &e->samples[r], (int64_t)r);
    qsort(e->samples, repetitions, sizeof *e->samples, by_real);
    const sample_t *s = &e->samples[repetitions / 2];
    if (b->o->json && repetitions > 1)
      print_json_entry(b, e, s, -1);
    else if (!b->o->json)
      printf("%-44s %12.4g %12.4g %10.4g %10.4g %9.1f%%\n", e->name,
             1e3 * s->real / (double)e->iterations, e->tokens / s->real, 1e-9 * e->flops / s->real,
             1e-9 * e->bytes / s->real, 100 * e->bytes / s->real / s->roof);
    free(e->samples);
  }
  fputs(
      b->o->json
          ? "\n  ]\n}\n"
          : "GFLOP/s are of the linear layers; GB/s are weights once per step, keys and values.\n",
      stdout);
}

static int choose(const bench_t *b, const sluice_function_info_t **out) {
  const char *name = b->o->function                         ? b->o->function
                     : b->info->kind == SLUICE_KIND_DECODER ? "step"
                     : b->info->kind == SLUICE_KIND_ENCODER ? "forward"
                                                            : b->info->functions[0].name;
  *out = sluice_model_function(b->model, name);
  return *out ? EXIT_OK
              : report_error(EXIT_USAGE, "%s has no function \"%s\"; its first one is \"%s\"",
                             b->info->name, name, b->info->functions[0].name);
}

int command_bench(const sluice_model_t *model, const options_t *o) {
  const sluice_function_info_t *f;
  bench_t b = {
      .model = model, .info = sluice_model_info(model), .o = o, .random = (uint64_t)o->seed + 1};
  TRY(choose(&b, &f));
  bool steps = b.info->kind == SLUICE_KIND_DECODER && strcmp(f->name, "step") == 0;
  bool encodes = b.info->kind == SLUICE_KIND_ENCODER;
  int64_t rows = o->prompt * o->batch, most = o->max_rows ? o->max_rows : usual_rows(model);
  if (steps && o->prompt + o->generate > b.info->limits.max_seq)
    return report_error(
        EXIT_BAD_INPUT,
        "%lld tokens of prompt and %lld of decoding, the model's limit is max_seq = %lld",
        (long long)o->prompt, (long long)o->generate, (long long)b.info->limits.max_seq);
  rows = steps && rows > most ? most : rows;
  rows = rows < o->batch ? o->batch : rows;
  if (rows > 1 << 24)
    return report_error(EXIT_USAGE, "%lld rows in one step, expected at most 2^24",
                        (long long)rows);
  sluice_session_options_t options = {.threads = (int32_t)o->threads,
                                      .spin = o->spin,
                                      .max_rows = (int32_t)rows,
                                      .max_seqs = (int32_t)o->batch};
  if (b.info->kv_count)
    options.kv_pages =
        o->batch * sluice_ceil_div(steps ? o->prompt + o->generate : 1, b.info->kv[0].page);
  TRY(make_session(model, &options, &b.session));
  sluice_stats_t stats;
  sluice_session_stats(b.session, &stats);
  b.threads = stats.threads;
  b.max_rows = stats.max_rows;
  b.roof = roof_create(b.threads);
  if (!b.roof)
    return report_error(EXIT_RUN_TIME, "no memory for a buffer that is larger than caches");
  int code = steps     ? bench_decoder(&b, f->name, f->args[f->arg_count - 1].row_elements)
             : encodes ? bench_encoder(&b, f)
                       : bench_function(&b, f);
  if (code == EXIT_OK)
    print_report(&b);
  roof_release(b.roof);
  release_session(b.session);
  return code;
}
