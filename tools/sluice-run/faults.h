/* SPDX-License-Identifier: Apache-2.0
 *
 * faults.h: signals end sluice-run in an orderly way: nothing half-written stays, the exit code
 * says why, and a mapped file that was cut is a sentence.
 */
#ifndef SLUICE_RUN_FAULTS_H
#define SLUICE_RUN_FAULTS_H

#include "sluice-rt/runtime.h"

/* SIGINT and SIGTERM: exit code 130. SIGBUS of a mapped file: 2, with the file's name. SIGPIPE and
 * SIGXFSZ: the write fails instead. */
void faults_install(void);

/* From now on a fault in |data| [bytes] speaks of |path|. */
void faults_name_map(const void *data, int64_t bytes, const char *path);
/* The same for the weights of |model| that are mapped. */
void faults_name_weights(const sluice_model_t *model);

#endif
