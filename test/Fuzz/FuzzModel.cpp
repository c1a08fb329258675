// SPDX-License-Identifier: Apache-2.0
//
// The reader of models: a Hugging Face directory (config.json and what stands beside it), or a
// description (FUZZ_DESCRIPTION). What is accepted goes on to the tensor stage, which must verify.

#include "Scratch.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "sluice/InitAll.h"
#include "sluice/Model/ModelReader.h"
#include "llvm/Support/raw_ostream.h"

using namespace sluice;

namespace {
const char *const directoryFiles[] = {"config.json",         "generation_config.json",
                                      "modules.json",        "sentence_bert_config.json",
                                      "pooling_config.json", nullptr};

/// Types and attributes of a context are never freed; a new one from time to time.
mlir::MLIRContext &context() {
  static std::unique_ptr<mlir::MLIRContext> current;
  static unsigned uses;
  if (!current || ++uses % 2000 == 0) {
    mlir::DialectRegistry registry;
    sluice::registerAllDialects(registry);
    current = std::make_unique<mlir::MLIRContext>(registry, mlir::MLIRContext::Threading::DISABLED);
  }
  return *current;
}
} // namespace

static void run_input(const uint8_t *data, size_t size) {
  model::ModelOptions options;
  options.randomSeed = 7;
#ifdef FUZZ_DESCRIPTION
  (void)directoryFiles;
  options.path = scratch_write("model.sluice.yaml", data, size);
#else
  scratch_write_all(data, size, directoryFiles);
  // The sentence files name directories of their own.
  mkdir(scratch_path("1_Pooling"), 0700);
  rename(scratch_path("pooling_config.json"), scratch_path("1_Pooling/config.json"));
  options.path = scratch();
#endif
  model::ProblemLog log;
  std::optional<model::Model> read = model::readModel(options, log);
  if (!read) {
    if (log.exitCode() != 2 && log.exitCode() != 3)
      abort(); // refused without a sentence
    return;
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  read->print(stream);
  std::string messages;
  mlir::ScopedDiagnosticHandler quiet(&context(), [&](mlir::Diagnostic &diagnostic) {
    messages += diagnostic.str();
    return mlir::success();
  });
  mlir::OwningOpRef<mlir::ModuleOp> module = model::importModel(context(), *read, log);
  if (!module ? log.exitCode() != 2 && log.exitCode() != 3 : failed(mlir::verify(*module))) {
    llvm::errs() << "import without a sentence, or a module that does not verify:\n"
                 << messages << "\n";
    abort();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  double start = fuzz_seconds();
  run_input(data, size);
  fuzz_check_seconds(start);
  return 0;
}
