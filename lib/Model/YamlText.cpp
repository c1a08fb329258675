//===- YamlText.cpp - a YAML file as a tree with places --------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// llvm::yaml parses lazily: a node's children are read as they are visited. So one walk in file
// order that stops at maxNesting never recurses deeper than that, whatever the file holds. What
// would make the parser itself recurse (skipping unvisited nodes, runs of document ends) is refused
// or not done.
//
//===----------------------------------------------------------------------===//
#include "YamlText.h"
#include "JsonText.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/YAMLParser.h"

using namespace llvm;

namespace sluice::model {

const YamlNode *YamlNode::find(StringRef key) const {
  for (const Entry &entry : entries)
    if (entry.key == key)
      return &entry.value;
  return nullptr;
}

std::string YamlNode::describe() const {
  switch (kind) {
  case Null:
    return "nothing";
  case Scalar:
    return "'" + text + "'";
  case List:
    return "a list";
  case Map:
    return "a map";
  }
  llvm_unreachable("all kinds are listed");
}

namespace {

class TreeBuilder {
public:
  TreeBuilder(const SourceText &source, ProblemLog &log) : source(source), log(log) {}

  std::unique_ptr<YamlNode> run();

private:
  bool checkLines();
  bool build(yaml::Node *node, YamlNode &into, unsigned depth);
  bool buildMap(yaml::MappingNode &node, YamlNode &into, unsigned depth);
  bool fail(size_t offset, const Twine &message) {
    // The scanner's own complaint, when there is one, says more than what follows from it.
    if (!log.failed())
      log.badInput(source, offset, message);
    return false;
  }
  size_t offsetOf(yaml::Node *node) const {
    return node->getSourceRange().Start.getPointer() - source.text().data();
  }

