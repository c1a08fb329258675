/* SPDX-License-Identifier: Apache-2.0
 *
 * generate.c: token ids in, token ids out.
 */
#include "commands.h"
#include "memory.h"
#include "report.h"
#include "sampling.h"
#include "score.h"
#include "tensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ids {
  int32_t *data;
  int64_t count, capacity;
} ids_t;

static void ids_add(ids_t *ids, int32_t id) {
  if (ids->count == ids->capacity) {
    ids->capacity = ids->capacity ? 2 * ids->capacity : 256;
    int32_t *data = report_allocate((size_t)ids->capacity, sizeof *data);
    if (ids->count)
      memcpy(data, ids->data, (size_t)ids->count * sizeof *data);
    free(ids->data);
    ids->data = data;
  }
  ids->data[ids->count++] = id;
}

/* Ids separated by commas, blanks or both. |where| and |code| say whose fault a bad one is. */
static int parse_ids(const char *text, const char *where, int code, int64_t vocab, ids_t *out) {
  for (const char *at = text;;) {
    at += strspn(at, " \t\r\n,");
    if (!*at)
      break;
    char *end;
    errno = 0;
    long long id = strtoll(at, &end, 10);
    if (end == at || errno || (*end && !strchr(" \t\r\n,", *end)))
      return report_error(code, "%s: token %lld is \"%.*s\", expected an integer", where,
                          (long long)out->count, (int)strcspn(at, " \t\r\n,"), at);
    if (id < 0 || id >= vocab)
      return report_error(EXIT_BAD_INPUT,
                          "%s: token %lld is %lld, expected 0 to %lld (the vocabulary)", where,
                          (long long)out->count, id, (long long)vocab - 1);
    ids_add(out, (int32_t)id);
    at = end;
  }
  if (out->count == 0)
    return report_error(code, "%s: no token ids, expected at least one", where);
  return EXIT_OK;
}

static int read_prompt(const char *tokens, int64_t vocab, ids_t *out) {
  if (tokens[0] != '@')
    return parse_ids(tokens, "--tokens", EXIT_USAGE, vocab, out);
  sluice_file_t file;
  sluice_status_t status = sluice_file_map(tokens + 1, &file);
  if (status != SLUICE_STATUS_OK)
    return report_status(status);
  char *text = report_allocate((size_t)file.bytes + 1, 1);
  if (file.bytes)
    memcpy(text, file.data, (size_t)file.bytes);
  int code = memchr(text, 0, (size_t)file.bytes)
                 ? report_error(EXIT_BAD_INPUT, "%s is no text of token ids", tokens + 1)
                 : parse_ids(text, tokens + 1, EXIT_BAD_INPUT, vocab, out);
  free(text);
  sluice_file_unmap(&file);
  return code;
}

static bool is_end(const sluice_model_info_t *info, int32_t token) {
  for (int32_t i = 0; i < info->eos_count; ++i)
    if (info->eos[i] == token)
      return true;
  return false;
}

typedef struct result {
  ids_t tokens;
  double prefill_seconds, decode_seconds;
} result_t;

static int generate(sluice_session_t *session, const sluice_model_info_t *info, const options_t *o,
                    const char *step, const ids_t *prompt, int32_t max_rows, float *logits,
                    sampling_t *sampling, result_t *out) {
  sluice_sequence_t sequence;
  float temperature = (float)o->temperature;
  int64_t rng = o->seed;
  TRY_STATUS(sluice_sequence_create(session, &sequence));
  double start = report_seconds(), first = 0;
  for (int64_t at = 0; at < prompt->count;) {
    int64_t left = prompt->count - at, count = left < max_rows ? left : max_rows;
    sluice_part_t part = {.sequence = sequence,
                          .count = (int32_t)count,
                          .ask = count == left && o->max_new > 0,
                          .tokens = prompt->data + at};
    TRY_STATUS(sluice_session_step(session, step, &part, 1, logits));
    at += count;
  }
  first = report_seconds();
  out->prefill_seconds = first - start;
  while (out->tokens.count < o->max_new) {
    int32_t token;
    TRY_STATUS(sampling_apply(sampling, logits));
    TRY_STATUS(sluice_session_sample(session, "sample", logits, 1, &temperature, &rng, &token));
    ids_add(&out->tokens, token);
    sampling_see(sampling, token);
    if ((is_end(info, token) && !o->ignore_eos) || out->tokens.count == o->max_new)
      break;
    sluice_part_t part = {.sequence = sequence, .count = 1, .ask = 1, .tokens = &token};
    TRY_STATUS(sluice_session_step(session, step, &part, 1, logits));
  }
  out->decode_seconds = report_seconds() - first;
  return EXIT_OK;
}

