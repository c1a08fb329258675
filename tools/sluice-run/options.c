/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c: one table of options for parsing, "did you mean" and help.
 */
#include "options.h"
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum type { FLAG, TEXT, MAYBE_TEXT, INTEGER, REAL, CHOICE, NOT_BUILT } type_t;

typedef struct option {
  const char *name; /* without "--" */
  type_t type;
  int commands; /* command_t, or-ed */
  size_t place; /* in options_t */
  int64_t low, high;
  const char *values; /* CHOICE: "a|b|c", by number */
  const char *help;   /* "=VALUE" if any, two spaces, what it does */
} option_t;

#define AT(member) offsetof(options_t, member)
enum {
  RUN = COMMAND_RUN,
  BENCH = COMMAND_BENCH,
  INSPECT = COMMAND_INSPECT,
  CEILINGS = COMMAND_CEILINGS
};

static const option_t table[] = {
    {"tokens", TEXT, RUN, AT(tokens), 0, 0, NULL, "=1,2,3|@FILE   ids to continue"},
    {"max-new", INTEGER, RUN, AT(max_new), 0, 1 << 24, NULL,
     "=N           new tokens at most (32)"},
    {"temperature", REAL, RUN, AT(temperature), 0, 1000, NULL,
     "=T       0 takes the most likely token (0)"},
    {"seed", INTEGER, RUN | BENCH, AT(seed), INT64_MIN, INT64_MAX, NULL,
     "=N              of sampling, and of a bench's tokens (0)"},
    {"ignore-eos", FLAG, RUN, AT(ignore_eos), 0, 0, NULL,
     "          do not stop at the model's end tokens"},
    {"score", FLAG, RUN, AT(score), 0, 0, NULL,
     "                print the log-likelihood of each token instead of continuing"},
    {"inputs", TEXT, RUN, AT(inputs), 0, 0, NULL,
     "=FILE         safetensors with the function's arguments"},
    {"outputs", TEXT, RUN, AT(outputs), 0, 0, NULL, "=FILE        where its results go"},
    {"logits", CHOICE, RUN, AT(last_logits), 0, 0, "all|last",
     "=all|last     of which tokens, with --inputs (all)"},
    {"top-k", INTEGER, RUN, AT(top_k), 0, INT32_MAX, NULL,
     "=K             draw among the K most likely tokens (0: all)"},
    {"top-p", REAL, RUN, AT(top_p), 0, 1, NULL,
     "=P             ... that first reach the probability P together (0: all)"},
    {"min-p", REAL, RUN, AT(min_p), 0, 1, NULL,
     "=P             ... that are P times as likely as the first one (0: all)"},
    {"repetition-penalty", REAL, RUN, AT(repetition_penalty), 0, 1000000, NULL,
     "=R  of tokens that the text has (0 or 1: none)"},
    {"logit-bias", TEXT, RUN, AT(logit_bias), 0, 0, NULL,
     "=ID:X,...  added to these tokens' logits; -inf forbids"},
    {"function", TEXT, RUN | BENCH, AT(function), 0, 0, NULL,
     "=NAME       instead of the usual one (step, forward)"},
    {"prompt", INTEGER, BENCH, AT(prompt), 1, 1 << 24, NULL,
     "=N            tokens, or rows, of each sequence (512)"},
    {"generate", INTEGER, BENCH, AT(generate), 0, 1 << 24, NULL,
     "=N          tokens to decode after them (128)"},
    {"batch", INTEGER, BENCH, AT(batch), 1, 1 << 16, NULL, "=N             sequences at once (1)"},
    {"repetitions", INTEGER, BENCH, AT(repetitions), 1, 1 << 20, NULL,
     "=N       of everything (3)"},
    {"threads", INTEGER, RUN | BENCH | CEILINGS, AT(threads), 1, 100000, NULL,
     "=N           workers (one per core)"},
    {"spin", CHOICE, RUN | BENCH, AT(spin), 0, 0, "auto|always|never",
     "=auto|always|never  what waiting workers do (auto)"},
    {"pin", TEXT, RUN | BENCH, AT(pin), 0, 0, NULL,
     "=cores|0,2,4-5   a processor for each worker: those that may be used, or these"},
    {"numa", CHOICE, RUN | BENCH, AT(numa), 0, 0, "none|local|interleave",
     "=none|local|interleave  where weights and scratch lie on machines with several memories"},
    {"max-rows", INTEGER, RUN | BENCH, AT(max_rows), 1, 1 << 24, NULL,
     "=N          rows of one step, at most (512)"},
    {"variant", INTEGER, RUN | BENCH | INSPECT, AT(variant), 1, 64, NULL,
     "=N           of an artefact for several processors (the first that fits)"},
    {"report", MAYBE_TEXT, RUN | BENCH, AT(report), 0, 0, NULL,
     "[=DIR]        each op's bytes, operations, floor and time, as text, JSON and a page\n"
     "                       (into MODEL.sluice/report)"},
    {"trace", MAYBE_TEXT, RUN | BENCH, AT(trace), 0, 0, NULL,
     "[=FILE]        a timeline for chrome://tracing (trace.json, in the report's folder if any)"},
    {"format", CHOICE, RUN | BENCH | INSPECT | CEILINGS, AT(json), 0, 0, "text|json",
     "=text|json    of the results (text)"},
};
enum { OPTIONS = sizeof table / sizeof table[0] };

