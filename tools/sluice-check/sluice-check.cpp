// SPDX-License-Identifier: Apache-2.0
//
// sluice-check: runs the functions of a file on a target and compares what they give with the
// oracle, or with numbers that the file pins. Exit codes: 0 equal, 1 usage, 2 bad input, 3 cannot
// compile, 4 run-time failure, 5 numbers differ. The last line of a run that found a difference is
// the command that replays it.

#include "Inputs.h"
#include "Target.h"
#include "sluice/InitAll.h"
#include "sluice/Pipeline/MessageStream.h"
#include "sluice/Pipeline/Pipeline.h"
#include "sluice/Pipeline/ReadModule.h"
#include "sluice/Reference/Bounds.h"
#include "sluice/Reference/Compare.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/VirtualFileSystem.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::check;
using namespace sluice::reference;
namespace cl = llvm::cl;

static cl::opt<std::string> file(cl::Positional, cl::desc("FILE.mlir"));
static cl::opt<std::string>
    cpuName("cpu",
            cl::desc("the processor to compile for, one that this machine can play (native)"),
            cl::init("native"));
static cl::opt<std::string> targetName("target", cl::desc("reference, cpu"), cl::init("reference"));
static cl::opt<std::string> against("against",
                                    cl::desc("reference, or pinned: check.expect of the file"));
static cl::opt<uint64_t>
    seed("seed", cl::desc("of inputs, and of weights where the file names none"), cl::init(7));
static cl::list<std::string>
    rowsOption("rows", cl::desc("rows of each sequence, such as 3,0,1 (one case per option)"));
static cl::list<std::string>
    pastOption("past", cl::desc("keys that each sequence has already (one per --rows)"));
static cl::opt<std::string> functionName("function", cl::desc("only this function"));
static cl::opt<std::string> corrupt("corrupt",
                                    cl::desc("RESULT:INDEX: change this number before comparing"));
static cl::opt<std::string>
    breakMemory("break", cl::desc("redzone, input: damage memory as a broken kernel would"),
                cl::Hidden);
static cl::opt<bool> printBounds("print-bounds", cl::desc("print the table of bounds and stop"));
static cl::opt<bool> listTargets("targets", cl::desc("print the targets of this build and stop"));
static cl::opt<bool> verbose("verbose", cl::desc("also say what agrees, and how closely"));

enum Exit { kOk = 0, kUsage = 1, kBadInput = 2, kCannotCompile = 3, kRunFailed = 4, kDiffer = 5 };

static int usage(const llvm::Twine &text) {
  llvm::errs() << "sluice-check: " << text << "\n";
  return kUsage;
}

//===-- Cases
//--------------------------------------------------------------------------------------===//

static std::optional<std::vector<int64_t>> parseList(StringRef text) {
  std::vector<int64_t> numbers;
  SmallVector<StringRef> parts;
  if (!text.empty())
    text.split(parts, ',');
  for (StringRef part : parts) {
    int64_t number;
    if (part.getAsInteger(10, number) || number < 0 || number > (1 << 20))
      return std::nullopt;
    numbers.push_back(number);
  }
  return numbers;
}

/// The sizes to run a function with, unless the options or the file say others: a ragged batch with
/// an empty sequence and a single row, one row after more keys than a cut holds, a long sequence,
/// and nothing at all.
static std::vector<Sizes> defaultSizes(bool pages) {
  std::vector<Sizes> all = {
      {{5, 0, 1, 18}, {7, 3, 0, 33}, 0}, {{1}, {300}, 0}, {{37}, {0}, 0}, {{0, 0}, {0, 5}, 0}};
  for (Sizes &sizes : all)
    if (!pages)
      sizes.past.assign(sizes.rows.size(), 0);
  return all;
}

