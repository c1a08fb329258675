//===- Config.h - config.json read by what a family declares ---------------===//
// SPDX-License-Identifier: Apache-2.0
//
// A family's `config` section declares the keys it understands: canonical name, spellings, type,
// default, allowed values. This reads a model directory's JSON files by those declarations. A key
// that nobody declared is listed in a remark, unless it is known to change numbers: then it is an
// error, because compiling on would give a wrong model.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_CONFIG_H
#define SLUICE_LIB_MODEL_CONFIG_H

#include "Expression.h"
#include "JsonText.h"
#include "YamlText.h"
#include "llvm/ADT/StringMap.h"

namespace sluice::model {

/// What the files beside a sentence encoder say (modules.json, 1_Pooling/config.json,
/// sentence_bert_config.json).
struct SentenceSettings {
  std::string pooling = "none"; ///< none, mean, first, last
  bool normalize = false;
  int64_t maxSeqLength = 0; ///< 0: not said
};

/// Reads them. Nullopt after reporting; settings with pooling "none" when the directory has no
/// modules.json.
std::optional<SentenceSettings> readSentenceFiles(llvm::StringRef directory, ProblemLog &log);

/// The JSON files of one model directory. Dotted paths go into config.json; "generation.x" into
/// generation_config.json and "sentence.x" into the settings above. What a description sets itself
/// comes before the files.
class ModelFiles {
public:
  /// Null after reporting. A missing generation_config.json or missing sentence files are fine.
  static std::unique_ptr<ModelFiles> read(llvm::StringRef directory, ProblemLog &log);

  struct Found {
    const llvm::json::Value *value = nullptr; ///< null: absent
    const SourceText *source = nullptr;
    size_t offset = 0;
  };
  Found find(llvm::StringRef path) const;
  /// A value that comes before the files' own, set at |offset| of |source|.
  void set(llvm::StringRef path, llvm::json::Value value, const SourceText &source, size_t offset);

  const JsonFile &config() const { return *configFile; }

private:
  std::unique_ptr<JsonFile> configFile, generationFile;
  llvm::json::Object sentence;
  struct Override {
    llvm::json::Value value;
    const SourceText *source;
    size_t offset;
  };
  llvm::StringMap<std::unique_ptr<Override>> overrides;
};

/// The values of declared keys.
class Config {
public:
  struct Entry {
    Value value;
    std::optional<FilePosition> place; ///< in a JSON file; nullopt for defaults
  };

  /// One file with `config`, `ignored`, `refuse` sections (all optional).
  struct Declarations {
    const YamlNode *root;
    const SourceText *source;
    bool isPart =
        false; ///< taken in with `uses`: its keys come last, and only where nobody said them
  };

  /// Reads |files| by the declarations, in order; what both declare, the later one decides. Without
  /// files all keys take their defaults. False after reporting.
  bool read(llvm::ArrayRef<Declarations> declarations, const ModelFiles *files, ProblemLog &log);

  const Entry *find(llvm::StringRef key) const {
    auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }

private:
  bool readKey(const YamlNode::Entry &declaration, const SourceText &source,
               const ModelFiles *files, ProblemLog &log);
  bool checkStrangers(llvm::ArrayRef<Declarations> declarations, const ModelFiles &files,
                      ProblemLog &log);

  llvm::StringMap<Entry> entries;
  llvm::StringMap<char> readPaths; ///< paths that some declaration reads
};

/// Reports every key of map |node| that is not in |known|, with a suggestion. False if there was
/// one.
bool checkKeys(const YamlNode &node, const SourceText &source,
               llvm::ArrayRef<llvm::StringRef> known, const llvm::Twine &where, ProblemLog &log);

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_CONFIG_H