static void print(const options_t *o, const ids_t *prompt, const result_t *result) {
  // The first new token comes out of the prefill; the others are steps of their own.
  double prefill = (double)prompt->count / result->prefill_seconds;
  double decode =
      result->tokens.count > 1 ? (double)(result->tokens.count - 1) / result->decode_seconds : 0;
  if (o->json)
    fputs("{\"tokens\": [", stdout);
  for (int64_t i = 0; i < result->tokens.count; ++i)
    printf(o->json ? (i ? ", %d" : "%d") : (i ? ",%d" : "%d"), result->tokens.data[i]);
  if (o->json)
    printf("], \"prefill_tokens_per_s\": %.6g, \"decode_tokens_per_s\": %.6g}\n", prefill, decode);
  else
    putchar('\n');
  if (!o->json)
    fprintf(stderr, "prefill %.4g tokens/s, decode %.4g tokens/s\n", prefill, decode);
}

int command_generate(const sluice_model_t *model, const options_t *o) {
  const sluice_model_info_t *info = sluice_model_info(model);
  const char *step = o->function ? o->function : "step";
  ids_t prompt = {0};
  result_t result = {0};
  if (info->kind != SLUICE_KIND_DECODER)
    return report_error(
        EXIT_BAD_INPUT,
        "%s is no decoder, so it cannot continue tokens: use --inputs and --outputs", info->name);
  TRY(read_prompt(o->tokens, info->limits.vocab, &prompt));
  const sluice_function_info_t *function = sluice_model_function(model, step);
  if (!function || function->arg_count == 0 || !sluice_model_function(model, "sample"))
    return report_error(EXIT_BAD_INPUT, "%s lacks the function \"%s\" or \"sample\"", info->name,
                        step);
  int64_t width = function->args[function->arg_count - 1].row_elements;
  // The last new token is given out but not run.
  int64_t more = o->score ? 0 : o->max_new;
  int64_t length = prompt.count + (more > 0 ? more - 1 : 0);
  if (length > info->limits.max_seq)
    return report_error(
        EXIT_BAD_INPUT,
        "%lld tokens of prompt and %lld new ones, the model's limit is max_seq = %lld",
        (long long)prompt.count, (long long)more, (long long)info->limits.max_seq);
  if (info->limits.max_positions >= 0 && length > info->limits.max_positions)
    return report_error(
        EXIT_BAD_INPUT,
        "%lld tokens of prompt and %lld new ones, the model's limit is max_positions = %lld",
        (long long)prompt.count, (long long)more, (long long)info->limits.max_positions);
  int64_t rows = o->max_rows ? o->max_rows : usual_rows(model);
  rows = prompt.count < rows ? prompt.count : rows;
  rows = o->score ? score_rows(rows, width) : rows;
  sluice_session_options_t options = {.threads = (int32_t)o->threads,
                                      .spin = o->spin,
                                      .max_rows = (int32_t)rows,
                                      .max_seqs = 1,
                                      .kv_pages = sluice_ceil_div(length, info->kv[0].page)};
  sluice_session_t *session;
  TRY(make_session(model, &options, &session));
  float *logits = report_allocate((size_t)((o->score ? rows : 1) * width), sizeof *logits);
  sampling_t sampling;
  int code = sampling_begin(o, info->limits.vocab, width, &sampling);
  for (int64_t i = 0; i < prompt.count; ++i)
    sampling_see(&sampling, prompt.data[i]);
  if (code == EXIT_OK && o->score)
    code =
        score_text(session, step, prompt.data, prompt.count, (int32_t)rows, logits, width, o->json);
  else if (code == EXIT_OK)
    code = generate(session, info, o, step, &prompt, (int32_t)rows, logits, &sampling, &result);
  if (code == EXIT_OK && !o->score)
    print(o, &prompt, &result);
  sampling_end(&sampling);
  free(logits);
  free(prompt.data);
  free(result.tokens.data);
  release_session(session);
  return code;
}
