/* SPDX-License-Identifier: Apache-2.0
 *
 * fixture.h: artefacts for tests: a manifest in text, changed by replacing words, with the
 * hand-written library of fake_model.c as its code.
 */
#ifndef SLUICE_ABI_SUITE_FIXTURE_H
#define SLUICE_ABI_SUITE_FIXTURE_H

#include <stddef.h>

/* A manifest of everything that fake_model.c has: kind decoder, all weights generated. */
extern const char fixture_manifest[];

/* Makes an empty artefact in a directory of its own, with the library |library_path| as
 * lib/model.so, and returns its path. It is deleted when the process ends. */
const char *fixture_create(const char *library_path);

/* Writes |text| as the artefact's manifest.json after replacing |edits| [2 * n]: from, to, from,
 * to, ..., NULL. A "from" that does not stand in the text ends the test: an edit that does nothing
 * tests nothing. */
void fixture_write_manifest(const char *artefact, const char *text, const char *const *edits);

/* Writes |bytes| of |data| as |member| of the artefact. */
void fixture_write_member(const char *artefact, const char *member, const void *data, size_t bytes);

/* Writes a safetensors file |member|: |header| (JSON, padded to a multiple of 8) and then |bytes|
 * of |data|. */
void fixture_write_tensors(const char *artefact, const char *member, const char *header,
                           const void *data, size_t bytes);

/* |artefact|/|member|, in memory that the next call reuses. */
const char *fixture_path(const char *artefact, const char *member);

#endif
