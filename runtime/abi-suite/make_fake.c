/* SPDX-License-Identifier: Apache-2.0
 *
 * make_fake.c: writes the fake artefact of the tests into a directory, for tests of tools:
 *   sluice-make-fake LIBRARY DIRECTORY [FROM TO]...     each FROM in the manifest's text becomes TO
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  if (argc < 3 || argc % 2 == 0) {
    fprintf(stderr, "usage: sluice-make-fake LIBRARY DIRECTORY [FROM TO]...\n");
    return 1;
  }
  const char **edits = calloc((size_t)argc, sizeof *edits);
  for (int i = 3; edits && i < argc; ++i)
    edits[i - 3] = argv[i];
  const char *artefact = fixture_create(argv[1]);
  fixture_write_manifest(artefact, fixture_manifest, edits);
  char command[1024];
  int length = snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", argv[2],
                        artefact, argv[2]);
  free(edits);
  return length < (int)sizeof command && system(command) == 0 ? 0 : 70;
}