static const struct {
  command_t command;
  const char *text;
} usages[] = {
    {COMMAND_RUN,
     "Runs a compiled model.\n\n"
     "  sluice-run MODEL.sluice --tokens=1,2,3 --max-new=32        token ids in, token ids out\n"
     "  sluice-run MODEL.sluice --inputs=in.safetensors --outputs=out.safetensors\n"
     "      decoders: input_ids [B,T], optional attention_mask, position_ids -> logits\n"
     "      encoders: the same and token_type_ids -> last_hidden_state; --function=embed -> "
     "embeddings\n"
     "      any other function: its arguments by name, optional sequence_lengths, position_ids\n"
     "  sluice-run bench MODEL.sluice ...                          time it\n"
     "  sluice-run inspect MODEL.sluice                            what is in it\n"
     "  sluice-run ceilings                                        what this machine does at "
     "most\n\n"
     "Example: sluice-run tiny.sluice --tokens=1,306,4658 --max-new=8 --format=json\n"},
    {COMMAND_BENCH, "Times a compiled model beside the machine's read bandwidth; Google-Benchmark "
                    "JSON on request.\n\n"
                    "  sluice-run bench MODEL.sluice [options]\n\n"
                    "Example: sluice-run bench tiny.sluice --prompt=512 --generate=128 --threads=2 "
                    "--format=json\n"},
    {COMMAND_INSPECT, "Shows an artefact's manifest, memory map and kernels; runs nothing.\n\n"
                      "  sluice-run inspect MODEL.sluice [--format=json]\n\n"
                      "Example: sluice-run inspect tiny.sluice\n"},
    {COMMAND_CEILINGS, "Measures what this machine does at most: bytes read and operations of each "
                       "kind a second.\n\n"
                       "  sluice-run ceilings [--threads=N] [--format=json]\n\n"
                       "Example: sluice-run ceilings --format=json > here.json && sluicec "
                       "MODEL --explain --ceilings=here.json\n"},
};

