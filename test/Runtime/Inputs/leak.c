/* SPDX-License-Identifier: Apache-2.0
 * Loses a block. */
#include <stdlib.h>
void *volatile kept;
int main(void) {
  kept = malloc(100);
  kept = NULL;
  return 0;
}
