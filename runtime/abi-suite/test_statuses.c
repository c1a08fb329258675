/* SPDX-License-Identifier: Apache-2.0
 *
 * test_statuses.c: each status of the public header is reached through it, from each of its causes,
 * and each time the thread's sentence says what was expected, what was found and where. Once more
 * under a locale that writes numbers with a comma.
 */
#include "check.h"
#include "loading.h"

#include <limits.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VOCAB = 50 };
static const char *library;
static const char *artefact;
static sluice_model_t *model;
static sluice_session_t *session;
static unsigned reached; /* a bit for each status */

/* The form of a sentence (docs/Limits.md): one line, no capital and no full stop, long enough to
 * name what it is about. */
static bool is_sentence(const char *text) {
  size_t length = strlen(text);
  return length >= 16 && length < 1024 && !(text[0] >= 'A' && text[0] <= 'Z') &&
         text[length - 1] != '.' && text[length - 1] != ' ' && !strchr(text, '\n') &&
         !strstr(text, "(null)") && strchr(text, ' ');
}

/* As CHECK_FAILS, and the sentence has its form and differs from the one before. */
#define FAILS(expression, expected, words)                                                         \
  do {                                                                                             \
    char before_[1024];                                                                            \
    snprintf(before_, sizeof before_, "%s", sluice_last_error());                                  \
    sluice_status_t status_ = (expression);                                                        \
    CHECK_FAILS(status_, expected, words);                                                         \
    CHECK(is_sentence(sluice_last_error()));                                                       \
    reached |= 1u << status_;                                                                      \
  } while (0)

static sluice_status_t load_edited(const char *from, const char *to) {
  const char *edits[] = {from, to, NULL};
  fixture_write_manifest(artefact, fixture_manifest, edits);
  return fixture_load(artefact, NULL);
}

static void *no_memory(void *self, size_t size, size_t alignment) {
  (void)self, (void)size, (void)alignment;
  return NULL;
}
static void give_back(void *self, void *pointer, size_t size) {
  (void)self, (void)pointer, (void)size;
}

static void loading(void) {
  CHECK_OK(load_edited("\"vocab\": 50", "\"vocab\": 50"));
  reached |= 1u << SLUICE_STATUS_OK;
  FAILS(fixture_load("/nonexistent/x.sluice", NULL), SLUICE_STATUS_NOT_FOUND,
        "/nonexistent/x.sluice is no artefact (sluicec makes one, a directory): cannot open "
        "/nonexistent/x.sluice/manifest.json: No such file or directory");
  FAILS(fixture_load("/dev/null", NULL), SLUICE_STATUS_NOT_FOUND, "/dev/null is no artefact");
  FAILS(load_edited("\"kind\": \"decoder\"", "\"kind\": \"codec\""), SLUICE_STATUS_BAD_ARTEFACT,
        "manifest.json:1:49: kind is \"codec\", expected decoder, encoder or op");
  FAILS(load_edited("\"sluice\": 1", "\"sluice\": 99"), SLUICE_STATUS_TOO_NEW,
        "manifest version 99, this runtime reads up to ");
  FAILS(load_edited("\"abi\": 1", "\"abi\": 99"), SLUICE_STATUS_TOO_NEW,
        "built for kernel ABI 99, this runtime has ");
  FAILS(load_edited("ARCH", "riscv64"), SLUICE_STATUS_WRONG_TARGET,
        "the artefact was built for riscv64-unknown-linux-gnu, this machine is");
  FAILS(load_edited("\"features\": []", "\"features\": [\"+flux-capacitor\"]"),
        SLUICE_STATUS_WRONG_TARGET, "does not know the processor feature \"flux-capacitor\"");
#if defined(__x86_64__)
  // No machine has both of these.
  FAILS(load_edited("\"features\": []", "\"features\": [\"sse4a\", \"amx-fp16\", \"uintr\", "
                                        "\"avx512vp2intersect\", \"clzero\"]"),
        SLUICE_STATUS_WRONG_TARGET, "which this machine lacks: compile with a --cpu that it has");
#endif
  sluice_model_options_t none = {.allocator = {NULL, no_memory, give_back}};
  FAILS(fixture_load(artefact, &none), SLUICE_STATUS_OUT_OF_MEMORY, "the allocator has no");
  sluice_model_options_t negative = {.threads = -1};
  FAILS(fixture_load(artefact, &negative), SLUICE_STATUS_INVALID_ARGUMENT,
        "threads is -1, expected 0 or more");
  // A path that leads to itself: the system refuses it whoever asks.
  char loop[PATH_MAX];
  snprintf(loop, sizeof loop, "%s", fixture_path(artefact, "loop"));
  CHECK(symlink(loop, loop) == 0);
  FAILS(fixture_load(loop, NULL), SLUICE_STATUS_SYSTEM,
        "manifest.json: Too many levels of symbolic links");
}

