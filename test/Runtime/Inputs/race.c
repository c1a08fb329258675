/* SPDX-License-Identifier: Apache-2.0
 * Two threads write one number. */
#include <pthread.h>
static int number;
static void *write_it(void *argument) {
  (void)argument;
  ++number;
  return NULL;
}
int main(void) {
  pthread_t other;
  if (pthread_create(&other, NULL, write_it, NULL) != 0)
    return 0;
  ++number;
  pthread_join(other, NULL);
  return 0;
}
