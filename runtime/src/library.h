/* SPDX-License-Identifier: Apache-2.0
 *
 * library.h: the compiled code of an artefact.
 */
#ifndef SLUICE_RT_LIBRARY_H
#define SLUICE_RT_LIBRARY_H

#include "manifest.h"

/* Refuses a target that this machine cannot run; the message names architecture or feature.
 * WRONG_TARGET. */
sluice_status_t sluice_library_check_target(const sluice_manifest_t *manifest);

/* Opens the shared library at |path| after checking that it is whole and for this architecture, and
 * finds every function of |manifest| in it: entries[i] is functions[i]. */
sluice_status_t sluice_library_open(const sluice_manifest_t *manifest, const char *path,
                                    void **out_handle, sluice_entry_fn *entries);
void sluice_library_close(void *handle);

#endif
