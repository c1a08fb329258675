/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.h: what sluice-run can do; each returns an exit code.
 */
#ifndef SLUICE_RUN_COMMANDS_H
#define SLUICE_RUN_COMMANDS_H

#include "options.h"

int command_generate(const sluice_model_t *model, const options_t *options);
int command_inputs(const sluice_model_t *model, const options_t *options);
int command_bench(const sluice_model_t *model, const options_t *options);
int command_ceilings(const options_t *options);
int command_inspect(const sluice_model_t *model, const options_t *options);

#endif
