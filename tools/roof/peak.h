/* SPDX-License-Identifier: Apache-2.0
 *
 * peak.h: one thread, one instruction.
 */
#ifndef SLUICE_ROOF_PEAK_H
#define SLUICE_ROOF_PEAK_H

#include "roof.h"

/* Runs |dot| for some milliseconds on twelve chains that do not wait for each other, and returns
 * how many operations it did; 0 where the processor has no such instruction. */
double peak_run(roof_dot_t dot);

#endif
