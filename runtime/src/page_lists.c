/* SPDX-License-Identifier: Apache-2.0
 *
 * page_lists.c: bounds, duplicates and aliasing of page tables from outside, in two passes over
 * them: first every page that the call writes gets the number of its part, then every page that
 * the call uses is looked at.
 */
#include "page_lists.h"

sluice_status_t sluice_page_marks_create(int64_t page_count, sluice_page_marks_t *out) {
  uint8_t *memory;
  // Page numbers are int32_t, so this does not overflow.
  SLUICE_TRY(sluice_map_anonymous(2 * page_count * (int64_t)sizeof(uint64_t), "the marks of pages",
                                  &memory));
  *out = (sluice_page_marks_t){.writer = (uint64_t *)memory,
                               .reader = (uint64_t *)memory + page_count,
                               .base = 1,
                               .page_count = page_count};
  return SLUICE_STATUS_OK;
}

void sluice_page_marks_release(sluice_page_marks_t *marks) {
  sluice_unmap(marks->writer, 2 * marks->page_count * (int64_t)sizeof(uint64_t));
  *marks = (sluice_page_marks_t){0};
}

/* Pages that |part| uses in this call; those from |out_first| on are written. */
static int64_t pages_of(const sluice_part_t *part, int32_t page, int64_t *out_first) {
  *out_first = part->pages->past / page;
  return sluice_ceil_div(part->pages->past + part->count, page);
}

static sluice_status_t take_size(const sluice_page_marks_t *marks, const sluice_part_t *part,
                                 int32_t index, int32_t page, int32_t most) {
  int64_t first, need = pages_of(part, page, &first);
  if (need > part->pages->count || !part->pages->pages)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "part %d: its page list has %d pages, expected at least %lld for %lld "
                       "tokens in pages of %d",
                       index, part->pages->pages ? part->pages->count : 0, (long long)need,
                       (long long)part->pages->past + part->count, page);
  if (need > most)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "part %d: %lld tokens need %lld pages, a sequence has at most %d of the "
                       "session's %lld",
                       index, (long long)part->pages->past + part->count, (long long)need, most,
                       (long long)marks->page_count);
  for (int64_t i = 0; i < need; ++i)
    if (part->pages->pages[i] < 0 || part->pages->pages[i] >= marks->page_count)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "part %d: page number %d at place %lld of its list, expected 0 to %lld",
                         index, part->pages->pages[i], (long long)i,
                         (long long)marks->page_count - 1);
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_page_lists_take(sluice_page_marks_t *marks, const sluice_part_t *parts,
                                       int32_t count, int32_t page, int32_t most,
                                       int32_t *page_start, int32_t *page_table) {
  const uint64_t base = marks->base;
  marks->base += (uint64_t)count;
  for (int32_t i = 0; i < count; ++i) {
    SLUICE_TRY(take_size(marks, &parts[i], i, page, most));
    int64_t first, need = pages_of(&parts[i], page, &first);
    for (int64_t k = first; k < need; ++k) {
      int32_t number = parts[i].pages->pages[k];
      if (marks->writer[number] >= base && marks->writer[number] != base + (uint64_t)i)
        return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                           "part %d: appends to page %d, and so does part %d: give each its own "
                           "page",
                           i, number, (int)(marks->writer[number] - base));
      marks->writer[number] = base + (uint64_t)i;
    }
  }
  int32_t at = 0;
  for (int32_t i = 0; i < count; ++i) {
    int64_t first, need = pages_of(&parts[i], page, &first);
    page_start[i] = at;
    for (int64_t k = 0; k < need; ++k) {
      int32_t number = parts[i].pages->pages[k];
      if (marks->reader[number] == base + (uint64_t)i)
        return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                           "part %d: page %d stands twice in its list, the second time at place "
                           "%lld",
                           i, number, (long long)k);
      if (marks->writer[number] >= base && marks->writer[number] != base + (uint64_t)i)
        return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                           "part %d: reads page %d, to which part %d appends in the same call: "
                           "copy the page first",
                           i, number, (int)(marks->writer[number] - base));
      marks->reader[number] = base + (uint64_t)i;
      page_table[at++] = number;
    }
  }
  page_start[count] = at;
  return SLUICE_STATUS_OK;
}
