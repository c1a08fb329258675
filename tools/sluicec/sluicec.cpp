// SPDX-License-Identifier: Apache-2.0
//
// sluicec: from a model to an artefact. The passes are lib/Pipeline's; here is what surrounds them:
// reading, writing stages, messages, exit codes.

#include "Options.h"
#include "Report.h"
#include "mlir/IR/Diagnostics.h"
#include "sluice/Artifact/Artifact.h"
#include "sluice/Machine/Machine.h"
#include "sluice/Model/ModelReader.h"
#include "sluice/Pipeline/Explain.h"
#include "sluice/Pipeline/MessageStream.h"
#include "sluice/Pipeline/ReadModule.h"
#include "sluice/Target/CPU/Emit.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/VirtualFileSystem.h"
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <new>
#include <unistd.h>

using namespace mlir;
using namespace sluice;
using namespace sluice::driver;

namespace {

/// True while MLIR's parser runs on text from outside: see handleCrash.
volatile sig_atomic_t parsing = false;

/// Seconds of each part of the compile, in order.
class Timing {
public:
  void finish(StringRef part) {
    auto now = std::chrono::steady_clock::now();
    add(part, std::chrono::duration<double>(now - last).count());
    last = now;
  }
  void add(StringRef part, double seconds) { parts.push_back({part.str(), seconds}); }
  const std::vector<std::pair<std::string, double>> &list() const { return parts; }
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

std::error_code lastError() { return std::error_code(errno, std::generic_category()); }

/// Writes |text| whole to the file |descriptor| and closes it.
std::error_code writeAll(int descriptor, StringRef text) {
  std::error_code error;
  while (!text.empty() && !error) {
    ssize_t done = write(descriptor, text.data(), text.size());
    if (done >= 0)
      text = text.drop_front(done);
    else if (errno != EINTR)
      error = lastError();
  }
  if (close(descriptor) != 0 && !error)
    error = lastError();
  return error;
}

/// A regular file appears whole or not at all; devices and pipes are written as they are.
std::error_code writeFile(StringRef path, StringRef text) {
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(path, status) &&
      status.type() != llvm::sys::fs::file_type::regular_file) {
    int device = open(path.str().c_str(), O_WRONLY | O_CLOEXEC);
    return device < 0 ? lastError() : writeAll(device, text);
  }
  llvm::SmallString<256> beside(path);
  int descriptor;
  if (std::error_code error = llvm::sys::fs::make_absolute(beside))
    return error;
  if (std::error_code error = llvm::sys::fs::createUniqueFile(
          beside + ".partial-%%%%%%", descriptor, beside, llvm::sys::fs::OF_None,
          llvm::sys::fs::all_read | llvm::sys::fs::all_write))
    return error;
  llvm::sys::RemoveFileOnSignal(beside);
  std::error_code error = writeAll(descriptor, text);
  if (!error)
    error = llvm::sys::fs::rename(beside, path);
  if (error)
    llvm::sys::fs::remove(beside);
  llvm::sys::DontRemoveFileOnSignal(beside);
  return error;
}

/// Text to a file or to stdout ("-").
int writeText(StringRef path, function_ref<void(raw_ostream &)> print) {
  if (path.empty() || path == "-") {
    print(llvm::outs()); // errors are looked for at the end
    return Ok;
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  print(stream);
  std::error_code error = writeFile(path, text);
  if (!error)
    return Ok;
  llvm::errs() << "sluicec: error: cannot write '" << path << "': " << error.message() << "\n";
  return RunTimeFailure;
}

void printModule(ModuleOp module, raw_ostream &os) {
  module.print(os, OpPrintingFlags().enableDebugInfo(/*enable=*/true, /*prettyForm=*/false));
  os << "\n";
}

/// What is made for one machine.
struct Part {
  std::string name; ///< as the command line has it
  CPUMachine machine;
  OwningOpRef<ModuleOp> module;
  std::string object;
  ReportParts report;
};

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
    if (int code = describeMachines())
      return code;
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
  int describeMachines() {
    for (const std::string &name : options.cpus) {
      llvm::Expected<CPUMachine> described = describeCPU(name);
      if (!described) {
        messages << "sluicec: error: " << llvm::toString(described.takeError()) << "\n";
        return Usage;
      }
      for (const Part &part : parts)
        if (part.machine.cpu == described->cpu) {
          llvm::errs() << "sluicec: error: '--cpu' names " << described->cpu << " twice\n";
          return Usage;
        }
      parts.push_back({name, std::move(*described), nullptr, "", {}});
    }
    // The loader takes the first that fits.
    llvm::sort(parts, [](const Part &a, const Part &b) {
      return std::tuple(a.machine.vectorBytes, a.machine.required.size(), a.machine.cpu) >
             std::tuple(b.machine.vectorBytes, b.machine.required.size(), b.machine.cpu);
    });
    if (options.explain == Format::None && !options.report)
      return Ok;
    auto ceilings = chooseCeilings(options.ceilings, options.cpus);
    if (ceilings) {
      limits = std::move(*ceilings);
      timing.finish("ceilings");
      return Ok;
    }
    llvm::errs() << "sluicec: error: " << llvm::toString(ceilings.takeError()) << "\n";
    return BadInput;
  }

  int compile() {
    // A message may point into a file that a location names. It is not opened to show the line:
    // whoever wrote the module would choose what is read.
    sources.setVirtualFileSystem(llvm::makeIntrusiveRefCnt<llvm::vfs::InMemoryFileSystem>());
    SourceMgrDiagnosticHandler diagnostics(sources, &context, messages);
    if (int code = *options.from == Stage::Model ? readDescription() : readStage())
      return code;
    if (!module)
      return Ok; // stopped after the description
    for (Part &part : parts) {
      // Passes change what they lower; each machine gets the model as it was read.
      part.module =
          &part == &parts.back() ? std::move(module) : OwningOpRef<ModuleOp>(module->clone());
      if (int code = lower(part))
        return code;
      if (options.to == Stage::Artifact && !options.check && options.explain == Format::None)
        if (int code = emit(part))
          return code;
      if (options.to != Stage::Artifact)
        break; // Up to the tensor stage no machine is known, and later stages are of one.
    }
    if (options.check || options.explain != Format::None)
      return Ok;
    if (options.to != Stage::Artifact)
      return writeText(options.output,
                       [&](raw_ostream &os) { printModule(*parts.front().module, os); });
    return options.emit == Emit::None ? writeArtefact() : Ok;
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
  int readStage() {
    parsing = true;
    module = parseModuleFile(options.model, sources, context);
    parsing = false;
    return module && succeeded(checkStage(*module, *options.from)) ? Ok : BadInput;
  }

  int lower(Part &part) {
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
        explainPlaced(part, module);
      return success(code == Ok);
    };
    if (*options.from == Stage::Placed)
      explainPlaced(part, *part.module);
    if (succeeded(runStages(*part.module, *options.from, to, {part.name, options.quantize}, atEnd)))
      return Ok;
    return code == Ok ? CannotCompile : code;
  }

  void explainPlaced(Part &part, ModuleOp module) {
    if (options.explain == Format::Text)
      printExplanation(module, part.machine, limits, llvm::outs());
    else if (options.explain == Format::Json)
      explanations.push_back(explanationAsJson(module, part.machine, limits));
    if (options.explain == Format::Json && explanations.size() == parts.size())
      llvm::outs() << llvm::formatv("{0:2}\n", parts.size() == 1
                                                   ? explanations.front()
                                                   : llvm::json::Value(std::move(explanations)));
    if (options.report) {
      part.report.explanation = explanationAsJson(module, part.machine, limits);
      llvm::raw_string_ostream os(part.report.text);
      printExplanation(module, part.machine, limits, os);
    }
  }

  int writeStage(StringRef name, function_ref<void(raw_ostream &)> write) {
    if (options.stagesTo.empty())
      return Ok;
    llvm::SmallString<256> path(options.stagesTo);
    llvm::sys::path::append(path, name);
    return writeText(path, write);
  }

  /// Code for one machine, kept for the artefact or written.
  int emit(Part &part) {
    if (options.emit == Emit::Mlir)
      return writeText(options.output, [&](raw_ostream &os) { printModule(*part.module, os); });
    cpu::CodeForm form = options.emit == Emit::Llvm       ? cpu::CodeForm::Llvm
                         : options.emit == Emit::Assembly ? cpu::CodeForm::Assembly
                                                          : cpu::CodeForm::Object;
    FailureOr<std::string> code = cpu::emitCode(*part.module, part.machine, form);
    if (failed(code))
      return CannotCompile;
    part.object = std::move(*code);
    timing.finish("code");
    if (options.emit != Emit::None)
      return writeText(options.output, [&](raw_ostream &os) { os << part.object; });
    if (options.report) {
      FailureOr<std::string> assembly =
          cpu::emitCode(*part.module, part.machine, cpu::CodeForm::Assembly);
      if (failed(assembly))
        return CannotCompile;
      part.report.assembly = std::move(*assembly);
      timing.finish("report");
    }
    return Ok;
  }

  int writeArtefact() {
    artifact::WriteStats stats;
    artifact::WriteRequest request;
    for (Part &part : parts)
      request.variants.push_back({*part.module, &part.machine, part.object});
    request.output = options.output;
    request.maxSeq = options.maxSeq;
    request.maxRows = options.maxRows;
    request.maxBatch = options.maxBatch;
    request.allowNonFinite = options.allowNonFinite;
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
    for (const std::string &line : stats.quantized)
      llvm::errs() << "sluicec: quantize: " << line << "\n";
    llvm::errs() << "sluicec: wrote " << options.output;
    if (parts.size() > 1) {
      llvm::errs() << " for ";
      llvm::interleave(
          parts, llvm::errs(), [](const Part &part) { llvm::errs() << part.machine.cpu; }, ", ");
    }
    if (stats.packedBytes)
      llvm::errs() << llvm::formatv(": {0:F1} MB of weights", stats.packedBytes / 1e6);
    llvm::errs() << "\n";
    return options.report ? writeReports() : Ok;
  }

  int writeReports() {
    for (Part &part : parts) {
      llvm::SmallString<256> directory(options.reportTo);
      if (directory.empty()) {
        directory = options.output;
        llvm::sys::path::append(directory, "report");
      }
      if (parts.size() > 1)
        llvm::sys::path::append(directory, part.machine.cpu);
      if (llvm::Error error = writeReport(directory, part.report, part.machine, timing.list())) {
        llvm::errs() << "sluicec: error: " << llvm::toString(std::move(error)) << "\n";
        return RunTimeFailure;
      }
    }
    return Ok;
  }

  const Options &options;
  MessageStream messages{llvm::errs()};
  model::ProblemLog log;
  MLIRContext context;
  llvm::SourceMgr sources;
  OwningOpRef<ModuleOp> module;
  std::vector<Part> parts; ///< one for each machine, the best first
  Ceilings limits;
  llvm::json::Array explanations;
  Timing timing;
};

template <size_t size>
[[noreturn]] void endWith(int code, const char (&sentence)[size]) {
  (void)!write(STDERR_FILENO, sentence, size - 1);
  artifact::removeHalfWritten();
  _exit(code);
}

/// A crash is the compiler's fault, and says so with an exit code of its own. Except in MLIR's
/// parser: the packaged one has no assertions and does not survive every invalid text of its own
/// dialects. What is known is refused before it (ReadModule.cpp); for the rest, the text is to
/// blame.
extern "C" void handleCrash(int) {
  if (parsing)
    endWith(BadInput,
            "sluicec: error: the text is not valid MLIR, in a way that its parser does not "
            "survive\n");
  endWith(Internal,
          "sluicec: internal error; please report it with the command line and its input\n");
}

/// Inputs are mapped: a file that somebody cuts while it is read has no more bytes to give.
extern "C" void handleLostInput(int) {
  endWith(BadInput, "sluicec: error: a file became shorter while it was read, or its disk failed; "
                    "nothing was written\n");
}

void handleNoMemory() { endWith(RunTimeFailure, "sluicec: error: no memory is left\n"); }

void catchFailures() {
  struct sigaction action = {};
  action.sa_flags = SA_ONSTACK; // a stack that is full has no room for a handler
  action.sa_handler = handleCrash;
  for (int number : {SIGABRT, SIGSEGV, SIGFPE, SIGILL})
    sigaction(number, &action, nullptr);
  action.sa_handler = handleLostInput;
  sigaction(SIGBUS, &action, nullptr);
  std::set_new_handler(handleNoMemory);
  llvm::install_bad_alloc_error_handler([](void *, const char *, bool) { handleNoMemory(); });
  // Writing beyond a limit, or to a reader that has gone, is an error of the write.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}
} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv, /*InstallPipeSignalExitHandler=*/false);
  catchFailures();
  artifact::catchInterrupts();

  Options options;
  std::optional<int> code = parseOptions(argc, argv, options);
  if (!code)
    code = Compile(options).run();
  llvm::outs().flush();
  if (std::error_code error = llvm::outs().error()) {
    llvm::outs().clear_error();
    llvm::errs() << "sluicec: error: cannot write to stdout: " << error.message() << "\n";
    code = *code == Ok ? RunTimeFailure : *code;
  }
  llvm::errs().clear_error();
  return *code;
}
