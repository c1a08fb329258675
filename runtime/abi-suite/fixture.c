/* SPDX-License-Identifier: Apache-2.0
 *
 * fixture.c: writes artefacts into temporary directories and removes them at exit.
 */
#define _GNU_SOURCE 1
#include "fixture.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char fixture_manifest[] =
    "{\"sluice\": 1, \"abi\": 1, \"name\": \"fake\", \"kind\": \"decoder\", \"compiler\": \"by "
    "hand\",\n"
    " \"target\": {\"kind\": \"cpu\", \"triple\": \"ARCH-unknown-linux-gnu\", \"cpu\": "
    "\"generic\", \"features\": [],\n"
    "  \"dot\": \"fma\"},\n"
    " \"library\": \"lib/model.so\",\n"
    " \"functions\": [\n"
    "  {\"name\": \"step\", \"symbol\": \"sluice_fn_step\", \"arena\": {\"row\": 64, \"seq\": 64, "
    "\"fixed\": 4096},\n"
    "   \"args\": [{\"name\": \"tokens\", \"io\": \"in\", \"dtype\": \"i32\", \"shape\": "
    "[\"rows\"], \"bound\": \"vocab\"},\n"
    "    {\"name\": \"ask\", \"io\": \"in\", \"dtype\": \"i32\", \"shape\": [\"asked\"], "
    "\"bound\": \"rows\"},\n"
    "    {\"name\": \"logits\", \"io\": \"out\", \"dtype\": \"f32\", \"shape\": [\"asked\", "
    "50]}]},\n"
    "  {\"name\": \"sample\", \"symbol\": \"sluice_fn_sample\", \"arena\": {\"row\": 0, \"seq\": "
    "0, \"fixed\": 0},\n"
    "   \"args\": [{\"name\": \"logits\", \"io\": \"in\", \"dtype\": \"f32\", \"shape\": "
    "[\"asked\", 50]},\n"
    "    {\"name\": \"temperature\", \"io\": \"in\", \"dtype\": \"f32\", \"shape\": [\"asked\"]},\n"
    "    {\"name\": \"rng\", \"io\": \"in\", \"dtype\": \"i64\", \"shape\": [\"asked\"]},\n"
    "    {\"name\": \"tokens\", \"io\": \"out\", \"dtype\": \"i32\", \"shape\": [\"asked\"]},\n"
    "    {\"name\": \"rng\", \"io\": \"out\", \"dtype\": \"i64\", \"shape\": [\"asked\"]}]},\n"
    "  {\"name\": \"forward\", \"symbol\": \"sluice_fn_forward\", \"arena\": {\"row\": 0, \"seq\": "
    "0, \"fixed\": 0},\n"
    "   \"args\": [{\"name\": \"tokens\", \"io\": \"in\", \"dtype\": \"i32\", \"shape\": "
    "[\"rows\"], \"bound\": \"vocab\"},\n"
    "    {\"name\": \"token_types\", \"io\": \"in\", \"dtype\": \"i32\", \"shape\": [\"rows\"], "
    "\"bound\": \"token_types\"},\n"
    "    {\"name\": \"last_hidden_state\", \"io\": \"out\", \"dtype\": \"f32\", \"shape\": "
    "[\"rows\", 3]}]},\n"
    "  {\"name\": \"embed\", \"symbol\": \"sluice_fn_embed\", \"arena\": {\"row\": 0, \"seq\": 0, "
    "\"fixed\": 0},\n"
    "   \"args\": [{\"name\": \"tokens\", \"io\": \"in\", \"dtype\": \"i32\", \"shape\": "
    "[\"rows\"], \"bound\": \"vocab\"},\n"
    "    {\"name\": \"embeddings\", \"io\": \"out\", \"dtype\": \"f32\", \"shape\": [\"seqs\", "
    "2]}]},\n"
    "  {\"name\": \"add\", \"symbol\": \"sluice_fn_add\", \"arena\": {\"row\": 0, \"seq\": 0, "
    "\"fixed\": 0},\n"
    "   \"args\": [{\"name\": \"x\", \"io\": \"in\", \"dtype\": \"f32\", \"shape\": [\"rows\", "
    "3]},\n"
    "    {\"name\": \"y\", \"io\": \"in\", \"dtype\": \"f32\", \"shape\": [2, 3]},\n"
    "    {\"name\": \"z\", \"io\": \"out\", \"dtype\": \"f32\", \"shape\": [\"rows\", 3]}]},\n"
    "  {\"name\": \"meet\", \"symbol\": \"sluice_fn_meet\", \"arena\": {\"row\": 0, \"seq\": 0, "
    "\"fixed\": 32768},\n"
    "   \"args\": [{\"name\": \"wrong\", \"io\": \"out\", \"dtype\": \"i64\", \"shape\": [1]}]},\n"
    "  {\"name\": \"fetch\", \"symbol\": \"sluice_fn_fetch\", \"arena\": {\"row\": 0, \"seq\": 0, "
    "\"fixed\": 0}, \"gathers\": 2,\n"
    "   \"args\": [{\"name\": \"ids\", \"io\": \"in\", \"dtype\": \"i32\", \"shape\": "
    "[\"rows\"]},\n"
    "    {\"name\": \"values\", \"io\": \"out\", \"dtype\": \"f32\", \"shape\": [\"rows\", "
    "8]}]},\n"
    "  {\"name\": \"forever\", \"symbol\": \"sluice_fn_forever\", \"arena\": {\"row\": 0, \"seq\": "
    "0, \"fixed\": 0}, \"gathers\": 1,\n"
    "   \"args\": [{\"name\": \"ids\", \"io\": \"in\", \"dtype\": \"i32\", \"shape\": "
    "[\"rows\"]},\n"
    "    {\"name\": \"begun\", \"io\": \"out\", \"dtype\": \"i32\", \"shape\": [\"rows\", 8]}]}],\n"
    " \"weights\": [\n"
    "  {\"name\": \"head.bias\", \"dtype\": \"f32\", \"shape\": [50], \"layout\": \"rows\", "
    "\"bytes\": 256, \"stride\": 256,\n"
    "   \"sources\": [{\"name\": \"lm_head.bias\", \"rows\": 50}], \"role\": \"bias\", "
    "\"random_seed\": 7},\n"
    "  {\"name\": \"table\", \"dtype\": \"f32\", \"shape\": [20, 8], \"layout\": \"rows\", "
    "\"bytes\": 640, \"stride\": 640,\n"
    "   \"sources\": [{\"name\": \"table\", \"rows\": 20}], \"role\": \"table\", "
    "\"random_seed\": 7, \"home\": \"host\"}],\n"
    " \"kv\": [{\"name\": \"kv\", \"layers\": 2, \"kv_heads\": 1, \"k\": 2, \"v\": 3, \"dtype\": "
    "\"f32\", \"page\": 16}],\n"
    " \"limits\": {\"vocab\": 50, \"max_positions\": 500, \"token_types\": 2, \"max_seq\": 400},\n"
    " \"embed\": {\"max_seq_length\": 12},\n"
    " \"eos\": [3],\n"
    " \"locations\": [\"fake.yaml:4:2\", \"fake.yaml:9:1\"]}\n";

