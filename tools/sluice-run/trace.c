/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.c: takes the marks of compiled code (kernel_abi.h). Sums are kept for every op and worker;
 * events, for the timeline, up to a limit. What an op had to read and compute follows from the
 * manifest's "ops" and the sizes of the step.
 */
#include "trace.h"
#include "report.h"
#include "trace_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WORKERS_MOST = 256, EVENTS_MOST = 1 << 20, STEPS_MOST = 1 << 16 };

typedef struct event {
  double start, end;
  int32_t what;
} event_t;

/* Written by one worker only, on lines of its own. */
typedef struct worker {
  _Alignas(64) int32_t what; /* since |since|; SLUICE_MARK_IDLE between */
  double since;
  double idle;
  double *seconds; /* [op_count] of all steps */
  event_t *events; /* [events] of |capacity|, which grows */
  int64_t events_count, capacity, dropped;
} worker_t;

typedef struct step {
  double start;
  int64_t rows, seqs, keys;
} step_t;

static struct {
  const sluice_model_info_t *info;
  const options_t *options;
  sluice_session_t *session;
  sluice_tracer_t tracer;
  worker_t *workers;
  op_sums_t *ops; /* [op_count] */
  step_t *steps;
  int64_t step_count, session_steps;
  int32_t threads;
  double begun, seconds;
  bool inside; /* a step is under way */
} trace;

static double amount(const sluice_amount_t *a, const step_sizes_t *s) {
  return (double)a->fixed + (double)a->row * s->rows + (double)a->seq * s->seqs +
         (double)a->asked * s->asked + (double)a->key * s->keys + (double)a->pair * s->pairs;
}

/* A step has begun: what each op of its function has to read and compute in it. */
static void begin_step(const sluice_call_t *call, int32_t function, double now) {
  const sluice_batch_t *b = call->batch;
  const sluice_function_info_t *f = &trace.info->functions[function];
  step_sizes_t s = {0};
  double all = 0, causal = 0;
  if (b) {
    s.rows = b->rows;
    s.seqs = b->seqs;
    for (int32_t i = 0; i < b->seqs; ++i) {
      double rows = b->row_start[i + 1] - b->row_start[i], past = b->past ? b->past[i] : 0;
      s.keys += past + rows;
      all += rows * (past + rows);
      causal += rows * past + rows * (rows + 1) / 2;
    }
  }
  for (int32_t i = 0; i < f->arg_count; ++i)
    if (f->args[i].shape[0] == SLUICE_DIM_ASKED)
      s.asked = (double)call->dims[i];
  for (int32_t i = 0; i < trace.info->op_count; ++i) {
    const sluice_op_info_t *op = &trace.info->ops[i];
    if (op->function != function)
      continue;
    s.pairs = strcmp(op->mask, "causal") == 0 ? causal : all;
    double times = (double)op->times, operations = times * amount(&op->operations, &s);
    double bytes = times * amount(&op->memory, &s);
    if (operations > 0)
      bytes += times * (double)op->weight_bytes;
    op_sums_t *sums = &trace.ops[i];
    sums->steps += 1;
    sums->bytes += bytes;
    sums->row_bytes += times * amount(&op->rows, &s);
    sums->operations += operations;
  }
  if (trace.step_count < STEPS_MOST)
    trace.steps[trace.step_count] =
        (step_t){now, (int64_t)s.rows, (int64_t)s.seqs, (int64_t)s.keys};
  ++trace.step_count;
}

static void add_event(worker_t *w, double end) {
  if (w->events_count == w->capacity) {
    int64_t capacity = w->capacity ? 2 * w->capacity : 1 << 12;
    event_t *events =
        capacity <= EVENTS_MOST ? realloc(w->events, (size_t)capacity * sizeof *events) : NULL;
    if (!events) {
      ++w->dropped;
      return;
    }
    w->events = events;
    w->capacity = capacity;
  }
  w->events[w->events_count++] = (event_t){w->since, end, w->what};
}

static void mark(void *self, const sluice_call_t *call, int32_t me, int32_t what) {
  (void)self;
  double now = report_seconds();
  if (me < 0 || me >= trace.threads)
    return;
  worker_t *w = &trace.workers[me];
  // A number that the manifest does not have is none of ours.
  if (what < 0 || what >= trace.info->op_count)
    what = SLUICE_MARK_IDLE;
  if (me == 0 && what != SLUICE_MARK_IDLE) {
    sluice_stats_t stats;
    sluice_session_stats(trace.session, &stats);
    if (stats.steps != trace.session_steps) {
      trace.session_steps = stats.steps;
      begin_step(call, trace.info->ops[what].function, now);
      w->what = SLUICE_MARK_IDLE;
      w->since = 0; // what lies between steps is the program's time
    }
  }
  if (w->what != SLUICE_MARK_IDLE) {
    w->seconds[w->what] += now - w->since;
    if (trace.options->trace)
      add_event(w, now);
  } else if (w->since > 0 && me == 0) {
    w->idle += now - w->since;
  }
  w->what = what;
  w->since = now;
}

