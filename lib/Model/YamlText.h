//===- YamlText.h - a YAML file as a tree with places ----------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// The subset of YAML that descriptions use, read by llvm::yaml into a plain tree: maps, lists and
// scalars, each with its offset in the file. JSON is a subset of it. Anchors, aliases, tags,
// directives and further documents are errors, and so are duplicate keys and nesting beyond
// maxNesting.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_YAMLTEXT_H
#define SLUICE_LIB_MODEL_YAMLTEXT_H

#include "sluice/Model/Problems.h"

namespace sluice::model {

struct YamlNode {
  enum Kind { Null, Scalar, List, Map };
  struct Entry;

  Kind kind = Null;
  size_t offset = 0;
  std::string text;    ///< Scalar: its value, quotes and escapes resolved
  bool quoted = false; ///< Scalar: written in quotes or as a block, so never a number, a boolean or
                       ///< an expression
  std::vector<YamlNode> items;
  std::vector<Entry> entries;

  /// Map: the value of |key|, or null.
  const YamlNode *find(llvm::StringRef key) const;
  /// "a map", "a list", "'text'", "nothing": what a message says was found.
  std::string describe() const;
};

struct YamlNode::Entry {
  std::string key;
  size_t keyOffset;
  YamlNode value;
};

/// Parses |source|, whose root must be a map. Nullptr after reporting.
std::unique_ptr<YamlNode> parseYaml(const SourceText &source, ProblemLog &log);

/// |text| as a scalar that parseYaml gives back unchanged: plain where that is safe, else
/// double-quoted. |inFlow|: inside [] or {}.
std::string yamlScalar(llvm::StringRef text, bool inFlow = true);

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_YAMLTEXT_H
