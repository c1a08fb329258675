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
  for (auto &[name, tensors] : tensorsOfFile) {
    std::unique_ptr<SafetensorsFile> file = SafetensorsFile::open(inside(root, name), log);
    if (!file)
      return false;
    llvm::sort(tensors);
    for (const std::string &tensor : tensors) {
      const TensorView *view = file->find(tensor);
      if (!view) {
        log.badInput(index->source(), index->offset("weight_map." + tensor),
                     "tensor '" + tensor + "' is not in '" + name + "', where the index places it");
        return false;
      }
      byName[tensor] = view;
    }
    // A tensor that no index entry names, or that the index places elsewhere, is not part of the
    // model.
    files.push_back(std::move(file));
  }
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
