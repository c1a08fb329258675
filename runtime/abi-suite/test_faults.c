/* SPDX-License-Identifier: Apache-2.0
 *
 * test_faults.c: every call of the runtime with its n-th request to the system refused, for every
 * n: a status with a sentence, nothing held that was not held before, and the same call works when
 * the system gives again. test_faults LIBRARY
 */
#include "check.h"
#include "fixture.h"
#include "injector.h"

enum { VOCAB = 50 };
static const char *generated, *stored; /* artefacts */

/* What the calls are made on and what they made. */
typedef struct state {
  sluice_model_t *model;
  sluice_session_t *session;
  sluice_home_t *home;
  sluice_sequence_t sequence, second;
} state_t;

typedef struct scenario {
  const char *name;
  void (*before)(state_t *);          /* makes what the call needs; not refused anything */
  sluice_status_t (*call)(state_t *); /* the one call */
  void (*after)(state_t *);           /* frees what |before| and a call that worked made */
  bool asks_nothing;                  /* of the system, by its documentation */
} scenario_t;

/* ---- Loading ---- */

static sluice_status_t load(state_t *s, const char *artefact, bool metadata_only) {
  sluice_model_options_t options = {.threads = 3, .metadata_only = metadata_only};
  return sluice_model_load(artefact, &options, &s->model);
}
static sluice_status_t load_generated(state_t *s) { return load(s, generated, false); }
static sluice_status_t load_stored(state_t *s) { return load(s, stored, false); }
static sluice_status_t load_metadata(state_t *s) { return load(s, generated, true); }
static void release(state_t *s) {
  sluice_home_release(s->home);
  sluice_session_release(s->session);
  sluice_model_release(s->model);
  *s = (state_t){0};
}
static void nothing(state_t *s) { *s = (state_t){0}; }

/* ---- Sessions and homes ---- */

static void with_model(state_t *s) { REQUIRE_OK(load_generated(s)); }
static sluice_status_t create(state_t *s, sluice_session_options_t options) {
  options.max_rows = 32;
  return sluice_session_create(s->model, &options, &s->session);
}
static sluice_status_t create_session(state_t *s) {
  return create(s, (sluice_session_options_t){.threads = 4});
}
static sluice_status_t create_external(state_t *s) {
  return create(s, (sluice_session_options_t){.threads = 2, .external_pages = true});
}
static sluice_status_t create_alone(state_t *s) {
  return create(s, (sluice_session_options_t){
                       .threads = 1, .page_shuffle = 3, .poison = true, .kv_pages = 9});
}
static sluice_status_t create_home(state_t *s) {
  static const float rows[2][2] = {{0, 1}, {2, 3}};
  sluice_home_table_t table = {.data = rows, .rows = 2, .row_bytes = 8, .stride = 8};
  return sluice_home_create(NULL, &table, 1, &s->home);
}

/* ---- Steps ---- */

static const int32_t text[20] = {5, 9, 14, 22, 31, 8, 44, 1, 0, 17, 26, 35, 2, 7, 19, 28, 41, 33};

static void with_sequence(state_t *s) {
  with_model(s);
  REQUIRE_OK(create_session(s));
  REQUIRE_OK(sluice_sequence_create(s->session, &s->sequence));
}
static sluice_status_t step(state_t *s) {
  float logits[VOCAB];
  sluice_part_t part = {.sequence = s->sequence, .count = 18, .ask = 1, .tokens = text};
  return sluice_session_step(s->session, "step", &part, 1, logits);
}
static void with_tokens(state_t *s) {
  with_sequence(s);
  REQUIRE_OK(step(s));
  // Shared, so that the next step copies a page.
  REQUIRE_OK(sluice_sequence_fork(s->session, s->sequence, &s->second));
}
static sluice_status_t sample(state_t *s) {
  static const float logits[VOCAB];
  float temperature = 1;
  int64_t rng = 1;
  int32_t token;
  return sluice_session_sample(s->session, "sample", logits, 1, &temperature, &rng, &token);
}
static sluice_status_t fetch(state_t *s) {
  int32_t ids[3] = {7, 0, 19};
  float values[3][8];
  sluice_arg_t args[] = {{"ids", ids, 3}, {"values", values, 3}};
  return sluice_session_call(s->session, "fetch", NULL, 0, args, 2);
}
static sluice_status_t encode(state_t *s) {
  float out[18][3];
  sluice_part_t part = {.count = 18, .tokens = text};
  return sluice_session_encode(s->session, "forward", &part, 1, out[0]);
}
static sluice_status_t fork_sequence(state_t *s) {
  sluice_sequence_t copy;
  return sluice_sequence_fork(s->session, s->sequence, &copy);
}
static sluice_status_t create_sequence(state_t *s) {
  sluice_sequence_t made;
  return sluice_sequence_create(s->session, &made);
}
static sluice_status_t truncate_sequence(state_t *s) {
  return sluice_sequence_truncate(s->session, s->sequence, 3);
}
static sluice_status_t refused_step(state_t *s) {
  sluice_part_t part = {.sequence = s->sequence, .count = 18, .ask = 1, .tokens = text};
  return sluice_session_step(s->session, "step", &part, 1, NULL) == SLUICE_STATUS_INVALID_ARGUMENT
             ? SLUICE_STATUS_OK
             : SLUICE_STATUS_SYSTEM;
}

