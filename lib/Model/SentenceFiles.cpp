//===- SentenceFiles.cpp - what makes an encoder a sentence encoder --------===//
// SPDX-License-Identifier: Apache-2.0
//
// modules.json lists the modules that run one after another. Transformer, then Pooling, then
// optionally Normalize is what is built; anything else would change the embedding and is refused by
// name.
//
//===----------------------------------------------------------------------===//
#include "Config.h"
#include "sluice/Model/Safetensors.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace sluice::model {

static std::string inside(StringRef directory, StringRef folder, StringRef name) {
  SmallString<256> path(directory);
  // An empty part would become a trailing separator.
  if (!folder.empty())
    sys::path::append(path, folder);
  sys::path::append(path, name);
  return std::string(path);
}

/// Newer files name the mode, older ones have a flag per mode.
static std::optional<std::string> readPooling(const JsonFile &file, ProblemLog &log) {
  std::vector<std::string> modes;
  for (const auto &[key, value] : file.root()) {
    StringRef name = key;
    if (name == "pooling_mode") {
      if (std::optional<StringRef> mode = value.getAsString())
        modes.push_back(mode->str());
      else {
        log.badInput(file.source(), file.offset(name),
                     "expected 'pooling_mode' to be a string, but found " + describe(value));
        return std::nullopt;
      }
    } else if (name.consume_front("pooling_mode_")) {
      std::optional<bool> on = value.getAsBoolean();
      if (!on) {
        log.badInput(file.source(), file.offset(StringRef(key)),
                     "expected '" + StringRef(key) + "' to be true or false, but found " +
                         describe(value));
        return std::nullopt;
      }
      if (*on)
        modes.push_back(name.str());
    }
  }
  llvm::sort(modes);
  if (modes.size() != 1) {
    log.cannotCompile(file.source(), 0,
                      modes.empty() ? Twine("expected one pooling mode, but none is chosen")
                                    : "pooling modes '" + Twine(modes[0]) + "' and '" + modes[1] +
                                          "' together (their embeddings joined) are not built");
    return std::nullopt;
  }
  std::string kind = StringSwitch<std::string>(modes[0])
                         .Cases({"mean", "mean_tokens"}, "mean")
                         .Cases({"cls", "cls_token"}, "first")
                         .Cases({"lasttoken", "last_token"}, "last")
                         .Default("");
  if (kind.empty()) {
    log.cannotCompile(file.source(), 0,
                      "pooling mode '" + Twine(modes[0]) +
                          "' is not built; built are mean_tokens, cls_token and lasttoken");
    return std::nullopt;
  }
  return kind;
}

static bool readMaxLength(StringRef directory, SentenceSettings &settings, ProblemLog &log) {
  std::string path = inside(directory, "", "sentence_bert_config.json");
  if (!sys::fs::exists(path))
    return true;
  std::unique_ptr<JsonFile> file = JsonFile::read(path, log);
  if (!file)
    return false;
  const json::Value *length = file->find("max_seq_length");
  if (!length || length->getAsNull())
    return true;
  std::optional<int64_t> number = length->getAsInteger();
  if (!number || *number < 1 || *number > INT32_MAX) {
    log.badInput(file->source(), file->offset("max_seq_length"),
                 "expected 'max_seq_length' to be a whole number from 1 to 2147483647");
    return false;
  }
  settings.maxSeqLength = *number;
  return true;
}

std::optional<SentenceSettings> readSentenceFiles(StringRef directory, ProblemLog &log) {
  SentenceSettings settings;
  std::string modulesPath = inside(directory, "", "modules.json");
  if (!sys::fs::exists(modulesPath))
    return settings;
  std::unique_ptr<JsonFile> modules = JsonFile::readArray(modulesPath, log);
  if (!modules)
    return std::nullopt;
  unsigned seen = 0;
  for (const json::Value &entry : modules->array()) {
    const json::Object *object = entry.getAsObject();
    std::optional<StringRef> type = object ? object->getString("type") : std::nullopt;
    std::optional<StringRef> path = object ? object->getString("path") : std::nullopt;
    if (!type || !path) {
      log.badInput(modules->source(), 0,
                   "expected every module to have the strings 'type' and 'path'");
      return std::nullopt;
    }
    // "sentence_transformers.models.Pooling": the last part is the module's name in every release.
    StringRef name = type->rsplit('.').second;
    if (seen == 0 && name == "Transformer") {
      if (!path->empty()) {
        log.cannotCompile(
            modules->source(), 0,
            "expected the transformer's files beside modules.json, but they are in '" + *path +
                "'; give that directory");
        return std::nullopt;
      }
    } else if (seen == 1 && name == "Pooling") {
      if (std::string why = whyNotBeside(*path); !why.empty()) {
        log.badInput(modules->source(), 0, "path '" + *path + "' " + why);
        return std::nullopt;
      }
      std::unique_ptr<JsonFile> pooling = JsonFile::read(inside(directory, *path, "config.json"),
                                                         log, (*path + "/config.json").str());
      std::optional<std::string> kind = pooling ? readPooling(*pooling, log) : std::nullopt;
      if (!kind)
        return std::nullopt;
      settings.pooling = *kind;
    } else if (seen == 2 && name == "Normalize") {
      settings.normalize = true;
    } else {
      log.cannotCompile(modules->source(), 0,
                        "module '" + *type + "' in place " + Twine(seen) +
                            " is not built; built are Transformer, Pooling and Normalize, in this "
                            "order");
      return std::nullopt;
    }
    ++seen;
  }
  if (seen && !readMaxLength(directory, settings, log))
    return std::nullopt;
  return settings;
}

} // namespace sluice::model
