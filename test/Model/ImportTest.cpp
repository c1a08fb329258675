//===- ImportTest.cpp - directories and descriptions to the tensor stage ---===//
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//
#include "TinyModel.h"
#include "sluice/Model/ModelReader.h"

#include "dialects/Sluice/Sluice.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"

using namespace sluice;
using namespace sluice::model;

namespace {

std::string printed(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  mlir::OpPrintingFlags flags;
  module->print(os, flags.enableDebugInfo());
  return text;
}

/// The tensor stage of |options|; fails the test with the problems when there is none.
std::string import(const ModelOptions &options, ProblemLog &log) {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module = importModel(context, options, log);
  EXPECT_TRUE(module) << messages(log);
  return module ? printed(*module) : "";
}

std::string import(const TempDir &dir, ProblemLog &log) {
  ModelOptions options;
  options.path = dir.dir();
  return import(options, log);
}

void expectIn(const std::string &text, llvm::StringRef part) {
  EXPECT_NE(text.find(part), std::string::npos) << "expected " << part.str() << "\nin " << text;
}
void expectNotIn(const std::string &text, llvm::StringRef part) {
  EXPECT_EQ(text.find(part), std::string::npos)
      << "did not expect " << part.str() << "\nin " << text;
}

/// Reading what stage `model` prints gives the same tensor stage, locations included, and prints
/// the same again.
void expectRoundTrip(const ModelOptions &options) {
  ProblemLog log;
  std::optional<Model> model = readModel(options, log);
  ASSERT_TRUE(model) << messages(log);
  std::string text, again;
  llvm::raw_string_ostream os(text), againOs(again);
  model->print(os);
  TempDir dir;
  ModelOptions second;
  second.path = dir.write("resolved.sluice.yaml", text);
  ProblemLog secondLog;
  std::optional<Model> back = readModel(second, secondLog);
  ASSERT_TRUE(back) << messages(secondLog) << text;
  EXPECT_TRUE(secondLog.problems().empty()) << messages(secondLog);
  back->print(againOs);
  EXPECT_EQ(text, again);
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> a = importModel(context, *model, log);
  mlir::OwningOpRef<mlir::ModuleOp> b = importModel(context, *back, secondLog);
  ASSERT_TRUE(a && b) << messages(log) << messages(secondLog);
  EXPECT_EQ(printed(*a), printed(*b));
}

TEST(Import, Llama) {
  TempDir dir;
  tinyLlama().write(dir);
  ProblemLog log;
  std::string text = import(dir, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  expectIn(text, "sluice.kind = \"decoder\"");
  expectIn(text, "sluice.eos = array<i64: 2>");
  expectIn(text, "sluice.limits = {max_positions = 64 : i64, vocab = 20 : i64}");
  expectIn(
      text,
      "sluice.param @layers.qkv stack 2 role weight : tensor<2x48x24xf32> from "
      "[\"model.layers.{}.self_attn.q_proj.weight\", \"model.layers.{}.self_attn.k_proj.weight\", "
      "\"model.layers.{}.self_attn.v_proj.weight\"] rows [24, 12, 12]");
  expectIn(text, "from [\"model.layers.{}.mlp.gate_proj.weight\", "
                 "\"model.layers.{}.mlp.up_proj.weight\"] rows [40, 40]");
  expectIn(text, "sluice.kv @kv layers 2 heads 2 key 6 value 6 page 16 : f32");
  expectIn(text, "theta = 5.000000e+03");
  expectIn(text, "eps = 1.000000e-05");
  expectIn(text, "scale = 0.40824829046386307");
  expectIn(text, "mask #sluice.causal");
  expectIn(text, "func.func @sample");
  expectIn(text, "loc(\"families/llama.yaml\":");
  expectIn(text, "loc(\"config.json\":");
  expectNotIn(text, " bias ");
  expectNotIn(text, "bf16");
}

TEST(Import, LlamaBiasesTiesAndHeadSize) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.config["attention_bias"] = true;
  model.config["mlp_bias"] = true;
  model.config["tie_word_embeddings"] = true;
  model.config["head_dim"] = 20;
  auto &t = model.tensors;
  t.erase("lm_head.weight");
  for (std::string layer : {"0", "1"}) {
    std::string p = "model.layers." + layer + ".";
    t[p + "self_attn.q_proj.weight"] = {80, 24};
    t[p + "self_attn.k_proj.weight"] = {40, 24};
    t[p + "self_attn.v_proj.weight"] = {40, 24};
    t[p + "self_attn.o_proj.weight"] = {24, 80};
    t[p + "self_attn.q_proj.bias"] = {80};
    t[p + "self_attn.k_proj.bias"] = {40};
    t[p + "self_attn.v_proj.bias"] = {40};
    t[p + "self_attn.o_proj.bias"] = {24};
    t[p + "mlp.gate_proj.bias"] = {40};
    t[p + "mlp.up_proj.bias"] = {40};
    t[p + "mlp.down_proj.bias"] = {24};
  }
  model.write(dir);
  ProblemLog log;
  std::string text = import(dir, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  expectIn(text, "@layers.qkv_bias stack 2 role bias : tensor<2x160xf32>");
  expectIn(text, "key 20 value 20");
  expectNotIn(text, "@head");
  // The table is gathered from and multiplied with.
  expectIn(text, "sluice.param.use @embed");
  EXPECT_EQ(llvm::StringRef(text).count("sluice.param.use @embed"), 2u);
  ModelOptions options;
  options.path = dir.dir();
  expectRoundTrip(options);
}

TEST(Import, DTypes) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.dtype = "BF16";
  model.config["torch_dtype"] = "bfloat16";
  model.write(dir);
  ProblemLog log;
  std::string text = import(dir, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  expectIn(text, "page 16 : bf16");
  expectIn(text, "tensor<2x48x24xbf16>");
  expectIn(text, "-> tensor<?x4x6xbf16>"); // attention rounds for the linear layer after it

  ModelOptions options;
  options.path = dir.dir();
  options.dtype = "f32";
  ProblemLog f32Log;
  expectNotIn(import(options, f32Log), "bf16");
  options.kvDType = "bf16";
  expectIn(import(options, f32Log), "page 16 : bf16");

  model.config["torch_dtype"] = "float32";
  model.write(dir);
  ProblemLog remark;
  expectIn(import(dir, remark), "tensor<2x48x24xbf16>");
  expectIn(messages(remark), "remark: the key says f32, but the checkpoint's tensors are bf16");

  model.dtype = "F16";
  model.config.erase("torch_dtype");
  model.write(dir);
  ProblemLog f16Log;
  text = import(dir, f16Log);
  expectIn(text, "tensor<2x48x24xf16>");
  expectIn(text, "page 16 : f32");
  expectIn(text, "(tensor<?x24xf32>, tensor<48x24xf16>) -> tensor<?x48xf32>");
}

TEST(Import, MixedDTypesNeedAChoice) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.dtypes["lm_head.weight"] = "BF16";
  model.write(dir);
  ProblemLog log;
  ModelOptions options;
  options.path = dir.dir();
  EXPECT_FALSE(readModel(options, log));
  EXPECT_EQ(log.exitCode(), 2);
  expectIn(messages(log), "several dtypes (bf16, f32); choose one with --dtype");
  options.dtype = "bf16";
  ProblemLog chosen;
  expectIn(import(options, chosen), "tensor<20x24xbf16>");
}

TEST(Import, NewSpellings) {
  TempDir dir, old;
  TinyModel model = tinyLlama();
  model.write(old);
  model.config.erase("rope_theta");
  model.config["rope_parameters"] =
      llvm::json::Object{{"rope_type", "default"}, {"rope_theta", 5000.0}};
  model.config["dtype"] = "float32";
  model.write(dir);
  ProblemLog log;
  std::string text = import(dir, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  expectIn(text, "theta = 5.000000e+03");
}

TEST(Import, EosOfGenerationConfig) {
  TempDir dir;
  tinyLlama().write(dir);
  dir.write("generation_config.json", R"({"eos_token_id": [5, 6], "temperature": 0.6})");
  ProblemLog log;
  expectIn(import(dir, log), "sluice.eos = array<i64: 5, 6>");
}

TEST(Import, TensorsWithoutPrefix) {
  TempDir dir;
  TinyModel model = tinyLlama();
  std::map<std::string, std::vector<int64_t>> renamed;
  for (const auto &[name, shape] : model.tensors) {
    llvm::StringRef bare = name;
    bare.consume_front("model.");
    renamed[bare.str()] = shape;
  }
  model.tensors = renamed;
  model.write(dir);
  ProblemLog log;
  expectIn(import(dir, log), "from [\"embed_tokens.weight\"]");
  EXPECT_TRUE(log.problems().empty()) << messages(log);
}

TEST(Import, Bert) {
  TempDir dir;
  TinyModel model = tinyBert();
  model.tensors["pooler.dense.weight"] = {16, 16};
  model.tensors["pooler.dense.bias"] = {16};
  model.tensors["embeddings.position_ids"] = {1, 12};
  model.dtypes["embeddings.position_ids"] = "I64";
  model.write(dir);
  ProblemLog log;
  std::string text = import(dir, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  expectIn(text, "sluice.kind = \"encoder\"");
  expectIn(text,
           "sluice.limits = {max_positions = 12 : i64, token_types = 2 : i64, vocab = 30 : i64}");
  expectIn(text, "func.func @forward");
  expectIn(text, "sluice.activation gelu_erf");
  expectIn(text, "sluice.norm layer");
  expectIn(text, "mask #sluice.all");
  expectNotIn(text, "@embed(");
  expectNotIn(text, "sluice.embed =");
}

TEST(Import, BertSpellings) {
  TempDir dir;
  tinyBert("bert.", "gamma", "beta").write(dir);
  ProblemLog log;
  std::string text = import(dir, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  expectIn(text, "\"bert.encoder.layer.{}.output.LayerNorm.gamma\"");
  expectIn(text, "\"bert.embeddings.LayerNorm.beta\"");
}

TEST(Import, BertInBF16RoundsForLinearLayers) {
  TempDir dir;
  TinyModel model = tinyBert();
  model.dtype = "BF16";
  model.write(dir);
  ProblemLog log;
  std::string text = import(dir, log);
  expectIn(text, "arith.truncf");
  expectIn(text, "(tensor<?x16xbf16>, tensor<48x16xbf16>, tensor<48xbf16>) -> tensor<?x48xf32>");
}

const char *modulesJson = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])";

TEST(Import, SentenceEncoder) {
  TempDir dir;
  tinyBert().write(dir);
  dir.write("modules.json", modulesJson);
  dir.write(
      "1_Pooling/config.json",
      R"({"word_embedding_dimension": 16, "pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false})");
  dir.write("sentence_bert_config.json", R"({"max_seq_length": 10, "do_lower_case": false})");
  ProblemLog log;
  std::string text = import(dir, log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
  expectIn(text, "func.func @embed");
  expectIn(text, "sluice.pool mean");
  expectIn(text, "sluice.norm l2");
  expectIn(text, "sluice.embed = {max_seq_length = 10 : i64}");
  expectIn(text, "sluice.name = \"embeddings\"");
  ModelOptions options;
  options.path = dir.dir();
  expectRoundTrip(options);

  dir.write("1_Pooling/config.json", R"({"pooling_mode": "cls"})");
  dir.write("sentence_bert_config.json", R"({"max_seq_length": 512})");
  ProblemLog cls;
  text = import(dir, cls);
  expectIn(text, "sluice.pool first");
  expectIn(text, "max_seq_length = 12"); // no longer than there are positions
}

TEST(Import, RandomWeights) {
  TempDir dir;
  tinyLlama().writeConfig(dir);
  ModelOptions options;
  options.path = dir.path("config.json");
  ProblemLog log;
  EXPECT_FALSE(readModel(options, log));
  expectIn(messages(log), "--weights=random:SEED");
  options.randomSeed = 7;
  ProblemLog randomLog;
  std::string text = import(options, randomLog);
  EXPECT_TRUE(randomLog.problems().empty()) << messages(randomLog);
  expectIn(text, "sluice.random_seed = 7 : i64");
  expectNotIn(text, "sluice.weights");
  expectRoundTrip(options);
}

TEST(Import, DirectoryWithOverrides) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.write(dir);
  ModelOptions options;
  options.path =
      dir.write("shorter.sluice.yaml", "sluice: 1\nmodel: {name: shorter, kind: decoder}\n"
                                       "from: {hf: .}\nset: {num_hidden_layers: 1}\n");
  ProblemLog log;
  std::string text = import(options, log);
  expectIn(text, "stack 1 ");
  expectIn(text, "sluice.name = \"shorter\"");
  expectIn(text, "loc(\"shorter.sluice.yaml\":4:7)");
  expectIn(messages(log), "warning: 9 tensors of the checkpoint are not used");
}

TEST(Import, FamilyOfTheUsersOwn) {
  TempDir dir;
  dir.write("config.json", R"({"model_type": "mine", "width": 8})");
  ModelOptions options;
  options.path = dir.dir();
  options.randomSeed = 1;
  ProblemLog none;
  EXPECT_FALSE(readModel(options, none));
  EXPECT_EQ(none.exitCode(), 3);
  expectIn(messages(none), "config.json:1:2: error: model_type 'mine' has no family");
  options.familyFile = dir.write("mine.yaml", R"(sluice: 1
family: {name: mine, kind: encoder}
config:
  width: {type: int}
axes: {width: $width}
weights:
  w: {name: w, shape: [2 * width, width]}
functions:
  forward:
    inputs: {x: "f32[rows, width]"}
    steps:
      - {op: linear, x: x, weight: w, to: y}
    results: {y: y}
)");
  ProblemLog log;
  expectIn(import(options, log), "tensor<16x8xf32>");
  EXPECT_TRUE(log.problems().empty()) << messages(log);
}

TEST(Import, DescriptionAlone) {
  TempDir dir;
  ModelOptions options;
  options.path = dir.write("toy.sluice.yaml", R"(sluice: 1
model: {name: toy, kind: op}
axes: {width: 5}
random: 3
weights:
  limit: {name: limit, shape: [width], role: scale}
functions:
  clamp:
    inputs: {x: "f32[rows, width]"}
    steps:
      - {op: clamp, x: x, width: limit, nan: propagate, to: y}
    results: {y: y}
)");
  ProblemLog log;
  std::string text = import(options, log);
  expectIn(text, "sluice.clamp");
  expectIn(text, "loc(\"toy.sluice.yaml\":11:10)");
  expectRoundTrip(options);
}

} // namespace