  const SourceText &source;
  ProblemLog &log;
  yaml::Stream *stream = nullptr;
};

/// Document markers and directives stand at the start of a line and nowhere else.
bool TreeBuilder::checkLines() {
  StringRef text = source.text();
  bool contentSeen = false;
  for (size_t at = 0; at < text.size();) {
    StringRef line = text.substr(at).take_until([](char c) { return c == '\n'; });
    if (line.starts_with("%"))
      return fail(at, "YAML directives are not part of the language");
    if (line.starts_with("...") || (line.starts_with("---") && contentSeen))
      return fail(at, "expected one document; put a second one into a file of its own");
    if (size_t tab = line.find_first_not_of(' ');
        tab != StringRef::npos && line[tab] == '\t' && !line.trim().empty())
      return fail(at + tab, "expected spaces as indentation, but found a tab");
    if (StringRef shown = line.trim(); !shown.empty() && !shown.starts_with("#"))
      contentSeen = true;
    at += line.size() + 1;
  }
  return true;
}

bool TreeBuilder::buildMap(yaml::MappingNode &node, YamlNode &into, unsigned depth) {
  StringSet<> seen;
  for (yaml::KeyValueNode &pair : node) {
    auto *key = dyn_cast_or_null<yaml::ScalarNode>(pair.getKey());
    if (!key || stream->failed())
      return fail(pair.getKey() ? offsetOf(pair.getKey()) : into.offset,
                  "expected a plain word as a key");
    SmallString<32> storage;
    YamlNode::Entry entry;
    entry.key = key->getValue(storage).str();
    entry.keyOffset = offsetOf(key);
    if (!seen.insert(entry.key).second)
      return fail(entry.keyOffset, "key '" + entry.key + "' appears twice");
    yaml::Node *value = pair.getValue();
    if (stream->failed())
      return false;
    entry.value.offset = entry.keyOffset;
    if (value && !build(value, entry.value, depth + 1))
      return false;
    into.entries.push_back(std::move(entry));
  }
  return !stream->failed();
}

bool TreeBuilder::build(yaml::Node *node, YamlNode &into, unsigned depth) {
  size_t offset = offsetOf(node);
  // A null node's range can lie anywhere; its key is the better place.
  if (!isa<yaml::NullNode>(node))
    into.offset = std::min(offset, source.text().size());
  if (depth > maxNesting)
    return fail(into.offset, "expected at most " + Twine(maxNesting) + " nested levels");
  if (!node->getAnchor().empty() || isa<yaml::AliasNode>(node))
    return fail(into.offset, "anchors and aliases are not part of the language; name a block "
                             "under 'blocks' instead");
  if (!node->getRawTag().empty())
    return fail(into.offset, "tags are not part of the language");
  if (isa<yaml::NullNode>(node))
    return true;
  if (auto *scalar = dyn_cast<yaml::ScalarNode>(node)) {
    SmallString<64> storage;
    into.kind = YamlNode::Scalar;
    into.text = scalar->getValue(storage).str();
    StringRef raw = scalar->getRawValue();
    into.quoted = raw.starts_with("\"") || raw.starts_with("'");
    if (!into.quoted && (into.text == "null" || into.text == "~"))
      into.kind = YamlNode::Null;
    return !stream->failed();
  }
  if (auto *block = dyn_cast<yaml::BlockScalarNode>(node)) {
    into.kind = YamlNode::Scalar;
    into.text = block->getValue().str();
    into.quoted = true;
    return true;
  }
  if (auto *map = dyn_cast<yaml::MappingNode>(node)) {
    into.kind = YamlNode::Map;
    return buildMap(*map, into, depth);
  }
  if (auto *list = dyn_cast<yaml::SequenceNode>(node)) {
    into.kind = YamlNode::List;
    for (yaml::Node &item : *list) {
      if (stream->failed())
        return false;
      into.items.emplace_back();
      into.items.back().offset = into.offset;
      if (!build(&item, into.items.back(), depth + 1))
        return false;
    }
    return !stream->failed();
  }
  return fail(into.offset, "expected a map, a list or a scalar");
}

std::unique_ptr<YamlNode> TreeBuilder::run() {
  if (!checkLines())
    return nullptr;
  SourceMgr manager;
  struct Context {
    TreeBuilder *self;
  } context{this};
  manager.setDiagHandler(
      [](const SMDiagnostic &found, void *opaque) {
        TreeBuilder &self = *static_cast<Context *>(opaque)->self;
        size_t offset = self.source.text().size();
        if (const char *at = found.getLoc().getPointer())
          offset = at - self.source.text().data();
        self.fail(offset, "not valid YAML: " + found.getMessage().lower());
      },
      &context);
  yaml::Stream parsed(source.text(), manager, /*ShowColors=*/false);
  stream = &parsed;
  yaml::document_iterator document = parsed.begin();
  yaml::Node *root = document == parsed.end() ? nullptr : document->getRoot();
  auto tree = std::make_unique<YamlNode>();
  if (!root || parsed.failed()) {
    fail(0, "expected a map at the top of the file, but found nothing");
    return nullptr;
  }
  if (!build(root, *tree, 0) || parsed.failed()) {
    fail(0, "not valid YAML");
    return nullptr;
  }
  if (tree->kind != YamlNode::Map) {
    fail(tree->offset, "expected a map at the top of the file, but found " + tree->describe());
    return nullptr;
  }
  if (++document != parsed.end()) {
    fail(source.text().size(), "expected nothing after the end of the top map");
    return nullptr;
  }
  return tree;
}

} // namespace

std::unique_ptr<YamlNode> parseYaml(const SourceText &source, ProblemLog &log) {
  // Its own log, so that "has the parser spoken yet" is not confused by earlier problems.
  ProblemLog own([&](const Problem &problem) {
    log.report(problem.severity, problem.position, problem.message, problem.sourceLine);
  });
  return TreeBuilder(source, own).run();
}

std::string yamlScalar(StringRef text, bool inFlow) {
  bool plain =
      !text.empty() && text != "null" && text != "~" &&
      (isAlnum(text[0]) || text[0] == '_' || text[0] == '-' || text[0] == '.' || text[0] == '/') &&
      !text.starts_with("- ") && text != "-" && !text.starts_with("---") &&
      !text.starts_with("...");
  for (char c : text)
    plain &= isAlnum(c) || StringRef("_-./+").contains(c) ||
             (!inFlow && StringRef("[]?").contains(c)) || (!inFlow && c == ' ');
  plain &= !text.ends_with(" ");
  if (plain)
    return text.str();
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      (quoted += '\\') += c;
    else if (c == '\n')
      quoted += "\\n";
    else if (c == '\t')
      quoted += "\\t";
    else if (uint8_t(c) < 0x20 || c == 0x7f)
      quoted += "\\x" + toHex(StringRef(&c, 1));
    else
      quoted += c;
  }
  return quoted + "\"";
}

} // namespace sluice::model