enum { ARTEFACTS = 64, PATH_BYTES = 512 };
static char paths[ARTEFACTS][PATH_BYTES];
static int path_count;

static void die(const char *what, const char *which) {
  fprintf(stderr, "fixture: %s %s: %s\n", what, which, strerror(errno));
  exit(70);
}

static void remove_all(void) {
  for (int i = 0; i < path_count; ++i) {
    char command[PATH_BYTES + 32];
    snprintf(command, sizeof command, "rm -rf '%s'", paths[i]);
    if (system(command) != 0)
      fprintf(stderr, "fixture: cannot remove %s\n", paths[i]);
  }
}

const char *fixture_path(const char *artefact, const char *member) {
  static char path[2 * PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", artefact, member);
  return path;
}

void fixture_write_member(const char *artefact, const char *member, const void *data,
                          size_t bytes) {
  const char *path = fixture_path(artefact, member);
  unlink(path); // A file that a library or a map still uses keeps its old contents.
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
    die("cannot write", path);
}

const char *fixture_create(const char *library_path) {
  if (path_count == ARTEFACTS)
    die("too many artefacts at", library_path);
  if (path_count == 0)
    atexit(remove_all);
  const char *base = getenv("TMPDIR");
  char *path = paths[path_count];
  snprintf(path, PATH_BYTES, "%s/fake-XXXXXX", base ? base : "/tmp");
  if (!mkdtemp(path))
    die("cannot make", path);
  ++path_count;
  if (mkdir(fixture_path(path, "lib"), 0777) != 0)
    die("cannot make lib in", path);
  FILE *file = fopen(library_path, "rb");
  if (!file)
    die("cannot open", library_path);
  char *code = malloc(1 << 24);
  size_t bytes = code ? fread(code, 1, 1 << 24, file) : 0;
  fclose(file);
  if (bytes == 0)
    die("cannot read", library_path);
  fixture_write_member(path, "lib/model.so", code, bytes);
  free(code);
  return path;
}

static char *replace(char *text, const char *from, const char *to) {
  char *at = strstr(text, from);
  if (!at) {
    errno = 0;
    die("the manifest has no", from);
  }
  size_t before = (size_t)(at - text), size = strlen(text) - strlen(from) + strlen(to) + 1;
  char *result = malloc(size);
  if (!result)
    die("no memory for", from);
  snprintf(result, size, "%.*s%s%s", (int)before, text, to, at + strlen(from));
  free(text);
  return result;
}

void fixture_write_manifest(const char *artefact, const char *text, const char *const *edits) {
#if defined(__x86_64__)
  const char *arch = "x86_64";
#else
  const char *arch = "aarch64";
#endif
  char *result = strdup(text);
  for (; edits && *edits; edits += 2)
    result = replace(result, edits[0], edits[1]);
  if (strstr(result, "ARCH"))
    result = replace(result, "ARCH", arch);
  fixture_write_member(artefact, "manifest.json", result, strlen(result));
  free(result);
}

void fixture_write_tensors(const char *artefact, const char *member, const char *header,
                           const void *data, size_t bytes) {
  size_t length = strlen(header), padded = (length + 7) / 8 * 8;
  char *file = calloc(1, 8 + padded + bytes);
  if (!file)
    die("no memory for", member);
  for (int i = 0; i < 8; ++i)
    file[i] = (char)((uint64_t)padded >> (8 * i));
  memset(file + 8, ' ', padded);
  memcpy(file + 8, header, length);
  if (bytes > 0)
    memcpy(file + 8 + padded, data, bytes);
  fixture_write_member(artefact, member, file, 8 + padded + bytes);
  free(file);
}
