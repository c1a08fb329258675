// SPDX-License-Identifier: Apache-2.0
//
// One table of options: parsing, help and "did you mean" all read it.

#include "Options.h"
#include "sluice/Model/Problems.h"
#include "sluice/Pipeline/MessageStream.h"
#include "sluice/Tensor/Passes.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace sluice::driver {
namespace {

/// Slots of a page that a runtime takes (docs/Limits.md).
constexpr int64_t kMostSlots = 1 << 16;

enum class Takes { Nothing, Value, OptionalValue };

struct Option {
  StringRef name; ///< with its dashes
  Takes takes;
  StringRef shown; ///< what help writes for the value
  StringRef help;
  /// Takes the value; an error says what was expected.
  Error (*read)(Options &options, StringRef value);
};

Error usage(const Twine &message) { return createStringError(message); }

Error positive(StringRef value, int64_t &out) {
  if (value.getAsInteger(10, out) || out <= 0)
    return usage("expects a positive number, but found '" + value + "'");
  return Error::success();
}

/// Reads one of `words`.
template <typename T>
Error oneOf(StringRef value, ArrayRef<std::pair<StringRef, T>> words, T &out) {
  std::string known;
  for (auto &[word, meaning] : words) {
    if (word == value) {
      out = meaning;
      return Error::success();
    }
    known += (known.empty() ? "" : ", ") + word.str();
  }
  return usage("expects one of " + known + ", but found '" + value + "'");
}

Error readStage(StringRef value, Stage &out) {
  if (auto stage = symbolizeStage(value)) {
    out = *stage;
    return Error::success();
  }
  return usage("expects one of model, tensor, placed, target, artifact, but found '" + value + "'");
}

/// Exits with 3: the option is part of the command line, what it asks for is not part of this
/// build.
class NotBuilt : public ErrorInfo<NotBuilt> {
public:
  static char ID;
  explicit NotBuilt(std::string message) : message(std::move(message)) {}
  void log(raw_ostream &os) const override { os << message; }
  std::error_code convertToErrorCode() const override { return inconvertibleErrorCode(); }
  std::string message;
};
char NotBuilt::ID = 0;

Error notBuilt(Options &, StringRef) { return make_error<NotBuilt>("is not built yet"); }

Error readTarget(Options &, StringRef value) {
  if (value == "cpu")
    return Error::success();
  if (value == "cuda" || value == "pnm")
    return make_error<NotBuilt>(("for " + value + " is not built yet; this build has cpu").str());
  return usage("expects one of cpu, cuda, pnm, but found '" + value + "'");
}

Error readWeights(Options &options, StringRef value) {
  uint64_t seed;
  if (!value.consume_front("random:") || value.getAsInteger(10, seed) || seed > INT64_MAX)
    return usage("expects random:SEED with a number below 2^63");
  options.randomSeed = seed;
  return Error::success();
}

Error readQuantize(Options &options, StringRef value) {
  std::string error;
  if (!tensor::parseQuantization(value, error))
    return usage(error);
  options.quantize = value.str();
  return Error::success();
}

Error readKV(Options &options, StringRef value) {
  if (value == "f8e4m3" || value == "int8")
    return make_error<NotBuilt>(
        ("of " + value + " is not built yet; this build has f32 and bf16").str());
  StringRef word;
  if (Error error = oneOf<StringRef>(value, {{"f32", "f32"}, {"bf16", "bf16"}}, word))
    return error;
  options.kv = word;
  return Error::success();
}

Error readEmit(Options &options, StringRef value) {
  if (value == "ptx")
    return make_error<NotBuilt>("of ptx is not built yet; this build has mlir, llvm, asm and obj");
  return oneOf<Emit>(
      value,
      {{"mlir", Emit::Mlir}, {"llvm", Emit::Llvm}, {"asm", Emit::Assembly}, {"obj", Emit::Object}},
      options.emit);
}

Error readCPUs(Options &options, StringRef value) {
  SmallVector<StringRef> names;
  value.split(names, ',');
  options.cpus.clear();
  for (StringRef name : names) {
    if (name.empty())
      return usage("expects names of processors with commas between, but found '" + value + "'");
    if (is_contained(options.cpus, name))
      return usage("names '" + name + "' twice");
    options.cpus.push_back(name.str());
  }
  return Error::success();
}

/// A count that a session can have at most.
Error readCount(StringRef value, std::optional<int64_t> &out) {
  int64_t count = 0;
  if (Error error = positive(value, count))
    return error;
  if (count > 1 << 24)
    return usage("expects at most 16777216, but found '" + value + "'");
  out = count;
  return Error::success();
}

ArrayRef<Option> table() {
  static const Option options[] = {
      {"-o", Takes::Value, "OUT",
       "what to write: a directory OUT.sluice, or a file with --to and --emit ('-': stdout)",
       [](Options &o, StringRef v) -> Error { return o.output = v, Error::success(); }},
      {"--target", Takes::Value, "cpu|cuda|pnm", "what to compile for", readTarget},
      {"--cpu", Takes::Value, "NAME,...",
       "native, x86-64-v3, x86-64-v4 or a name that LLVM knows; with several names the artefact "
       "holds code for each, and the loader takes the best that fits",
       readCPUs},
      {"--gpu", Takes::Value, "sm_90a", "the GPU of --target=cuda", notBuilt},
      {"--pnm", Takes::Value, "MACHINE", "the machine of --target=pnm", notBuilt},
      {"--quantize", Takes::Value, "int8|int4|int8w|int4w",
       "weights of linear layers in 8 or 4 bits, their rows in 8; w: weights only", readQuantize},
      {"--weights", Takes::Value, "random:SEED",
       "generate weights from a seed instead of reading them", readWeights},
      {"--kernel", Takes::Value, "FAMILY", "one kernel instead of a model", notBuilt},
      {"--dtype", Takes::Value, "f32|bf16",
       "the element type of weights; the checkpoint's when not given",
       [](Options &o, StringRef v) -> Error {
         StringRef word;
         if (Error error = oneOf<StringRef>(v, {{"f32", "f32"}, {"bf16", "bf16"}}, word))
           return error;
         return o.dtype = word, Error::success();
       }},
      {"--kv", Takes::Value, "f32|bf16|f8e4m3|int8", "the element type of cached keys and values",
       readKV},
      {"--page", Takes::Value, "N", "slots of a page, a multiple of 16 (16)",
       [](Options &o, StringRef v) -> Error {
         if (Error error = positive(v, o.page))
           return error;
         if (o.page % 16 || o.page > kMostSlots)
           return usage("expects a multiple of 16 up to " + Twine(kMostSlots) + ", but found '" +
                        v + "'");
         return Error::success();
       }},
      {"--max-rows", Takes::Value, "N",
       "rows of one step, at most; sessions have 512 when not given",
       [](Options &o, StringRef v) -> Error { return readCount(v, o.maxRows); }},
      {"--max-batch", Takes::Value, "N",
       "sequences of one step, at most; sessions have 8 when not given",
       [](Options &o, StringRef v) -> Error { return readCount(v, o.maxBatch); }},
      {"--max-seq", Takes::Value, "N",
       "the longest sequence; as many tokens as the model has positions when not given",
       [](Options &o, StringRef v) -> Error {
         int64_t value = 0;
         if (Error error = positive(v, value))
           return error;
         if (value > INT32_MAX)
           return usage("expects at most " + Twine(INT32_MAX) + " tokens, but found '" + v + "'");
         return o.maxSeq = value, Error::success();
       }},
      {"--family", Takes::Value, "FILE",
       "how to read config.json, for a model_type that is not built in",
       [](Options &o, StringRef v) -> Error { return o.family = v, Error::success(); }},
      {"--to", Takes::Value, "STAGE",
       "stop after model, tensor, placed or target and write that stage",
       [](Options &o, StringRef v) -> Error { return readStage(v, o.to); }},
      {"--from", Takes::Value, "STAGE", "MODEL is a file of that stage, as --to wrote it",
       [](Options &o, StringRef v) -> Error {
         Stage stage = Stage::Model;
         Error error = readStage(v, stage);
         o.from = stage;
         return error;
       }},
      {"--stages-to", Takes::Value, "DIR", "write every stage that is passed into DIR as well",
       [](Options &o, StringRef v) -> Error { return o.stagesTo = v, Error::success(); }},
      {"--check", Takes::Nothing, "",
       "only check that the model compiles, up to the target stage; writes nothing",
       [](Options &o, StringRef) -> Error { return o.check = true, Error::success(); }},
      {"--explain", Takes::OptionalValue, "text|json",
       "say on stdout what a step will do: bytes, operations, floors, schedules and why, memory",
       [](Options &o, StringRef v) -> Error {
         return oneOf<Format>(v.empty() ? "text" : v,
                              {{"text", Format::Text}, {"json", Format::Json}}, o.explain);
       }},
      {"--report", Takes::OptionalValue, "DIR",
       "write that, times of the compile and llvm-mca's word on inner loops as text, JSON and a "
       "page (OUT.sluice/report)",
       [](Options &o, StringRef v) -> Error {
         return o.report = true, o.reportTo = v, Error::success();
       }},
      {"--ceilings", Takes::Value, "FILE|none",
       "what `sluice-run ceilings --format=json` said, for the floors; measured when not given and "
       "the code is for this machine",
       [](Options &o, StringRef v) -> Error {
         return v.empty() ? usage("expects a file or none") : (o.ceilings = v, Error::success());
       }},
      {"--schedule", Takes::Value, "FILE", "schedules that override the compiler's", notBuilt},
      {"--emit", Takes::Value, "mlir|llvm|asm|obj|ptx", "write code instead of an artefact",
       readEmit},
      {"--allow-nonfinite", Takes::Nothing, "",
       "warn about NaN and infinite weights instead of refusing them",
       [](Options &o, StringRef) -> Error { return o.allowNonFinite = true, Error::success(); }},
      {"--timing", Takes::Nothing, "", "say on stderr how long each stage took",
       [](Options &o, StringRef) -> Error { return o.timing = true, Error::success(); }},
      {"--help", Takes::Nothing, "", "say this", nullptr},
      {"--version", Takes::Nothing, "", "say the version", nullptr},
  };
  return options;
}

void printHelp(raw_ostream &os) {
  os << "usage: sluicec MODEL -o OUT.sluice [options]\n\n"
        "Compiles MODEL (a Hugging Face directory, a .sluice.yaml, or .mlir with --from) into an "
        "artefact for sluice-run.\n\n"
        "example: sluicec all-MiniLM-L6-v2 -o minilm.sluice && sluice-run inspect minilm.sluice\n"
        "         sluicec all-MiniLM-L6-v2 --to=placed -o -\n"
        "         sluicec all-MiniLM-L6-v2 --cpu=x86-64-v3,x86-64-v4,neoverse-v2 -o fat.sluice\n\n"
        "options:\n";
  for (const Option &option : table()) {
    std::string left = option.name.str();
    if (option.takes == Takes::Value)
      left += (option.name == "-o" ? " " : "=") + option.shown.str();
    else if (option.takes == Takes::OptionalValue)
      left += "[=" + option.shown.str() + "]";
    os << formatv("  {0,-30} {1}\n", left, option.help);
  }
  os << "\nexit codes: 0 ok, 130 interrupted, 1 usage, 2 bad input, 3 cannot compile, 4 cannot "
        "write, 70 internal error\n";
}

int fail(int code, const Twine &message) {
  MessageStream(errs()) << "sluicec: error: " << message << "\n";
  if (code == Usage)
    errs() << "sluicec --help lists the options\n";
  return code;
}

/// What fits together is only known when all is read.
std::optional<int> checkTogether(Options &options) {
  if (options.model.empty())
    return fail(
        Usage,
        "expects a MODEL: a Hugging Face directory, a .sluice.yaml file, or .mlir with --from");
  bool mlir = StringRef(options.model).ends_with(".mlir");
  if (mlir && (!options.from || *options.from == Stage::Model))
    return fail(Usage, "expects --from=tensor, --from=placed or --from=target with '" +
                           options.model + "', to know what the file is");
  if (!options.from)
    options.from = Stage::Model;
  if (*options.from == Stage::Artifact)
    return fail(Usage, "an artefact is the end: --from takes model, tensor, placed or target");
  if (!mlir && *options.from != Stage::Model)
    return fail(Usage, "expects a .mlir file with --from=" + stringify(*options.from) +
                           ", but found '" + options.model + "'");
  if (options.to < *options.from)
    return fail(Usage,
                "--to=" + stringify(options.to) + " is behind --from=" + stringify(*options.from));
  if (*options.from != Stage::Model &&
      (options.randomSeed || !options.dtype.empty() || !options.kv.empty() ||
       !options.family.empty() || options.page != 16))
    return fail(
        Usage,
        "--weights, --dtype, --kv, --page and --family say how to read a model; a file of stage " +
            stringify(*options.from) + " has decided that");
  if (*options.from > Stage::Tensor && !options.quantize.empty())
    return fail(Usage, "--quantize decides at the tensor stage, which is behind --from=" +
                           stringify(*options.from));
  bool late = *options.from == Stage::Target;
  if (options.explain != Format::None && (late || options.to < Stage::Placed))
    return fail(Usage, "--explain needs the placed stage, which is not passed here");
  if (options.report && (late || options.to != Stage::Artifact || options.emit != Emit::None))
    return fail(Usage, "--report is about an artefact made from the placed stage or an earlier "
                       "one, which is not made here");
  if (options.report && (options.explain != Format::None || options.check))
    return fail(Usage, "--report writes beside an artefact; --explain and --check make none");
  if (options.cpus.size() > 1) {
    if (late || *options.from == Stage::Placed)
      return fail(Usage, "a file of stage " + stringify(*options.from) +
                             " is for one processor already; --cpu takes one name with it");
    if (options.to > Stage::Tensor && options.to != Stage::Artifact)
      return fail(Usage, "--to=" + stringify(options.to) +
                             " writes one module; --cpu takes one "
                             "name with it");
    if (options.emit != Emit::None || !options.stagesTo.empty())
      return fail(Usage, "--emit and --stages-to are about one processor; --cpu takes one name "
                         "with them");
  }
  bool writesNothing = options.check || options.explain != Format::None;
  if (options.emit != Emit::None && options.to != Stage::Artifact)
    return fail(Usage, "--emit and --to both say what to write; give one");
  if (options.to == Stage::Artifact && options.emit == Emit::None && options.output.empty() &&
      !writesNothing)
    return fail(Usage, "expects -o OUT.sluice");
  if (options.to == Stage::Artifact && options.emit == Emit::None && options.output == "-")
    return fail(Usage, "an artefact is a directory; it cannot go to stdout");
  return std::nullopt;
}
} // namespace

