/* SPDX-License-Identifier: Apache-2.0
 *
 * trace_report.h: the sums of a traced run as text, JSON and a page.
 */
#ifndef SLUICE_RUN_TRACE_REPORT_H
#define SLUICE_RUN_TRACE_REPORT_H

#include "options.h"

#include <stdio.h>

/* What decides how much an op reads and computes in one step. */
typedef struct step_sizes {
  double rows, seqs, asked, keys, pairs;
} step_sizes_t;

/* One op over all steps, all its runs (layers) together. */
typedef struct op_sums {
  int64_t steps;
  double bytes, row_bytes, operations; /* by the manifest */
  double mean, slowest;                /* seconds: mean of the workers, and the slowest one */
} op_sums_t;

typedef struct run_sums {
  const sluice_model_info_t *info;
  const op_sums_t *ops; /* [info->op_count] */
  int32_t threads;
  int64_t steps;
  double seconds; /* from load to end */
  double idle;    /* of worker 0 at barriers */
} run_sums_t;

/* Writes report.txt, report.json and report.html. Returns an exit code. */
int trace_report_write(const run_sums_t *run, const options_t *options);

/* The path of |name| in the report's folder, which is made. Returns an exit code. */
int trace_report_path(const options_t *options, const char *name, char *out, size_t size);

/* Writes the file at |path|, whole or not at all. Returns an exit code. */
int trace_write_file(const char *path, void (*write)(FILE *to));

/* |text| as a JSON string. */
void trace_json_string(FILE *to, const char *text);

#endif
