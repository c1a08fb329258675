//===- Checkpoint.cpp - a directory of safetensors -------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// model.safetensors alone, or shards named by model.safetensors.index.json. The index is written by
// whoever made the checkpoint, so a shard's name may not lead out of the directory, and each tensor
// must be where the index says. Files that are symbolic links are followed: download caches are
// made of them, and only the user can have put them there.
//
//===----------------------------------------------------------------------===//
#include "JsonText.h"
#include "sluice/Model/Safetensors.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"
#include <map>

using namespace llvm;

namespace sluice::model {

static constexpr StringLiteral singleName = "model.safetensors";
static constexpr StringLiteral indexName = "model.safetensors.index.json";

static std::string inside(StringRef directory, StringRef name) {
  SmallString<256> path(directory);
  sys::path::append(path, name);
  return std::string(path);
}

std::string whyNotBeside(StringRef name) {
  if (name.empty())
    return "is empty";
  if (name.contains('\0'))
    return "has a zero byte";
  // Both separators, so that one checkpoint means the same on every system.
  if (name.contains('/') || name.contains('\\'))
    return "leads to another directory";
  if (name == "." || name == "..")
    return "is not a file name";
  return "";
}

/// " (there is 'A.safetensors', which differs in case)": file names are bytes, so two that look
/// alike can be two files.
static std::string lookalike(StringRef directory, StringRef name) {
  std::error_code error;
  for (sys::fs::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    StringRef other = sys::path::filename(at->path());
    if (other != name && other.equals_insensitive(name))
      return (" (there is '" + other + "', which differs in case)").str();
  }
  return "";
}

bool Checkpoint::present(StringRef directory) {
  return sys::fs::exists(inside(directory, singleName)) ||
         sys::fs::exists(inside(directory, indexName));
}

std::unique_ptr<Checkpoint> Checkpoint::open(StringRef directory, ProblemLog &log) {
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint());
  checkpoint->root = directory.str();
  std::string index = inside(directory, indexName), single = inside(directory, singleName);
  if (sys::fs::exists(single)) {
    // As other readers do: the single file wins over an index that lies beside it.
    std::unique_ptr<SafetensorsFile> file = SafetensorsFile::open(single, log);
    if (!file)
      return nullptr;
    for (const TensorView &view : file->tensors())
      checkpoint->byName[view.name] = &view;
    checkpoint->files.push_back(std::move(file));
    return checkpoint;
  }
  if (sys::fs::exists(index))
    return checkpoint->readIndex(index, log) ? std::move(checkpoint) : nullptr;

  for (StringRef other : {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5",
                          "flax_model.msgpack", "consolidated.00.pth"})
    if (sys::fs::exists(inside(directory, other))) {
      log.badInput(directory, "expected model.safetensors, but the directory has only '" + other +
                                  "', which is not read (a pickle can run code); load it with "
                                  "its own library and save it as safetensors");
      return nullptr;
    }
  log.badInput(directory, "expected weights in model.safetensors or model.safetensors.index.json; "
                          "with --weights=random:SEED a model compiles without any");
  return nullptr;
}

bool Checkpoint::readIndex(StringRef indexPath, ProblemLog &log) {
  std::unique_ptr<JsonFile> index = JsonFile::read(indexPath, log);
  if (!index)
    return false;
  const json::Value *mapValue = index->find("weight_map");
  const json::Object *map = mapValue ? mapValue->getAsObject() : nullptr;
  if (!map) {
    log.badInput(index->source(), index->offset("weight_map"),
                 "expected 'weight_map', an object from tensor names to file names");
    return false;
  }
  // Ordered, so that files are opened, and problems found, in the same order every time.
  std::map<std::string, std::vector<std::string>> tensorsOfFile;
  for (const auto &[key, value] : *map) {
    StringRef tensor = key;
    size_t at = index->offset(("weight_map." + tensor).str());
    std::optional<StringRef> file = value.getAsString();
    if (!file) {
      log.badInput(index->source(), at,
                   "expected a file name for tensor '" + tensor + "', but found " +
                       describe(value));
      return false;
    }
    if (std::string why = whyNotBeside(*file); !why.empty()) {
      log.badInput(index->source(), at,
                   "file name '" + *file + "' " + why +
                       "; shards must lie in the directory of the index");
      return false;
    }
    if (!file->ends_with(".safetensors")) {
      log.badInput(index->source(), at, "expected a .safetensors file, but found '" + *file + "'");
      return false;
    }
    tensorsOfFile[file->str()].push_back(tensor.str());
  }
  if (tensorsOfFile.size() > maxShards) {
    log.badInput(index->source(), index->offset("weight_map"),
                 "expected at most " + Twine(maxShards) + " shards, but 'weight_map' names " +
                     Twine(tensorsOfFile.size()) + " files");
    return false;
  }
  for (auto &[name, tensors] : tensorsOfFile) {
    llvm::sort(tensors);
    if (!sys::fs::exists(inside(root, name))) {
      log.badInput(index->source(), index->offset("weight_map." + tensors.front()),
                   "shard '" + name + "' is not in the directory" + lookalike(root, name) +
                       "; fetch it, it has " + Twine(tensors.size()) + " of the tensors");
      return false;
    }
    std::unique_ptr<SafetensorsFile> file = SafetensorsFile::open(inside(root, name), log);
    if (!file)
      return false;
    for (const std::string &tensor : tensors) {
      const TensorView *view = file->find(tensor);
      if (!view) {
        log.badInput(index->source(), index->offset("weight_map." + tensor),
                     "tensor '" + tensor + "' is not in '" + name + "', where the index places it");
        return false;
      }
      byName[tensor] = view;
    }
    files.push_back(std::move(file));
  }
  // Whoever reads the shards alone would take another tensor than who reads the index.
  StringMap<StringRef> seenIn;
  size_t strangers = 0;
  std::string stranger;
  for (const auto &file : files)
    for (const TensorView &view : file->tensors()) {
      StringRef shard = sys::path::filename(file->path());
      auto [seen, isNew] = seenIn.try_emplace(view.name, shard);
      if (!isNew) {
        log.badInput(index->source(), index->offset("weight_map." + view.name),
                     "tensor '" + view.name + "' is in '" + seen->second + "' and in '" + shard +
                         "'; which of the two is meant?");
        return false;
      }
      if (!byName.count(view.name) && strangers++ == 0)
        stranger = "'" + view.name + "' in '" + shard.str() + "'";
    }
  if (strangers)
    log.report(Severity::Warning, index->source(), index->offset("weight_map"),
               Twine(strangers) + (strangers == 1 ? " tensor" : " tensors") + " of the shards, " +
                   stranger + (strangers == 1 ? "," : " first,") +
                   " not in the index and left out");
  return true;
}

const TensorView *Checkpoint::find(StringRef name) const { return byName.lookup(name); }

std::vector<const TensorView *> Checkpoint::tensors() const {
  std::vector<const TensorView *> all;
  for (const auto &file : files)
    for (const TensorView &view : file->tensors())
      if (byName.lookup(view.name) == &view)
        all.push_back(&view);
  return all;
}

} // namespace sluice::model
