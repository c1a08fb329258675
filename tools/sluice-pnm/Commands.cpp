// SPDX-License-Identifier: Apache-2.0
//
// Parsing of arguments, the verbs about machines and forms, and files.
#include "tools/sluice-pnm/Commands.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using sluice::model::ProblemLog;

namespace sluice::pnm {

static constexpr uint64_t kMostProgramBytes = uint64_t(4) << 30;

static int usage(const Twine &message) {
  errs() << "sluice-pnm: " << message << "; 'sluice-pnm --help' lists the verbs and options\n";
  return Usage;
}

int writeFile(StringRef path, StringRef text) {
  if (path.empty() || path == "-") {
    outs() << text;
    return Ok;
  }
  std::error_code error;
  {
    raw_fd_ostream os(path, error);
    if (!error) {
      os << text;
      os.close();
      error = os.error();
      os.clear_error();
    }
  }
  if (!error)
    return Ok;
  errs() << "sluice-pnm: cannot write '" << path << "': " << error.message() << "\n";
  return Failed;
}

std::optional<Program> readProgram(StringRef path, ProblemLog &log) {
  std::unique_ptr<model::SourceText> source = model::readSource(path, kMostProgramBytes, log);
  if (!source)
    return std::nullopt;
  if (!source->text().starts_with("SLPNM"))
    return parseProgram(*source, log);
  std::string why;
  std::optional<Program> program = decodeProgram(source->text(), why);
  if (!program)
    log.badInput(path, why);
  return program;
}

int printFindings(const Program &program, StringRef path, ArrayRef<Finding> findings) {
  for (const Finding &finding : findings) {
    errs() << path << ": ";
    if (finding.command >= 0)
      errs() << "command " << finding.command << " ("
             << nameOf(program.commands[finding.command].opcode) << "): ";
    errs() << (finding.error ? "error: " : "remark: ") << finding.message << "\n";
  }
  return hasErrors(findings) ? CannotDo : Ok;
}

namespace {
struct OptionRule {
  StringLiteral name;
  function_ref<bool(StringRef)> set; ///< false: not a value that it takes
};
} // namespace

static std::optional<int> parseOptions(ArrayRef<StringRef> arguments, Options &options) {
  auto text = [](StringRef &into) {
    return [&into](StringRef value) {
      into = value;
      return !value.empty();
    };
  };
  auto number = [](uint64_t &into) {
    return [&into](StringRef value) { return !value.getAsInteger(10, into); };
  };
  auto output = text(options.output), machine = text(options.machine),
       inputs = text(options.inputs), outputs = text(options.outputs),
       timeline = text(options.timeline), format = text(options.format), fail = text(options.fail);
  auto report = [&](StringRef value) {
    options.report = value;
    return value == "text" || value == "json";
  };
  auto set = [&](StringRef value) {
    options.changes.push_back(value);
    return value.contains('=');
  };
  auto random = [&](StringRef value) {
    options.random = 0;
    return !value.getAsInteger(10, *options.random);
  };
  auto repeat = number(options.repeat), device = number(options.device),
       limit = number(options.limit);
  OptionRule rules[] = {{"-o", output},           {"--machine", machine}, {"--set", set},
                        {"--inputs", inputs},     {"--outputs", outputs}, {"--random", random},
                        {"--repeat", repeat},     {"--fail", fail},       {"--report", report},
                        {"--timeline", timeline}, {"--format", format},   {"--device", device},
                        {"--limit", limit}};
  for (size_t i = 0; i < arguments.size(); ++i) {
    StringRef argument = arguments[i];
    if (argument == "--no-hazards") {
      options.hazards = false;
    } else if (argument == "--gated-energy") {
      options.gatedEnergy = true;
    } else if (argument.starts_with("-") && argument != "-") {
      auto [name, value] = argument.split('=');
      auto *rule =
          llvm::find_if(rules, [&, n = name](const OptionRule &rule) { return rule.name == n; });
      if (rule == std::end(rules)) {
        std::vector<StringRef> known = {"--no-hazards", "--gated-energy"};
        for (const OptionRule &r : rules)
          known.push_back(r.name);
        return usage("there is no option '" + name + "'" + model::didYouMean(name, known));
      }
      if (!argument.contains('=')) {
        if (++i == arguments.size())
          return usage("'" + name + "' takes a value");
        value = arguments[i];
      }
      if (!rule->set(value))
        return usage("'" + name + "' does not take '" + value + "'");
    } else if (options.input.empty()) {
      options.input = argument;
    } else {
      return usage("one argument too many: '" + argument + "'");
    }
  }
  return std::nullopt;
}

static std::optional<PNMMachine> readMachine(StringRef name, const Options &options,
                                             ProblemLog &log) {
  std::optional<PNMMachine> machine = readPNMMachine(name, log);
  if (!machine)
    return std::nullopt;
  for (StringRef change : options.changes)
    if (std::string wrong = machine->set(change); !wrong.empty()) {
      log.badInput("--set=" + change.str(), wrong);
      return std::nullopt;
    }
  return machine;
}

static int listMachines(ProblemLog &log) {
  for (StringRef name : pnmMachineNames()) {
    std::optional<PNMMachine> machine = readPNMMachine(name, log);
    if (!machine)
      break;
    outs() << formatv("{0,-22} {1,-11} {2,5:f0} devices, {3,7:f1} GB and {4,8:f1} GB/s each\n",
                      name, machine->role, machine->get("topology.devices"),
                      machine->get("capacity.device_bytes") / 1e9, machine->peakBandwidth() / 1e9);
  }
  log.print(errs());
  return log.exitCode();
}

int runVerb(StringRef verb, ArrayRef<StringRef> arguments) {
  Options options;
  if (std::optional<int> code = parseOptions(arguments, options))
    return *code;
  ProblemLog log;
  auto done = [&](int code) {
    log.print(errs());
    return log.failed() ? log.exitCode() : code;
  };
  StringRef verbs[] = {"machines", "machine",  "schema", "asm",   "disasm",
                       "check",    "simulate", "trace",  "energy"};
  if (!is_contained(verbs, verb))
    return usage("there is no verb '" + verb + "'" + model::didYouMean(verb, verbs));
  if (verb == "machines")
    return listMachines(log);
  if (verb == "schema") {
    printPNMSchema(outs());
    return Ok;
  }
  if (verb == "energy")
    return energyVerb(options);
  if (options.input.empty())
    return usage("'" + verb + "' takes a " + (verb == "machine" ? "machine" : "program"));
  if (verb == "machine") {
    if (std::optional<PNMMachine> machine = readMachine(options.input, options, log))
      machine->printJson(outs());
    return done(Ok);
  }
  std::optional<Program> program = readProgram(options.input, log);
  if (!program)
    return done(BadInput);
  if (verb == "asm") {
    if (options.output.empty())
      return usage("asm takes -o FILE");
    return done(writeFile(options.output, encodeProgram(*program)));
  }
  if (verb == "disasm") {
    std::string text;
    raw_string_ostream os(text);
    print(*program, os);
    return done(writeFile(options.output, text));
  }
  StringRef name = options.machine.empty() ? StringRef(program->machine) : options.machine;
  std::optional<PNMMachine> machine = readMachine(name, options, log);
  if (!machine)
    return done(BadInput);
  std::vector<Finding> findings =
      verify(*program, *machine, {options.gatedEnergy, options.hazards});
  if (int code = printFindings(*program, options.input, findings))
    return code;
  if (verb == "check") {
    outs() << formatv("{0} commands, {1} memories: valid for {2}\n", program->commands.size(),
                      program->memories.size() - 1, machine->name);
    return Ok;
  }
  return verb == "simulate" ? simulateVerb(options, *program, *machine)
                            : traceVerb(options, *program, *machine);
}

} // namespace sluice::pnm
