/* SPDX-License-Identifier: Apache-2.0
 *
 * ceilings.c: what this machine does at most, for people and for `sluicec --ceilings`.
 */
#include "commands.h"
#include "machine.h"
#include "report.h"
#include "roof.h"

#include <stdio.h>

int command_ceilings(const options_t *o) {
  roof_ceilings_t c;
  roof_measure(o->threads ? (int32_t)(o->threads < 256 ? o->threads : 256) : sluice_machine_cores(),
               &c);
  if (c.read <= 0)
    return report_error(EXIT_RUN_TIME, "no memory for a buffer that is larger than caches");
  printf(o->json ? "{\"threads\": %d, \"read_bytes_per_s\": %.6g" : "threads %d\nread %.4g B/s\n",
         c.threads, c.read);
  for (int d = 0; d < ROOF_DOTS; ++d)
    if (c.dot[d] > 0)
      printf(o->json ? ", \"%s_ops_per_s\": %.6g" : "%s %.4g op/s\n", roof_dot_name((roof_dot_t)d),
             c.dot[d]);
  fputs(o->json ? "}\n" : "", stdout);
  return EXIT_OK;
}