static void print_help(command_t command) {
  for (size_t i = 0; i < sizeof usages / sizeof usages[0]; ++i)
    if (usages[i].command == command)
      fputs(usages[i].text, stdout);
  fputs("\nOptions (--name=value or --name value):\n", stdout);
  for (int i = 0; i < OPTIONS; ++i)
    if (table[i].commands & (int)command)
      printf("  --%s%s\n", table[i].name, table[i].help);
  fputs("  --help\n\nExit codes: 0 ok, 1 usage, 2 bad input, 3 not built, 4 run-time failure, "
        "130 interrupted.\n",
        stdout);
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Letters to insert, delete, replace, or swap with a neighbour to make |a| into |b|. */
static size_t distance(const char *a, const char *b) {
  enum { MOST = 40 };
  size_t m = strlen(a), n = strlen(b), rows[3][MOST + 1];
  if (m > MOST || n > MOST)
    return SIZE_MAX;
  for (size_t j = 0; j <= n; ++j)
    rows[1][j] = j;
  for (size_t i = 1; i <= m; ++i) {
    size_t *now = rows[(i + 1) % 3], *last = rows[i % 3], *older = rows[(i + 2) % 3];
    now[0] = i;
    for (size_t j = 1; j <= n; ++j) {
      now[j] = smaller(smaller(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = smaller(now[j], older[j - 2] + 1);
    }
  }
  return rows[(m + 1) % 3][n];
}

static int unknown_option(const char *name, command_t command) {
  const option_t *best = NULL;
  size_t least = 3;
  for (int i = 0; i < OPTIONS; ++i) {
    size_t d = table[i].commands & (int)command ? distance(name, table[i].name) : SIZE_MAX;
    if (d < least) {
      least = d;
      best = &table[i];
    }
  }
  if (best)
    return report_error(EXIT_USAGE, "unknown option --%s; did you mean --%s?", name, best->name);
  return report_error(EXIT_USAGE, "unknown option --%s; --help lists them", name);
}

static int store(const option_t *option, const char *value, options_t *out) {
  char *place = (char *)out + option->place, *end = NULL;
  errno = 0;
  switch (option->type) {
  case FLAG:
    *(bool *)place = true;
    return EXIT_OK;
  case TEXT:
  case MAYBE_TEXT:
    *(const char **)place = value;
    return EXIT_OK;
  case INTEGER: {
    long long number = strtoll(value, &end, 10);
    if (end == value || *end || errno || number < option->low || number > option->high)
      return report_error(EXIT_USAGE, "--%s is \"%s\", expected an integer from %lld to %lld",
                          option->name, value, (long long)option->low, (long long)option->high);
    *(int64_t *)place = number;
    return EXIT_OK;
  }
  case REAL: {
    double number = strtod(value, &end);
    if (end == value || *end || !isfinite(number) || number < (double)option->low ||
        number > (double)option->high)
      return report_error(EXIT_USAGE, "--%s is \"%s\", expected a number from %lld to %lld",
                          option->name, value, (long long)option->low, (long long)option->high);
    *(double *)place = number;
    return EXIT_OK;
  }
  case CHOICE: {
    int number = 0;
    for (const char *v = option->values; v;
         v = strchr(v, '|') ? strchr(v, '|') + 1 : NULL, ++number) {
      size_t length = strcspn(v, "|");
      if (strlen(value) != length || memcmp(v, value, length) != 0)
        continue;
      if (option->place == AT(spin))
        out->spin = (sluice_spin_t)number;
      else if (option->place == AT(numa))
        out->numa = number;
      else
        *(bool *)place = number != 0;
      return EXIT_OK;
    }
    return report_error(EXIT_USAGE, "--%s is \"%s\", expected one of %s", option->name, value,
                        option->values);
  }
  case NOT_BUILT:
    return report_error(EXIT_NOT_BUILT,
                        "--%s is not built yet; --temperature and --seed are what sampling has",
                        option->name);
  }
  return EXIT_INTERNAL;
}

static int take_option(int argc, char **argv, int *at, options_t *out) {
  char name[64];
  const char *text = argv[*at] + 2, *value = strchr(text, '=');
  size_t length = value ? (size_t)(value - text) : strlen(text);
  snprintf(name, sizeof name, "%.*s", (int)length, text);
  for (int i = 0; i < OPTIONS; ++i) {
    const option_t *option = &table[i];
    if (strcmp(option->name, name) != 0)
      continue;
    if (!(option->commands & (int)out->command))
      return report_error(EXIT_USAGE,
                          "--%s does not belong to this command; --help lists what does", name);
    if (option->type == FLAG && value)
      return report_error(EXIT_USAGE, "--%s takes no value, found \"%s\"", name, value + 1);
    if (option->type == MAYBE_TEXT)
      return store(option, value ? value + 1 : "", out);
    if (option->type != FLAG && !value && ++*at >= argc)
      return report_error(EXIT_USAGE, "--%s needs a value", name);
    return store(option, value ? value + 1 : argv[*at], out);
  }
  return unknown_option(name, out->command);
}

/* What must and must not stand together. */
static int check_together(const options_t *o) {
  if (o->command == COMMAND_CEILINGS)
    return o->artefact
               ? report_error(EXIT_USAGE, "ceilings takes no model, found \"%s\"", o->artefact)
               : EXIT_OK;
  if (!o->artefact)
    return report_error(EXIT_USAGE, "which model? expected a MODEL.sluice; --help shows how");
  if (o->command != COMMAND_RUN)
    return EXIT_OK;
  if (!o->tokens == !o->inputs)
    return report_error(EXIT_USAGE,
                        "expected either --tokens, to generate, or --inputs and --outputs");
  if (o->score && !o->tokens)
    return report_error(EXIT_USAGE, "--score needs the text in --tokens");
  if (!o->inputs != !o->outputs)
    return report_error(EXIT_USAGE, "--inputs and --outputs go together");
  return EXIT_OK;
}

int options_parse(int argc, char **argv, options_t *out, bool *out_done) {
  *out = (options_t){.command = COMMAND_RUN,
                     .max_new = 32,
                     .prompt = 512,
                     .generate = 128,
                     .batch = 1,
                     .repetitions = 3};
  *out_done = true;
  int at = 1;
  if (at < argc && strcmp(argv[at], "bench") == 0)
    out->command = COMMAND_BENCH, ++at;
  else if (at < argc && strcmp(argv[at], "inspect") == 0)
    out->command = COMMAND_INSPECT, ++at;
  else if (at < argc && strcmp(argv[at], "ceilings") == 0)
    out->command = COMMAND_CEILINGS, ++at;
  bool only_names = false;
  for (; at < argc; ++at) {
    const char *word = argv[at];
    if (!only_names && strcmp(word, "--") == 0) {
      only_names = true;
    } else if (!only_names && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
      print_help(out->command);
      return report_finish(EXIT_OK);
    } else if (!only_names && strcmp(word, "--version") == 0) {
      printf("sluice-run: manifest version %d, kernel ABI %u\n", SLUICE_MANIFEST_VERSION,
             SLUICE_ABI_VERSION);
      return report_finish(EXIT_OK);
    } else if (!only_names && strncmp(word, "--", 2) == 0) {
      TRY(take_option(argc, argv, &at, out));
    } else if (!only_names && word[0] == '-' && word[1]) {
      return report_error(EXIT_USAGE, "unknown option %s; --help lists them", word);
    } else if (out->artefact) {
      return report_error(EXIT_USAGE, "expected one model, found \"%s\" and \"%s\"", out->artefact,
                          word);
    } else {
      out->artefact = word;
    }
  }
  TRY(check_together(out));
  *out_done = false;
  return EXIT_OK;
}
