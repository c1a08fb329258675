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
  ASSERT_EQ(builtinFamilies().size(), 2u);
  EXPECT_EQ(builtinFamilies()[0], "bert");
  EXPECT_EQ(builtinFamilies()[1], "llama");
  EXPECT_FALSE(builtinFamilyText("gpt2"));
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
      text, "    - {op: rope, pairing: halves, x: q,",
      "    - {op: norm, kind: rms, x: q, weight: layers.q_norm, eps: $rms_norm_eps, to: q}\n"
      "    - {op: rope, pairing: halves, x: q,");
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
