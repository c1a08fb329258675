/* SPDX-License-Identifier: Apache-2.0
 *
 * test_mutations.c: thousands of seeded mutations of a manifest and of a safetensors file. None may
 * crash, hang, leak or be refused without a sentence; with sanitizers none may touch what is not
 * its own. A failure is found again by its seed. test_mutations LIBRARY [FIRST_SEED COUNT]
 */
#include "check.h"
#include "fixture.h"
#include "safetensors.h"

static uint64_t state;

static size_t below(size_t bound) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return bound ? (size_t)((z ^ z >> 31) % bound) : 0;
}

enum { ROOM = 1 << 16 };
static char text[ROOM];

/* Changes |bytes| bytes at |text| in one to four places; returns the new length. */
static size_t mutate(size_t bytes) {
  static const char *const words[] = {"4611686018427387904",
                                      "-1",
                                      "0",
                                      "1e9",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "\"",
                                      ",",
                                      ":",
                                      "null",
                                      "true",
                                      "\\u0000",
                                      "\\ud800",
                                      "\xff",
                                      "2147483648",
                                      "65536",
                                      "[[[[[[[[",
                                      "\"rows\"",
                                      "16",
                                      "\"f32\""};
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    size_t at = below(bytes + 1), length = below(24);
    const char *word = words[below(sizeof words / sizeof words[0])];
    switch (below(5)) {
    case 0: // A byte.
      if (at < bytes)
        text[at] = (char)below(256);
      break;
    case 1: // A piece less.
      length = at + length > bytes ? bytes - at : length;
      memmove(text + at, text + at + length, bytes - at - length);
      bytes -= length;
      break;
    case 2: // A word more.
      if (bytes + strlen(word) < ROOM) {
        memmove(text + at + strlen(word), text + at, bytes - at);
        memcpy(text + at, word, strlen(word));
        bytes += strlen(word);
      }
      break;
    case 3: // Another number or word in the place of a number.
      while (at < bytes && (text[at] < '0' || text[at] > '9'))
        ++at;
      length = 0;
      while (at + length < bytes && text[at + length] >= '0' && text[at + length] <= '9')
        ++length;
      if (bytes - length + strlen(word) < ROOM) {
        memmove(text + at + strlen(word), text + at + length, bytes - at - length);
        memcpy(text + at, word, strlen(word));
        bytes += strlen(word) - length;
      }
      break;
    default: // A cut.
      if (below(8) == 0)
        bytes = at;
    }
  }
  return bytes;
}

static const char *artefact;
static long first_seed = 0, count = 4000, accepted;

static void mutated_manifests(void) {
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  static char whole[ROOM];
  FILE *file = fopen(fixture_path(artefact, "manifest.json"), "rb");
  size_t bytes = file ? fread(whole, 1, ROOM, file) : 0;
  CHECK(bytes > 0 && file && fclose(file) == 0);
  accepted = 0;
  for (long seed = first_seed; seed < first_seed + count; ++seed) {
    state = (uint64_t)seed;
    memcpy(text, whole, bytes);
    fixture_write_member(artefact, "manifest.json", text, mutate(bytes));
    sluice_model_options_t options = {.threads = 1};
    sluice_session_options_t small = {.threads = 1, .max_rows = 16, .max_seqs = 1, .kv_pages = 2};
    sluice_model_t *model = NULL;
    sluice_session_t *session = NULL;
    sluice_status_t status = sluice_model_load(artefact, &options, &model);
    if (status == SLUICE_STATUS_OK)
      status = sluice_session_create(model, &small, &session);
    CHECK(status == SLUICE_STATUS_OK || sluice_last_error()[0] != 0);
    accepted += status == SLUICE_STATUS_OK;
    sluice_session_release(session);
    sluice_model_release(model);
  }
  printf("%ld of %ld accepted\n", accepted, count);
  CHECK(count < 1000 || (accepted > count / 50 && accepted < count * 9 / 10));
}

static void mutated_tensors(void) {
  static const char header[] = "{\"__metadata__\":{\"a\":\"b\"},\"x\":{\"dtype\":\"F32\",\"shape\":"
                               "[2,3],\"data_offsets\":[0,24]},"
                               "\"y\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]}}";
  sluice_allocator_t allocator = sluice_allocator_or_default((sluice_allocator_t){0});
  accepted = 0;
  for (long seed = first_seed; seed < first_seed + count; ++seed) {
    state = ~(uint64_t)seed;
    size_t length = sizeof header - 1;
    memcpy(text, header, length);
    length = mutate(length);
    // Half of the headers have their length right, so that the mutations reach the JSON.
    uint64_t said = below(2) ? length : length + below(64) - 32;
    memmove(text + 8, text, length);
    memcpy(text, &said, 8);
    memset(text + 8 + length, 1, 32);
    fixture_write_member(artefact, "t.safetensors", text,
                         8 + length + 32 - (below(4) ? 0 : below(32)));
    sluice_tensors_t tensors;
    sluice_status_t status =
        sluice_tensors_open(&allocator, fixture_path(artefact, "t.safetensors"), &tensors);
    CHECK(status == SLUICE_STATUS_OK || sluice_last_error()[0] != 0);
    if (status != SLUICE_STATUS_OK)
      continue;
    ++accepted;
    unsigned sum = 0;
    for (size_t i = 0; i < tensors.count; ++i)
      for (int64_t b = 0; b < tensors.tensors[i].end - tensors.tensors[i].begin; ++b)
        sum += tensors.tensors[i].data[b];
    CHECK(sum <= 64 * 255); // Everything that was accepted can be read.
    sluice_tensors_close(&tensors);
  }
  printf("%ld of %ld accepted\n", accepted, count);
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4)
    return 1;
  if (argc == 4) {
    first_seed = atol(argv[2]);
    count = atol(argv[3]);
  }
  artefact = fixture_create(argv[1]);
  RUN(mutated_manifests);
  RUN(mutated_tensors);
  return check_finish();
}
