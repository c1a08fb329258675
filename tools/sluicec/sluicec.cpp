// SPDX-License-Identifier: Apache-2.0
//
// sluicec: from a model to an artefact. The passes are lib/Pipeline's; here is what surrounds them:
// reading, writing stages, messages, exit codes.

#include "Options.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "sluice/Artifact/Artifact.h"
#include "sluice/Machine/Machine.h"
#include "sluice/Model/ModelReader.h"
#include "sluice/Pipeline/Explain.h"
#include "sluice/Target/CPU/Emit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"
#include <chrono>
#include <csignal>
#include <unistd.h>

using namespace mlir;
using namespace sluice;
using namespace sluice::driver;

namespace {

/// Seconds of each part of the compile, in order.
class Timing {
public:
  void finish(StringRef part) {
    auto now = std::chrono::steady_clock::now();
    add(part, std::chrono::duration<double>(now - last).count());
    last = now;
  }
  void add(StringRef part, double seconds) { parts.push_back({part.str(), seconds}); }
  void print(raw_ostream &os) const {
    double total = 0;
    for (const auto &[part, seconds] : parts) {
      os << llvm::formatv("sluicec: {0,-8} {1,8:F3} s\n", part, seconds);
      total += seconds;
    }
    os << llvm::formatv("sluicec: {0,-8} {1,8:F3} s\n", "total", total);
  }

private:
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
  std::vector<std::pair<std::string, double>> parts;
};

/// Text to a file (whole or not at all) or to stdout.
int writeText(StringRef path, function_ref<void(raw_ostream &)> write) {
  if (path.empty())
    path = "-";
  llvm::Error error = llvm::writeToOutput(path, [&](raw_ostream &os) {
    write(os);
    return llvm::Error::success();
  });
  if (!error)
    return Ok;
  llvm::errs() << "sluicec: error: cannot write '" << path
               << "': " << llvm::toString(std::move(error)) << "\n";
  return RunTimeFailure;
}

void printModule(ModuleOp module, raw_ostream &os) {
  module.print(os, OpPrintingFlags().enableDebugInfo(/*enable=*/true, /*prettyForm=*/false));
  os << "\n";
}

/// How deep brackets nest in MLIR text, outside of strings and comments. The parser descends as
/// deep as its input does, so depth is looked at before parsing.
unsigned nestingDepth(StringRef text) {
  unsigned depth = 0, deepest = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      while (++i < text.size() && text[i] != '"')
        i += text[i] == '\\';
    } else if (text.substr(i).starts_with("//")) {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '(' || c == '[' || c == '{' || (c == '<' && i > 0 && text[i - 1] != '-')) {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ')' || c == ']' || c == '}' || (c == '>' && i > 0 && text[i - 1] != '-')) &&
               depth > 0) {
      --depth;
    }
  }
  return deepest;
}

constexpr unsigned kDeepestNesting = 128;

class Compile {
public:
  explicit Compile(const Options &options)
      : options(options),
        log([](const model::Problem &problem) { model::print(problem, llvm::errs()); }) {
    DialectRegistry registry;
    registerCompiler(registry);
    context.appendDialectRegistry(registry);
    // Everything is one pipeline on one module; threads would only reorder messages.
    context.disableMultithreading();
    context.printOpOnDiagnostic(false);
  }

  int run() {
    llvm::Expected<CPUMachine> described = describeCPU(options.cpu);
    if (!described) {
      llvm::errs() << "sluicec: error: " << llvm::toString(described.takeError()) << "\n";
      return Usage;
    }
    machine = *described;
    if (!options.stagesTo.empty())
      if (std::error_code code = llvm::sys::fs::create_directories(options.stagesTo)) {
        llvm::errs() << "sluicec: error: cannot make '" << options.stagesTo
                     << "': " << code.message() << "\n";
        return RunTimeFailure;
      }
    int code = compile();
    if (options.timing && code == Ok)
      timing.print(llvm::errs());
    return code;
  }

private:
  int compile() {
    SourceMgrDiagnosticHandler diagnostics(sources, &context, llvm::errs());
    if (int code = *options.from == Stage::Model ? readDescription() : readModule())
      return code;
    if (!module)
      return Ok; // stopped after the description
    if (int code = lower())
      return code;
    if (options.to == Stage::Artifact && !options.check && options.explain == Format::None)
      return finish();
    if (options.to != Stage::Artifact && !options.check && options.explain == Format::None)
      return writeText(options.output, [&](raw_ostream &os) { printModule(*module, os); });
    return Ok;
  }

