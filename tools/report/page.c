/* SPDX-License-Identifier: Apache-2.0
 *
 * page.c: puts data in the place that the page keeps for it.
 */
#include "page.h"

#include <string.h>

static const unsigned char page[] = {
#include "report.html.inc"
};

void report_page_write(const char *json, size_t size,
                       void (*write)(void *self, const char *text, size_t size), void *self) {
  static const char mark[] = "@DATA@";
  const char *text = (const char *)page, *at = strstr(text, mark);
  write(self, text, (size_t)(at - text));
  for (size_t i = 0; i < size;) {
    const char *next = memchr(json + i, '<', size - i);
    size_t plain = next ? (size_t)(next - json) - i : size - i;
    write(self, json + i, plain);
    i += plain;
    if (next) {
      write(self, "\\u003c", 6);
      ++i;
    }
  }
  at += sizeof mark - 1;
  write(self, at, strlen(at));
}
