/* SPDX-License-Identifier: Apache-2.0
 *
 * test_artefact.c: loading: what a good artefact says about itself, and every way in which a bad
 * one is refused.
 */
#include "check.h"
#include "loading.h"

static const char *library, *library_of_abi_2, *artefact;

static sluice_status_t load_edited(const char *from, const char *to) {
  const char *const edits[] = {from, to, NULL};
  fixture_write_manifest(artefact, fixture_manifest, edits);
  return fixture_load(artefact, NULL);
}

static void a_good_artefact_describes_itself(void) {
  sluice_model_t *model;
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  REQUIRE_OK(sluice_model_load(artefact, NULL, &model));
  const sluice_model_info_t *info = sluice_model_info(model);
  CHECK(strcmp(info->name, "fake") == 0 && info->kind == SLUICE_KIND_DECODER &&
        info->function_count == 8);
  CHECK(info->limits.vocab == 50 && info->limits.max_seq == 400 &&
        info->limits.max_positions == 500);
  CHECK(info->limits.embed_max_seq == 12 && info->eos_count == 1 && info->eos[0] == 3);
  CHECK(info->kv_count == 1 && info->kv[0].page == 16 && info->kv[0].page_bytes == 2 * 320);
  CHECK(info->weight_count == 2 && info->weights[1].generated && info->weight_bytes == 256 + 640);
  const sluice_function_info_t *step = sluice_model_function(model, "step");
  CHECK(step && step->arg_count == 3 && step->args[0].bound == 50 &&
        step->args[1].bound == SLUICE_BOUND_ROWS);
  CHECK(step->args[2].output && step->args[2].shape[0] == SLUICE_DIM_ASKED &&
        step->args[2].row_elements == 50);
  CHECK(!sluice_model_function(model, "stop") && !sluice_model_weight_data(model, 2));
  sluice_model_release(model);
}

static void metadata_only_needs_no_machine(void) {
  const char *const edits[] = {"\"features\": []", "\"features\": [\"avx1024\"]", "ARCH-unknown",
                               "riscv64-unknown", NULL};
  sluice_model_options_t options = {.metadata_only = true};
  sluice_model_t *model;
  sluice_session_t *session;
  fixture_write_manifest(artefact, fixture_manifest, edits);
  REQUIRE_OK(sluice_model_load(artefact, &options, &model));
  CHECK(!sluice_model_weight_data(model, 0));
  CHECK_FAILS(sluice_session_create(model, NULL, &session), SLUICE_STATUS_INVALID_ARGUMENT,
              "metadata_only");
  sluice_model_release(model);
}

static void versions_and_targets_are_checked(void) {
  CHECK_FAILS(load_edited("\"sluice\": 1", "\"sluice\": 3"), SLUICE_STATUS_TOO_NEW,
              "manifest version 3");
  CHECK_FAILS(load_edited("\"abi\": 1", "\"abi\": 7"), SLUICE_STATUS_TOO_NEW, "kernel ABI 7");
  CHECK_FAILS(load_edited("\"kind\": \"cpu\"", "\"kind\": \"cuda\""), SLUICE_STATUS_WRONG_TARGET,
              "\"cuda\"");
  CHECK_FAILS(load_edited("ARCH-unknown", "riscv64-unknown"), SLUICE_STATUS_WRONG_TARGET,
              "riscv64-unknown-linux-gnu");
  CHECK_FAILS(load_edited("\"features\": []", "\"features\": [\"avx1024\"]"),
              SLUICE_STATUS_WRONG_TARGET, "does not know the processor feature \"avx1024\"");
#if defined(__x86_64__)
  // No processor has the features of two makers at once.
  CHECK_FAILS(load_edited("\"features\": []", "\"features\": [\"sse2\", \"sse4a\", \"waitpkg\"]"),
              SLUICE_STATUS_WRONG_TARGET, "which this machine lacks");
  CHECK_OK(
      load_edited("\"features\": []", "\"features\": [\"sse2\", \"64bit\", \"cmov\", \"+cx8\"]"));
#endif
}

