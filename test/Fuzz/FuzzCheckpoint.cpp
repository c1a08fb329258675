// SPDX-License-Identifier: Apache-2.0
//
// The compiler's reader of safetensors: one file, or a directory of shards with an index
// (FUZZ_INDEX). Whatever is accepted must be readable to its last byte.

#include "Scratch.h"
#include "sluice/Model/Safetensors.h"
#include "sluice/Model/Weights.h"

using namespace sluice::model;

static const char *const files[] = {"model.safetensors.index.json", "a.safetensors",
                                    "b.safetensors", nullptr};

static void run_input(const uint8_t *data, size_t size) {
#ifdef FUZZ_INDEX
  scratch_write_all(data, size, files);
#else
  (void)files;
  scratch_write_tensors("model.safetensors", data, size);
#endif
  ProblemLog log;
  std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(scratch(), log);
  if (!checkpoint) {
    if (log.exitCode() != 2)
      abort(); // refused without a sentence
    return;
  }
  if (log.failed())
    abort();
  static volatile unsigned sum;
  for (const TensorView *tensor : checkpoint->tensors()) {
    if (checkpoint->find(tensor->name) != tensor)
      abort();
    for (uint8_t byte : tensor->bytes)
      sum = sum + byte;
    scanNonFinite(*tensor);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  double start = fuzz_seconds();
  run_input(data, size);
  fuzz_check_seconds(start);
  return 0;
}
