/* SPDX-License-Identifier: Apache-2.0
 *
 * loading.h: artefacts of fixture.h as models.
 */
#ifndef SLUICE_ABI_SUITE_LOADING_H
#define SLUICE_ABI_SUITE_LOADING_H

#include "fixture.h"

#include "sluice-rt/runtime.h"

#include <stdio.h>
#include <stdlib.h>

/* The model of fixture_manifest with the library |argv|[1]; the caller releases it. Ends the
 * program with a sentence when it cannot be loaded. */
static inline sluice_model_t *fixture_model(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "expected one argument, the library of the hand-written model\n");
    exit(1);
  }
  const char *artefact = fixture_create(argv[1]);
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  sluice_model_t *model = NULL;
  if (sluice_model_load(artefact, NULL, &model) != SLUICE_STATUS_OK) {
    fprintf(stderr, "the hand-written model does not load: %s\n", sluice_last_error());
    exit(1);
  }
  return model;
}

/* Loads |path| and releases what was loaded. There is a model when, and only when, the status is
 * OK: anything else ends the program. */
static inline sluice_status_t fixture_load(const char *path,
                                           const sluice_model_options_t *options) {
  sluice_model_t *model = NULL;
  sluice_status_t status = sluice_model_load(path, options, &model);
  if ((status == SLUICE_STATUS_OK) != (model != NULL)) {
    fprintf(stderr, "loading gave %s and %s\n", sluice_status_name(status),
            model ? "a model" : "no model");
    exit(1);
  }
  sluice_model_release(model);
  return status;
}

#endif
