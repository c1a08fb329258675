/* SPDX-License-Identifier: Apache-2.0
 *
 * tensors.h: --inputs and --outputs: what the two ways of running a function share.
 */
#ifndef SLUICE_RUN_TENSORS_H
#define SLUICE_RUN_TENSORS_H

#include "options.h"
#include "output.h"
#include "safetensors.h"

/* Sequences in one file of inputs, and rows of one call, at most (docs/Limits.md). */
enum { INPUT_SEQUENCES = 1 << 20, INPUT_ROWS = 1 << 24 };

/* What a call needs: the open inputs and where the results go. */
typedef struct tensors_run {
  const sluice_model_t *model;
  const sluice_model_info_t *info;
  const sluice_function_info_t *function;
  const options_t *options;
  const sluice_tensors_t *inputs;
} tensors_run_t;

/* Makes a session; options that it refuses came from the command line. Returns an exit code. */
int make_session(const sluice_model_t *model, const sluice_session_options_t *options,
                 sluice_session_t **out_session);
/* What the command line says of all sessions (--pin, --numa); |options| must stay. */
void sessions_follow(const options_t *options);
/* Frees a session of make_session; NULL is fine. */
void release_session(sluice_session_t *session);
/* Rows of one step where the command line does not say: what |model| was compiled for, or 512. */
int64_t usual_rows(const sluice_model_t *model);

/* Whether |tensor| holds integers that tensor_integer can read (I8 to I64, U8, BOOL). */
bool tensor_is_integer(const sluice_tensor_t *tensor);
int64_t tensor_integer(const sluice_tensor_t *tensor, int64_t index);

/* Refuses inputs that are not in |known| (NULL at the end). Returns an exit code. */
int check_known_inputs(const tensors_run_t *run, const char *const *known);

/* Runs step, forward or embed on padded batches as Hugging Face writes them: [B,T] with a mask.
 * Returns an exit code. */
int run_token_function(const tensors_run_t *run);
/* Runs any function on its own arguments by name. Returns an exit code. */
int run_named_function(const tensors_run_t *run);

#endif
