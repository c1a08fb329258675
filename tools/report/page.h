/* SPDX-License-Identifier: Apache-2.0
 *
 * page.h: a report's JSON (docs/Contracts.md, section 8) as a page to look at.
 */
#ifndef SLUICE_REPORT_PAGE_H
#define SLUICE_REPORT_PAGE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Gives the page with |json| [size] in it to |write|, piece by piece. A "<" of the data is escaped,
 * so that no text of a model can end the element that the data stands in. */
void report_page_write(const char *json, size_t size,
                       void (*write)(void *self, const char *text, size_t size), void *self);

#ifdef __cplusplus
}
#endif
#endif
