/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c: the reader of JSON text. One pass without recursion: open brackets stand on a stack of
 * SLUICE_JSON_DEPTH.
 */
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
  sluice_json_doc_t *doc;
  const unsigned char *text;
  size_t at, end;
  size_t string_used;
} reader_t;

static void locate(const sluice_json_doc_t *doc, size_t offset, size_t *line, size_t *column) {
  *line = 1;
  size_t start = 0;
  for (size_t i = 0; i < offset && i < doc->bytes; ++i)
    if (doc->text[i] == '\n') {
      ++*line;
      start = i + 1;
    }
  *column = offset - start + 1;
}

static sluice_status_t fail_at(const sluice_json_doc_t *doc, size_t offset, sluice_status_t status,
                               const char *message) {
  size_t line, column;
  locate(doc, offset, &line, &column);
  return sluice_fail(status, "%s:%zu:%zu: %s", doc->file, line, column, message);
}

static sluice_status_t bad(const reader_t *r, const char *message) {
  return fail_at(r->doc, r->at, SLUICE_STATUS_BAD_ARTEFACT, message);
}

sluice_status_t sluice_json_fail(const sluice_json_doc_t *doc, const sluice_json_t *node,
                                 sluice_status_t status, const char *format, ...) {
  char message[768];
  va_list list;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  return fail_at(doc, node ? node->offset : 0, status, message);
}

const char *sluice_json_type_name(const sluice_json_t *node) {
  if (!node)
    return "nothing";
  switch (node->type) {
  case SLUICE_JSON_NULL:
    return "null";
  case SLUICE_JSON_BOOL:
    return "a boolean";
  case SLUICE_JSON_NUMBER:
    return "a number";
  case SLUICE_JSON_STRING:
    return "a string";
  case SLUICE_JSON_ARRAY:
    return "an array";
  default:
    return "an object";
  }
}

static void skip_space(reader_t *r) {
  while (r->at < r->end) {
    unsigned char c = r->text[r->at];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
      return;
    ++r->at;
  }
}

/* Bytes of the well-formed UTF-8 sequence at |p|, 0 if it is none (overlong, surrogate, past
 * U+10FFFF, cut). */
static size_t utf8_length(const unsigned char *p, size_t left) {
  unsigned char a = p[0];
  if (a < 0x80)
    return 1;
  size_t length = a >= 0xc2 && a <= 0xdf   ? 2
                  : (a & 0xf0) == 0xe0     ? 3
                  : a >= 0xf0 && a <= 0xf4 ? 4
                                           : 0;
  if (length == 0 || length > left)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  if ((a == 0xe0 && p[1] < 0xa0) || (a == 0xed && p[1] > 0x9f) || (a == 0xf0 && p[1] < 0x90) ||
      (a == 0xf4 && p[1] > 0x8f))
    return 0;
  return length;
}

static bool read_hex4(reader_t *r, uint32_t *out) {
  if (r->end - r->at < 4)
    return false;
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    unsigned char c = r->text[r->at + (size_t)i];
    uint32_t digit = c >= '0' && c <= '9'   ? c - '0'
                     : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                     : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                            : 16u;
    if (digit > 15)
      return false;
    value = value * 16 + digit;
  }
  r->at += 4;
  *out = value;
  return true;
}

