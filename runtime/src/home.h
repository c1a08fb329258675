/* SPDX-License-Identifier: Apache-2.0
 *
 * home.h: what a session may do with the runtime's own home, beside what programs may.
 */
#ifndef SLUICE_RT_HOME_H
#define SLUICE_RT_HOME_H

#include "memory.h"

/* Waits for all requests under way and forgets them. For a home made by sluice_home_create that
 * nobody else uses now. */
void sluice_home_drain(sluice_home_t *home);

/* What went wrong since the last call, in words, or "". For a home made by sluice_home_create, when
 * no request is under way; good until the next request. */
const char *sluice_home_problem(sluice_home_t *home);

#endif
