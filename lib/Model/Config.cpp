//===- Config.cpp - config.json read by what a family declares -------------===//
// SPDX-License-Identifier: Apache-2.0
//
// See Config.h.
//
//===----------------------------------------------------------------------===//
#include "Config.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace sluice::model {

bool checkKeys(const YamlNode &node, const SourceText &source, ArrayRef<StringRef> known,
               const Twine &where, ProblemLog &log) {
  bool fine = true;
  for (const YamlNode::Entry &entry : node.entries) {
    if (is_contained(known, entry.key))
      continue;
    log.badInput(source, entry.keyOffset,
                 "key '" + entry.key + "' is not known in " + where + didYouMean(entry.key, known));
    fine = false;
  }
  return fine;
}

//===----------------------------------------------------------------------===//
// The files
//===----------------------------------------------------------------------===//

std::unique_ptr<ModelFiles> ModelFiles::read(StringRef directory, ProblemLog &log) {
  auto files = std::make_unique<ModelFiles>();
  auto inside = [&](StringRef name) {
    SmallString<256> path(directory);
    sys::path::append(path, name);
    return std::string(path);
  };
  if (!(files->configFile = JsonFile::read(inside("config.json"), log)))
    return nullptr;
  if (std::string path = inside("generation_config.json"); sys::fs::exists(path))
    if (!(files->generationFile = JsonFile::read(path, log)))
      return nullptr;
  std::optional<SentenceSettings> settings = readSentenceFiles(directory, log);
  if (!settings)
    return nullptr;
  files->sentence =
      json::Object{{"pooling", settings->pooling}, {"normalize", settings->normalize}};
  if (settings->maxSeqLength)
    files->sentence["max_seq_length"] = settings->maxSeqLength;
  return files;
}

ModelFiles::Found ModelFiles::find(StringRef path) const {
  if (auto set = overrides.find(path); set != overrides.end())
    return {&set->second->value, set->second->source, set->second->offset};
  if (StringRef key = path; key.consume_front("sentence."))
    return {sentence.get(key), nullptr, 0};
  const JsonFile *file = configFile.get();
  StringRef key = path;
  if (key.consume_front("generation."))
    file = generationFile.get();
  if (!file)
    return {};
  return {file->find(key), &file->source(), file->offset(key)};
}

void ModelFiles::set(StringRef path, json::Value value, const SourceText &source, size_t offset) {
  overrides[path] = std::make_unique<Override>(Override{std::move(value), &source, offset});
}

//===----------------------------------------------------------------------===//
// Declared keys
//===----------------------------------------------------------------------===//

