/* SPDX-License-Identifier: Apache-2.0
 *
 * tensors.h: --inputs and --outputs: what the two ways of running a function share.
 */
#ifndef SLUICE_RUN_TENSORS_H
#define SLUICE_RUN_TENSORS_H

#include "options.h"
#include "output.h"
#include "safetensors.h"

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
