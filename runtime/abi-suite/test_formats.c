/* SPDX-License-Identifier: Apache-2.0
 *
 * test_formats.c: the readers of JSON and safetensors against text that wants to break them.
 */
#include "check.h"
#include "fixture.h"
#include "json.h"
#include "safetensors.h"

static const char *library;
static sluice_allocator_t allocator;

static sluice_status_t parse(const char *text) {
  sluice_json_doc_t doc;
  // A copy of exact size, so that a sanitizer sees the first byte too far.
  size_t length = strlen(text);
  char *copy = malloc(length ? length : 1);
  memcpy(copy, text, length);
  sluice_status_t status = sluice_json_parse(&allocator, "x.json", copy, length, &doc);
  if (status == SLUICE_STATUS_OK)
    sluice_json_free(&doc);
  free(copy);
  return status;
}

static void json_accepts_json(void) {
  static const char *const good[] = {"{}",
                                     "[]",
                                     " [1, -2.5e+3, 0.1, \"\", true, false, null] ",
                                     "\"\\u20ac\\ud83d\\ude00\"",
                                     "0",
                                     "{\"a\": {\"b\": [[], {}]}}",
                                     "\"\xe2\x82\xac\""};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; ++i)
    CHECK_OK(parse(good[i]));
}

static void json_refuses_everything_else(void) {
  static const struct {
    const char *text, *words;
  } bad[] = {
      {"", "1:1: the text ends where a value should be"},
      {"[1,]", "1:4: expected a value"},
      {"[1 2]", "expected ',' or ']'"},
      {"{\"a\":1,}", "expected a key in quotes"},
      {"{\"a\" 1}", "expected ':'"},
      {"{\n \"a\": 1,\n \"a\": 2}", "3:7: the key \"a\" stands twice"},
      {"[", "ends where a value should be\0"},
      {"{\"a\":", "ends where"},
      {"\"ab", "ends inside a string"},
      {"\"\\", "ends inside a string"},
      {"\"\\u12", "four hex digits"},
      {"\"\\ud800\"", "half of a surrogate pair"},
      {"\"\\udc00\"", "half of a surrogate pair"},
      {"\"\\u0000\"", "must not contain \\u0000"},
      {"\"\\x\"", "must be followed"},
      {"\"\xff\"", "not UTF-8"},
      {"\"\xc0\x80\"", "not UTF-8"},
      {"\"\xed\xa0\x80\"", "not UTF-8"},
      {"\"\xe2\x82\"", "not UTF-8"},
      {"\"\t\"", "control character"},
      {"01", "after the end"},
      {"-", "expected a value"},
      {"1.", "digit after the point"},
      {"1e", "digit in the exponent"},
      {"tru", "expected a value"},
      {"{} {}", "after the end"},
      {"nan", "expected a value"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
    CHECK_FAILS(parse(bad[i].text), SLUICE_STATUS_BAD_ARTEFACT,
                i == 6 ? "ends inside an array" : bad[i].words);
}

static void json_depth_is_bounded(void) {
  enum { DEEP = 200000 };
  char *text = malloc(2 * DEEP + 1);
  for (int depth = 128; depth <= DEEP; depth = depth == 128   ? 129
                                               : depth == 129 ? DEEP
                                                              : DEEP + 1) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    text[2 * depth] = 0;
    if (depth == 128)
      CHECK_OK(parse(text));
    else
      CHECK_FAILS(parse(text), SLUICE_STATUS_BAD_ARTEFACT, "nested deeper than 128");
  }
  free(text);
}

static void json_integers_do_not_wrap(void) {
  static const struct {
    const char *text;
    bool integer;
    int64_t value;
  } cases[] = {{"9223372036854775807", true, INT64_MAX},
               {"-9223372036854775808", true, INT64_MIN},
               {"9223372036854775808", false, 0},
               {"-9223372036854775809", false, 0},
               {"18446744073709551617", false, 0},
               {"1.0", false, 0},
               {"1e3", false, 0},
               {"-0", true, 0},
               {"42", true, 42}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    sluice_json_doc_t doc;
    int64_t value = 0;
    REQUIRE_OK(sluice_json_parse(&allocator, "x", cases[i].text, strlen(cases[i].text), &doc));
    CHECK(sluice_json_integer(doc.nodes, &value) == cases[i].integer);
    CHECK(!cases[i].integer || value == cases[i].value);
    sluice_json_free(&doc);
  }
}

static void json_decodes(void) {
  static const char text[] = "{\"k\\n\": [\"a\\u00e9\\\\\", {\"z\": 7}], \"l\": 2}";
  sluice_json_doc_t doc;
  REQUIRE_OK(sluice_json_parse(&allocator, "x", text, sizeof text - 1, &doc));
  const sluice_json_t *list = sluice_json_member(&doc, doc.nodes, "k\n");
  CHECK(list && list->type == SLUICE_JSON_ARRAY && list->count == 2);
  const sluice_json_t *first = sluice_json_first(&doc, list);
  CHECK(first && strcmp(first->text, "a\xc3\xa9\\") == 0);
  int64_t value;
  CHECK(sluice_json_integer(sluice_json_member(&doc, sluice_json_next(&doc, first), "z"), &value) &&
        value == 7);
  CHECK(sluice_json_integer(sluice_json_member(&doc, doc.nodes, "l"), &value) && value == 2);
  CHECK(!sluice_json_member(&doc, doc.nodes, "z"));
  sluice_json_free(&doc);
}

static const char *artefact;

static sluice_status_t open_tensors(const char *header, size_t bytes) {
  static const char data[256];
  sluice_tensors_t tensors;
  fixture_write_tensors(artefact, "t.safetensors", header, data, bytes);
  sluice_status_t status =
      sluice_tensors_open(&allocator, fixture_path(artefact, "t.safetensors"), &tensors);
  if (status == SLUICE_STATUS_OK)
    sluice_tensors_close(&tensors);
  return status;
}

static void safetensors_accepts_the_format(void) {
  CHECK_OK(open_tensors("{}", 0));
  CHECK_OK(open_tensors("{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":["
                        "2,3],\"data_offsets\":[0,24]},"
                        "\"b\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[24,26]},"
                        "\"c\":{\"dtype\":\"I64\",\"shape\":[0,7],\"data_offsets\":[26,26]},"
                        "\"d\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[26,28]}}",
                        28));
}

static void safetensors_refuses(void) {
#define T(dtype, shape, begin, end)                                                                \
  "{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"
  static const struct {
    const char *header;
    size_t bytes;
    const char *words;
  } bad[] = {
      {"{\"a\":" T("F32", "2", "0", "8") "}", 4, "ends at byte 8 of the data, but the file has 4"},
      {"{\"a\":" T("F32", "2", "0", "8") "}", 12,
       "last tensor ends at byte 8 of the data, expected 12"},
      {"{\"a\":" T("F32", "2", "0", "8") ",\"b\":" T("F32", "2", "4", "12") "}", 12, "overlaps"},
      {"{\"a\":" T("F32", "2", "0", "8") ",\"b\":" T("F32", "1", "12", "16") "}", 16, "hole"},
      {"{\"a\":" T("F32", "2", "4", "12") "}", 12, "hole"},
      {"{\"a\":" T("F32", "3", "0", "8") "}", 8, "has 8 bytes by its data_offsets, expected 12"},
      {"{\"a\":" T("F33", "2", "0", "8") "}", 8, "unknown dtype \"F33\""},
      {"{\"a\":" T("F4", "3", "0", "2") "}", 2, "no multiple of 8"},
      {"{\"a\":" T("F32", "-2", "0", "8") "}", 8, "not an integer from 0 up"},
      {"{\"a\":" T("F32", "4294967296,4294967296", "0", "0") "}", 0, "does not fit in 63 bits"},
      {"{\"a\":" T("F32", "2305843009213693952", "0", "0") "}", 0, "does not fit in 63 bits"},
      {"{\"a\":" T("F32", "2.0", "0", "8") "}", 8, "not an integer"},
      {"{\"a\":" T("F32", "1,1,1,1,1,1,1,1,1", "0", "4") "}", 4, "9 dimensions"},
      {"{\"a\":" T("F32", "2", "8", "0") "}", 8, "0 <= begin <= end"},
      {"{\"a\":" T("F32", "2", "0", "18446744073709551624") "}", 8, "0 <= begin <= end"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "expected an object of dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8,
       "expected an object of dtype"},
      {"{\"a\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
       "expected an object of dtype"},
      {"{\"a\":[]}", 0, "expected an object of dtype"},
      {"{\"a\":" T("U8", "1", "0", "1") ",\"a\":" T("U8", "1", "1", "2") "}", 2, "stands twice"},
      {"{\"__metadata__\":{\"n\":1}}", 0, "must map strings to strings"},
      {"[]", 0, "does not start with '{'"},
      {"{\"a\":", 0, "ends where"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
    CHECK_FAILS(open_tensors(bad[i].header, bad[i].bytes), SLUICE_STATUS_BAD_ARTEFACT,
                bad[i].words);
}

static sluice_status_t open_bytes(const void *data, size_t bytes) {
  sluice_tensors_t tensors;
  fixture_write_member(artefact, "t.safetensors", data, bytes);
  return sluice_tensors_open(&allocator, fixture_path(artefact, "t.safetensors"), &tensors);
}

static void safetensors_refuses_files_that_are_none(void) {
  static const char pointer[] =
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n";
  CHECK_FAILS(open_bytes(pointer, sizeof pointer - 1), SLUICE_STATUS_BAD_ARTEFACT, "git lfs pull");
  CHECK_FAILS(open_bytes("", 0), SLUICE_STATUS_BAD_ARTEFACT, "expected at least 8");
  CHECK_FAILS(open_bytes("\1\0\0\0\0\0\0", 7), SLUICE_STATUS_BAD_ARTEFACT, "expected at least 8");
  CHECK_FAILS(open_bytes("\0\0\0\0\0\0\0\0", 8), SLUICE_STATUS_BAD_ARTEFACT,
              "does not start with '{'");
  CHECK_FAILS(open_bytes("\x10\0\0\0\0\0\0\0{}", 10), SLUICE_STATUS_BAD_ARTEFACT, "only 2 follow");
  CHECK_FAILS(open_bytes("\0\xe1\xf5\x05\1\0\0\0{}", 10), SLUICE_STATUS_BAD_ARTEFACT,
              "expected at most 100000000");
  CHECK_FAILS(open_bytes("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), SLUICE_STATUS_BAD_ARTEFACT,
              "expected at most");
  sluice_tensors_t tensors;
  CHECK_FAILS(sluice_tensors_open(&allocator, fixture_path(artefact, "none"), &tensors),
              SLUICE_STATUS_NOT_FOUND, "none");
  CHECK_FAILS(sluice_tensors_open(&allocator, fixture_path(artefact, "lib"), &tensors),
              SLUICE_STATUS_BAD_ARTEFACT, "not a regular file");
}

static void safetensors_every_cut_is_refused(void) {
  static const char header[] =
      "{\"a\":" T("F32", "2", "0", "8") ",\"b\":" T("U8", "3", "8", "11") "}";
  char file[8 + sizeof header - 1 + 11] = {(char)(sizeof header - 1)};
  memcpy(file + 8, header, sizeof header - 1);
  for (size_t bytes = 0; bytes < sizeof file; ++bytes)
    CHECK_FAILS(open_bytes(file, bytes), SLUICE_STATUS_BAD_ARTEFACT, "");
  sluice_tensors_t tensors;
  fixture_write_member(artefact, "t.safetensors", file, sizeof file);
  REQUIRE_OK(sluice_tensors_open(&allocator, fixture_path(artefact, "t.safetensors"), &tensors));
  CHECK(sluice_tensors_find(&tensors, "b") && sluice_tensors_find(&tensors, "b")->elements == 3);
  CHECK(!sluice_tensors_find(&tensors, "c"));
  sluice_tensors_close(&tensors);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 1;
  library = argv[1];
  artefact = fixture_create(library);
  allocator = sluice_allocator_or_default((sluice_allocator_t){0});
  RUN(json_accepts_json);
  RUN(json_refuses_everything_else);
  RUN(json_depth_is_bounded);
  RUN(json_integers_do_not_wrap);
  RUN(json_decodes);
  RUN(safetensors_accepts_the_format);
  RUN(safetensors_refuses);
  RUN(safetensors_refuses_files_that_are_none);
  RUN(safetensors_every_cut_is_refused);
  return check_finish();
}
