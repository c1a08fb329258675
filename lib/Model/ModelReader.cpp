//===- ModelReader.cpp - which files make up a model -----------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// A directory is read through the family of its model_type; a description is read as it is, or,
// when it only says where a directory is and which keys to change, through that directory's family.
//
//===----------------------------------------------------------------------===//
#include "sluice/Model/ModelReader.h"
#include "Families.h"
#include "Resolver.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace sluice::model {

Model::Model(Description description)
    : resolved(std::make_unique<Description>(std::move(description))) {}
Model::~Model() = default;
Model::Model(Model &&) noexcept = default;
Model &Model::operator=(Model &&) noexcept = default;

void Model::print(raw_ostream &os) const { printDescription(*resolved, os); }

namespace {

// A description is written by a person; a resolved one grows with its steps, not with its layers.
constexpr uint64_t maxDescriptionBytes = 16u << 20;

/// A parsed YAML text; |root| points into nothing but itself.
struct Parsed {
  std::unique_ptr<SourceText> source;
  std::unique_ptr<YamlNode> root;
};

std::optional<Parsed> parseText(std::unique_ptr<SourceText> source, ProblemLog &log) {
  if (!source)
    return std::nullopt;
  std::unique_ptr<YamlNode> root = parseYaml(*source, log);
  if (!root)
    return std::nullopt;
  return Parsed{std::move(source), std::move(root)};
}

std::optional<Parsed> builtinFamily(StringRef name, ProblemLog &log) {
  std::optional<StringRef> text = builtinFamilyText(name);
  if (!text)
    return std::nullopt;
  return parseText(std::make_unique<SourceText>(("families/" + name + ".yaml").str(), text->str()),
                   log);
}

class Reader {
public:
  Reader(const ModelOptions &options, ProblemLog &log) : options(options), log(log) {}

  std::optional<Model> run();

private:
  std::optional<Model> readDirectory(StringRef directory, const Parsed *overrides);
  std::optional<Model> readDescription(StringRef path);
  std::optional<Parsed> familyOf(const ModelFiles &files);
  bool readFragments(const YamlNode &uses, const SourceText &source, std::vector<Parsed> &into);
  bool applyOverrides(const Parsed &description, ModelFiles &files);
  std::optional<Model> resolve(const Parsed &description, const ModelFiles *files,
                               StringRef directory, StringRef defaultName);