static void the_library_is_checked(void) {
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  const char *newer = fixture_create(library_of_abi_2);
  fixture_write_manifest(newer, fixture_manifest, NULL);
  CHECK_FAILS(fixture_load(newer, NULL), SLUICE_STATUS_TOO_NEW, "kernel ABI 2, this runtime has 1");

  const char *cut = fixture_create(library);
  fixture_write_manifest(cut, fixture_manifest, NULL);
  FILE *file = fopen(library, "rb");
  static char code[1 << 20];
  size_t bytes = fread(code, 1, sizeof code, file);
  fclose(file);
  for (size_t part = 0; part < 8; ++part) {
    fixture_write_member(cut, "lib/model.so", code, bytes * part / 16);
    CHECK_FAILS(fixture_load(cut, NULL), SLUICE_STATUS_BAD_ARTEFACT, "cut");
  }
  fixture_write_member(cut, "lib/model.so", "#!/bin/sh\n", 10);
  CHECK_FAILS(fixture_load(cut, NULL), SLUICE_STATUS_BAD_ARTEFACT, "no ELF file");
  CHECK_FAILS(load_edited("lib/model.so", "lib/other.so"), SLUICE_STATUS_BAD_ARTEFACT,
              "code is missing");
  CHECK_FAILS(load_edited("lib/model.so", "../model.so"), SLUICE_STATUS_BAD_ARTEFACT,
              "stays inside");
  CHECK_FAILS(load_edited("lib/model.so", "/lib/model.so"), SLUICE_STATUS_BAD_ARTEFACT,
              "stays inside");
  CHECK_FAILS(load_edited("lib/model.so", "lib/../../model.so"), SLUICE_STATUS_BAD_ARTEFACT,
              "stays inside");
  CHECK_FAILS(load_edited("sluice_fn_embed", "sluice_fn_other"), SLUICE_STATUS_BAD_ARTEFACT,
              "no symbol sluice_fn_other");
  CHECK_FAILS(load_edited("sluice_fn_embed", "sluice fn"), SLUICE_STATUS_BAD_ARTEFACT,
              "C identifier");
}

