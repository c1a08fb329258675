//===- JsonText.cpp - JSON from outside, with places for its keys ----------===//
// SPDX-License-Identifier: Apache-2.0
//
// See JsonText.h.
//
//===----------------------------------------------------------------------===//
#include "JsonText.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace sluice::model {

namespace {

/// Keys whose path is longer have no known place; messages then point at the start of the file.
constexpr size_t maxPathBytes = 1000;

/// What the scan remembers of one open bracket.
struct Open {
  bool isObject;
  bool expectsKey;
  StringSet<> keys;
  size_t pathLength; // of the path before this bracket's keys
};

/// One key as the parser will see it: escapes decide equality ("\u0061" is "a").
std::string unescapedKey(StringRef quoted) {
  if (!quoted.contains('\\'))
    return quoted.drop_front().drop_back().str();
  Expected<json::Value> value = json::parse(quoted);
  if (!value) {
    consumeError(value.takeError()); // reported with its place by the parser proper
    return quoted.str();
  }
  return value->getAsString().value_or(quoted).str();
}

} // namespace

bool scanJson(StringRef text, const SourceText &source, size_t base, ProblemLog &log,
              StringMap<size_t> *keyOffsets) {
  std::vector<Open> open;
  std::string path, pending;
  unsigned arrays = 0;
  for (size_t i = 0, e = text.size(); i < e; ++i) {
    switch (text[i]) {
    case '{':
    case '[':
      if (open.size() == maxNesting) {
        log.badInput(source, base + i,
                     "expected at most " + Twine(maxNesting) + " nested brackets");
        return false;
      }
      if (!open.empty() && open.back().isObject && keyOffsets && arrays == 0 &&
          path.size() + pending.size() <= maxPathBytes) {
        if (!path.empty())
          path += '.';
        path += pending;
      }
      open.push_back({text[i] == '{', text[i] == '{', {}, path.size()});
      arrays += text[i] == '[';
      break;
    case '}':
    case ']':
      if (open.empty())
        return true; // unbalanced: the parser reports it
      arrays -= !open.back().isObject;
      open.pop_back();
      path.resize(open.empty() ? 0 : open.back().pathLength);
      break;
    case ',':
      if (!open.empty())
        open.back().expectsKey = open.back().isObject;
      break;
    case '"': {
      size_t start = i++;
      while (i < e && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
      if (i >= e)
        return true; // unterminated: the parser reports it
      if (open.empty() || !open.back().expectsKey)
        break;
      open.back().expectsKey = false;
      pending = unescapedKey(text.slice(start, i + 1));
      if (!open.back().keys.insert(pending).second) {
        log.badInput(source, base + start, "key '" + pending + "' appears twice in one object");
        return false;
      }
      // Paths of long keys inside one another would grow with the square of the text.
      if (keyOffsets && arrays == 0 && path.size() + pending.size() <= maxPathBytes)
        (*keyOffsets)[path.empty() ? pending : path + "." + pending] = base + start;
      break;
    }
    default:
      break;
    }
  }
  return true;
}

std::optional<json::Value> parseJson(StringRef text, const SourceText &source, size_t base,
                                     ProblemLog &log) {
  Expected<json::Value> value = json::parse(text);
  if (value)
    return std::move(*value);
  // The parser's text is "[line:column, byte=offset]: what".
  std::string message = toString(value.takeError());
  StringRef what = message;
  size_t offset = 0;
  if (size_t at = what.find("byte="); at != StringRef::npos) {
    StringRef digits = what.substr(at + 5).take_while(isDigit);
    digits.getAsInteger(10, offset);
    what = what.substr(at + 5 + digits.size());
    what.consume_front("]: ");
    // What the grammar did not expect has been consumed by then; point at it.
    offset -= offset != 0 && what.starts_with("Expected");
  }
  log.badInput(source, base + offset, "not valid JSON: " + what.lower());
  return std::nullopt;
}

std::unique_ptr<JsonFile> JsonFile::parse(std::unique_ptr<SourceText> source, ProblemLog &log,
                                          bool rootIsArray) {
  StringMap<size_t> keys;
  if (!scanJson(source->text(), *source, 0, log, &keys))
    return nullptr;
  std::optional<json::Value> value = parseJson(source->text(), *source, 0, log);
  if (!value)
    return nullptr;
  json::Value::Kind wanted = rootIsArray ? json::Value::Array : json::Value::Object;
  if (value->kind() != wanted) {
    log.badInput(*source, 0,
                 Twine("expected ") + (rootIsArray ? "an array" : "an object") +
                     " at the top of the file, but found " + describe(*value));
    return nullptr;
  }
  std::unique_ptr<JsonFile> file(new JsonFile(std::move(source), std::move(*value)));
  file->keys = std::move(keys);
  return file;
}

// Larger than any config.json or index of a real model, small enough to read without thought.
constexpr uint64_t maxJsonBytes = 64u << 20;

std::unique_ptr<JsonFile> JsonFile::read(StringRef path, ProblemLog &log, StringRef shownName) {
  std::unique_ptr<SourceText> source = readSource(
      path, maxJsonBytes, log, shownName.empty() ? sys::path::filename(path) : shownName);
  return source ? parse(std::move(source), log) : nullptr;
}

std::unique_ptr<JsonFile> JsonFile::readArray(StringRef path, ProblemLog &log,
                                              StringRef shownName) {
  std::unique_ptr<SourceText> source = readSource(
      path, maxJsonBytes, log, shownName.empty() ? sys::path::filename(path) : shownName);
  return source ? parse(std::move(source), log, /*rootIsArray=*/true) : nullptr;
}

const json::Value *JsonFile::find(StringRef path) const {
  const json::Object *object = value.getAsObject();
  while (object) {
    auto [head, tail] = path.split('.');
    const json::Value *found = object->get(head);
    if (!found || tail.empty())
      return found;
    object = found->getAsObject();
    path = tail;
  }
  return nullptr;
}

size_t JsonFile::offset(StringRef path) const {
  auto found = keys.find(path);
  return found == keys.end() ? 0 : found->second;
}

StringRef describe(const json::Value &value) {
  switch (value.kind()) {
  case json::Value::Null:
    return "null";
  case json::Value::Boolean:
    return "a boolean";
  case json::Value::Number:
    return "a number";
  case json::Value::String:
    return "a string";
  case json::Value::Array:
    return "an array";
  case json::Value::Object:
    return "an object";
  }
  llvm_unreachable("all kinds are listed");
}

} // namespace sluice::model