namespace {

enum class KeyType { Int, Float, Bool, String, Ints, Floats, Strings };

std::optional<KeyType> keyType(StringRef word) {
  return StringSwitch<std::optional<KeyType>>(word)
      .Case("int", KeyType::Int)
      .Case("float", KeyType::Float)
      .Case("bool", KeyType::Bool)
      .Case("string", KeyType::String)
      .Case("ints", KeyType::Ints)
      .Case("floats", KeyType::Floats)
      .Case("strings", KeyType::Strings)
      .Default(std::nullopt);
}

StringRef typeText(KeyType type) {
  switch (type) {
  case KeyType::Int:
    return "a whole number";
  case KeyType::Float:
    return "a number";
  case KeyType::Bool:
    return "true or false";
  case KeyType::String:
    return "a string";
  case KeyType::Ints:
    return "a whole number or a list of them";
  case KeyType::Floats:
    return "a list of numbers";
  case KeyType::Strings:
    return "a list of strings";
  }
  llvm_unreachable("all types are listed");
}

std::optional<Value> convert(const json::Value &value, KeyType type);

std::optional<Value> convertItems(const json::Value &value, KeyType type) {
  const json::Array *array = value.getAsArray();
  if (!array)
    return std::nullopt;
  Value list;
  list.kind = Value::List;
  for (const json::Value &item : *array) {
    std::optional<Value> one = convert(item, type);
    if (!one)
      return std::nullopt;
    list.items.push_back(std::move(*one));
  }
  return list;
}

std::optional<Value> convert(const json::Value &value, KeyType type) {
  switch (type) {
  case KeyType::Int:
    if (std::optional<int64_t> number = value.getAsInteger())
      return Value::ofInt(*number);
    return std::nullopt;
  case KeyType::Float:
    if (std::optional<double> number = value.getAsNumber())
      return Value::ofFloat(*number);
    return std::nullopt;
  case KeyType::Bool:
    if (std::optional<bool> flag = value.getAsBoolean())
      return Value::ofBool(*flag);
    return std::nullopt;
  case KeyType::String:
    if (std::optional<StringRef> string = value.getAsString())
      return Value::ofString(string->str());
    return std::nullopt;
  case KeyType::Ints: {
    Value list;
    list.kind = Value::List;
    if (std::optional<int64_t> number = value.getAsInteger()) {
      list.items.push_back(Value::ofInt(*number));
      return list;
    }
    return convertItems(value, KeyType::Int);
  }
  case KeyType::Floats:
    return convertItems(value, KeyType::Float);
  case KeyType::Strings:
    return convertItems(value, KeyType::String);
  }
  llvm_unreachable("all types are listed");
}

std::string jsonText(const json::Value &value) {
  std::string text;
  raw_string_ostream(text) << value;
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

/// The names in a list of scalars; false after reporting.
bool words(const YamlNode &node, const SourceText &source, std::vector<std::string> &into,
           ProblemLog &log) {
  if (node.kind != YamlNode::List) {
    log.badInput(source, node.offset, "expected a list, but found " + node.describe());
    return false;
  }
  for (const YamlNode &item : node.items) {
    if (item.kind != YamlNode::Scalar) {
      log.badInput(source, item.offset, "expected a word, but found " + item.describe());
      return false;
    }
    into.push_back(item.text);
  }
  return true;
}

} // namespace

bool Config::readKey(const YamlNode::Entry &declaration, const SourceText &source,
                     const ModelFiles *files, ProblemLog &log) {
  const YamlNode &node = declaration.value;
  const std::string &key = declaration.key;
  auto bad = [&](size_t offset, const Twine &message) {
    log.badInput(source, offset, "key '" + key + "': " + message);
    return false;
  };
  if (node.kind != YamlNode::Map)
    return bad(node.offset, "expected a map with 'type'");
  if (!checkKeys(
          node, source,
          {"type", "from", "default", "null", "min", "max", "one_of", "first_wins", "because"},
          "the declaration of a key", log))
    return false;
  const YamlNode *typeNode = node.find("type");
  std::optional<KeyType> type = typeNode ? keyType(typeNode->text) : std::nullopt;
  if (!type)
    return bad(typeNode ? typeNode->offset : declaration.keyOffset,
               "expected 'type' to be int, float, bool, string, ints, floats or strings");

  std::vector<std::string> paths;
  if (const YamlNode *from = node.find("from")) {
    if (!words(*from, source, paths, log))
      return false;
  } else {
    paths.push_back(key);
  }

  auto evaluateHere = [&](const YamlNode &expression) -> std::optional<Value> {
    if (expression.quoted)
      return Value::ofString(expression.text);
    ExpressionError error;
    auto value = evaluate(
        expression.text,
        [&](StringRef name, bool isKey) -> std::optional<Value> {
          const Entry *entry = isKey ? find(name) : nullptr;
          return entry ? std::optional<Value>(entry->value) : std::nullopt;
        },
        error);
    if (!value)
      bad(expression.offset + error.offset, error.message);
    return value;
  };

  Entry entry;
  const SourceText *foundIn = nullptr;
  size_t foundAt = 0;
  std::string foundPath;
  bool found = false;
  for (const std::string &path : paths)
    readPaths[path] = 1;
  for (const std::string &path : paths) {
    ModelFiles::Found here = files ? files->find(path) : ModelFiles::Found();
    const YamlNode *ofNull = node.find("null");
    if (!here.value || (here.value->getAsNull() && !ofNull))
      continue;
    std::optional<Value> value = convert(*here.value, *type);
    if (here.value->getAsNull() && !(value = evaluateHere(*ofNull)))
      return false;
    if (!value) {
      std::string message = ("expected '" + path + "' to be " + typeText(*type) + ", but found " +
                             describe(*here.value) + " " + jsonText(*here.value))
                                .str();
      here.source ? log.badInput(*here.source, here.offset, message) : log.badInput(path, message);
      return false;
    }
    if (!found) {
      entry.value = std::move(*value);
      found = true;
      foundIn = here.source;
      foundAt = here.offset;
      foundPath = path;
      if (here.source)
        entry.place = here.source->position(here.offset);
      if (node.find("first_wins"))
        break;
    } else if (!(entry.value == *value)) {
      log.badInput(*here.source, here.offset,
                   "'" + path + "' is " + value->describe() + ", but '" + foundPath +
                       "', another spelling of the same, is " + entry.value.describe() +
                       "; remove one of them");
      return false;
    }
  }

  auto badValue = [&](Severity severity, const Twine &message) {
    if (foundIn)
      log.report(severity, *foundIn, foundAt, message);
    else
      log.report(severity, source, declaration.keyOffset, message);
    return false;
  };
  if (!found) {
    const YamlNode *fallback = node.find("default");
    if (!fallback) {
      if (files)
        log.badInput(files->config().source(), 0,
                     "expected the key '" + (paths.empty() ? key : paths.front()) +
                         "', which has no default");
      else
        bad(declaration.keyOffset, "has no default, and there is no config.json");
      return false;
    }
    if (fallback->kind == YamlNode::Scalar) {
      std::optional<Value> value = evaluateHere(*fallback);
      if (!value)
        return false;
      entry.value = std::move(*value);
    }
  }

  for (StringRef limit : {"min", "max"}) {
    const YamlNode *limitNode = node.find(limit);
    if (!limitNode || !entry.value.isNumber())
      continue;
    std::optional<Value> bound = evaluateHere(*limitNode);
    if (!bound)
      return false;
    bool outside = limit == "min" ? entry.value.asDouble() < bound->asDouble()
                                  : entry.value.asDouble() > bound->asDouble();
    if (outside)
      return badValue(Severity::BadInput, "expected '" + (found ? foundPath : key) + "' to be at " +
                                              (limit == "min" ? "least " : "most ") +
                                              bound->describe() + ", but it is " +
                                              entry.value.describe());
  }
  if (const YamlNode *oneOf = node.find("one_of")) {
    auto choose = [&](Value &value) {
      if (value.kind != Value::String)
        return true;
      std::vector<std::string> known;
      std::optional<std::string> mapped;
      for (const YamlNode &item : oneOf->items) {
        known.push_back(item.text);
        if (item.text == value.text)
          mapped = item.text;
      }
      for (const YamlNode::Entry &item : oneOf->entries) {
        known.push_back(item.key);
        if (item.key == value.text)
          mapped = item.value.text;
      }
      if (!mapped) {
        const YamlNode *because = node.find("because");
        return badValue(Severity::CannotCompile,
                        "'" + (found ? foundPath : key) + "' " +
                            (entry.value.kind == Value::List ? "has '" : "is '") + value.text +
                            "', which is not built" +
                            (because ? Twine(": ") + because->text : Twine()) +
                            "; built: " + join(known, ", "));
      }
      value.text = *mapped;
      return true;
    };
    if (!choose(entry.value))
      return false;
    for (Value &item : entry.value.items)
      if (!choose(item))
        return false;
  }
  entries[key] = std::move(entry);
  return true;
}

/// Keys of config.json that no declaration reads: harmless, refused, or strangers.
bool Config::checkStrangers(ArrayRef<Declarations> declarations, const ModelFiles &files,
                            ProblemLog &log) {
  StringSet<> ignored;
  struct Refusal {
    const YamlNode *node;
    const SourceText *source;
  };
  StringMap<Refusal> refused;
  for (const Declarations &part : declarations) {
    if (const YamlNode *list = part.root->find("ignored")) {
      std::vector<std::string> names;
      if (!words(*list, *part.source, names, log))
        return false;
      for (const std::string &name : names) {
        ignored.insert(name);
        refused.erase(name);
      }
    }
    if (const YamlNode *map = part.root->find("refuse"))
      for (const YamlNode::Entry &entry : map->entries) {
        if (!checkKeys(entry.value, *part.source, {"allow", "because"}, "'refuse'", log))
          return false;
        refused[entry.key] = {&entry.value, part.source};
        ignored.erase(entry.key);
      }
  }

  std::vector<std::pair<size_t, std::string>> strangers;
  bool fine = true;
  // True when some declared or listed path lies below |path|, so that its parts are judged one by
  // one.
  auto isOpened = [&](StringRef path) {
    std::string prefix = (path + ".").str();
    for (const auto &entry : readPaths)
      if (entry.getKey().starts_with(prefix))
        return true;
    return false;
  };
  std::function<void(const json::Object &, const std::string &)> visit =
      [&](const json::Object &object, const std::string &prefix) {
        for (const auto &[jsonKey, value] : object) {
          std::string path = prefix + StringRef(jsonKey).str();
          size_t offset = files.config().offset(path);
          if (readPaths.count(path) || ignored.count(path))
            continue;
          if (isOpened(path)) {
            if (const json::Object *map = value.getAsObject()) {
              visit(*map, path + ".");
            } else if (!value.getAsNull()) {
              log.badInput(files.config().source(), offset,
                           "expected '" + path + "' to be an object, but found " + describe(value));
              fine = false;
            }
            continue;
          }
          if (auto found = refused.find(path); found != refused.end()) {
            const json::Array *array = value.getAsArray();
            const json::Object *map = value.getAsObject();
            bool neutral = value.getAsNull() || (array && array->empty()) || (map && map->empty());
            if (const YamlNode *allow = found->second.node->find("allow"))
              for (const YamlNode &item : allow->items)
                neutral |= jsonText(value) == item.text ||
                           value.getAsString() == std::optional<StringRef>(item.text);
            if (!neutral) {
              const YamlNode *because = found->second.node->find("because");
              log.cannotCompile(files.config().source(), offset,
                                "'" + path + "' is " + jsonText(value) +
                                    ", which changes the numbers and is not built" +
                                    (because ? Twine(": ") + because->text : Twine()));
              fine = false;
            }
            continue;
          }
          strangers.push_back({offset, path});
        }
      };
  visit(files.config().root(), "");
  if (!fine)
    return false;
  if (!strangers.empty()) {
    llvm::sort(strangers);
    std::vector<std::string> names;
    for (const auto &[offset, name] : strangers)
      names.push_back(name);
    log.report(Severity::Remark, files.config().source(), strangers.front().first,
               Twine(names.size()) + (names.size() == 1 ? " key was" : " keys were") +
                   " not understood and left out: " + join(names, ", "));
  }
  return true;
}

bool Config::read(ArrayRef<Declarations> declarations, const ModelFiles *files, ProblemLog &log) {
  // One problem per key is worth seeing; what follows from them is not.
  bool fine = true;
  for (bool isPart : {false, true})
    for (const Declarations &one : declarations) {
      const YamlNode *section = one.root->find("config");
      if (!section || one.isPart != isPart)
        continue;
      for (const YamlNode::Entry &entry : section->entries)
        if (!(isPart && entries.count(entry.key)) && !readKey(entry, *one.source, files, log))
          return false;
    }
  if (files)
    fine &= checkStrangers(declarations, *files, log);
  return fine;
}

} // namespace sluice::model