static const scenario_t scenarios[] = {
    {"load with generated weights", nothing, load_generated, release, false},
    {"load with stored weights", nothing, load_stored, release, false},
    {"load of metadata", nothing, load_metadata, release, false},
    {"session with a team", with_model, create_session, release, false},
    {"session with external pages", with_model, create_external, release, false},
    {"session of one thread", with_model, create_alone, release, false},
    {"home", nothing, create_home, release, false},
    {"sequence create", with_sequence, create_sequence, release, true},
    {"sequence fork", with_tokens, fork_sequence, release, true},
    {"sequence truncate", with_tokens, truncate_sequence, release, true},
    {"step", with_tokens, step, release, true},
    {"step that is refused", with_tokens, refused_step, release, true},
    {"sample", with_sequence, sample, release, true},
    {"gathers", with_sequence, fetch, release, true},
    {"encode", with_sequence, encode, release, true},
};

static bool same_holdings(holdings_t a, holdings_t b) {
  return a.blocks == b.blocks && a.mapped == b.mapped && a.files == b.files &&
         a.threads == b.threads && a.libraries == b.libraries;
}

/* Which statuses a refused request may become. */
static bool fits(request_t refused, sluice_status_t status) {
  switch (refused) {
  case REQUEST_ALLOCATE:
    return status == SLUICE_STATUS_OUT_OF_MEMORY;
  case REQUEST_MAP: // Of memory, or of a file.
    return status == SLUICE_STATUS_OUT_OF_MEMORY || status == SLUICE_STATUS_SYSTEM;
  case REQUEST_PROTECT:
  case REQUEST_OPEN:
  case REQUEST_STAT:
    return status == SLUICE_STATUS_SYSTEM;
  case REQUEST_THREAD: // Weights are generated by fewer threads then.
    return status == SLUICE_STATUS_SYSTEM || status == SLUICE_STATUS_OK;
  case REQUEST_LOAD:
    return status == SLUICE_STATUS_BAD_ARTEFACT;
  default: // libc passes it on as it likes, or does without.
    return status == SLUICE_STATUS_OK || status == SLUICE_STATUS_BAD_ARTEFACT ||
           status == SLUICE_STATUS_SYSTEM || status == SLUICE_STATUS_OUT_OF_MEMORY;
  }
}

static long refusals;

/* The |n|-th request of the scenario's call is refused. Returns false when there is no such request
 * any more. */
static bool refuse_one(const scenario_t *scenario, long n, bool all) {
  state_t state = {0};
  long requests;
  holdings_t none = holdings_now();
  scenario->before(&state);
  const state_t before = state;
  holdings_t held = holdings_now();
  (void)sluice_model_load("/nonexistent", NULL, NULL); // A sentence that must not stay.
  char old[128];
  snprintf(old, sizeof old, "%s", sluice_last_error());
  inject(n, all);
  sluice_status_t status = scenario->call(&state);
  request_t refused = inject_nothing(&requests);
  if (refused == REQUEST_NONE) {
    CHECK(status == SLUICE_STATUS_OK || requests == 0);
    CHECK(!scenario->asks_nothing || requests == 0);
  } else {
    ++refusals;
    // With everything refused, a later request may have decided.
    if (!(all ? status == SLUICE_STATUS_OK || fits(REQUEST_LIBC, status) : fits(refused, status)) ||
        (status != SLUICE_STATUS_OK &&
         (strcmp(sluice_last_error(), old) == 0 || sluice_last_error()[0] == 0))) {
      ++check_failures;
      printf("%s: request %ld (%s) refused gave \"%s\": %s\n", scenario->name, n,
             request_name(refused), sluice_status_name(status), sluice_last_error());
    }
    if (status != SLUICE_STATUS_OK) {
      // Outputs untouched, nothing held, and the same call works now.
      CHECK(memcmp(&state, &before, sizeof state) == 0);
      if (!same_holdings(held, holdings_now())) {
        ++check_failures;
        printf("%s: request %ld (%s) refused, and something was not given back\n", scenario->name,
               n, request_name(refused));
      }
      CHECK_OK(scenario->call(&state));
    }
  }
  scenario->after(&state);
  CHECK(same_holdings(none, holdings_now()));
  return refused != REQUEST_NONE;
}

static void every_request_is_refused_once(void) {
  for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; ++i) {
    long n = 1;
    while (n < 2000 && refuse_one(&scenarios[i], n, false))
      ++n;
    printf("  %s: %ld requests refused in turn\n", scenarios[i].name, n - 1);
    CHECK(n < 2000 && (n > 1) != scenarios[i].asks_nothing);
  }
}

static void every_request_from_one_on_is_refused(void) {
  for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; ++i)
    for (long n = 1; n < 2000 && refuse_one(&scenarios[i], n, true); ++n)
      continue;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 1;
  generated = fixture_create(argv[1]);
  fixture_write_manifest(generated, fixture_manifest, NULL);
  stored = fixture_create(argv[1]);
  fixture_write_manifest(
      stored, fixture_manifest,
      (const char *const[]){"\"sources\": [{\"name\": \"lm_head.bias\", \"rows\": 50}], "
                            "\"role\": \"bias\", \"random_seed\": 7}",
                            "\"role\": \"bias\"}",
                            "\"sources\": [{\"name\": \"table\", \"rows\": 20}], "
                            "\"role\": \"table\", \"random_seed\": 7",
                            "\"role\": \"table\"", NULL});
  char header[192];
  static const unsigned char data[896];
  snprintf(header, sizeof header, "%-184s",
           "{\"head.bias\":{\"dtype\":\"U8\",\"shape\":[256],\"data_offsets\":[0,256]},"
           "\"table\":{\"dtype\":\"U8\",\"shape\":[640],\"data_offsets\":[256,896]}}");
  fixture_write_tensors(stored, "weights.safetensors", header, data, sizeof data);
  RUN(every_request_is_refused_once);
  RUN(every_request_from_one_on_is_refused);
  printf("%ld refusals\n", refusals);
  return check_finish();
}
