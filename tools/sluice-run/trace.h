/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.h: --trace and --report: who did what when, and how far from the floor that is.
 */
#ifndef SLUICE_RUN_TRACE_H
#define SLUICE_RUN_TRACE_H

#include "options.h"

/* Prepares for the options' --trace and --report; does nothing without them. Returns an exit code.
 * One trace at a time. */
int trace_begin(const sluice_model_t *model, const options_t *options);

/* Traces |session| from its next step on, if anything is traced. */
void trace_attach(sluice_session_t *session);

/* Takes the session's times; must be called before it is released. NULL is fine. */
void trace_detach(sluice_session_t *session);

/* Measures the ceilings and writes what was asked for. Returns an exit code. */
int trace_finish(void);

#endif
