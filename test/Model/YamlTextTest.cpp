//===- YamlTextTest.cpp - the YAML subset and its complaints ---------------===//
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//
#include "lib/Model/YamlText.h"
#include "TempDir.h"
#include "lib/Model/JsonText.h"

using namespace sluice::model;

namespace {

std::unique_ptr<YamlNode> parse(llvm::StringRef text, ProblemLog &log) {
  static std::vector<std::unique_ptr<SourceText>> kept;
  kept.push_back(std::make_unique<SourceText>("m.sluice.yaml", text.str()));
  return parseYaml(*kept.back(), log);
}

TEST(Yaml, ReadsATreeWithPlaces) {
  ProblemLog log;
  std::string text = "sluice: 1   # edition\nmodel: {name: 'a b', kind: \"enc\\u006fder\"}\nlist:\n"
                     "  - x\n  - {y: [1, 2]}\nempty:\n";
  std::unique_ptr<YamlNode> root = parse(text, log);
  ASSERT_NE(root, nullptr) << messages(log);
  ASSERT_EQ(root->entries.size(), 4u);
  EXPECT_EQ(root->find("sluice")->text, "1");
  EXPECT_FALSE(root->find("sluice")->quoted);
  EXPECT_EQ(root->find("model")->find("name")->text, "a b");
  EXPECT_TRUE(root->find("model")->find("name")->quoted);
  EXPECT_EQ(root->find("model")->find("kind")->text, "encoder");
  const YamlNode &y = *root->find("list")->items[1].find("y");
  EXPECT_EQ(y.items.size(), 2u);
  SourceText source("m", text);
  EXPECT_EQ(source.position(y.items[1].offset).line, 5u);
  EXPECT_EQ(source.position(y.items[1].offset).column, 13u);
  EXPECT_EQ(root->find("empty")->kind, YamlNode::Null);
}

TEST(Yaml, ReadsJson) {
  ProblemLog log;
  std::unique_ptr<YamlNode> root = parse("{\"sluice\": 1,\n \"a\": [true, null, \"x\"]}\n", log);
  ASSERT_NE(root, nullptr) << messages(log);
  EXPECT_EQ(root->find("a")->items.size(), 3u);
  EXPECT_EQ(root->find("a")->items[1].kind, YamlNode::Null);
}

struct BadYaml {
  const char *name;
  std::string text;
  const char *message;
};

class HostileYaml : public testing::TestWithParam<BadYaml> {};

TEST_P(HostileYaml, IsRefusedWithAPlace) {
  ProblemLog log;
  EXPECT_EQ(parse(GetParam().text, log), nullptr);
  EXPECT_EQ(log.exitCode(), 2);
  EXPECT_EQ(log.problems().size(), 1u) << messages(log);
  EXPECT_NE(messages(log).find(GetParam().message), std::string::npos) << messages(log);
}

std::string repeated(const char *piece, unsigned times) {
  std::string text;
  for (unsigned i = 0; i != times; ++i)
    text += piece;
  return text;
}

std::string staircase(unsigned depth) {
  std::string text;
  for (unsigned i = 0; i != depth; ++i)
    text += std::string(i, ' ') + "a:\n";
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, HostileYaml,
    testing::Values(
        BadYaml{"Empty", "", "expected a map at the top"},
        BadYaml{"OnlyAComment", "# nothing\n", "expected a map at the top"},
        BadYaml{"List", "- a\n", "m.sluice.yaml:1:1: error: expected a map at the top"},
        BadYaml{"Scalar", "hello\n", "expected a map at the top"},
        BadYaml{"Duplicate", "a: 1\nb: 2\na: 3\n",
                "m.sluice.yaml:3:1: error: key 'a' appears twice\na: 3\n^"},
        BadYaml{"DuplicateInFlow", "a: {b: 1, b: 2}\n",
                "m.sluice.yaml:1:11: error: key 'b' appears twice"},
        BadYaml{"TwoDocuments", "a: 1\n---\nb: 2\n",
                "m.sluice.yaml:2:1: error: expected one document"},
        BadYaml{"DocumentEnds", "a: 1\n" + repeated("...\n", 200'000), "expected one document"},
        BadYaml{"Directive", "%YAML 1.2\n---\na: 1\n", "directives"},
        BadYaml{"Anchor", "a: &x {b: 1}\n", "anchors"}, BadYaml{"Alias", "a: *x\n", "anchors"},
        BadYaml{"Tag", "a: !!str 1\n", "tags"}, BadYaml{"Tab", "a:\n\tb: 1\n", "found a tab"},
        BadYaml{"Unclosed", "a: [1, 2\n", "not valid YAML"},
        BadYaml{"UnclosedQuote", "a: \"x\n", "not valid YAML"},
        BadYaml{"Junk", "{a: 1} }\n", "expected nothing after"},
        BadYaml{"MapAsKey", "{a: 1}: 2\n", "expected a plain word as a key"},
        BadYaml{"DeepFlow", "a: " + repeated("[", 1'000'000), "at most 128 nested"},
        BadYaml{"DeepFlowMaps", "a: " + repeated("{a: ", 200'000), "at most 128 nested"},
        BadYaml{"DeepFlowWithFalseClosers",
                repeated("a: [ # ]\n", 1) + repeated("  [ # ]\n", 100'000), "at most 128 nested"},
        BadYaml{"DeepDashes", "a:\n  " + repeated("- ", 200'000), "at most 128 nested"},
        BadYaml{"DeepBlocks", staircase(1000), "at most 128 nested"}),
    [](const auto &info) { return info.param.name; });

TEST(Yaml, EveryPrefixIsSafe) {
  std::string text =
      "sluice: 1\nmodel: {name: \"a\\n\", list: [1, 'x', {y: |\n  z\n}]}\nb: >-\n  long\n  text\n";
  for (size_t length = 0; length <= text.size(); ++length) {
    ProblemLog log;
    std::unique_ptr<YamlNode> root = parse(llvm::StringRef(text).take_front(length), log);
    EXPECT_EQ(root == nullptr, log.failed()) << length;
  }
}

TEST(Yaml, EveryByteReplacedIsSafe) {
  std::string text = "sluice: 1\nmodel: {name: \"a\\n\", list: [1, 'x']}\nb:\n - c: d\n   e: f\n";
  for (size_t at = 0; at != text.size(); ++at)
    for (char c : {'\0', '\t', '\n', '"', '\'', '[', '}', ':', '-', '&', '|', '#', '\xff', '%'}) {
      std::string bad = text;
      bad[at] = c;
      ProblemLog log;
      std::unique_ptr<YamlNode> root = parse(bad, log);
      EXPECT_EQ(root == nullptr, log.failed()) << at << " " << int(c);
    }
}

TEST(Yaml, ScalarsComeBack) {
  for (llvm::StringRef word : {"plain",
                               "a b",
                               "",
                               "null",
                               "~",
                               "-",
                               "- a",
                               "x: y",
                               "#c",
                               "a#",
                               "[1]",
                               "{}",
                               "model.layers.{}.w",
                               "it's",
                               "\"q\"",
                               "back\\slash",
                               "line\nline",
                               "\x01",
                               "true",
                               "1e-5",
                               "*a",
                               "&a",
                               "!t",
                               "%d",
                               "@",
                               "`",
                               ",",
                               "a, b",
                               "...",
                               "---",
                               " x",
                               "x ",
                               "caf\xc3\xa9"})
    for (bool inFlow : {false, true}) {
      ProblemLog log;
      std::string scalar = yamlScalar(word, inFlow);
      std::string text = inFlow ? "a: [" + scalar + "]\n" : "a: " + scalar + "\n";
      std::unique_ptr<YamlNode> root = parse(text, log);
      ASSERT_NE(root, nullptr) << text << messages(log);
      const YamlNode &node = inFlow ? root->find("a")->items[0] : *root->find("a");
      EXPECT_EQ(node.kind, YamlNode::Scalar) << text;
      EXPECT_EQ(node.text, word.str()) << text;
    }
}

TEST(Json, KeysHavePlaces) {
  ProblemLog log;
  auto source = std::make_unique<SourceText>(
      "config.json", "{\n  \"a\": {\"b\": [{\"c\": 1}], \"d\": 2},\n  \"e\": 3\n}\n");
  std::unique_ptr<JsonFile> file = JsonFile::parse(std::move(source), log);
  ASSERT_NE(file, nullptr) << messages(log);
  EXPECT_EQ(file->source().position(file->offset("a.d")).column, 26u);
  EXPECT_EQ(file->source().position(file->offset("e")).line, 3u);
  EXPECT_EQ(file->offset("a.b.c"), 0u);
  EXPECT_EQ(file->find("a.d")->getAsInteger(), 2);
  EXPECT_EQ(file->find("a.x"), nullptr);
  EXPECT_EQ(file->find("e.x"), nullptr);
}

TEST(Json, ErrorsHavePlaces) {
  ProblemLog log;
  auto source = std::make_unique<SourceText>("config.json", "{\n  \"a\": 1\n  \"b\": 2\n}\n");
  EXPECT_EQ(JsonFile::parse(std::move(source), log), nullptr);
  EXPECT_NE(messages(log).find("config.json:3:3: error: not valid JSON"), std::string::npos)
      << messages(log);
}

TEST(Problems, SuggestionsAreClose) {
  EXPECT_EQ(didYouMean("vocab_sze", {"vocab_size", "hidden_size"}),
            " (did you mean 'vocab_size'?)");
  EXPECT_EQ(didYouMean("banana", {"vocab_size", "hidden_size"}), "");
}

} // namespace