/// Fails, having said so, when an option is no list of numbers.
static FailureOr<std::vector<Sizes>> sizesFor(func::FuncOp function) {
  std::vector<Sizes> all;
  if (auto fixed = fixedSizes(function))
    return std::vector<Sizes>{*fixed};
  if (!hasDynamicSizes(function))
    return std::vector<Sizes>(1);
  bool pages = hasPages(function);
  if (rowsOption.empty())
    all = defaultSizes(pages);
  for (auto [i, text] : llvm::enumerate(rowsOption)) {
    auto rows = parseList(text);
    auto past = i < pastOption.size() ? parseList(pastOption[i])
                                      : std::vector<int64_t>(rows ? rows->size() : 0, 0);
    if (!rows || !past) {
      usage("expects numbers separated by commas after --rows and --past, but found '" + text +
            "'");
      return failure();
    }
    all.push_back({*rows, *past, 0});
  }
  for (Sizes &sizes : all)
    sizes.asked = std::min<int64_t>(sizes.total(), static_cast<int64_t>(sizes.rows.size()) + 2);
  return all;
}

/// The options that run this case alone.
static std::string caseOptions(const Case &input) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << " --function=" << const_cast<Case &>(input).function.getName()
         << " --seed=" << input.seed;
  if (!fixedSizes(input.function) && hasDynamicSizes(input.function)) {
    stream << " --rows="
           << llvm::join(
                  llvm::map_range(input.sizes.rows, [](int64_t n) { return std::to_string(n); }),
                  ",");
    if (hasPages(input.function))
      stream << " --past="
             << llvm::join(
                    llvm::map_range(input.sizes.past, [](int64_t n) { return std::to_string(n); }),
                    ",");
  }
  return text;
}

//===-- Expectations
//-------------------------------------------------------------------------------===//

/// What the file pins: check.expect on results, check.trap on the function.
static FailureOr<Outcome> pinned(const Case &input) {
  func::FuncOp function = input.function;
  Outcome outcome;
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    Attribute attribute = function.getResultAttr(i, "check.expect");
    auto dense = dyn_cast_if_present<DenseElementsAttr>(attribute);
    if (attribute && !dense)
      return FailureOr<Outcome>(function.emitError()
                                << "expects check.expect = dense<...> on '"
                                << resultName(function, i) << "', but found " << attribute);
    outcome.results.push_back(dense ? Datum(std::make_shared<const Tensor>(Tensor::constant(dense)))
                                    : Datum(std::shared_ptr<const Tensor>()));
  }
  if (auto trap = function->getAttrOfType<DenseI64ArrayAttr>("check.trap")) {
    if (trap.size() != 3)
      return FailureOr<Outcome>(
          function.emitError("expects check.trap = array<i64: code, value, bound>"));
    outcome.trap = Trap{static_cast<Trap::Code>(trap[0]), trap[1], trap[2], function.getLoc()};
  }
  return outcome;
}

static bool pinsSomething(func::FuncOp function) {
  if (function->hasAttr("check.trap"))
    return true;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (function.getResultAttr(i, "check.expect"))
      return true;
  return false;
}

//===-- Comparison
//---------------------------------------------------------------------------------===//

static std::string trapText(const std::optional<Trap> &trap) {
  if (!trap)
    return "no trap";
  return "trap " + std::to_string(trap->code) + " (" + std::to_string(trap->value) +
         " is not in [0, " + std::to_string(trap->bound) + "))";
}

/// Changes the number that --corrupt names; false when this outcome has none such.
static FailureOr<bool> corruptOutcome(Outcome &outcome, func::FuncOp function) {
  auto [name, indexText] = StringRef(corrupt).rsplit(':');
  int64_t index;
  if (indexText.empty() || indexText.getAsInteger(10, index) || index < 0) {
    usage("expects --corrupt=RESULT:INDEX, but found '" + corrupt + "'");
    return failure();
  }
  for (unsigned i = 0; i < outcome.results.size(); ++i) {
    if (name != resultName(function, i) && name != std::to_string(i))
      continue;
    auto *shared = std::get_if<std::shared_ptr<const Tensor>>(&outcome.results[i]);
    if (!shared || index >= (*shared)->count())
      continue;
    auto changed = std::make_shared<Tensor>(**shared);
    if (changed->isFloat()) {
      double &number = changed->numbers[index];
      number = std::isfinite(number)
                   ? roundTo(changed->element, number + std::max(1.0, std::fabs(number)))
                   : 0.5;
    } else {
      changed->integers[index] += 1;
    }
    outcome.results[i] = std::shared_ptr<const Tensor>(changed);
    return true;
  }
  return false;
}

