/* SPDX-License-Identifier: Apache-2.0
 *
 * page_lists.h: page tables that the program makes itself. Nobody has checked them, and a wrong one
 * would silently mix the memories of sequences, so every call checks all of them.
 */
#ifndef SLUICE_RT_PAGE_LISTS_H
#define SLUICE_RT_PAGE_LISTS_H

#include "memory.h"

/* What the checks remember about each page. Numbers grow from call to call, so nothing is cleared.
 */
typedef struct sluice_page_marks {
  uint64_t *writer; /* [page_count] base + number of the part that writes the page */
  uint64_t *reader; /* [page_count] base + number of the last part that lists it */
  uint64_t base;    /* of the next call; marks below it are old */
  int64_t page_count;
} sluice_page_marks_t;

sluice_status_t sluice_page_marks_create(int64_t page_count, sluice_page_marks_t *out);
void sluice_page_marks_release(sluice_page_marks_t *marks);

/* Checks the page lists of |parts| [count] and copies what the call needs of them to |page_table|
 * and |page_start| [count + 1]. |page| is the slots of one page, |most| the pages of a sequence of
 * greatest length. */
sluice_status_t sluice_page_lists_take(sluice_page_marks_t *marks, const sluice_part_t *parts,
                                       int32_t count, int32_t page, int32_t most,
                                       int32_t *page_start, int32_t *page_table);

#endif