  /// Stages model and tensor's import.
  int readDescription() {
    model::ModelOptions reading;
    reading.path = options.model;
    reading.familyFile = options.family;
    reading.dtype = options.dtype;
    reading.kvDType = options.kv;
    reading.page = options.page;
    reading.randomSeed = options.randomSeed;
    std::optional<model::Model> description = model::readModel(reading, log);
    if (!description)
      return log.exitCode();
    timing.finish("model");
    if (int code =
            writeStage("1-model.sluice.yaml", [&](raw_ostream &os) { description->print(os); }))
      return code;
    if (options.to == Stage::Model)
      return options.check
                 ? Ok
                 : writeText(options.output, [&](raw_ostream &os) { description->print(os); });
    module = model::importModel(context, *description, log);
    return module ? Ok : log.exitCode();
  }

  /// A module of a later stage, checked for what that stage promises.
  int readModule() {
    auto text = llvm::MemoryBuffer::getFile(options.model);
    if (!text) {
      llvm::errs() << "sluicec: error: cannot read '" << options.model
                   << "': " << text.getError().message() << "\n";
      return BadInput;
    }
    if (unsigned depth = nestingDepth((*text)->getBuffer()); depth > kDeepestNesting) {
      llvm::errs() << options.model << ": error: brackets nest " << depth
                   << " deep, expected at most " << kDeepestNesting << "\n";
      return BadInput;
    }
    sources.AddNewSourceBuffer(std::move(*text), llvm::SMLoc());
    module = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
    if (!module)
      return BadInput;
    PassManager check(&context);
    buildStageCheck(check, *options.from);
    return succeeded(check.run(*module)) ? Ok : BadInput;
  }

  int lower() {
    int code = Ok;
    Stage to = std::min(options.to, Stage::Target);
    // Explaining needs no code.
    if (options.explain != Format::None && !options.check)
      to = Stage::Placed;
    auto atEnd = [&](Stage stage, ModuleOp module) -> LogicalResult {
      timing.finish(stringify(stage));
      static constexpr StringLiteral names[] = {"", "2-tensor.mlir", "3-placed.mlir",
                                                "4-target.mlir"};
      code = writeStage(names[static_cast<int>(stage)],
                        [&](raw_ostream &os) { printModule(module, os); });
      if (code == Ok && stage == Stage::Placed)
        explainPlaced(module);
      return success(code == Ok);
    };
    if (*options.from == Stage::Placed)
      explainPlaced(*module);
    if (succeeded(runStages(*module, *options.from, to, {options.cpu}, atEnd)))
      return Ok;
    return code == Ok ? CannotCompile : code;
  }

  void explainPlaced(ModuleOp module) {
    if (options.explain == Format::Text)
      printExplanation(module, llvm::outs());
    else if (options.explain == Format::Json)
      llvm::outs() << llvm::formatv("{0:2}\n", explanationAsJson(module));
  }

  int writeStage(StringRef name, function_ref<void(raw_ostream &)> write) {
    if (options.stagesTo.empty())
      return Ok;
    llvm::SmallString<256> path(options.stagesTo);
    llvm::sys::path::append(path, name);
    return writeText(path, write);
  }

  /// Code, or code in an artefact.
  int finish() {
    if (options.emit == Emit::Mlir)
      return writeText(options.output, [&](raw_ostream &os) { printModule(*module, os); });
    cpu::CodeForm form = options.emit == Emit::Llvm       ? cpu::CodeForm::Llvm
                         : options.emit == Emit::Assembly ? cpu::CodeForm::Assembly
                                                          : cpu::CodeForm::Object;
    FailureOr<std::string> code = cpu::emitCode(*module, machine, form);
    if (failed(code))
      return CannotCompile;
    timing.finish("code");
    if (options.emit != Emit::None)
      return writeText(options.output, [&](raw_ostream &os) { os << *code; });

    artifact::WriteStats stats;
    artifact::WriteRequest request = {*module, &machine, *code, options.output, options.maxSeq};
    int exitCode = Ok;
    llvm::handleAllErrors(artifact::writeArtefact(request, log, stats),
                          [&](const artifact::WriteError &error) {
                            exitCode = error.exitCode;
                            if (!error.message.empty())
                              llvm::errs() << "sluicec: error: " << error.message << "\n";
                          });
    if (exitCode != Ok)
      return exitCode;
    timing.add("link", stats.linkSeconds);
    timing.add("pack", stats.packSeconds);
    llvm::errs() << "sluicec: wrote " << options.output;
    if (stats.packedBytes)
      llvm::errs() << llvm::formatv(": {0:F1} MB of weights", stats.packedBytes / 1e6);
    llvm::errs() << "\n";
    return Ok;
  }

  const Options &options;
  model::ProblemLog log;
  MLIRContext context;
  llvm::SourceMgr sources;
  OwningOpRef<ModuleOp> module;
  CPUMachine machine;
  Timing timing;
};

/// A crash is the compiler's fault, and says so with an exit code of its own.
extern "C" void handleCrash(int) {
  static const char text[] =
      "sluicec: internal error; please report it with the command line and its input\n";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  _exit(Internal);
}
} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    signal(number, handleCrash);
  artifact::catchInterrupts();

  Options options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;
  return Compile(options).run();
}