std::optional<int> parseOptions(int argc, char **argv, Options &options) {
  for (int i = 1; i < argc; ++i) {
    StringRef argument = argv[i];
    if (!argument.starts_with("-") || argument == "-") {
      if (!options.model.empty())
        return fail(Usage,
                    "expects one MODEL, but found '" + options.model + "' and '" + argument + "'");
      options.model = argument.str();
      continue;
    }
    StringRef name, value;
    std::tie(name, value) = argument.split('=');
    bool hasValue = name.size() != argument.size();
    if (name == "-h")
      name = "--help";
    const Option *option =
        find_if(table(), [&](const Option &entry) { return entry.name == name; });
    if (option == table().end()) {
      auto names = map_to_vector(table(), [](const Option &entry) { return entry.name; });
      return fail(Usage, "there is no option '" + name + "'" + model::didYouMean(name, names));
    }
    if (name == "--help")
      return printHelp(outs()), Ok;
    if (name == "--version")
      return outs() << "sluicec " SLUICE_VERSION "\n", Ok;
    if (option->takes == Takes::Value && !hasValue) {
      if (++i == argc)
        return fail(Usage, "'" + name + "' expects a value: " + name + " " + option->shown);
      value = argv[i];
    }
    if (option->takes == Takes::Nothing && hasValue)
      return fail(Usage, "'" + name + "' takes no value, but found '" + value + "'");
    if (Error error = option->read(options, value)) {
      bool unbuilt = error.isA<NotBuilt>();
      return fail(unbuilt ? CannotCompile : Usage, "'" + name + "' " + toString(std::move(error)));
    }
  }
  return checkTogether(options);
}
} // namespace sluice::driver
