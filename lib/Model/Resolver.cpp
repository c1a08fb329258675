//===- Resolver.cpp - scalars, header, axes, memories ----------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// See Resolver.h; weights are in ResolveWeights.cpp, functions in ResolveSteps.cpp.
//
//===----------------------------------------------------------------------===//
#include "Resolver.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace sluice::model {

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

bool Resolver::expect(const YamlNode &node, YamlNode::Kind kind, const Twine &what) {
  if (node.kind == kind)
    return true;
  return bad(node.offset, "expected " + what + ", but found " + node.describe());
}

std::optional<Value> Resolver::evaluateNode(const YamlNode &node) {
  if (!expect(node, YamlNode::Scalar, "a value"))
    return std::nullopt;
  if (node.quoted)
    return Value::ofString(node.text);
  ExpressionError error;
  std::optional<Value> value = evaluate(
      node.text,
      [&](StringRef name, bool isKey) -> std::optional<Value> {
        if (isKey) {
          const Config::Entry *entry = config.find(name);
          if (!entry)
            return std::nullopt;
          if (reading && entry->place)
            reading->push_back(*entry->place);
          return entry->value;
        }
        if (auto local = locals.find(name); local != locals.end())
          return local->second;
        auto axis = axes.find(name);
        if (axis == axes.end())
          return std::nullopt;
        if (reading)
          reading->insert(reading->end(), axis->second.at.begin(), axis->second.at.end());
        return Value::ofInt(axis->second.size);
      },
      error);
  if (!value)
    bad(node.offset + error.offset, error.message);
  return value;
}

std::optional<int64_t> Resolver::integer(const YamlNode &node, int64_t min, int64_t max) {
  std::optional<Value> value = evaluateNode(node);
  if (!value)
    return std::nullopt;
  if (value->kind != Value::Int) {
    bad(node.offset, "expected a whole number, but found " + value->describe());
    return std::nullopt;
  }
  if (value->integer < min || value->integer > max) {
    bad(node.offset, "expected a number from " + Twine(min) + " to " + Twine(max) + ", but found " +
                         Twine(value->integer));
    return std::nullopt;
  }
  return value->integer;
}

std::optional<double> Resolver::number(const YamlNode &node) {
  std::optional<Value> value = evaluateNode(node);
  if (!value)
    return std::nullopt;
  if (!value->isNumber()) {
    bad(node.offset, "expected a number, but found " + value->describe());
    return std::nullopt;
  }
  return value->asDouble();
}

std::optional<bool> Resolver::flag(const YamlNode &node) {
  std::optional<Value> value = evaluateNode(node);
  if (!value)
    return std::nullopt;
  if (value->kind != Value::Bool) {
    bad(node.offset, "expected true or false, but found " + value->describe());
    return std::nullopt;
  }
  return value->boolean;
}

std::optional<std::string> Resolver::word(const YamlNode &node) {
  if (!expect(node, YamlNode::Scalar, "a word"))
    return std::nullopt;
  if (node.quoted || !StringRef(node.text).starts_with("$"))
    return node.text;
  std::optional<Value> value = evaluateNode(node);
  if (value && value->kind != Value::String) {
    bad(node.offset, "expected a word, but '" + node.text + "' is " + value->describe());
    return std::nullopt;
  }
  return value ? std::optional<std::string>(value->text) : std::nullopt;
}

std::optional<std::string> Resolver::oneOf(const YamlNode &node, ArrayRef<StringRef> known) {
  std::optional<std::string> found = word(node);
  if (found && !is_contained(known, *found)) {
    bad(node.offset, "expected one of " + join(known, ", ") + ", but found '" + *found + "'" +
                         didYouMean(*found, known));
    return std::nullopt;
  }
  return found;
}