static void manifests_are_hostile(void) {
  static const struct {
    const char *from, *to, *words;
  } bad[] = {
      {"\"sluice\": 1", "\"sluice\": \"1\"", "the manifest.sluice is a string, expected a number"},
      {"\"sluice\": 1", "\"sluice\": 0", "expected an integer from 1"},
      {"\"sluice\": 1, ", "", "lacks \"sluice\""},
      {"\"kind\": \"decoder\"", "\"kind\": \"poet\"", "expected decoder, encoder or op"},
      {"\"functions\": [", "\"functions\": 3, \"x\": [", "expected an array"},
      {"{\"row\": 64, \"seq\"", "{\"row\": -64, \"seq\"", "functions[0].arena.row is -64"},
      {"{\"row\": 64, \"seq\"", "{\"row\": 4611686018427387904, \"seq\"",
       "functions[0].arena.row is 4611686018427387904"},
      {"{\"row\": 64, \"seq\"", "{\"row\": 64.5, \"seq\"", "functions[0].arena.row is 64.5"},
      {"\"name\": \"sample\"", "\"name\": \"step\"", "is there already"},
      {"[\"asked\", 50]", "[\"asked\", 4611686018427387904]", "more than 2^40 bytes"},
      {"[\"asked\", 50]", "[\"asked\", 0]", "expected an integer from 1 up"},
      {"[\"asked\", 50]", "[\"askew\", 50]", "one of rows, seqs, asked"},
      {"[\"asked\", 50]", "[50, \"asked\"]", "shape[1]"},
      {"[\"asked\", 50]", "[]", "0 sizes"},
      {"[\"asked\", 50]", "[1,1,1,1,1,1,1,1,1]", "9 sizes"},
      {"\"dtype\": \"i32\"", "\"dtype\": \"f33\"", "dtype is \"f33\""},
      {"\"io\": \"in\"", "\"io\": \"inout\"", "expected in or out"},
      {"\"bound\": \"vocab\"", "\"bound\": \"vocabulary\"", "bound is \"vocabulary\""},
      {"\"bound\": \"vocab\"", "\"bound\": 0", "bound is 0"},
      {"\"shape\": [\"asked\", 50]}]}", "\"shape\": [\"asked\", 50], \"bound\": 3}]}",
       "only integer inputs"},
      {"\"bytes\": 256", "\"bytes\": 200", "weights[0].bytes is 200, expected 256"},
      {"\"stride\": 256", "\"stride\": 512", "weights[0].stride is 512, expected 256"},
      {"\"shape\": [50]", "\"shape\": [51]", "51"},
      {"\"shape\": [50]", "\"shape\": [4611686018427387904]", "1 to 2^46"},
      {"\"shape\": [20, 8]", "\"shape\": [70368744177664, 70368744177664]", "more than 2^46 bytes"},
      {"\"layout\": \"rows\"", "\"layout\": \"panel\"", "a panel has two sizes"},
      {"\"layout\": \"rows\"", "\"layout\": \"tiles\"", "expected panel or rows"},
      {"\"role\": \"bias\"", "\"role\": \"basis\"", "expected weight, table, scale or bias"},
      {"\"rows\": 50}", "\"rows\": 49}", "have 49 rows together, expected 50"},
      {"\"page\": 16", "\"page\": 20", "expected a multiple of 16"},
      {"\"page\": 16", "\"page\": 0", "page is 0"},
      {"\"k\": 2,", "\"k\": 1048576, \"x\": 2,", NULL},
      {"\"layers\": 2", "\"layers\": 1048576", NULL},
      {"\"kv_heads\": 1, \"k\": 2,", "\"kv_heads\": 1048576, \"k\": 1048576,",
       "more than 2^40 bytes"},
      {"\"dtype\": \"f32\", \"page\"", "\"dtype\": \"i64\", \"page\"", "expected f32 or bf16"},
      {"\"vocab\": 50", "\"vocab\": -50", "limits.vocab is -50"},
      {"\"vocab\": 50", "\"vocab\": 4611686018427387904", "limits.vocab is 4611686018427387904"},
      {"\"eos\": [3]", "\"eos\": [\"3\"]", "no token id"},
      {"\"locations\": [", "\"locations\": [1, ", "expected strings"},
      {"\"kv\": [{", "\"kv\": [], \"x\": [{", "needs at least one entry in kv"},
      {"\"dot\": \"fma\"", "\"dot\": 1", "target.dot is a number"},
      {"\"features\": []", "\"features\": [7]", "holds a number"},
      {"\"home\": \"host\"", "\"home\": \"moon\"",
       "weights[1].home: expected \"host\" or \"file\""},
      {"\"gathers\": 2", "\"gathers\": -1", "gathers is -1"},
      {"\"name\": \"fake\"", "\"name\": \"fa\x01ke\"", "control character"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
    if (bad[i].words)
      CHECK_FAILS(load_edited(bad[i].from, bad[i].to), SLUICE_STATUS_BAD_ARTEFACT, bad[i].words);
    else
      CHECK_OK(load_edited(bad[i].from, bad[i].to)); // Large, but not too large to be described.
}

static void cut_manifests_are_refused(void) {
  size_t whole = strlen(fixture_manifest) - 2; // The last byte but the newline closes the object.
  for (size_t bytes = 0; bytes <= whole; bytes += bytes < 64 ? 1 : 61) {
    fixture_write_member(artefact, "manifest.json", fixture_manifest, bytes);
    CHECK_FAILS(fixture_load(artefact, NULL), SLUICE_STATUS_BAD_ARTEFACT, "manifest.json:");
  }
  CHECK_FAILS(fixture_load("/nonexistent/x.sluice", NULL), SLUICE_STATUS_NOT_FOUND,
              "/nonexistent/x.sluice is no artefact");
}

/* The manifest's weights as weights of the file instead. */
static const char stored_bias[] = "\"sources\": [{\"name\": \"lm_head.bias\", \"rows\": 50}], "
                                  "\"role\": \"bias\", \"random_seed\": 7}";
static const char stored_table[] = "\"sources\": [{\"name\": \"table\", \"rows\": 20}], "
                                   "\"role\": \"table\", \"random_seed\": 7";

static void stored_weights_are_mapped_and_checked(void) {
  const char *const edits[] = {stored_bias, "\"role\": \"bias\"}", stored_table,
                               "\"role\": \"table\"", NULL};
  static uint8_t data[256 + 640 + 64];
  for (size_t i = 0; i < sizeof data; ++i)
    data[i] = (uint8_t)(i * 7);
  fixture_write_manifest(artefact, fixture_manifest, edits);
  CHECK_FAILS(fixture_load(artefact, NULL), SLUICE_STATUS_BAD_ARTEFACT, "weights are missing");
  // The header of the good file: its size plus 8 is a multiple of 64.
  char header[192];
  snprintf(header, sizeof header, "%-184s",
           "{\"head.bias\":{\"dtype\":\"U8\",\"shape\":[256],\"data_offsets\":[0,256]},"
           "\"table\":{\"dtype\":\"U8\",\"shape\":[640],\"data_offsets\":[256,896]}}");
  sluice_model_t *model;
  fixture_write_tensors(artefact, "weights.safetensors", header, data, 896);
  REQUIRE_OK(sluice_model_load(artefact, NULL, &model));
  CHECK(memcmp(sluice_model_weight_data(model, 0), data, 256) == 0);
  CHECK(memcmp(sluice_model_weight_data(model, 1), data + 256, 640) == 0);
  CHECK((uintptr_t)sluice_model_weight_data(model, 1) % 64 == 0);
  sluice_model_release(model);

  snprintf(header, sizeof header, "%-176s",
           "{\"head.bias\":{\"dtype\":\"U8\",\"shape\":[256],\"data_offsets\":[0,256]},"
           "\"table\":{\"dtype\":\"U8\",\"shape\":[640],\"data_offsets\":[256,896]}}");
  fixture_write_tensors(artefact, "weights.safetensors", header, data, 896);
  CHECK_FAILS(fixture_load(artefact, NULL), SLUICE_STATUS_BAD_ARTEFACT,
              "expected a multiple of 64");
  snprintf(header, sizeof header, "%-184s",
           "{\"head.bias\":{\"dtype\":\"U8\",\"shape\":[256],\"data_offsets\":[0,256]},"
           "\"table\":{\"dtype\":\"U8\",\"shape\":[639],\"data_offsets\":[256,895]}}");
  fixture_write_tensors(artefact, "weights.safetensors", header, data, 895);
  CHECK_FAILS(fixture_load(artefact, NULL), SLUICE_STATUS_BAD_ARTEFACT,
              "expected U8 of shape [640]");
  snprintf(header, sizeof header, "%-184s",
           "{\"head.bias\":{\"dtype\":\"F32\",\"shape\":[64],\"data_offsets\":[0,256]},"
           "\"table\":{\"dtype\":\"U8\",\"shape\":[640],\"data_offsets\":[256,896]}}");
  fixture_write_tensors(artefact, "weights.safetensors", header, data, 896);
  CHECK_FAILS(fixture_load(artefact, NULL), SLUICE_STATUS_BAD_ARTEFACT, "is F32 of rank 1");
  snprintf(header, sizeof header, "%-184s",
           "{\"head.bias\":{\"dtype\":\"U8\",\"shape\":[256],\"data_offsets\":[0,256]},"
           "\"tab1e\":{\"dtype\":\"U8\",\"shape\":[640],\"data_offsets\":[256,896]}}");
  fixture_write_tensors(artefact, "weights.safetensors", header, data, 896);
  CHECK_FAILS(fixture_load(artefact, NULL), SLUICE_STATUS_BAD_ARTEFACT,
              "lacks the tensor \"table\"");
  static const char pointer[] =
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n";
  fixture_write_member(artefact, "weights.safetensors", pointer, sizeof pointer - 1);
  CHECK_FAILS(fixture_load(artefact, NULL), SLUICE_STATUS_BAD_ARTEFACT, "Git LFS pointer");
}

static size_t held, allocations, allowed;

static void *count_allocate(void *self, size_t size, size_t alignment) {
  (void)self;
  void *pointer = NULL;
  if (allocations++ >= allowed || posix_memalign(&pointer, alignment, size) != 0)
    return NULL;
  held += size;
  return pointer;
}

static void count_release(void *self, void *pointer, size_t size) {
  (void)self;
  held -= size;
  free(pointer);
}

/* The n-th allocation fails, for every n: nothing leaks, nothing is half made. */
static void every_failed_allocation_is_survived(void) {
  sluice_model_options_t options = {.allocator = {NULL, count_allocate, count_release}};
  sluice_session_options_t small = {.max_rows = 16, .threads = 2};
  sluice_status_t status = SLUICE_STATUS_OUT_OF_MEMORY;
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  for (allowed = 0; status != SLUICE_STATUS_OK && allowed < 1000; ++allowed) {
    sluice_model_t *model = NULL;
    sluice_session_t *session = NULL;
    allocations = 0;
    status = sluice_model_load(artefact, &options, &model);
    if (status == SLUICE_STATUS_OK)
      status = sluice_session_create(model, &small, &session);
    CHECK(status == SLUICE_STATUS_OK || status == SLUICE_STATUS_OUT_OF_MEMORY);
    sluice_session_release(session);
    sluice_model_release(model);
    CHECK(held == 0);
  }
  CHECK(status == SLUICE_STATUS_OK && allowed > 20);
}

static void options_are_checked(void) {
  sluice_model_options_t negative = {.threads = -1};
  sluice_model_t *model;
  sluice_session_t *session;
  fixture_write_manifest(artefact, fixture_manifest, NULL);
  CHECK_FAILS(fixture_load(artefact, &negative), SLUICE_STATUS_INVALID_ARGUMENT, "threads is -1");
  CHECK_FAILS(sluice_model_load(NULL, NULL, &model), SLUICE_STATUS_INVALID_ARGUMENT,
              "must not be NULL");
  REQUIRE_OK(sluice_model_load(artefact, NULL, &model));
  static const struct {
    sluice_session_options_t options;
    const char *words;
  } bad[] = {{{.threads = -1}, "-1 threads"},
             {{.threads = 100000}, "100000 threads asked for, expected 1 to"},
             {{.spin = (sluice_spin_t)9}, "spin is 9"},
             {{.max_rows = -1}, "max_rows is -1"},
             {{.max_rows = INT32_MAX}, "max_rows is 2147483647"},
             {{.max_seqs = -4}, "max_seqs is -4"},
             {{.kv_pages = (int64_t)1 << 40}, "kv_pages is"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
    CHECK_FAILS(sluice_session_create(model, &bad[i].options, &session),
                SLUICE_STATUS_INVALID_ARGUMENT, bad[i].words);
  sluice_model_release(model);
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 1;
  library = argv[1];
  library_of_abi_2 = argv[2];
  artefact = fixture_create(library);
  RUN(a_good_artefact_describes_itself);
  RUN(metadata_only_needs_no_machine);
  RUN(versions_and_targets_are_checked);
  RUN(the_library_is_checked);
  RUN(manifests_are_hostile);
  RUN(cut_manifests_are_refused);
  RUN(stored_weights_are_mapped_and_checked);
  RUN(every_failed_allocation_is_survived);
  RUN(options_are_checked);
  return check_finish();
}
