// SPDX-License-Identifier: Apache-2.0
//
// MLIR text of one stage (FUZZ_STAGE), as sluicec --from reads it: nesting, parser, verifier, the
// stage's check; with FUZZ_WHOLE also every pass from there to the target stage, and LLVM IR.

#include "Scratch.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "sluice/Machine/Machine.h"
#include "sluice/Pipeline/Pipeline.h"
#include "sluice/Pipeline/ReadModule.h"
#include "sluice/Target/CPU/Emit.h"
#include "llvm/Support/SourceMgr.h"
#include <cstdio>
#include <cstdlib>

using namespace mlir;
using namespace sluice;

namespace {
constexpr Stage stage = Stage::FUZZ_STAGE;

/// Types and attributes of a context are never freed; a new one from time to time.
MLIRContext &context() {
  static std::unique_ptr<MLIRContext> current;
  static unsigned uses;
  if (!current || ++uses % 1000 == 0) {
    DialectRegistry registry;
    registerCompiler(registry);
    current = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  }
  return *current;
}
} // namespace

static void run_input(const uint8_t *data, size_t size) {
  unsigned errors = 0;
  ScopedDiagnosticHandler quiet(&context(), [&](Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return success();
  });
  llvm::SourceMgr sources;
  auto text = llvm::MemoryBuffer::getMemBufferCopy(
      llvm::StringRef(reinterpret_cast<const char *>(data), size), "input.mlir");
  OwningOpRef<ModuleOp> module = parseModule(std::move(text), sources, context());
  if (!module || failed(checkStage(*module, stage))) {
    if (errors == 0)
      abort(); // refused without a sentence
    return;
  }
  if (failed(verify(*module)))
    abort();
#ifdef FUZZ_WHOLE
  PipelineOptions options;
  options.cpu = "x86-64-v4";
  if (failed(runStages(*module, stage, Stage::Target, options, nullptr))) {
    if (errors == 0)
      abort();
    return;
  }
  static const CPUMachine machine = *describeCPU(options.cpu);
  if (failed(cpu::emitCode(*module, machine, cpu::CodeForm::Llvm)) && errors == 0)
    abort();
#endif
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  double start = fuzz_seconds();
  run_input(data, size);
  fuzz_check_seconds(start);
  return 0;
}