std::optional<std::vector<int64_t>> Resolver::sizes(const YamlNode &node) {
  if (!expect(node, YamlNode::List, "a list of sizes"))
    return std::nullopt;
  std::vector<int64_t> shape;
  for (const YamlNode &item : node.items) {
    // Row numbers are 32 bits at run time.
    std::optional<int64_t> size = integer(item, 1, INT32_MAX);
    if (!size)
      return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

std::optional<std::vector<std::string>> Resolver::words(const YamlNode &node) {
  if (!expect(node, YamlNode::List, "a list of words"))
    return std::nullopt;
  std::vector<std::string> all;
  for (const YamlNode &item : node.items) {
    std::optional<std::string> one = word(item);
    if (!one)
      return std::nullopt;
    all.push_back(std::move(*one));
  }
  return all;
}

std::optional<bool> Resolver::isOn(const YamlNode &map) {
  const YamlNode *when = map.find("when");
  return when ? flag(*when) : std::optional<bool>(true);
}

bool Resolver::readAt(const YamlNode &node, Places &places) {
  std::optional<std::vector<std::string>> all = words(node);
  if (!all)
    return false;
  if (all->empty())
    return bad(node.offset, "expected at least one FILE:LINE:COLUMN, but found an empty list");
  for (auto [index, place] : enumerate(*all)) {
    auto [rest, column] = StringRef(place).rsplit(':');
    auto [file, line] = rest.rsplit(':');
    FilePosition position{file.str()};
    if (file.empty() || line.getAsInteger(10, position.line) ||
        column.getAsInteger(10, position.column))
      return bad(node.items[index].offset, "expected FILE:LINE:COLUMN, but found '" + place + "'");
    places.push_back(std::move(position));
  }
  return true;
}

bool Resolver::placed(const YamlNode &node, size_t offset, Places &places, function_ref<bool()> f) {
  Places read;
  Places *outer = std::exchange(reading, &read);
  bool fine = f();
  reading = outer;
  if (!fine)
    return false;
  if (const YamlNode *at = node.find("at"))
    return readAt(*at, places);
  places.push_back(text->position(offset));
  for (FilePosition &place : read)
    if (!is_contained(places, place))
      places.push_back(std::move(place));
  return true;
}

//===----------------------------------------------------------------------===//
// Sections
//===----------------------------------------------------------------------===//

bool Resolver::header(Description &out) {
  if (!checkKeys(root, *text, {"sluice", "model",   "family",    "uses",       "from",    "set",
                               "config", "ignored", "refuse",    "checks",     "axes",    "dtypes",
                               "limits", "eos",     "embed",     "spellings",  "weights", "unused",
                               "kv",     "blocks",  "functions", "checkpoint", "random",  "at"},
                 "a description", log))
    return false;
  const YamlNode *edition = root.find("sluice");
  if (!edition)
    return bad(0, "expected 'sluice: 1', the edition of the language");
  if (edition->kind != YamlNode::Scalar || edition->text != "1")
    return bad(edition->offset, "expected edition 1, but found " + edition->describe());
  const YamlNode *model = root.find("model"), *family = root.find("family");
  const YamlNode *head = model ? model : family;
  if (!head || (model && family))
    return bad(head ? head->offset : 0, "expected one of 'model' and 'family', with name and kind");
  if (!expect(*head, YamlNode::Map, "a map with name and kind") ||
      !checkKeys(*head, *text, {"name", "kind"}, "'model'", log))
    return false;
  const YamlNode *name = head->find("name"), *kind = head->find("kind");
  if (!kind || !name)
    return bad(head->offset, "expected both 'name' and 'kind'");
  std::optional<std::string> nameWord = word(*name);
  std::optional<std::string> kindWord = oneOf(*kind, {"decoder", "encoder", "op"});
  if (!nameWord || !kindWord)
    return false;
  out.name = options.name.empty() ? *nameWord : options.name;
  out.kind = *kindWord;
  return true;
}

bool Resolver::axesSection() {
  const YamlNode *section = root.find("axes");
  if (!section)
    return true;
  if (!expect(*section, YamlNode::Map, "a map of sizes"))
    return false;
  for (const YamlNode::Entry &entry : section->entries) {
    Axis axis;
    Places *outer = std::exchange(reading, &axis.at);
    std::optional<int64_t> size = integer(entry.value, 1, INT32_MAX);
    reading = outer;
    if (!size)
      return false;
    axis.size = *size;
    axes[entry.key] = std::move(axis);
  }
  return true;
}

bool Resolver::checks() {
  for (const Config::Declarations &fragment : fragments) {
    const SourceText *own = std::exchange(text, fragment.source);
    bool fine = checksOf(*fragment.root);
    text = own;
    if (!fine)
      return false;
  }
  return checksOf(root);
}

bool Resolver::checksOf(const YamlNode &file) {
  const YamlNode *section = file.find("checks");
  if (!section)
    return true;
  if (!expect(*section, YamlNode::List, "a list of checks"))
    return false;
  for (const YamlNode &check : section->items) {
    if (!expect(check, YamlNode::Map, "a map with 'that' and 'say'") ||
        !checkKeys(check, *text, {"that", "say"}, "a check", log))
      return false;
    const YamlNode *that = check.find("that"), *say = check.find("say");
    if (!that || !say)
      return bad(check.offset, "expected both 'that' and 'say'");
    Places read;
    reading = &read;
    std::optional<bool> holds = flag(*that);
    reading = nullptr;
    if (!holds)
      return false;
    if (*holds)
      continue;
    // The keys that it is about are the place to look at.
    std::string message = say->text;
    for (size_t i = 1; i < read.size(); ++i)
      message += (i == 1 ? " (see also " : ", ") + read[i].file + ":" +
                 std::to_string(read[i].line) + ":" + std::to_string(read[i].column);
    if (read.size() > 1)
      message += ")";
    if (read.empty())
      return bad(that->offset, message);
    log.report(Severity::BadInput, read.front(), message);
    return false;
  }
  return true;
}

bool Resolver::memoriesSection(Description &out) {
  const YamlNode *section = root.find("kv");
  if (!section)
    return true;
  if (!expect(*section, YamlNode::List, "a list of memories"))
    return false;
  for (const YamlNode &node : section->items) {
    KVMemory memory;
    bool fine = placed(node, node.offset, memory.at, [&] {
      if (!expect(node, YamlNode::Map, "a map") ||
          !checkKeys(node, *text,
                     {"name", "layers", "heads", "key", "value", "dtype", "page", "at"}, "'kv'",
                     log))
        return false;
      for (auto [key, into] : {std::pair<StringRef, int64_t *>{"layers", &memory.layers},
                               {"heads", &memory.heads},
                               {"key", &memory.key},
                               {"value", &memory.value}}) {
        const YamlNode *value = node.find(key);
        if (!value)
          return bad(node.offset, "expected '" + key + "'");
        std::optional<int64_t> size = integer(*value, 1, INT32_MAX);
        if (!size)
          return false;
        *into = *size;
      }
      const YamlNode *name = node.find("name");
      if (!name)
        return bad(node.offset, "expected 'name'");
      std::optional<std::string> nameWord = word(*name);
      if (!nameWord)
        return false;
      if (out.memory(*nameWord) || out.weight(*nameWord))
        return bad(name->offset, "'" + *nameWord + "' is declared twice");
      memory.name = *nameWord;
      memory.dtype = rowsDType;
      if (const YamlNode *dtype = node.find("dtype")) {
        std::optional<std::string> found = oneOf(*dtype, {"f32", "bf16"});
        if (!found)
          return false;
        memory.dtype = *found;
      }
      memory.page = options.page;
      if (const YamlNode *page = node.find("page")) {
        std::optional<int64_t> found = integer(*page, 16, 1 << 16);
        if (!found)
          return false;
        if (*found % 16 != 0)
          return bad(page->offset, "expected a multiple of 16, but found " + Twine(*found));
        memory.page = *found;
      }
      if (!options.kvDType.empty())
        memory.dtype = options.kvDType;
      return true;
    });
    if (!fine)
      return false;
    out.memories.push_back(std::move(memory));
  }
  return true;
}

std::optional<Description> Resolver::run() {
  Description out;
  if (!expect(root, YamlNode::Map, "a map") || !header(out) || !checks() || !axesSection() ||
      !spellingsSection() || !weightsSource(out) || !weightsSection(out) || !matchCheckpoint(out) ||
      !chooseDType(out) || !unusedSection(out) || !memoriesSection(out))
    return std::nullopt;

  if (const YamlNode *limits = root.find("limits")) {
    if (!expect(*limits, YamlNode::Map, "a map of limits") ||
        !checkKeys(*limits, *text, {"vocab", "max_positions", "token_types"}, "'limits'", log))
      return std::nullopt;
    for (const YamlNode::Entry &entry : limits->entries) {
      std::optional<int64_t> limit = integer(entry.value, 1, INT32_MAX);
      if (!limit)
        return std::nullopt;
      out.limits.push_back({entry.key, *limit});
    }
  }
  if (const YamlNode *eos = root.find("eos")) {
    if (eos->kind == YamlNode::List) {
      for (const YamlNode &item : eos->items) {
        std::optional<int64_t> id = integer(item, 0, INT32_MAX);
        if (!id)
          return std::nullopt;
        out.eos.push_back(*id);
      }
    } else {
      std::optional<Value> value = evaluateNode(*eos);
      if (!value)
        return std::nullopt;
      for (const Value &item : value->items) {
        if (item.integer < 0 || item.integer > INT32_MAX) {
          bad(eos->offset,
              "expected ids of tokens, from 0 to 2147483647, but found " + Twine(item.integer));
          return std::nullopt;
        }
        out.eos.push_back(item.integer);
      }
    }
  }
  if (const YamlNode *embed = root.find("embed")) {
    if (!expect(*embed, YamlNode::Map, "a map") ||
        !checkKeys(*embed, *text, {"when", "max_seq_length"}, "'embed'", log))
      return std::nullopt;
    std::optional<bool> on = isOn(*embed);
    if (!on)
      return std::nullopt;
    const YamlNode *length = embed->find("max_seq_length");
    if (*on && length) {
      std::optional<int64_t> found = integer(*length, 1, INT32_MAX);
      if (!found)
        return std::nullopt;
      out.embedMaxSeqLength = *found;
    }
  }
  if (!functionsSection(out))
    return std::nullopt;
  if (const YamlNode *at = root.find("at")) {
    if (!readAt(*at, out.at))
      return std::nullopt;
  } else {
    out.at.push_back(text->position(0));
  }
  return out;
}

} // namespace sluice::model