  const ModelOptions &options;
  ProblemLog &log;
};

/// The family of config.json's model_type, or the user's own.
std::optional<Parsed> Reader::familyOf(const ModelFiles &files) {
  if (!options.familyFile.empty())
    return parseText(readSource(options.familyFile, maxDescriptionBytes, log,
                                sys::path::filename(options.familyFile)),
                     log);
  const JsonFile &config = files.config();
  const json::Value *type = config.find("model_type");
  std::optional<StringRef> name = type ? type->getAsString() : std::nullopt;
  if (!name) {
    log.badInput(config.source(), config.offset("model_type"),
                 "expected 'model_type' to be a string that names the family; it is " +
                     (type ? describe(*type) : "absent"));
    return std::nullopt;
  }
  if (std::optional<Parsed> family = builtinFamily(*name, log))
    return family;
  if (!log.failed())
    log.cannotCompile(config.source(), config.offset("model_type"),
                      "model_type '" + *name + "' has no family" +
                          didYouMean(*name, builtinFamilies()) + "; built in are " +
                          join(builtinFamilies(), ", ") +
                          ", and --family=FILE describes another (docs/Descriptions.md)");
  return std::nullopt;
}

/// `set` of a description: values that come before config.json's.
bool Reader::applyOverrides(const Parsed &description, ModelFiles &files) {
  const YamlNode *set = description.root->find("set");
  if (!set)
    return true;
  for (const YamlNode::Entry &entry : set->entries) {
    const YamlNode &node = entry.value;
    json::Value value(nullptr);
    if (node.kind == YamlNode::Scalar && !node.quoted) {
      Expected<json::Value> parsed = json::parse(node.text);
      if (parsed)
        value = std::move(*parsed);
      else
        consumeError(parsed.takeError());
    }
    if (node.kind == YamlNode::Scalar && value.getAsNull())
      value = node.text;
    if (node.kind != YamlNode::Scalar && node.kind != YamlNode::Null) {
      log.badInput(*description.source, node.offset,
                   "expected a number, a word, true, false or null, but found " + node.describe());
      return false;
    }
    files.set(entry.key, std::move(value), *description.source, entry.keyOffset);
  }
  return true;
}

/// The files of families/parts that `uses` names.
bool Reader::readFragments(const YamlNode &uses, const SourceText &source,
                           std::vector<Parsed> &into) {
  if (uses.kind != YamlNode::List) {
    log.badInput(source, uses.offset, "expected a list of parts, but found " + uses.describe());
    return false;
  }
  for (const YamlNode &name : uses.items) {
    std::optional<StringRef> text = builtinPartText(name.text);
    if (!text) {
      log.badInput(source, name.offset,
                   "no part '" + name.text + "' is built in; there are " +
                       join(builtinParts(), ", "));
      return false;
    }
    std::optional<Parsed> part = parseText(
        std::make_unique<SourceText>(("families/parts/" + name.text + ".yaml"), text->str()), log);
    if (!part || !checkKeys(*part->root, *part->source,
                            {"sluice", "part", "config", "ignored", "refuse", "checks", "blocks"},
                            "a part", log))
      return false;
    into.push_back(std::move(*part));
  }
  return true;
}

std::optional<Model> Reader::resolve(const Parsed &description, const ModelFiles *files,
                                     StringRef directory, StringRef defaultName) {
  std::optional<Parsed> common;
  std::vector<Config::Declarations> declarations;
  if (files) {
    common = builtinFamily("keys", log);
    if (!common)
      return std::nullopt;
    declarations.push_back({common->root.get(), common->source.get()});
  }
  // What a family says itself decides.
  std::vector<Parsed> used;
  if (const YamlNode *uses = description.root->find("uses"))
    if (!readFragments(*uses, *description.source, used))
      return std::nullopt;
  std::vector<Config::Declarations> fragments;
  for (const Parsed &one : used)
    fragments.push_back({one.root.get(), one.source.get(), /*isPart=*/true});
  append_range(declarations, fragments);
  declarations.push_back({description.root.get(), description.source.get()});
  Config config;
  if (!config.read(declarations, files, log))
    return std::nullopt;

  ResolveOptions resolveOptions;
  resolveOptions.name = options.name.empty() ? defaultName.str() : options.name;
  resolveOptions.dtype = options.dtype;
  resolveOptions.kvDType = options.kvDType;
  resolveOptions.page = options.page;
  resolveOptions.seed = options.randomSeed;
  resolveOptions.checkpointDirectory = directory.str();
  std::optional<Description> resolved =
      Resolver(*description.root, *description.source, fragments, config, resolveOptions, log)
          .run();
  if (!resolved)
    return std::nullopt;
  return Model(std::move(*resolved));
}

std::optional<Model> Reader::readDirectory(StringRef directory, const Parsed *overrides) {
  std::unique_ptr<ModelFiles> files = ModelFiles::read(directory, log);
  if (!files || (overrides && !applyOverrides(*overrides, *files)))
    return std::nullopt;
  bool describesItself = overrides && overrides->root->find("functions");
  std::optional<Parsed> family;
  if (!describesItself && !(family = familyOf(*files)))
    return std::nullopt;
  SmallString<256> absolute(directory);
  sys::fs::make_absolute(absolute);
  sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
  std::string name = sys::path::filename(absolute).str();
  if (overrides)
    if (const YamlNode *model = overrides->root->find("model"))
      if (const YamlNode *given = model->find("name"))
        name = given->text;
  return resolve(describesItself ? *overrides : *family, files.get(), directory, name);
}

std::optional<Model> Reader::readDescription(StringRef path) {
  std::optional<Parsed> description =
      parseText(readSource(path, maxDescriptionBytes, log, sys::path::filename(path)), log);
  if (!description)
    return std::nullopt;
  const YamlNode &root = *description->root;
  auto beside = [&](StringRef name) {
    SmallString<256> full(sys::path::parent_path(path));
    sys::path::append(full, name);
    return sys::path::is_absolute(name) ? name.str() : std::string(full);
  };
  if (const YamlNode *from = root.find("from")) {
    const YamlNode *directory = from->find("hf");
    if (!checkKeys(*from, *description->source, {"hf"}, "'from'", log))
      return std::nullopt;
    if (!directory || directory->kind != YamlNode::Scalar) {
      log.badInput(*description->source, from->offset,
                   "expected 'from: {hf: DIRECTORY}', a directory with config.json");
      return std::nullopt;
    }
    if (!root.find("functions") &&
        !checkKeys(root, *description->source, {"sluice", "model", "from", "set"},
                   "a description that takes its functions 'from' a directory", log))
      return std::nullopt;
    return readDirectory(beside(directory->text), &*description);
  }
  if (const YamlNode *family = root.find("family")) {
    log.badInput(*description->source, family->offset,
                 "this is a family, not a model; give a directory and --family=FILE");
    return std::nullopt;
  }
  // A relative checkpoint is beside the description.
  std::string directory;
  if (const YamlNode *checkpoint = root.find("checkpoint"); checkpoint && !options.randomSeed)
    directory = beside(checkpoint->text);
  return resolve(*description, nullptr, directory, "");
}

std::optional<Model> Reader::run() {
  for (const std::string &dtype : {options.dtype, options.kvDType})
    if (!dtype.empty() && dtype != "f32" && dtype != "bf16") {
      log.report(Severity::CannotCompile, {},
                 "dtype '" + dtype + "' is not built; built are f32 and bf16");
      return std::nullopt;
    }
  if (options.page < 16 || options.page % 16 != 0) {
    log.report(Severity::CannotCompile, {},
               "expected a page of a positive multiple of 16 slots, but found " +
                   Twine(options.page));
    return std::nullopt;
  }
  StringRef path = options.path;
  if (sys::fs::is_directory(path))
    return readDirectory(path, nullptr);
  if (sys::path::filename(path) == "config.json")
    return readDirectory(sys::path::has_parent_path(path) ? sys::path::parent_path(path) : ".",
                         nullptr);
  if (path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json"))
    return readDescription(path);
  log.badInput(path, "expected a directory with config.json or a .sluice.yaml file" +
                         Twine(sys::fs::exists(path) ? "" : ", but there is nothing of that name"));
  return std::nullopt;
}

} // namespace

std::optional<Model> readModel(const ModelOptions &options, ProblemLog &log) {
  std::optional<Model> model = Reader(options, log).run();
  // A remark must not pass for success, nor success for a failure.
  assert(model.has_value() || log.failed());
  return log.failed() ? std::nullopt : std::move(model);
}

mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context,
                                              const ModelOptions &options, ProblemLog &log) {
  std::optional<Model> model = readModel(options, log);
  return model ? importModel(context, *model, log) : nullptr;
}

} // namespace sluice::model