static void members(void) {
  const char *other = fixture_create(library);
  fixture_write_manifest(other, fixture_manifest, NULL);
  unlink(fixture_path(other, "lib/model.so"));
  FAILS(fixture_load(other, NULL), SLUICE_STATUS_BAD_ARTEFACT,
        "the artefact's code is missing: cannot open");
  fixture_write_member(other, "lib/model.so", "MZ", 2);
  FAILS(fixture_load(other, NULL), SLUICE_STATUS_BAD_ARTEFACT,
        "model.so is no ELF file, or is cut");
  unlink(fixture_path(other, "lib/model.so"));
  CHECK(mkdir(fixture_path(other, "lib/model.so"), 0777) == 0);
  FAILS(fixture_load(other, NULL), SLUICE_STATUS_BAD_ARTEFACT, "model.so is not a regular file");
  CHECK(rmdir(fixture_path(other, "lib/model.so")) == 0);
  // A FIFO must not be waited for.
  CHECK(mkfifo(fixture_path(other, "lib/model.so"), 0666) == 0);
  FAILS(fixture_load(other, NULL), SLUICE_STATUS_BAD_ARTEFACT, "model.so is not a regular file");
}

static void making_sessions(void) {
  static const sluice_home_t empty_home;
  static const struct {
    sluice_session_options_t options;
    sluice_status_t status;
    const char *words;
  } bad[] = {
      {{.threads = -1}, SLUICE_STATUS_INVALID_ARGUMENT, "-1 threads asked for, expected 1 to"},
      {{.threads = 1000}, SLUICE_STATUS_INVALID_ARGUMENT, "1000 threads asked for"},
      {{.threads = INT32_MIN}, SLUICE_STATUS_INVALID_ARGUMENT, "-2147483648 threads"},
      {{.max_rows = (1 << 24) + 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "max_rows is 16777217, expected 0 (the default) to 16777216"},
      {{.max_seqs = (1 << 20) + 1}, SLUICE_STATUS_INVALID_ARGUMENT, "0 (the default) to 1048576"},
      {{.live_seqs = INT32_MAX}, SLUICE_STATUS_INVALID_ARGUMENT, "live_seqs is 2147483647"},
      {{.kv_pages = (int64_t)INT32_MAX + 1},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "kv_pages is 2147483648, expected 0 (the default) to 2147483647"},
      {{.kv_pages = INT64_MIN}, SLUICE_STATUS_INVALID_ARGUMENT, "kv_pages is -9223372036854775808"},
      {{.spin = (sluice_spin_t)3}, SLUICE_STATUS_INVALID_ARGUMENT, "spin is 3"},
      {{.home = &empty_home},
       SLUICE_STATUS_INVALID_ARGUMENT,
       "the home lacks gather_submit or gather_await"},
  };
  sluice_session_t *none = NULL;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
    FAILS(sluice_session_create(model, &bad[i].options, &none), bad[i].status, bad[i].words);
  CHECK(none == NULL);
  FAILS(sluice_session_create(NULL, NULL, &none), SLUICE_STATUS_INVALID_ARGUMENT,
        "must not be NULL");
  // Scratch that no machine has; its size is computed without overflow.
  const char *big = fixture_create(library);
  const char *edits[] = {"{\"row\": 64, \"seq\": 64", "{\"row\": 1099511627776, \"seq\": 64", NULL};
  sluice_model_t *large = NULL;
  fixture_write_manifest(big, fixture_manifest, edits);
  REQUIRE_OK(sluice_model_load(big, NULL, &large));
  sluice_session_options_t most = {.max_rows = 1 << 24};
  FAILS(sluice_session_create(large, &most, &none), SLUICE_STATUS_OUT_OF_MEMORY,
        "the scratch memory of step for 16777216 rows and 8 sequences does not fit in 63 bits");
  most.max_rows = 1 << 20;
  FAILS(sluice_session_create(large, &most, &none), SLUICE_STATUS_OUT_OF_MEMORY,
        "1048576 rows and 8 sequences per step (ask for fewer): cannot reserve");
  sluice_model_release(large);
  const char *wide[] = {"\"kv_heads\": 1, \"k\": 2,", "\"kv_heads\": 65536, \"k\": 65536,", NULL};
  fixture_write_manifest(big, fixture_manifest, wide);
  REQUIRE_OK(sluice_model_load(big, NULL, &large));
  sluice_session_options_t pages = {.kv_pages = INT32_MAX};
  FAILS(sluice_session_create(large, &pages, &none), SLUICE_STATUS_OUT_OF_MEMORY,
        "2147483647 pages of");
  sluice_model_release(large);
  // Large, and possible: pages cost nothing until they are used.
  pages =
      (sluice_session_options_t){.kv_pages = INT32_MAX, .page_shuffle = 1, .live_seqs = 1 << 20};
  CHECK_OK(sluice_session_create(model, &pages, &none));
  sluice_session_release(none);
  sluice_model_options_t metadata = {.metadata_only = true};
  REQUIRE_OK(sluice_model_load(artefact, &metadata, &large));
  none = NULL;
  FAILS(sluice_session_create(large, NULL, &none), SLUICE_STATUS_INVALID_ARGUMENT,
        "loaded with metadata_only");
  sluice_model_release(large);
  sluice_home_t *home = NULL;
  FAILS(sluice_home_create(NULL, NULL, -1, &home), SLUICE_STATUS_INVALID_ARGUMENT,
        "a home of -1 tables");
}

static sluice_part_t part_of(sluice_sequence_t sequence, const int32_t *tokens, int32_t count) {
  return (sluice_part_t){.sequence = sequence, .count = count, .tokens = tokens};
}

static void stepping(void) {
  static int32_t tokens[512];
  float logits[VOCAB];
  sluice_sequence_t a, b, c;
  REQUIRE_OK(sluice_sequence_create(session, &a));
  REQUIRE_OK(sluice_sequence_create(session, &b));
  FAILS(sluice_sequence_create(session, &c), SLUICE_STATUS_LIMIT,
        "2 sequences are alive, which is the session's live_seqs: drop one, or make a session with "
        "more");
  FAILS(sluice_sequence_fork(session, a, &c), SLUICE_STATUS_LIMIT, "live_seqs");
  FAILS(sluice_sequence_drop(session, 12345), SLUICE_STATUS_NOT_FOUND,
        "sequence 3039 is not alive in this session");
  FAILS(sluice_sequence_truncate(session, a, 1), SLUICE_STATUS_INVALID_ARGUMENT,
        "cannot truncate a sequence of 0 tokens to 1");
  sluice_part_t part = part_of(a, tokens, 40);
  FAILS(sluice_session_step(session, "stop", &part, 1, NULL), SLUICE_STATUS_NOT_FOUND,
        "the model fake has no function \"stop\"; its first one is \"step\"");
  FAILS(sluice_session_step(session, "step", NULL, 1, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
        "step needs at least one part");
  FAILS(sluice_session_step(session, "step", (sluice_part_t[]){part, part}, 2, NULL),
        SLUICE_STATUS_INVALID_ARGUMENT, "part 1: its sequence stands in an earlier part already");
  FAILS(sluice_session_step(session, "step", (sluice_part_t[]){part, part, part}, 3, NULL),
        SLUICE_STATUS_LIMIT, "3 sequences in one step, the session has max_seqs = 2");
  part.count = 65;
  FAILS(sluice_session_step(session, "step", &part, 1, NULL), SLUICE_STATUS_LIMIT,
        "65 rows in one step, the session has max_rows = 64: give them in more steps");
  part.count = 64;
  FAILS(sluice_session_step(session, "step", &part, 1, NULL), SLUICE_STATUS_OUT_OF_PAGES,
        "part 0 needs more pages than the 3 that are free of 3: drop or truncate sequences");
  part.count = 40;
  part.ask = 1;
  FAILS(sluice_session_step(session, "step", &part, 1, NULL), SLUICE_STATUS_INVALID_ARGUMENT,
        "the place for logits is NULL, expected room for 1 rows");
  tokens[39] = 50;
  FAILS(sluice_session_step(session, "step", &part, 1, logits), SLUICE_STATUS_INVALID_ARGUMENT,
        "tokens[39] is 50, expected 0 to 49 (the vocabulary)");
  tokens[39] = 49;
  FAILS(sluice_session_step(session, "step", &part, 1, logits), SLUICE_STATUS_TRAP,
        "fake.yaml:4:2: a row number of a gather is 49 in step, expected 0 to 48");
  tokens[39] = 1;
  sluice_session_cancel(session);
  FAILS(sluice_session_step(session, "step", &part, 1, logits), SLUICE_STATUS_CANCELLED,
        "step was cancelled by sluice_session_cancel");
  CHECK_OK(sluice_session_step(session, "step", &part, 1, logits));
  int32_t positions[1] = {500};
  part = part_of(a, tokens, 1);
  part.positions = positions;
  FAILS(sluice_session_step(session, "step", &part, 1, NULL), SLUICE_STATUS_LIMIT,
        "part 0: position 500, the model's limit is max_positions = 500");
  part = part_of(SLUICE_SEQUENCE_NONE, tokens, 13);
  FAILS(sluice_session_encode(session, "embed", &part, 1, logits), SLUICE_STATUS_LIMIT,
        "embed.max_seq_length = 12");
  FAILS(sluice_session_sample(session, "sample", logits, 65, NULL, NULL, NULL), SLUICE_STATUS_LIMIT,
        "65 rows to sample, the session has max_rows = 64");
  FAILS(sluice_session_sample(session, "sample", logits, 1, NULL, NULL, NULL),
        SLUICE_STATUS_INVALID_ARGUMENT, "rng is NULL");
  int64_t rng = 1;
  FAILS(sluice_session_sample(session, "sample", logits, 1, NULL, &rng, NULL),
        SLUICE_STATUS_INVALID_ARGUMENT, "temperature of sample is NULL");
  float x[3] = {0};
  sluice_arg_t args[] = {{"x", x, 1}, {"y", x, 3}, {"z", x, 1}};
  FAILS(sluice_session_call(session, "add", NULL, 0, args, 2), SLUICE_STATUS_INVALID_ARGUMENT,
        "add takes 3 tensors, found 2");
  FAILS(sluice_session_call(session, "add", NULL, 0, args, 3), SLUICE_STATUS_INVALID_ARGUMENT,
        "y has a leading size of 3, expected 2");
  args[1].name = "why";
  FAILS(sluice_session_call(session, "add", NULL, 0, args, 3), SLUICE_STATUS_NOT_FOUND,
        "add lacks its argument \"y\"");
  FAILS(sluice_session_call(NULL, "add", NULL, 0, args, 3), SLUICE_STATUS_INVALID_ARGUMENT,
        "the session is NULL");
  REQUIRE_OK(sluice_sequence_drop(session, a));
  REQUIRE_OK(sluice_sequence_drop(session, b));
}

static void every_status_has_a_name_and_was_reached(void) {
  for (int status = SLUICE_STATUS_OK; status <= SLUICE_STATUS_CANCELLED; ++status) {
    CHECK(strcmp(sluice_status_name((sluice_status_t)status), "unknown status") != 0);
    if (!(reached >> status & 1)) {
      ++check_failures;
      printf("nothing here reached \"%s\"\n", sluice_status_name((sluice_status_t)status));
    }
  }
  CHECK(strcmp(sluice_status_name((sluice_status_t)(SLUICE_STATUS_CANCELLED + 1)),
               "unknown status") == 0);
}

/* A locale with a comma is made where there is none; what makes it belongs to the system. */
static bool take_a_comma(void) {
  char folder[PATH_MAX], command[2 * PATH_MAX];
  snprintf(folder, sizeof folder, "%s", fixture_path(artefact, "locales"));
  snprintf(command, sizeof command,
           "mkdir -p '%s' && localedef -c -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1",
           folder, folder);
  if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && system(command) == 0)
    setenv("LOCPATH", folder, 1);
  return setlocale(LC_NUMERIC, "de_DE.UTF-8") && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void everything(void) {
  artefact = fixture_create(library);
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  sluice_session_options_t options = {
      .threads = 2, .max_rows = 64, .max_seqs = 2, .live_seqs = 2, .kv_pages = 3};
  REQUIRE_OK(sluice_model_load(artefact, NULL, &model));
  REQUIRE_OK(sluice_session_create(model, &options, &session));
  RUN(loading);
  RUN(members);
  RUN(making_sessions);
  RUN(stepping);
  sluice_session_release(session);
  sluice_model_release(model);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 1;
  library = argv[1];
  CHECK(strcmp(sluice_last_error(), "") == 0);
  everything();
  RUN(every_status_has_a_name_and_was_reached);
  if (take_a_comma()) {
    printf("with a decimal comma:\n");
    everything();
  } else {
    printf("no locale with a decimal comma here, and none could be made\n");
  }
  return check_finish();
}