static void put_utf8(char **to, uint32_t code) {
  char *p = *to;
  if (code < 0x80) {
    *p++ = (char)code;
  } else if (code < 0x800) {
    *p++ = (char)(0xc0 | code >> 6);
    *p++ = (char)(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *p++ = (char)(0xe0 | code >> 12);
    *p++ = (char)(0x80 | (code >> 6 & 0x3f));
    *p++ = (char)(0x80 | (code & 0x3f));
  } else {
    *p++ = (char)(0xf0 | code >> 18);
    *p++ = (char)(0x80 | (code >> 12 & 0x3f));
    *p++ = (char)(0x80 | (code >> 6 & 0x3f));
    *p++ = (char)(0x80 | (code & 0x3f));
  }
  *to = p;
}

static sluice_status_t read_escape(reader_t *r, char **to) {
  if (r->at == r->end)
    return bad(r, "the text ends inside a string");
  unsigned char c = r->text[r->at++];
  static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
  const char *found = c ? strchr(from, c) : NULL;
  if (found) {
    *(*to)++ = into[found - from];
    return SLUICE_STATUS_OK;
  }
  uint32_t code, low;
  if (c != 'u' || !read_hex4(r, &code))
    return bad(r, "a backslash must be followed by one of \"\\/bfnrt or by u and four hex digits");
  if (code == 0)
    return bad(r, "a string must not contain \\u0000");
  if (code >= 0xd800 && code <= 0xdfff) {
    bool paired = code <= 0xdbff && r->end - r->at >= 6 && r->text[r->at] == '\\' &&
                  r->text[r->at + 1] == 'u';
    if (paired) {
      r->at += 2;
      paired = read_hex4(r, &low) && low >= 0xdc00 && low <= 0xdfff;
    }
    if (!paired)
      return bad(r, "half of a surrogate pair");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  put_utf8(to, code);
  return SLUICE_STATUS_OK;
}

/* Reads a string whose opening quote is at |at|. The decoded form is never longer than the written
 * one. */
static sluice_status_t read_string(reader_t *r, const char **out, size_t *out_length) {
  char *start = r->doc->strings + r->string_used, *to = start;
  ++r->at;
  for (;;) {
    if (r->at == r->end)
      return bad(r, "the text ends inside a string");
    unsigned char c = r->text[r->at];
    if (c == '"')
      break;
    if (c < 0x20)
      return bad(r, "a control character in a string");
    if (c == '\\') {
      ++r->at;
      SLUICE_TRY(read_escape(r, &to));
      continue;
    }
    size_t length = utf8_length(r->text + r->at, r->end - r->at);
    if (length == 0)
      return bad(r, "a string is not UTF-8");
    memcpy(to, r->text + r->at, length);
    to += length;
    r->at += length;
  }
  ++r->at;
  *out = start;
  *out_length = (size_t)(to - start);
  *to++ = 0;
  r->string_used += (size_t)(to - start);
  return SLUICE_STATUS_OK;
}

static bool is_digit(const reader_t *r) {
  return r->at < r->end && r->text[r->at] >= '0' && r->text[r->at] <= '9';
}

static sluice_status_t read_number(reader_t *r, sluice_json_t *node) {
  size_t start = r->at;
  if (r->text[r->at] == '-')
    ++r->at;
  if (!is_digit(r))
    return bad(r, "expected a value");
  if (r->text[r->at] == '0')
    ++r->at;
  else
    while (is_digit(r))
      ++r->at;
  if (r->at < r->end && r->text[r->at] == '.') {
    ++r->at;
    if (!is_digit(r))
      return bad(r, "expected a digit after the point");
    while (is_digit(r))
      ++r->at;
  }
  if (r->at < r->end && (r->text[r->at] == 'e' || r->text[r->at] == 'E')) {
    ++r->at;
    if (r->at < r->end && (r->text[r->at] == '+' || r->text[r->at] == '-'))
      ++r->at;
    if (!is_digit(r))
      return bad(r, "expected a digit in the exponent");
    while (is_digit(r))
      ++r->at;
  }
  node->type = SLUICE_JSON_NUMBER;
  node->text = (const char *)r->text + start;
  node->count = (uint32_t)(r->at - start);
  return SLUICE_STATUS_OK;
}

static bool take_word(reader_t *r, const char *word) {
  size_t length = strlen(word);
  if (r->end - r->at < length || memcmp(r->text + r->at, word, length) != 0)
    return false;
  r->at += length;
  return true;
}

static sluice_status_t add_node(reader_t *r, uint32_t *out) {
  sluice_json_doc_t *doc = r->doc;
  if (doc->node_count == doc->node_capacity) {
    // Two bytes of text per node at the least ("1,"), so memory is bounded by the text's length.
    size_t capacity = doc->node_capacity ? doc->node_capacity * 2 : 64;
    sluice_json_t *nodes;
    SLUICE_TRY(sluice_allocate(&doc->allocator, capacity, sizeof *nodes, &nodes));
    if (doc->node_count)
      memcpy(nodes, doc->nodes, doc->node_count * sizeof *nodes);
    sluice_free(&doc->allocator, doc->nodes, doc->node_capacity, sizeof *nodes);
    doc->nodes = nodes;
    doc->node_capacity = capacity;
  }
  doc->nodes[doc->node_count].offset = (uint32_t)r->at;
  *out = (uint32_t)doc->node_count++;
  return SLUICE_STATUS_OK;
}

static int by_key(const void *a, const void *b) {
  return strcmp((*(const sluice_json_t *const *)a)->key, (*(const sluice_json_t *const *)b)->key);
}

static sluice_status_t check_keys(const reader_t *r, const sluice_json_t *object) {
  const sluice_json_doc_t *doc = r->doc;
  if (object->count < 2)
    return SLUICE_STATUS_OK;
  const sluice_json_t **sorted, *twice = NULL;
  SLUICE_TRY(sluice_allocate(&doc->allocator, object->count, sizeof *sorted, &sorted));
  size_t n = 0;
  for (const sluice_json_t *m = sluice_json_first(doc, object); m; m = sluice_json_next(doc, m))
    sorted[n++] = m;
  qsort(sorted, n, sizeof *sorted, by_key);
  for (size_t i = 1; i < n && !twice; ++i)
    if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
      twice = sorted[i - 1]->offset > sorted[i]->offset ? sorted[i - 1] : sorted[i];
  sluice_free(&doc->allocator, sorted, object->count, sizeof *sorted);
  if (twice)
    return sluice_json_fail(doc, twice, SLUICE_STATUS_BAD_ARTEFACT,
                            "the key \"%.200s\" stands twice in one object", twice->key);
  return SLUICE_STATUS_OK;
}

/* Reads everything from one value on: either a scalar, or a bracket and all that is in it. */
static sluice_status_t read_document(reader_t *r) {
  struct {
    uint32_t node, last;
  } open[SLUICE_JSON_DEPTH];
  size_t depth = 0;
  do {
    // Between values: the separators and the key that this place needs, or the closing bracket.
    const char *key = NULL;
    size_t key_length;
    skip_space(r);
    if (depth > 0) {
      sluice_json_t *top = &r->doc->nodes[open[depth - 1].node];
      bool object = top->type == SLUICE_JSON_OBJECT;
      if (r->at == r->end)
        return bad(r, object ? "the text ends inside an object" : "the text ends inside an array");
      if (r->text[r->at] == (object ? '}' : ']')) {
        ++r->at;
        if (object)
          SLUICE_TRY(check_keys(r, top));
        --depth;
        continue;
      }
      if (top->count > 0) {
        if (r->text[r->at] != ',')
          return bad(r, object ? "expected ',' or '}'" : "expected ',' or ']'");
        ++r->at;
        skip_space(r);
      }
      if (object) {
        if (r->at == r->end || r->text[r->at] != '"')
          return bad(r, "expected a key in quotes");
        SLUICE_TRY(read_string(r, &key, &key_length));
        skip_space(r);
        if (r->at == r->end || r->text[r->at] != ':')
          return bad(r, "expected ':' after the key");
        ++r->at;
        skip_space(r);
      }
    }
    if (r->at == r->end)
      return bad(r, "the text ends where a value should be");
    uint32_t number;
    SLUICE_TRY(add_node(r, &number));
    sluice_json_t *node = &r->doc->nodes[number];
    node->key = key;
    if (depth > 0) {
      sluice_json_t *top = &r->doc->nodes[open[depth - 1].node];
      if (top->count++ > 0)
        r->doc->nodes[open[depth - 1].last].next = number;
      open[depth - 1].last = number;
    }
    unsigned char c = r->text[r->at];
    if (c == '{' || c == '[') {
      if (depth == SLUICE_JSON_DEPTH)
        return bad(r, "brackets are nested deeper than 128");
      node->type = c == '{' ? SLUICE_JSON_OBJECT : SLUICE_JSON_ARRAY;
      open[depth].node = open[depth].last = number;
      ++depth;
      ++r->at;
    } else if (c == '"') {
      size_t length;
      node->type = SLUICE_JSON_STRING;
      SLUICE_TRY(read_string(r, &node->text, &length));
      node->count = (uint32_t)length;
    } else if (c == 't' || c == 'f' || c == 'n') {
      node->type = c == 'n' ? SLUICE_JSON_NULL : SLUICE_JSON_BOOL;
      node->boolean = c == 't';
      if (!take_word(r, c == 't' ? "true" : c == 'f' ? "false" : "null"))
        return bad(r, "expected a value");
    } else {
      SLUICE_TRY(read_number(r, node));
    }
  } while (depth > 0);
  skip_space(r);
  return r->at == r->end ? SLUICE_STATUS_OK : bad(r, "something stands after the end of the value");
}

sluice_status_t sluice_json_parse(const sluice_allocator_t *allocator, const char *file,
                                  const char *text, size_t bytes, sluice_json_doc_t *out_doc) {
  sluice_json_doc_t doc = {.file = file, .text = text, .bytes = bytes, .allocator = *allocator};
  if (bytes > INT32_MAX)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s: %zu bytes of JSON are too many, expected at most %d", file, bytes,
                       INT32_MAX);
  // A string needs its quotes in the text, so the terminating zeros fit.
  doc.string_capacity = bytes + 1;
  SLUICE_TRY(sluice_allocate(allocator, doc.string_capacity, 1, &doc.strings));
  reader_t reader = {&doc, (const unsigned char *)text, 0, bytes, 0};
  sluice_status_t status = read_document(&reader);
  if (status != SLUICE_STATUS_OK)
    sluice_json_free(&doc);
  else
    *out_doc = doc;
  return status;
}

void sluice_json_free(sluice_json_doc_t *doc) {
  sluice_free(&doc->allocator, doc->nodes, doc->node_capacity, sizeof *doc->nodes);
  sluice_free(&doc->allocator, doc->strings, doc->string_capacity, 1);
  doc->nodes = NULL;
  doc->strings = NULL;
}

const sluice_json_t *sluice_json_first(const sluice_json_doc_t *doc, const sluice_json_t *node) {
  return node && node->type >= SLUICE_JSON_ARRAY && node->count > 0
             ? &doc->nodes[(size_t)(node - doc->nodes) + 1]
             : NULL;
}

const sluice_json_t *sluice_json_next(const sluice_json_doc_t *doc, const sluice_json_t *node) {
  return node->next ? &doc->nodes[node->next] : NULL;
}

const sluice_json_t *sluice_json_member(const sluice_json_doc_t *doc, const sluice_json_t *object,
                                        const char *key) {
  if (!object || object->type != SLUICE_JSON_OBJECT)
    return NULL;
  for (const sluice_json_t *m = sluice_json_first(doc, object); m; m = sluice_json_next(doc, m))
    if (strcmp(m->key, key) == 0)
      return m;
  return NULL;
}

bool sluice_json_integer(const sluice_json_t *node, int64_t *out) {
  if (!node || node->type != SLUICE_JSON_NUMBER)
    return false;
  bool negative = node->text[0] == '-';
  int64_t value = 0;
  for (uint32_t i = negative; i < node->count; ++i) {
    char c = node->text[i];
    if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
        __builtin_sub_overflow(value, c - '0', &value))
      return false;
  }
  if (!negative && __builtin_sub_overflow(0, value, &value))
    return false;
  *out = value;
  return true;
}
