/* SPDX-License-Identifier: Apache-2.0
 *
 * trace_report.c: times beside floors. The ceilings are measured after the run, by as many threads.
 */
#define _GNU_SOURCE 1
#include "trace_report.h"
#include "page.h"
#include "report.h"
#include "roof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void trace_json_string(FILE *to, const char *text) {
  fputc('"', to);
  for (const unsigned char *c = (const unsigned char *)text; *c; ++c)
    if (*c == '"' || *c == '\\')
      fprintf(to, "\\%c", *c);
    else if (*c < 0x20)
      fprintf(to, "\\u%04x", *c);
    else
      fputc(*c, to);
  fputc('"', to);
}

int trace_report_path(const options_t *o, const char *name, char *out, size_t size) {
  char folder[3800];
  if (*o->report)
    snprintf(folder, sizeof folder, "%s", o->report);
  else
    snprintf(folder, sizeof folder, "%s/report", o->artefact);
  if (mkdir(folder, 0777) != 0 && errno != EEXIST)
    return report_error(EXIT_RUN_TIME, "cannot make the folder %s for the report: %s", folder,
                        strerror(errno));
  if ((size_t)snprintf(out, size, "%s/%s", folder, name) >= size)
    return report_error(EXIT_USAGE, "the path of the report is too long: %.80s...", folder);
  return EXIT_OK;
}

int trace_write_file(const char *path, void (*write)(FILE *to)) {
  char draft[4200];
  snprintf(draft, sizeof draft, "%s.%ld.part", path, (long)getpid());
  FILE *to = fopen(draft, "w");
  if (!to)
    return report_error(EXIT_RUN_TIME, "cannot write %s: %s", path, strerror(errno));
  write(to);
  bool failed = ferror(to) != 0;
  int reason = errno;
  if (fclose(to) != 0 && !failed) {
    failed = true;
    reason = errno;
  }
  if (!failed && rename(draft, path) == 0)
    return EXIT_OK;
  if (!failed)
    reason = errno;
  unlink(draft);
  return report_error(EXIT_RUN_TIME, "cannot write %s: %s", path, strerror(reason));
}

/* What is being written; writers take no argument. */
static const run_sums_t *run;
static roof_ceilings_t ceilings;
static char *json;
static size_t json_size;

typedef struct floor {
  double seconds;
  bool memory;
} floor_t;

static floor_t floor_of(int32_t index) {
  const op_sums_t *sums = &run->ops[index];
  const char *dot = run->info->ops[index].dot;
  double rate = ceilings.dot[ROOF_FMA];
  for (int d = 0; d < ROOF_DOTS; ++d)
    if (strcmp(dot, roof_dot_name((roof_dot_t)d)) == 0 && ceilings.dot[d] > 0)
      rate = ceilings.dot[d];
  double memory = ceilings.read > 0 ? sums->bytes / ceilings.read : 0;
  double compute = rate > 0 ? sums->operations / rate : 0;
  return (floor_t){memory > compute ? memory : compute, memory >= compute};
}

static void write_json(FILE *to) {
  const sluice_model_info_t *info = run->info;
  fputs("{\"name\": ", to);
  trace_json_string(to, info->name);
  fputs(", \"compiler\": ", to);
  trace_json_string(to, info->compiler);
  fputs(",\n \"target\": {\"cpu\": ", to);
  trace_json_string(to, info->cpu);
  fputs(", \"triple\": ", to);
  trace_json_string(to, info->triple);
  fputs(", \"dot\": ", to);
  trace_json_string(to, info->dot);
  fprintf(to,
          "},\n \"ceilings\": {\"source\": \"measured after the run\", \"threads\": %d, "
          "\"read_bytes_per_s\": %.6g",
          ceilings.threads, ceilings.read);
  for (int d = 0; d < ROOF_DOTS; ++d)
    if (ceilings.dot[d] > 0)
      fprintf(to, ", \"%s_ops_per_s\": %.6g", roof_dot_name((roof_dot_t)d), ceilings.dot[d]);
  fprintf(to,
          "},\n \"run\": {\"threads\": %d, \"steps\": %lld, \"seconds\": %.6g, \"idle_s\": "
          "%.6g},\n \"functions\": [",
          run->threads, (long long)run->steps, run->seconds, run->idle);
  for (int32_t i = 0; i < info->function_count; ++i) {
    const sluice_function_info_t *f = &info->functions[i];
    fputs(i ? ", {\"name\": " : "{\"name\": ", to);
    trace_json_string(to, f->name);
    fprintf(to, ", \"arena\": {\"row\": %lld, \"seq\": %lld, \"fixed\": %lld}}",
            (long long)f->arena_row, (long long)f->arena_seq, (long long)f->arena_fixed);
  }
  fputs("],\n \"ops\": [", to);
  for (int32_t i = 0; i < info->op_count; ++i) {
    const sluice_op_info_t *op = &info->ops[i];
    const op_sums_t *sums = &run->ops[i];
    floor_t least = floor_of(i);
    fprintf(to, "%s\n  {\"function\": %d, \"times\": %lld, \"weight_bytes\": %lld", i ? "," : "",
            op->function, (long long)op->times, (long long)op->weight_bytes);
    const struct {
      const char *key, *text;
    } texts[] = {{"op", op->op},         {"phase", op->phase},
                 {"share", op->share},   {"path", op->path},
                 {"dot", op->dot},       {"dtype", op->dtype},
                 {"mask", op->mask},     {"schedule", op->schedule},
                 {"reason", op->reason}, {"location", op->location}};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; ++t) {
      fprintf(to, ", \"%s\": ", texts[t].key);
      trace_json_string(to, texts[t].text);
    }
    fprintf(to,
            ",\n   \"measured\": {\"steps\": %lld, \"runs\": %lld, \"seconds\": %.6g, "
            "\"mean_s\": %.6g, \"bytes\": %.17g, \"row_bytes\": %.17g, \"operations\": %.17g, "
            "\"floor_s\": %.6g, \"bound\": \"%s\"}}",
            (long long)sums->steps, (long long)(sums->steps * op->times), sums->slowest, sums->mean,
            sums->bytes, sums->row_bytes, sums->operations, least.seconds,
            least.memory ? "memory" : "compute");
  }
  fputs("],\n \"weights\": [", to);
  for (int32_t i = 0; i < info->weight_count; ++i) {
    fputs(i ? ", {\"name\": " : "{\"name\": ", to);
    trace_json_string(to, info->weights[i].name);
    fprintf(to, ", \"layout\": \"%s\", \"bytes\": %lld}", info->weights[i].panel ? "panel" : "rows",
            (long long)info->weights[i].bytes);
  }
  fputs("]}\n", to);
}