namespace {
/// Runs everything and keeps count.
class Checker {
public:
  Checker(ModuleOp module, Target &target, Target *oracle)
      : module(module), target(target), oracle(oracle) {}

  int run() {
    bool found = false;
    for (auto function : module.getOps<func::FuncOp>()) {
      if (!functionName.empty() && function.getName() != functionName)
        continue;
      if (function.isPrivate() || (!oracle && !pinsSomething(function)))
        continue;
      found = true;
      if (int code = check(function))
        return code;
    }
    if (!found) {
      llvm::errs() << "sluice-check: " << file << ": expects a public function"
                   << (functionName.empty() ? "" : " '" + functionName + "'")
                   << (oracle ? "" : " with check.expect or check.trap")
                   << ", but there is none, so nothing was checked\n";
      return kBadInput;
    }
    if (!corrupt.empty() && !corrupted) {
      llvm::errs()
          << "sluice-check: expects --corrupt to name a number of a result, but there is no '"
          << corrupt << "'\n";
      return kBadInput;
    }
    llvm::outs() << file << ": " << cases << (cases == 1 ? " case, " : " cases, ") << numbers
                 << " numbers, "
                 << (differing ? std::to_string(differing) + " differ" : "all agree") << " ("
                 << target.name() << " against " << (oracle ? "reference" : "pinned") << ")\n";
    if (differing) {
      llvm::outs().flush();
      llvm::errs() << "replay: " << replay << "\n";
      return kDiffer;
    }
    return kOk;
  }

private:
  int check(func::FuncOp function) {
    FailureOr<std::vector<Sizes>> all = sizesFor(function);
    if (failed(all))
      return kUsage;
    for (const Sizes &sizes : *all) {
      FailureOr<Case> input = makeCase(function, sizes, seed);
      if (failed(input))
        return kBadInput;
      FailureOr<Outcome> expected = oracle ? oracle->run(*input, 0) : pinned(*input);
      if (failed(expected))
        return kBadInput;
      std::vector<std::string> variants = target.variants();
      for (unsigned variant = 0; variant < variants.size(); ++variant) {
        FailureOr<Outcome> outcome = target.run(*input, variant);
        if (failed(outcome))
          return target.name() == "reference" ? kBadInput : kRunFailed;
        if (!corrupt.empty()) {
          FailureOr<bool> changed = corruptOutcome(*outcome, function);
          if (failed(changed))
            return kUsage;
          corrupted |= *changed;
        }
        ++cases;
        compareOutcome(*input, variants[variant], *expected, *outcome);
      }
    }
    return kOk;
  }

  void compareOutcome(const Case &input, StringRef variant, const Outcome &expected,
                      const Outcome &found) {
    func::FuncOp function = input.function;
    std::vector<std::string> problems = found.damage;
    auto sameTrap = [](const Trap &a, const Trap &b) {
      return a.code == b.code && a.value == b.value && a.bound == b.bound;
    };
    if (expected.trap.has_value() != found.trap.has_value() ||
        (expected.trap && !sameTrap(*expected.trap, *found.trap)))
      problems.push_back("expected " + trapText(expected.trap) + ", found " + trapText(found.trap));
    std::vector<std::string> remarks;
    // A step that ends in a trap says nothing else, unless the file does.
    bool compares = !(oracle && expected.trap);
    for (unsigned i = 0; compares && i < expected.results.size(); ++i) {
      std::string name = resultName(function, i);
      Report report;
      std::string text;
      if (auto *pages = std::get_if<std::shared_ptr<const Pages>>(&expected.results[i])) {
        report = compare(**pages, *std::get<std::shared_ptr<const Pages>>(found.results[i]));
        Tensor flat((*pages)->elementType(), {report.compared});
        flat.accuracy = (*pages)->accuracy;
        text = describe(report, name, flat);
      } else {
        auto tensor = std::get<std::shared_ptr<const Tensor>>(expected.results[i]);
        if (!tensor)
          continue; // not pinned
        auto *other = std::get_if<std::shared_ptr<const Tensor>>(&found.results[i]);
        if (!other) {
          problems.push_back("'" + name + "': expected a tensor, found pages");
          continue;
        }
        report = compare(*tensor, **other);
        text = describe(report, name, *tensor);
      }
      numbers += report.compared;
      (report.passed() ? remarks : problems).push_back(text);
    }
    if (problems.empty() && !verbose)
      return;
    raw_ostream &out = problems.empty() ? llvm::errs() : llvm::outs();
    out << file << ": @" << function.getName();
    if (!variant.empty())
      out << " (" << variant << ")";
    out << caseOptions(input) << "\n";
    for (const std::string &problem : problems)
      out << "  " << problem << "\n";
    if (verbose)
      for (const std::string &remark : remarks)
        out << "  " << remark << "\n";
    if (problems.empty())
      return;
    if (differing++ == 0)
      replay = replayCommand(input);
  }

