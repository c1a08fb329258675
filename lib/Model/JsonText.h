//===- JsonText.h - JSON from outside, with places for its keys ------------===//
// SPDX-License-Identifier: Apache-2.0
//
// llvm::json parses well but recurses without a limit, keeps the last of two equal keys and forgets
// where things stood. A scan before it closes these three gaps: it bounds the nesting, refuses
// duplicate keys and, on request, records where each key stands.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_JSONTEXT_H
#define SLUICE_LIB_MODEL_JSONTEXT_H

#include "sluice/Model/Problems.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include <optional>

namespace sluice::model {

/// Deepest nesting that readers of outside files accept.
constexpr unsigned maxNesting = 128;

/// Checks nesting and duplicate keys of JSON |text|; problems are reported in |source| at |base|
/// plus the offset in |text|. With |keyOffsets|, records the offset of every key under its path
/// ("rope_scaling.factor"); elements of arrays are not entered.
bool scanJson(llvm::StringRef text, const SourceText &source, size_t base, ProblemLog &log,
              llvm::StringMap<size_t> *keyOffsets = nullptr);

/// One parsed JSON file whose root is an object.
class JsonFile {
public:
  /// Null after reporting when the file cannot be read, is not JSON, or its root is not an object.
  static std::unique_ptr<JsonFile> read(llvm::StringRef path, ProblemLog &log,
                                        llvm::StringRef shownName = {});
  static std::unique_ptr<JsonFile> parse(std::unique_ptr<SourceText> source, ProblemLog &log,
                                         bool rootIsArray = false);
  static std::unique_ptr<JsonFile> readArray(llvm::StringRef path, ProblemLog &log,
                                             llvm::StringRef shownName = {});

  const SourceText &source() const { return *text; }
  const llvm::json::Object &root() const { return *value.getAsObject(); }
  const llvm::json::Array &array() const { return *value.getAsArray(); }

  /// The value at a dotted path; null when a part of the path is absent or not an object.
  const llvm::json::Value *find(llvm::StringRef path) const;
  /// Where the key at a dotted path stands; 0 when unknown.
  size_t offset(llvm::StringRef path) const;

private:
  JsonFile(std::unique_ptr<SourceText> text, llvm::json::Value value)
      : text(std::move(text)), value(std::move(value)) {}

  std::unique_ptr<SourceText> text;
  llvm::json::Value value;
  llvm::StringMap<size_t> keys;
};

/// Parses |text| after scanJson has accepted it; nullopt after reporting.
std::optional<llvm::json::Value> parseJson(llvm::StringRef text, const SourceText &source,
                                           size_t base, ProblemLog &log);

/// "a string", "a number", ...: what a message says was found.
llvm::StringRef describe(const llvm::json::Value &value);

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_JSONTEXT_H