static void write_text(FILE *to) {
  const sluice_model_info_t *info = run->info;
  fprintf(to, "%s for %s (dot %s), %lld steps on %d threads\n", info->name, info->cpu, info->dot,
          (long long)run->steps, run->threads);
  fprintf(to, "ceilings, measured after the run: read %.1f GB/s", 1e-9 * ceilings.read);
  for (int d = 0; d < ROOF_DOTS; ++d)
    if (ceilings.dot[d] > 0)
      fprintf(to, ", %s %.0f Gop/s", roof_dot_name((roof_dot_t)d), 1e-9 * ceilings.dot[d]);
  fputs("\n", to);
  for (int32_t f = 0; f < info->function_count; ++f) {
    double seconds = 0, floors = 0;
    int64_t steps = 0;
    for (int32_t i = 0; i < info->op_count; ++i)
      if (info->ops[i].function == f && run->ops[i].steps > steps)
        steps = run->ops[i].steps;
    fprintf(to, "function %s, %lld steps\n", info->functions[f].name, (long long)steps);
    if (steps == 0)
      continue;
    fprintf(to, "  %-8s%-18s%-14s%12s%14s%12s%12s%9s%8s  %s\n", "runs", "phase", "op", "MB", "Mop",
            "ms", "floor ms", "bound", "floor", "path");
    for (int32_t i = 0; i < info->op_count; ++i) {
      const sluice_op_info_t *op = &info->ops[i];
      const op_sums_t *sums = &run->ops[i];
      if (op->function != f)
        continue;
      floor_t least = floor_of(i);
      fprintf(to, "  %-8lld%-18s%-14s%12.3f%14.3f%12.4f%12.4f%9s%7.0f%%  %s%s%s\n",
              (long long)(sums->steps * op->times), op->phase, op->op, 1e-6 * sums->bytes,
              1e-6 * sums->operations, 1e3 * sums->slowest, 1e3 * least.seconds,
              least.memory ? "memory" : "compute",
              sums->slowest > 0 ? 100 * least.seconds / sums->slowest : 0, op->path,
              *op->schedule ? "; " : "", op->schedule);
      fprintf(to, "          because %s%s%s%s\n", op->reason, *op->location ? "  [" : "",
              op->location, *op->location ? "]" : "");
      seconds += sums->slowest;
      floors += least.seconds;
    }
    fprintf(to, "  all ops: %.4f ms, floor %.4f ms (%.0f%%)\n", 1e3 * seconds, 1e3 * floors,
            seconds > 0 ? 100 * floors / seconds : 0);
  }
  fprintf(to,
          "worker 0 waited %.4f ms at barriers. MB are weights, rows of tables, keys and values; "
          "over 100%%: caches held them.\n",
          1e3 * run->idle);
}

static void write_captured(FILE *to) { fwrite(json, 1, json_size, to); }

static void write_piece(void *self, const char *text, size_t size) {
  fwrite(text, 1, size, (FILE *)self);
}

static void write_page(FILE *to) { report_page_write(json, json_size, write_piece, to); }

int trace_report_write(const run_sums_t *sums, const options_t *o) {
  const struct {
    const char *name;
    void (*write)(FILE *to);
  } files[] = {
      {"report.txt", write_text}, {"report.json", write_captured}, {"report.html", write_page}};
  char path[4096];
  run = sums;
  roof_measure(sums->threads, &ceilings);
  FILE *memory = open_memstream(&json, &json_size);
  if (!memory)
    return report_error(EXIT_RUN_TIME, "no memory for the report");
  write_json(memory);
  if (fclose(memory) != 0)
    return report_error(EXIT_RUN_TIME, "no memory for the report");
  int code = EXIT_OK;
  for (size_t i = 0; i < sizeof files / sizeof files[0] && code == EXIT_OK; ++i) {
    code = trace_report_path(o, files[i].name, path, sizeof path);
    if (code == EXIT_OK)
      code = trace_write_file(path, files[i].write);
  }
  free(json);
  if (code == EXIT_OK)
    fprintf(stderr, "sluice-run: remark: wrote %s (and .txt, .json beside it)\n", path);
  return code;
}
