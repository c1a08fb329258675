/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h: a small reader of JSON for text that nobody has checked. Depth, node count and memory are
 * bounded by constants and by the text's length, strings must be UTF-8, keys must be unique, and
 * numbers are only taken as integers.
 */
#ifndef SLUICE_RT_JSON_H
#define SLUICE_RT_JSON_H

#include "memory.h"

/* Brackets inside one another, at most. */
enum { SLUICE_JSON_DEPTH = 128 };

typedef enum sluice_json_type {
  SLUICE_JSON_NULL,
  SLUICE_JSON_BOOL,
  SLUICE_JSON_NUMBER,
  SLUICE_JSON_STRING,
  SLUICE_JSON_ARRAY,
  SLUICE_JSON_OBJECT,
} sluice_json_type_t;

/* A value. Nodes stand in one array in order of the text; |next| is the number of the next sibling,
 * 0 after the last. */
typedef struct sluice_json {
  uint8_t type; /* sluice_json_type_t */
  uint8_t boolean;
  uint32_t offset; /* in the text */
  uint32_t next;
  uint32_t count;   /* elements of an array or object, bytes of a string or a number's text */
  const char *key;  /* NUL-terminated; NULL outside objects */
  const char *text; /* string: NUL-terminated, decoded; number: as written, not terminated */
} sluice_json_t;

/* A parsed text. Owns its nodes and strings; does not need |text| afterwards but for numbers and
 * locations. */
typedef struct sluice_json_doc {
  const char *file; /* for messages; not owned */
  const char *text;
  size_t bytes;
  sluice_json_t *nodes; /* nodes[0] is the root */
  size_t node_count, node_capacity;
  char *strings;
  size_t string_capacity;
  sluice_allocator_t allocator;
} sluice_json_doc_t;

/* Parses |bytes| at |text|, which must outlive |out_doc|, as |file| must. BAD_ARTEFACT with
 * "file:line:column: reason". */
sluice_status_t sluice_json_parse(const sluice_allocator_t *allocator, const char *file,
                                  const char *text, size_t bytes, sluice_json_doc_t *out_doc);
void sluice_json_free(sluice_json_doc_t *doc);

/* The first element of an array or object, and the one after |node|; NULL when there is none. */
const sluice_json_t *sluice_json_first(const sluice_json_doc_t *doc, const sluice_json_t *node);
const sluice_json_t *sluice_json_next(const sluice_json_doc_t *doc, const sluice_json_t *node);
/* The member |key| of an object, or NULL. */
const sluice_json_t *sluice_json_member(const sluice_json_doc_t *doc, const sluice_json_t *object,
                                        const char *key);
/* Whether |node| is an integer that fits, and which. "1e3" and "1.0" are not integers here. */
bool sluice_json_integer(const sluice_json_t *node, int64_t *out);
/* "an object", "a string", ... */
const char *sluice_json_type_name(const sluice_json_t *node);

/* Writes "file:line:column: message" as the thread's error. */
sluice_status_t sluice_json_fail(const sluice_json_doc_t *doc, const sluice_json_t *node,
                                 sluice_status_t status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
