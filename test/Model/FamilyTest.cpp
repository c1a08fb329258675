//===- FamilyTest.cpp - another architecture is another file ---------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Families beyond the built-in ones are data: made here from llama's text by adding lines, never by
// adding code.
//
//===----------------------------------------------------------------------===//
#include "TinyModel.h"
#include "lib/Model/Families.h"
#include "sluice/Model/ModelReader.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace sluice::model;

namespace {

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string imported(const ModelOptions &options, ProblemLog &log) {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module = importModel(context, options, log);
  EXPECT_TRUE(module) << messages(log);
  std::string text;
  llvm::raw_string_ostream os(text);
  if (module)
    module->print(os);
  return text;
}

TEST(Family, BuiltIn) {
  for (const char *name :
       {"bert", "gemma2", "gemma3_text", "gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3"})
    EXPECT_TRUE(llvm::is_contained(builtinFamilies(), name)) << name;
  EXPECT_FALSE(llvm::is_contained(builtinFamilies(), "keys"));
  EXPECT_FALSE(builtinFamilyText("rope")); // a part of families
  EXPECT_TRUE(builtinPartText("rope"));
}

// Biases on q, k and v whatever config.json says, as in Qwen2.
TEST(Family, BiasesWithoutAKey) {
  std::string text = builtinFamilyText("llama")->str();
  text = replaced(text, "  layers.qkv_bias:\n    when: $attention_bias\n", "  layers.qkv_bias:\n");
  TempDir dir;
  TinyModel model = tinyLlama();
  for (std::string layer : {"0", "1"}) {
    model.tensors["model.layers." + layer + ".self_attn.q_proj.bias"] = {24};
    model.tensors["model.layers." + layer + ".self_attn.k_proj.bias"] = {12};
    model.tensors["model.layers." + layer + ".self_attn.v_proj.bias"] = {12};
  }
  model.config["model_type"] = "another";
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  options.familyFile = dir.write("another.yaml", text);
  ProblemLog log;
  std::string module = imported(options, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  EXPECT_NE(module.find("@layers.qkv_bias stack 2 role bias : tensor<2x48xf32>"), std::string::npos)
      << module;
}

// A norm of every head of q and k before the rotation, as in Qwen3.
TEST(Family, NormsOfHeads) {
  std::string text = builtinFamilyText("llama")->str();
  text = replaced(text, "  layers.out:\n", R"(  layers.q_norm:
    stack: layers
    role: scale
    name: "{p}layers.{}.self_attn.q_norm.weight"
    shape: [head]
  layers.out:
)");
  text = replaced(
      text, "    - {block: rotate}\n",
      "    - {op: norm, kind: rms, x: q, weight: layers.q_norm, eps: $rms_norm_eps, to: q}\n"
      "    - {block: rotate}\n");
  TempDir dir;
  TinyModel model = tinyLlama();
  for (std::string layer : {"0", "1"})
    model.tensors["model.layers." + layer + ".self_attn.q_norm.weight"] = {6};
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  options.familyFile = dir.write("another.yaml", text);
  ProblemLog log;
  std::string module = imported(options, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  EXPECT_NE(module.find("(tensor<?x4x6xf32>, tensor<6xf32>) -> tensor<?x4x6xf32>"),
            std::string::npos)
      << module;
}

// q, k, v in one tensor and gate, up in one tensor, as in Phi-3.
TEST(Family, TensorsJoinedInTheCheckpoint) {
  std::string text = builtinFamilyText("llama")->str();
  size_t from = text.find("  layers.qkv:\n"), to = text.find("  layers.qkv_bias:\n");
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  text.replace(from, to - from, R"(  layers.qkv:
    stack: layers
    name: "{p}layers.{}.self_attn.qkv_proj.weight"
    shape: [(heads + 2 * kv_heads) * head, hidden]
)");
  TempDir dir;
  TinyModel model = tinyLlama();
  for (std::string layer : {"0", "1"}) {
    std::string p = "model.layers." + layer + ".self_attn.";
    for (const char *one : {"q_proj", "k_proj", "v_proj"})
      model.tensors.erase(p + one + ".weight");
    model.tensors[p + "qkv_proj.weight"] = {48, 24};
  }
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  options.familyFile = dir.write("another.yaml", text);
  ProblemLog log;
  EXPECT_NE(
      imported(options, log).find("[\"model.layers.{}.self_attn.qkv_proj.weight\"] rows [48]"),
      std::string::npos);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
}

/// Which loops, as "first-end/every:layer numbers", the kinds of layers become. |window| is what a
/// layer has, an expression of `layer`.
std::string loopsOf(int64_t layers, const std::string &window) {
  TempDir dir;
  ModelOptions options;
  options.path = dir.write("toy.sluice.yaml",
                           R"(
sluice: 1
model: {name: toy, kind: encoder}
axes: {layers: )" + std::to_string(layers) +
                               R"(}
random: 1
limits: {vocab: 9}
weights:
  table: {name: t, shape: [9, 4], role: table}
  qkv: {stack: layers, name: "l.{}.qkv", shape: [12, 4]}
functions:
  forward:
    inputs:
      tokens: i32[rows]
      batch: batch
    steps:
      - {op: embed, table: table, ids: tokens, to: x}
      - op: repeat
        layers: layers
        each:
          window: )" + window + R"(
        carry: [x]
        steps:
          - {op: linear, x: x, weight: qkv, to: h}
          - {op: split, x: h, to: {q: [2, 2], k: [2, 2], v: [2, 2]}}
          - {op: attention, query: q, key: k, value: v, batch: batch, mask: causal, window: window, scale: 1.0, to: a}
          - {op: merge, x: a, to: y}
          - {op: add, x: x, y: y, to: x}
    results: {last_hidden_state: x}
)");
  ProblemLog log;
  std::optional<Model> model = readModel(options, log);
  if (!model)
    return messages(log);
  std::string text;
  llvm::raw_string_ostream os(text);
  model->print(os);
  // Reading it back gives the same, and both import.
  ModelOptions again;
  again.path = dir.write("again.sluice.yaml", text);
  EXPECT_EQ(imported(options, log), imported(again, log)) << messages(log);

  std::string loops;
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n');
  for (llvm::StringRef line : lines) {
    auto number = [&](llvm::StringRef field, const char *otherwise) {
      size_t at = line.find(", " + field.str() + ": ");
      return at == llvm::StringRef::npos ? std::string(otherwise)
                                         : line.substr(at + field.size() + 4)
                                               .take_while([](char c) { return llvm::isDigit(c); })
                                               .str();
    };
    if (line.contains("op: repeat"))
      loops += (loops.empty() ? "" : " ") + number("first", "0") + "-" + number("end", "") + "/" +
               number("every", "1");
    if (line.contains("op: attention"))
      loops += ":" + number("window", "");
  }
  return loops;
}

TEST(Family, LayersThatDiffer) {
  EXPECT_EQ(loopsOf(4, "none"), "0-/1:");
  EXPECT_EQ(loopsOf(4, "7"), "0-/1:7");
  EXPECT_EQ(loopsOf(4, "choose(layer % 2 == 0, 7, none)"), "0-/2:7:");
  EXPECT_EQ(loopsOf(5, "choose(layer % 2 == 0, 7, none)"), "0-4/2:7: 4-/1:7");
  EXPECT_EQ(loopsOf(14, "choose((layer + 1) % 6 == 0, none, 7)"), "0-12/6:7:7:7:7:7: 12-/1:7");
  EXPECT_EQ(loopsOf(7, "choose(layer >= 3, 7, none)"), "0-3/1: 3-/1:7");
  EXPECT_EQ(loopsOf(3, "layer + 1"), "0-1/1:1 1-2/1:2 2-/1:3");
  EXPECT_EQ(loopsOf(1, "layer + 1"), "0-/1:1");
}

TEST(Family, BadLayers) {
  EXPECT_NE(loopsOf(3, "item('x', layer, 1)").find("expected a list"), std::string::npos);
  EXPECT_NE(loopsOf(3, "layer").find("expected a number from 1"), std::string::npos);
  EXPECT_NE(loopsOf(3, "layers + laier").find("no axis 'laier'"), std::string::npos);
  // Sixteen layers are a pattern, what has none is unrolled, and that has an end.
  EXPECT_NE(loopsOf(4096, "layer + 1").find("expected at most 20000 steps"), std::string::npos);
}

// The examples of docs/Descriptions.md are descriptions.
TEST(Family, DocumentedExamplesImport) {
  auto file = llvm::MemoryBuffer::getFile(SLUICE_SOURCE_DIR "/docs/Descriptions.md");
  ASSERT_TRUE(bool(file));
  llvm::StringRef rest = (*file)->getBuffer();
  unsigned found = 0;
  while (true) {
    size_t open = rest.find("```yaml\n");
    if (open == llvm::StringRef::npos)
      break;
    rest = rest.substr(open + 8);
    llvm::StringRef text = rest.substr(0, rest.find("```"));
    TempDir dir;
    ModelOptions options;
    options.path = dir.write("example.sluice.yaml", text);
    if (text.contains("\nfamily:")) {
      options.familyFile = options.path;
      options.path = dir.write(
          "config.json", R"({"model_type": "x", "d_model": 12, "act": "gelu", "use_norm": false})");
      options.randomSeed = 1;
    }
    ProblemLog log;
    std::string module = imported(options, log);
    EXPECT_TRUE(log.problems().empty()) << messages(log);
    EXPECT_NE(module.find("func.func @forward"), std::string::npos);
    ++found;
  }
  EXPECT_EQ(found, 2u);
}

} // namespace
