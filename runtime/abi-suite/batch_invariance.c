/* SPDX-License-Identifier: Apache-2.0
 *
 * batch_invariance.c: a row's bits do not depend on what runs beside it.
 *
 *   batch_invariance ARTEFACT [--batches N] [--seed S] [--threads LIST] [--longest TOKENS]
 *
 * For each of N (200) random ragged batches: every sequence is run alone, whole, on one thread,
 * with pages in order, and all its rows' logits are kept. Then the batch is run together, by 1
 * thread and by 2, with pages handed out in a random order, sequences whole or in random chunks
 * that start in different steps, and sometimes forked from a common prefix. Every row must have the
 * same bits. Exits 5 when one has not, and prints how to repeat it.
 */
#include "sluice-rt/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEQS = 6, MOST_ROWS = 4096 };

static uint64_t random_state;

static uint64_t next_random(void) {
  uint64_t z = random_state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

/* From |low| to |high|, both included. */
static int32_t between(int32_t low, int32_t high) {
  return low + (int32_t)(next_random() % (uint64_t)(high - low + 1));
}

static int fail(const char *what) {
  fprintf(stderr, "batch_invariance: error: %s: %s\n", what, sluice_last_error());
  return 4;
}

typedef struct batch {
  int32_t seqs;
  int32_t length[SEQS];
  int32_t
      prefix[SEQS]; /* tokens shared with sequence 0, from which the sequence is forked; 0: none */
  int32_t tokens[SEQS][MOST_ROWS];
  float *alone[SEQS]; /* [length][width] */
} batch_t;

typedef struct counts {
  int64_t batches, rows, steps, forks, different;
} counts_t;

static void draw(batch_t *b, int64_t vocab, int32_t most) {
  b->seqs = between(2, SEQS);
  for (int32_t i = 0; i < b->seqs; ++i) {
    // Many short ones, some that cross pages, a few as long as can be.
    b->length[i] = between(1, between(0, 3) ? (most < 24 ? most : 24) : most);
    for (int32_t t = 0; t < b->length[i]; ++t)
      b->tokens[i][t] = (int32_t)(next_random() % (uint64_t)vocab);
    b->prefix[i] = 0;
    if (i > 0 && b->length[0] > 1 && b->length[i] > 1 && between(0, 3) == 0) {
      int32_t shared = b->length[0] < b->length[i] ? b->length[0] : b->length[i];
      b->prefix[i] = between(1, shared - 1);
      memcpy(b->tokens[i], b->tokens[0], (size_t)b->prefix[i] * sizeof(int32_t));
    }
  }
}

static sluice_status_t run_alone(sluice_session_t *s, batch_t *b, int32_t i) {
  sluice_sequence_t sequence;
  sluice_status_t status = sluice_sequence_create(s, &sequence);
  sluice_part_t part = {.count = b->length[i], .ask = b->length[i], .tokens = b->tokens[i]};
  part.sequence = sequence;
  if (status == SLUICE_STATUS_OK)
    status = sluice_session_step(s, "step", &part, 1, b->alone[i]);
  return status == SLUICE_STATUS_OK ? sluice_sequence_drop(s, sequence) : status;
}

/* The batch together. Rows [prefix, length) of each sequence are compared; a prefix is compared
 * where it was run. */
static sluice_status_t run_together(sluice_session_t *s, const batch_t *b, int64_t width,
                                    float *out, counts_t *counts) {
  sluice_sequence_t sequences[SEQS] = {0};
  int32_t done[SEQS] = {0}, finished = 0;
  bool chunked = between(0, 1);
  while (finished < b->seqs) {
    sluice_part_t parts[SEQS];
    int32_t who[SEQS], count = 0;
    for (int32_t i = 0; i < b->seqs; ++i) {
      int32_t left = b->length[i] - done[i];
      // Some wait: so sequences meet others at different lengths.
      if (left == 0 || (chunked && count > 0 && between(0, 2) == 0))
        continue;
      if (sequences[i] == SLUICE_SEQUENCE_NONE && b->prefix[i] > done[0])
        continue; // Its prefix is not there yet; sequence 0 is in this step and gets there.
      if (sequences[i] == SLUICE_SEQUENCE_NONE && b->prefix[i] > 0 && b->prefix[i] == done[0]) {
        if (sluice_sequence_fork(s, sequences[0], &sequences[i]) != SLUICE_STATUS_OK)
          return SLUICE_STATUS_LIMIT;
        done[i] = b->prefix[i];
        left -= done[i];
        ++counts->forks;
      }
      if (sequences[i] == SLUICE_SEQUENCE_NONE &&
          sluice_sequence_create(s, &sequences[i]) != SLUICE_STATUS_OK)
        return SLUICE_STATUS_LIMIT;
      int32_t take = chunked ? between(1, left) : left;
      // Sequence 0 stops where somebody wants to fork.
      for (int32_t j = 1; i == 0 && j < b->seqs; ++j)
        if (sequences[j] == SLUICE_SEQUENCE_NONE && b->prefix[j] > done[0] &&
            b->prefix[j] < done[0] + take)
          take = b->prefix[j] - done[0];
      who[count] = i;
      parts[count++] = (sluice_part_t){
          .sequence = sequences[i], .count = take, .ask = take, .tokens = b->tokens[i] + done[i]};
    }
    sluice_status_t status = sluice_session_step(s, "step", parts, count, out);
    if (status != SLUICE_STATUS_OK)
      return status;
    ++counts->steps;
    const float *row = out;
    for (int32_t p = 0; p < count; ++p) {
      int32_t i = who[p];
      for (int32_t r = 0; r < parts[p].count; ++r, ++done[i], row += width) {
        ++counts->rows;
        counts->different +=
            memcmp(row, b->alone[i] + done[i] * width, (size_t)width * sizeof *row) != 0;
      }
      finished += done[i] == b->length[i];
    }
  }
  for (int32_t i = 0; i < b->seqs; ++i)
    if (sluice_sequence_drop(s, sequences[i]) != SLUICE_STATUS_OK)
      return SLUICE_STATUS_NOT_FOUND;
  return SLUICE_STATUS_OK;
}

static int run(const sluice_model_t *model, int64_t batches, uint64_t seed, const int32_t *threads,
               int32_t thread_count, int32_t longest, counts_t *counts) {
  const sluice_model_info_t *info = sluice_model_info(model);
  const sluice_function_info_t *step = sluice_model_function(model, "step");
  sluice_session_options_t options = {.threads = 1, .max_seqs = SEQS, .poison = true};
  longest = info->limits.max_seq < longest ? (int32_t)info->limits.max_seq : longest;
  options.max_rows = SEQS * longest;
  sluice_session_t *alone;
  if (info->kind != SLUICE_KIND_DECODER || !step) {
    fprintf(stderr, "batch_invariance: error: %s is no decoder with a step\n", info->name);
    return 2;
  }
  if (sluice_session_create(model, &options, &alone) != SLUICE_STATUS_OK)
    return fail("session");
  int64_t width = step->args[step->arg_count - 1].row_elements;
  batch_t *b = calloc(1, sizeof *b);
  float *out = malloc((size_t)(SEQS * longest) * (size_t)width * sizeof *out);
  for (int i = 0; i < SEQS && b; ++i)
    b->alone[i] = malloc((size_t)longest * (size_t)width * sizeof *out);
  int code = b && out ? 0 : 4;
  for (int32_t t = 0; t < thread_count && code == 0; ++t) {
    // Each thread count sees the same batches, and a page order of its own.
    for (int64_t n = 0; n < batches && code == 0; ++n) {
      random_state = seed * 1000003u + (uint64_t)n;
      draw(b, info->limits.vocab, longest);
      options.threads = threads[t];
      options.page_shuffle = next_random() | 1;
      sluice_session_t *together;
      int64_t before = counts->different;
      sluice_status_t status = sluice_session_create(model, &options, &together);
      if (status != SLUICE_STATUS_OK)
        return fail("session");
      for (int32_t i = 0; i < b->seqs && status == SLUICE_STATUS_OK; ++i)
        status = run_alone(alone, b, i);
      if (status == SLUICE_STATUS_OK)
        status = run_together(together, b, width, out, counts);
      if (status != SLUICE_STATUS_OK)
        code = fail("step");
      ++counts->batches;
      if (counts->different != before)
        fprintf(stderr, "batch %lld with %d threads: %lld rows differ\n", (long long)n, threads[t],
                (long long)(counts->different - before));
      sluice_session_release(together);
    }
  }
  sluice_session_release(alone);
  for (int i = 0; i < SEQS && b; ++i)
    free(b->alone[i]);
  free(b);
  free(out);
  return code;
}

int main(int argc, char **argv) {
  int64_t batches = 200;
  int32_t longest = 300; // Past the first cut of attention's reduction, at 256 keys.
  uint64_t seed = 7;
  int32_t threads[8] = {1, 2}, thread_count = 2;
  const char *artefact = NULL;
  for (int i = 1; i < argc; ++i) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "--batches") == 0 && value) {
      batches = atoll(argv[++i]);
    } else if (strcmp(argv[i], "--longest") == 0 && value) {
      longest = atoi(argv[++i]);
    } else if (strcmp(argv[i], "--seed") == 0 && value) {
      seed = strtoull(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--threads") == 0 && value) {
      thread_count = 0;
      for (char *at = argv[++i]; *at && thread_count < 8; at += *at == ',')
        threads[thread_count++] = (int32_t)strtol(at, &at, 10);
    } else if (argv[i][0] != '-' && !artefact) {
      artefact = argv[i];
    } else {
      artefact = NULL;
      break;
    }
  }
  if (!artefact || batches < 1 || longest < 1 || longest > MOST_ROWS || thread_count < 1) {
    fprintf(stderr, "usage: batch_invariance ARTEFACT [--batches N] [--seed S] [--threads 1,2] "
                    "[--longest TOKENS]\n");
    return 1;
  }
  sluice_model_t *model;
  counts_t counts = {0};
  if (sluice_model_load(artefact, NULL, &model) != SLUICE_STATUS_OK) {
    fail(artefact);
    return 2;
  }
  int code = run(model, batches, seed, threads, thread_count, longest, &counts);
  printf("%lld batches, %lld steps, %lld forks, %lld rows compared, %lld differ\n",
         (long long)counts.batches, (long long)counts.steps, (long long)counts.forks,
         (long long)counts.rows, (long long)counts.different);
  if (code == 0 && counts.different > 0) {
    fprintf(stderr,
            "batch_invariance: error: rows depend on their batch; repeat with: batch_invariance %s "
            "--batches %lld "
            "--seed %llu\n",
            artefact, (long long)batches, (unsigned long long)seed);
    code = 5;
  }
  if (code == 0 && counts.rows == 0)
    code = 5;
  sluice_model_release(model);
  return code;
}
