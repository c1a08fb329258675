// SPDX-License-Identifier: Apache-2.0
//
// sluice-smith: prints a random program of the tensor stage. The same seed gives the same program.
// What it writes is parsed and verified before it is printed: a program that the ops' own verifiers
// refuse is a bug of the smith, and ends with 70 and the text. python/dev/smith.py runs many of
// them on a target and against the oracle.

#include "Program.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "sluice/InitAll.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace mlir;
namespace cl = llvm::cl;

static cl::opt<uint64_t> seed("seed", cl::desc("which program"), cl::init(0));
static cl::opt<std::string> output("o", cl::desc("where to write it ('-': stdout)"), cl::init("-"));

/// Sizes of a batch to run the program with: options of sluice-check. A few sequences, some empty,
/// some with keys from before.
static std::string batchOptions(uint64_t seed) {
  sluice::smith::Random random(~seed);
  std::string rows, past;
  int64_t sequences = random.between(1, 5);
  for (int64_t i = 0; i < sequences; ++i) {
    int64_t most = random.pick(std::vector<int64_t>{0, 1, 4, 33});
    rows += (i ? "," : "") + std::to_string(random.between(0, most));
    past += (i ? "," : "") + std::to_string(random.between(0, random.once(3) ? 290 : 20));
  }
  return "--rows=" + rows + " --past=" + past;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(
      argc, argv,
      "sluice-smith: prints a random program of the tensor stage\n\n"
      "  example: sluice-smith --seed=7 -o seven.mlir && sluice-check seven.mlir --target=cpu "
      "--against=reference\n\n"
      "  exit codes: 0 ok, 1 usage, 4 cannot write, 70 the program is not well-typed: a bug of the "
      "smith\n");
  DialectRegistry registry;
  sluice::registerAllDialects(registry);
  MLIRContext context(registry);
  std::string text = sluice::smith::Program(seed).text();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, ParserConfig(&context), "smith");
  if (!module || failed(verify(*module))) {
    llvm::errs() << "sluice-smith: internal error: the program of seed " << seed
                 << " is not well-typed:\n"
                 << text;
    return 70;
  }
  std::error_code error;
  llvm::raw_fd_ostream out(output, error);
  if (error) {
    llvm::errs() << "sluice-smith: cannot write " << output << ": " << error.message() << "\n";
    return 4;
  }
  out << "// sluice-smith --seed=" << seed << "\n// check: " << batchOptions(seed) << "\n";
  module->print(out);
  out.close();
  if (out.has_error()) {
    llvm::errs() << "sluice-smith: cannot write " << output << ": " << out.error().message()
                 << "\n";
    out.clear_error();
    return 4;
  }
  return 0;
}