  std::string replayCommand(const Case &input) const {
    std::string text = "sluice-check " + file.getValue() + " --target=" + targetName.getValue();
    if (cpuName.getNumOccurrences())
      text += " --cpu=" + cpuName.getValue();
    if (oracle)
      text += " --against=reference";
    text += caseOptions(input);
    if (!corrupt.empty())
      text += " --corrupt=" + corrupt.getValue();
    return text;
  }

  ModuleOp module;
  Target &target;
  Target *oracle;
  int64_t cases = 0, numbers = 0, differing = 0;
  bool corrupted = false;
  std::string replay;
};
} // namespace

//===-- main
//---------------------------------------------------------------------------------------===//

static void printTable() {
  llvm::outs() << "| op | types | bound | reason |\n|---|---|---|---|\n";
  for (const bounds::Row &row : bounds::table())
    llvm::outs() << "| " << row.op << " | " << row.types << " | " << row.bound << " | "
                 << row.reason << " |\n";
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "sluice-check: numeric tests\n");
  if (printBounds) {
    printTable();
    return kOk;
  }
  if (listTargets) {
    for (StringRef name : targetNames())
      llvm::outs() << name << "\n";
    return kOk;
  }
  if (file.empty())
    return usage("expects a file, but found none; see --help");
  std::string comparison = against;
  if (comparison.empty())
    comparison = targetName == "reference" ? "pinned" : "reference";
  if (comparison != "pinned" && comparison != "reference")
    return usage("expects --against=reference or --against=pinned, but found '" + comparison + "'");
  if (!pastOption.empty() && pastOption.size() != rowsOption.size())
    return usage("expects one --past per --rows");
  if (!llvm::is_contained(targetNames(), targetName.getValue())) {
    llvm::errs() << "sluice-check: the target '" << targetName
                 << "' is not part of this build; it has " << llvm::join(targetNames(), ", ")
                 << "\n";
    return kCannotCompile;
  }

  DialectRegistry registry;
  sluice::registerAllDialects(registry);
  registerCompiler(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  // A message may point into a file that a location names. It is not opened to show the line:
  // whoever wrote the module would choose what is read.
  sources.setVirtualFileSystem(llvm::makeIntrusiveRefCnt<llvm::vfs::InMemoryFileSystem>());
  MessageStream messages(llvm::errs());
  SourceMgrDiagnosticHandler diagnostics(sources, &context, messages);
  OwningOpRef<ModuleOp> module = parseModuleFile(file, sources, context);
  if (!module)
    return kBadInput;

  uint64_t weightSeed = seed;
  if (auto given = (*module)->getAttrOfType<IntegerAttr>("sluice.random_seed"))
    weightSeed = given.getValue().getZExtValue();
  else if (!(*module)->hasAttr("sluice.weights"))
    (*module)->setAttr("sluice.random_seed", Builder(&context).getI64IntegerAttr(seed));

  std::unique_ptr<Target> target = makeTarget(targetName);
  if (cpuName.getNumOccurrences() && !target->compileFor(cpuName)) {
    llvm::errs() << "sluice-check: --cpu goes with --target=cpu, not with '" << targetName << "'\n";
    return kUsage;
  }
  if (!breakMemory.empty() && !target->sabotage(breakMemory))
    return usage("expects --break=redzone or --break=input, and a target with memory of its own");
  std::unique_ptr<Target> oracle = comparison == "reference" ? makeReferenceTarget() : nullptr;
  if (oracle)
    if (int code = oracle->prepare(*module, weightSeed))
      return code;
  if (int code = target->prepare(*module, weightSeed))
    return code;
  return Checker(*module, *target, oracle.get()).run();
}
