// SPDX-License-Identifier: Apache-2.0
//
// sluice-opt: reads MLIR of any stage, runs the passes that the flags name, prints the result. For
// tests and for looking at one pass at a time; `sluicec` runs them all.
//
// --sluice-debug=NAME[,NAME] prints what passes with that DEBUG_TYPE log. Upstream's --debug-only
// is not in the packaged libraries, but what it switches is.

#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "sluice/Artifact/Passes.h"
#include "sluice/InitAll.h"
#include "sluice/Pipeline/ReadModule.h"
#include "sluice/Place/Passes.h"
#include "sluice/Target/CPU/Passes.h"
#include "sluice/Tensor/Passes.h"
#include "llvm/Support/Debug.h"
#include "llvm/Support/MemoryBuffer.h"

static llvm::cl::list<std::string>
    debugTypes("sluice-debug", llvm::cl::CommaSeparated, llvm::cl::value_desc("name"),
               llvm::cl::desc("print what the passes of these names log"),
               llvm::cl::callback([](const std::string &) { llvm::DebugFlag = true; }));

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sluice::registerAllDialects(registry);
  sluice::cpu::registerCPUKernels(registry);
  mlir::registerAllPasses();
  sluice::tensor::registerTensorPasses();
  sluice::place::registerPlacePasses();
  sluice::artifact::registerArtifactPasses();
  sluice::cpu::registerTargetCPUPasses();

  auto [input, output] =
      mlir::registerAndParseCLIOptions(argc, argv, "sluice-opt: one pass at a time\n", registry);
  llvm::SmallVector<const char *> types;
  for (const std::string &type : debugTypes)
    types.push_back(type.c_str());
  if (!types.empty())
    llvm::setCurrentDebugTypes(types.data(), types.size());
  // What the parser would not survive is refused here, as sluicec does.
  if (auto text = llvm::MemoryBuffer::getFile(input); text && input != "-")
    if (auto problem = sluice::checkMlirText((*text)->getBuffer());
        problem && !(*text)->getBuffer().starts_with("ML\xefR")) {
      llvm::StringRef before = (*text)->getBuffer().take_front(problem->offset);
      llvm::errs() << input << ":" << before.count('\n') + 1 << ": error: " << problem->message
                   << "\n";
      return 1;
    }
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, input, output, registry));
}