int trace_begin(const sluice_model_t *model, const options_t *o) {
  if (!o->trace && !o->report)
    return EXIT_OK;
  trace.info = sluice_model_info(model);
  trace.options = o;
  if (trace.info->op_count == 0)
    return report_error(EXIT_BAD_INPUT,
                        "%s: its manifest names no ops, so a trace would have no names: compile "
                        "the model again",
                        o->artefact);
  trace.ops = report_allocate((size_t)trace.info->op_count, sizeof *trace.ops);
  trace.steps = report_allocate(STEPS_MOST, sizeof *trace.steps);
  trace.begun = report_seconds();
  return EXIT_OK;
}

void trace_attach(sluice_session_t *session) {
  if (!trace.info || trace.session)
    return;
  sluice_stats_t stats;
  sluice_session_stats(session, &stats);
  trace.session = session;
  trace.session_steps = stats.steps;
  if (!trace.workers) {
    trace.threads = stats.threads < WORKERS_MOST ? stats.threads : WORKERS_MOST;
    void *workers = NULL;
    if (posix_memalign(&workers, 64, (size_t)trace.threads * sizeof *trace.workers) != 0)
      exit(report_error(EXIT_RUN_TIME, "no memory to trace %d workers", trace.threads));
    trace.workers = workers;
    memset(workers, 0, (size_t)trace.threads * sizeof *trace.workers);
    for (int32_t i = 0; i < trace.threads; ++i) {
      trace.workers[i].what = SLUICE_MARK_IDLE;
      trace.workers[i].seconds =
          report_allocate((size_t)trace.info->op_count, sizeof *trace.workers[i].seconds);
    }
  }
  trace.tracer = (sluice_tracer_t){NULL, mark};
  sluice_session_trace(session, &trace.tracer);
}

void trace_detach(sluice_session_t *session) {
  if (!session || session != trace.session)
    return;
  sluice_session_trace(session, NULL);
  trace.session = NULL;
}

/* ---- The timeline ---- */

static void write_timeline(FILE *to) {
  fputs("{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n", to);
  fputs("{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": 1, \"args\": {\"name\": ", to);
  trace_json_string(to, trace.info->name);
  fputs("}}", to);
  for (int32_t i = 0; i < trace.threads; ++i)
    fprintf(to,
            ",\n{\"ph\": \"M\", \"name\": \"thread_name\", \"pid\": 1, \"tid\": %d, \"args\": "
            "{\"name\": \"worker %d\"}}",
            i, i);
  int64_t steps = trace.step_count < STEPS_MOST ? trace.step_count : STEPS_MOST;
  for (int64_t i = 0; i < steps; ++i) {
    const step_t *s = &trace.steps[i];
    fprintf(to,
            ",\n{\"ph\": \"i\", \"s\": \"p\", \"name\": \"step %lld\", \"pid\": 1, \"tid\": 0, "
            "\"ts\": %.3f, \"args\": {\"rows\": %lld, \"seqs\": %lld, \"keys\": %lld}}",
            (long long)i, 1e6 * (s->start - trace.begun), (long long)s->rows, (long long)s->seqs,
            (long long)s->keys);
  }
  for (int32_t i = 0; i < trace.threads; ++i)
    for (int64_t e = 0; e < trace.workers[i].events_count; ++e) {
      const event_t *event = &trace.workers[i].events[e];
      const sluice_op_info_t *op = &trace.info->ops[event->what];
      fprintf(to,
              ",\n{\"ph\": \"X\", \"pid\": 1, \"tid\": %d, \"ts\": %.3f, \"dur\": %.3f, "
              "\"cat\": \"op\", \"name\": ",
              i, 1e6 * (event->start - trace.begun), 1e6 * (event->end - event->start));
      trace_json_string(to, op->phase);
      fputs(", \"args\": {\"op\": ", to);
      trace_json_string(to, op->op);
      fprintf(to, ", \"number\": %d, \"location\": ", event->what);
      trace_json_string(to, op->location);
      fputs("}}", to);
    }
  fputs("\n]}\n", to);
}

int trace_finish(void) {
  if (!trace.info || !trace.workers)
    return EXIT_OK;
  int64_t dropped = 0;
  double idle = 0;
  for (int32_t i = 0; i < trace.threads; ++i) {
    dropped += trace.workers[i].dropped;
    idle += trace.workers[i].idle;
    for (int32_t op = 0; op < trace.info->op_count; ++op) {
      double seconds = trace.workers[i].seconds[op];
      trace.ops[op].mean += seconds / trace.threads;
      if (seconds > trace.ops[op].slowest)
        trace.ops[op].slowest = seconds;
    }
  }
  run_sums_t run = {
      trace.info, trace.ops, trace.threads, trace.step_count, report_seconds() - trace.begun, idle};
  int code = EXIT_OK;
  if (trace.options->report)
    code = trace_report_write(&run, trace.options);
  char path[4096];
  if (code == EXIT_OK && trace.options->trace) {
    if (*trace.options->trace)
      snprintf(path, sizeof path, "%s", trace.options->trace);
    else if (trace.options->report)
      code = trace_report_path(trace.options, "trace.json", path, sizeof path);
    else
      snprintf(path, sizeof path, "trace.json");
    if (code == EXIT_OK)
      code = trace_write_file(path, write_timeline);
    if (code == EXIT_OK)
      fprintf(stderr,
              "sluice-run: remark: wrote the timeline to %s (chrome://tracing or "
              "ui.perfetto.dev shows it)\n",
              path);
    if (dropped)
      fprintf(stderr, "sluice-run: remark: %lld events were over the limit and are not in it\n",
              (long long)dropped);
  }
  return code;
}
