//===- BadModelTest.cpp - what wrong models and descriptions are told ------===//
// SPDX-License-Identifier: Apache-2.0
//
// Each case changes one thing of a good model and expects the exit code, the place and the reason.
//
//===----------------------------------------------------------------------===//
#include "TinyModel.h"
#include "sluice/Model/ModelReader.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

using namespace sluice::model;
using llvm::json::Array;
using llvm::json::Object;

namespace {

struct BadConfig {
  const char *name;
  std::function<void(TinyModel &)> change;
  int exitCode;
  const char *message;
};

void expectFailure(const ModelOptions &options, int exitCode, const char *message) {
  ProblemLog log;
  mlir::MLIRContext context;
  EXPECT_FALSE(importModel(context, options, log));
  EXPECT_EQ(log.exitCode(), exitCode) << messages(log);
  EXPECT_EQ(log.errorCount(), 1u) << messages(log);
  EXPECT_NE(messages(log).find(message), std::string::npos) << messages(log);
}

class BadLlama : public testing::TestWithParam<BadConfig> {};

TEST_P(BadLlama, IsTold) {
  TempDir dir;
  TinyModel model = tinyLlama();
  GetParam().change(model);
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  expectFailure(options, GetParam().exitCode, GetParam().message);
}

#define SET(key, value) [](TinyModel &m) { m.config[key] = value; }

INSTANTIATE_TEST_SUITE_P(
    Import, BadLlama,
    testing::Values(
        BadConfig{"ZeroSize", SET("hidden_size", 0), 2, "expected 'hidden_size' to be at least 1, but it is 0"},
        BadConfig{"NegativeSize", SET("num_hidden_layers", -2), 2, "expected 'num_hidden_layers' to be at least 1"},
        BadConfig{"SizeOf2To62", SET("vocab_size", int64_t(1) << 62), 2, "expected a number from 1 to 2147483647"},
        BadConfig{"ProductOf2To62", SET("head_dim", int64_t(1) << 30), 2, "expected a number from 1 to 2147483647"},
        BadConfig{"ManyLayers", SET("num_hidden_layers", int64_t(1) << 62), 2, "at most 4096"},
        BadConfig{"SizeIsAString", SET("hidden_size", "24"), 2, "to be a whole number, but found a string \"24\""},
        BadConfig{"SizeIsAFraction", SET("hidden_size", 24.5), 2, "to be a whole number, but found a number 24.5"},
        BadConfig{"BiasIsANumber", SET("attention_bias", 1), 2, "to be true or false, but found a number 1"},
        BadConfig{"EpsIsAString", SET("rms_norm_eps", "1e-5"), 2, "to be a number, but found a string"},
        BadConfig{"NegativeEps", SET("rms_norm_eps", -1e-5), 2, "at least 0.0"},
        BadConfig{"ZeroTheta", SET("rope_theta", 0.0), 2, "rope_theta must be positive"},
        BadConfig{"HeadsDoNotDivide", SET("num_attention_heads", 5), 2, "24 is not a multiple of 5"},
        BadConfig{"GroupsDoNotDivide", SET("num_key_value_heads", 3), 2, "multiple of num_key_value_heads"},
        BadConfig{"OddHeadSize", SET("head_dim", 5), 2, "head_dim must be even"},
        BadConfig{"OtherShape", SET("intermediate_size", 48), 2,
                  "tensor 'model.layers.0.mlp.gate_proj.weight' has shape [40, 24], but the description makes it [48, 24]"},
        BadConfig{"NoModelType", [](TinyModel &m) { m.config.erase("model_type"); }, 2, "expected 'model_type'"},
        BadConfig{"UnknownFamily", SET("model_type", "lama"), 3, "has no family (did you mean 'llama'?)"},
        BadConfig{"UnknownActivation", SET("hidden_act", "snake"), 3, "'snake', which is not built; built: silu, swish"},
        BadConfig{"UnknownRope", SET("rope_scaling", (Object{{"rope_type", "spiral"}, {"factor", 8.0}})), 3,
                  "'rope_scaling.rope_type' is 'spiral', which is not built: the scaling decides every angle"},
        BadConfig{"RopeScalingOldSpelling", SET("rope_scaling", (Object{{"type", "linear"}})), 2,
                  "this rope scaling needs a 'factor'"},
        BadConfig{"RopeScalingWithoutType", SET("rope_scaling", (Object{{"factor", 2.0}})), 2,
                  "a rope scaling with a 'factor' needs a 'rope_type'"},
        BadConfig{"RopeScalingOfZero", SET("rope_scaling", (Object{{"type", "linear"}, {"factor", 0.0}})), 2,
                  "the factor of a rope scaling must be positive"},
        BadConfig{"RopeScalingIncomplete", SET("rope_scaling", (Object{{"rope_type", "llama3"}, {"factor", 8.0}})), 2,
                  "rope scaling llama3 needs 'low_freq_factor' and 'high_freq_factor'"},
        BadConfig{"RopeScalingUpsideDown",
                  SET("rope_scaling", (Object{{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 4.0},
                                              {"high_freq_factor", 1.0}})), 2,
                  "step 'rope': 'scaling' expects 'low' below 'high', but they are 4.000000e+00 and 1.000000e+00"},
        BadConfig{"RopeScalingWithoutLists", SET("rope_scaling", (Object{{"rope_type", "longrope"}})), 2,
                  "rope scaling longrope needs 'short_factor' and 'long_factor'"},
        BadConfig{"RopeScalingWithShortLists",
                  SET("rope_scaling", (Object{{"rope_type", "longrope"}, {"short_factor", Array{1.0, 1.0, 1.0}},
                                              {"long_factor", Array{1.0, 1.0}}})), 2,
                  "rope scaling longrope needs a factor for each pair of rotated channels"},
        BadConfig{"RopeScalingListOfWords",
                  SET("rope_scaling", (Object{{"rope_type", "longrope"}, {"short_factor", Array{"a"}}})), 2,
                  "expected 'rope_scaling.short_factor' to be a list of numbers"},
        BadConfig{"ContradictoryRopeTypes",
                  SET("rope_scaling", (Object{{"rope_type", "linear"}, {"type", "dynamic"}, {"factor", 2.0}})), 2,
                  "another spelling of the same"},
        BadConfig{"PartialRotation", SET("rope_parameters", (Object{{"rope_theta", 5000.0}, {"partial_rotary_factor", 0.5}})), 3,
                  "every channel of a head is rotated"},
        BadConfig{"RopeScalingIsAString", SET("rope_scaling", "linear"), 2, "expected 'rope_scaling' to be an object"},
        BadConfig{"ContradictorySpellings", SET("rope_parameters", (Object{{"rope_theta", 10000.0}})), 2,
                  "'rope_parameters.rope_theta' is 10000.0, but 'rope_theta', another spelling of the same, is 5000.0"},
        BadConfig{"ContradictoryDTypes",
                  [](TinyModel &m) { m.config["dtype"] = "float32"; m.config["torch_dtype"] = "bfloat16"; }, 2,
                  "another spelling of the same"},
        BadConfig{"Quantized", SET("quantization_config", (Object{{"quant_method", "fp8"}})), 3,
                  "'quantization_config' is {\"quant_method\":\"fp8\"}, which changes the numbers and is not built"},
        BadConfig{"CodeOfItsOwn", SET("auto_map", (Object{{"AutoModel", "modeling.X"}})), 3, "'auto_map'"},
        BadConfig{"SlidingWindow", SET("sliding_window", 4096), 3, "keys outside the window would be seen"},
        BadConfig{"SoftCap", SET("final_logit_softcapping", 30.0), 3, "logits are not capped"},
        BadConfig{"Experts", SET("num_local_experts", 8), 3, "every token takes the same MLP"},
        BadConfig{"UnknownDType", SET("torch_dtype", "int8"), 3, "'torch_dtype' is 'int8'"},
        BadConfig{"MissingTensor", [](TinyModel &m) { m.tensors.erase("model.norm.weight"); }, 2,
                  "lacks a tensor for weight 'norm': expected 'model.norm.weight' or 'norm.weight'"},
        BadConfig{"MissingLayer", [](TinyModel &m) { m.tensors.erase("model.layers.1.mlp.down_proj.weight"); }, 2,
                  "lacks tensor 'model.layers.1.mlp.down_proj.weight'"},
        BadConfig{"NoHead", [](TinyModel &m) { m.tensors.erase("lm_head.weight"); }, 2, "expected 'lm_head.weight'"},
        BadConfig{"TiedButDifferent",
                  [](TinyModel &m) { m.config["tie_word_embeddings"] = true; m.fill["lm_head.weight"] = 1; }, 2,
                  "ties 'lm_head.weight' to 'model.embed_tokens.weight', but the checkpoint has both and they differ"},
        BadConfig{"IntegerWeights", [](TinyModel &m) { m.dtypes["model.norm.weight"] = "I64"; }, 3, "has dtype I64"}),
    [](const auto &info) { return info.param.name; });

TEST(Import, TiedAndTheSameIsFine) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.config["tie_word_embeddings"] = true;
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  ProblemLog log;
  EXPECT_TRUE(readModel(options, log)) << messages(log);
  EXPECT_TRUE(log.problems().empty()) << messages(log);
}

TEST(Import, StrangersAreOneRemark) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.config["frobnicate"] = 3;
  model.config["quux"] = Object{{"a", 1}};
  model.config["use_cache"] = true;
  model.config["sliding_window"] = nullptr;
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  ProblemLog log;
  EXPECT_TRUE(readModel(options, log));
  ASSERT_EQ(log.problems().size(), 1u) << messages(log);
  EXPECT_NE(messages(log).find("2 keys were not understood and left out: frobnicate, quux"),
            std::string::npos)
      << messages(log);
}

class BadBert : public testing::TestWithParam<BadConfig> {};

TEST_P(BadBert, IsTold) {
  TempDir dir;
  TinyModel model = tinyBert();
  GetParam().change(model);
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  expectFailure(options, GetParam().exitCode, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Import, BadBert,
    testing::Values(
        BadConfig{"RelativePositions", SET("position_embedding_type", "relative_key"), 3,
                  "relative positions add terms"},
        BadConfig{"Decoder", SET("is_decoder", true), 3, "causal mask"},
        BadConfig{"HeadsDoNotDivide", SET("num_attention_heads", 3), 2,
                  "multiple of num_attention_heads"},
        BadConfig{"NoTypes", SET("type_vocab_size", 0), 2, "'type_vocab_size' to be at least 1"},
        BadConfig{"MixedSpellings",
                  [](TinyModel &m) { m.tensors.erase("embeddings.LayerNorm.bias"); }, 2,
                  "'embeddings.LayerNorm.bias' or 'embeddings.LayerNorm.beta' or "
                  "'bert.embeddings.LayerNorm.bias' or 'bert.embeddings.LayerNorm.beta'"}),
    [](const auto &info) { return info.param.name; });

struct BadFile {
  const char *name;
  const char *file;
  const char *text;
  int exitCode;
  const char *message;
};

class BadSentenceFile : public testing::TestWithParam<BadFile> {};

TEST_P(BadSentenceFile, IsTold) {
  TempDir dir;
  tinyBert().write(dir);
  dir.write("modules.json", R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
                               {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])");
  dir.write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  dir.write(GetParam().file, GetParam().text);
  ModelOptions options;
  options.path = dir.dir();
  expectFailure(options, GetParam().exitCode, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Import, BadSentenceFile,
    testing::Values(
        BadFile{"ConfigIsALfsPointer", "config.json",
                "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", 2,
                "config.json: error: this is a Git LFS pointer"},
        BadFile{"ConfigIsAList", "config.json", "[]", 2,
                "expected an object at the top of the file"},
        BadFile{"ConfigCut", "config.json", "{\"model_type\": \"bert\"", 2, "config.json:1:"},
        BadFile{"ConfigTwice", "config.json",
                "{\"model_type\": \"bert\", \"model_type\": \"llama\"}", 2,
                "config.json:1:24: error: key 'model_type' appears twice"},
        BadFile{"GenerationConfig", "generation_config.json", "{", 2, "generation_config.json:1:"},
        BadFile{"ModulesIsAnObject", "modules.json", "{}", 2, "expected an array at the top"},
        BadFile{
            "ModuleLeadsOut", "modules.json",
            R"([{"path": "", "type": "x.Transformer"}, {"path": "../other", "type": "x.Pooling"}])",
            2, "path '../other' leads to another directory"},
        BadFile{
            "UnknownModule", "modules.json",
            R"([{"path": "", "type": "x.Transformer"}, {"path": "1_Dense", "type": "x.Dense"}])", 3,
            "module 'x.Dense' in place 1 is not built"},
        BadFile{"MaxPooling", "1_Pooling/config.json", R"({"pooling_mode_max_tokens": true})", 3,
                "1_Pooling/config.json:1:1: error: pooling mode 'max_tokens' is not built"},
        BadFile{"TwoModes", "1_Pooling/config.json",
                R"({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true})", 3,
                "together"},
        BadFile{"NoMode", "1_Pooling/config.json", R"({"pooling_mode_mean_tokens": false})", 3,
                "none is chosen"},
        BadFile{"ModeIsANumber", "1_Pooling/config.json", R"({"pooling_mode_mean_tokens": 1})", 2,
                "true or false"},
        BadFile{"ZeroLength", "sentence_bert_config.json", R"({"max_seq_length": 0})", 2,
                "from 1 to"}),
    [](const auto &info) { return info.param.name; });

//===----------------------------------------------------------------------===//
// Descriptions
//===----------------------------------------------------------------------===//

struct BadText {
  const char *name;
  const char *from; ///< replaced in the good text
  const char *to;
  const char *message;
};

const char *goodText = R"(sluice: 1
model: {name: toy, kind: encoder}
axes: {width: 6, layers: 2}
random: 3
limits: {vocab: 9}
weights:
  table: {name: t, shape: [9, width], role: table}
  layers.w: {stack: layers, name: "l.{}.w", shape: [width, width]}
  layers.b: {stack: layers, name: "l.{}.b", shape: [width], role: bias}
functions:
  forward:
    inputs: {tokens: "i32[rows]", batch: batch}
    steps:
      - {op: embed, table: table, ids: tokens, to: x}
      - {op: repeat, layers: layers, carry: [x], block: layer}
    results: {y: x}
blocks:
  layer:
    - {op: linear, x: x, weight: layers.w, bias: layers.b, to: y}
    - {op: split, x: y, to: {q: [2, 3]}}
    - {op: attention, query: q, key: q, value: q, batch: batch, mask: all, scale: 0.5, to: q}
    - {op: merge, x: q, to: y}
    - {op: add, x: x, y: y, to: x}
)";

class BadDescription : public testing::TestWithParam<BadText> {};

TEST_P(BadDescription, IsTold) {
  std::string text = goodText;
  size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, strlen(GetParam().from), GetParam().to);
  TempDir dir;
  ModelOptions options;
  options.path = dir.write("toy.sluice.yaml", text);
  expectFailure(options, 2, GetParam().message);
}

TEST(Description, TheGoodOneIsGood) {
  TempDir dir;
  ModelOptions options;
  options.path = dir.write("toy.sluice.yaml", goodText);
  ProblemLog log;
  mlir::MLIRContext context;
  EXPECT_TRUE(importModel(context, options, log)) << messages(log);
}

INSTANTIATE_TEST_SUITE_P(
    Import, BadDescription,
    testing::Values(
        BadText{"NoEdition", "sluice: 1\n", "", "expected 'sluice: 1'"},
        BadText{"OtherEdition", "sluice: 1\n", "sluice: 2\n",
                "toy.sluice.yaml:1:9: error: expected edition 1, but found '2'"},
        BadText{"UnknownSection", "limits:", "limit:",
                "toy.sluice.yaml:5:1: error: key 'limit' is not known in a description (did you "
                "mean 'limits'?)"},
        BadText{"UnknownKind", "kind: encoder", "kind: encode",
                "expected one of decoder, encoder, op"},
        BadText{"NoModel", "model: {name: toy, kind: encoder}\n", "",
                "expected one of 'model' and 'family'"},
        BadText{"Octal", "width: 6", "width: 06",
                "toy.sluice.yaml:3:15: error: numbers have no leading zeros"},
        BadText{"Hexadecimal", "width: 6", "width: 0x6", "expected a number"},
        BadText{"Zero", "width: 6", "width: 0",
                "expected a number from 1 to 2147483647, but found 0"},
        BadText{"Negative", "width: 6", "width: -6",
                "expected a number from 1 to 2147483647, but found -6"},
        BadText{"Huge", "width: 6", "width: 4611686018427387904", "expected a number from 1 to"},
        BadText{"TooHuge", "width: 6", "width: 99999999999999999999", "malformed or out of range"},
        BadText{"Overflow", "width: 6", "width: 4611686018427387904 * 4",
                "does not fit into 64 bits"},
        BadText{"DivisionByZero", "width: 6", "width: 6 / 0", "division by zero"},
        BadText{"Fraction", "width: 6", "width: 6.5", "expected a whole number, but found 6.5"},
        BadText{"QuotedNumber", "width: 6", "width: '6'", "expected a whole number, but found '6'"},
        BadText{"UnknownAxis", "shape: [9, width]", "shape: [9, wide]",
                "no axis 'wide' is declared"},
        BadText{"UnknownConfigKey", "width: 6", "width: $width",
                "no key '$width' is declared under 'config'"},
        BadText{"HugeProduct", "shape: [9, width]", "shape: [2000000000, 2000000000]",
                "more than any machine holds"},
        BadText{"UnknownWeightKey", "role: table", "rol: table",
                "key 'rol' is not known in weight 'table' (did you mean 'role'?)"},
        BadText{"UnknownRole", "role: table", "role: tables", "(did you mean 'table'?)"},
        BadText{"NoLayerMark", "\"l.{}.w\"", "\"l.w\"", "expected one '{}'"},
        BadText{"StrayLayerMark", "name: t,", "name: \"t.{}\",", "expected no '{}'"},
        BadText{"UnknownSpelling", "name: t,", "name: \"{p}t\",", "no spelling 'p' is declared"},
        BadText{"BiasOfTwoSizes", "shape: [width], role: bias", "shape: [width, 1], role: bias",
                "expected one size for a bias"},
        BadText{"UnknownOp", "op: merge", "op: merg",
                "toy.sluice.yaml:22:12: error: no step 'merg' is known (did you mean 'merge'?)"},
        BadText{"UnknownField", "scale: 0.5", "scales: 0.5",
                "key 'scales' is not known in step 'attention' (did you mean 'scale'?)"},
        BadText{"MissingField", ", scale: 0.5", "", "step 'attention' needs 'scale'"},
        BadText{"UnknownMask", "mask: all", "mask: al",
                "expected one of causal, all, but found 'al' (did you mean 'all'?)"},
        BadText{"UnknownValue", "x: y, to: {q", "x: z, to: {q",
                "no value 'z' has been computed before this step"},
        BadText{"UnknownWeight", "weight: layers.w,", "weight: layers.v,",
                "no weight 'layers.v' is declared under 'weights' (did you mean 'layers.w'?)"},
        BadText{"UnknownBlock", "block: layer}", "block: layr}",
                "no block 'layr' is declared under 'blocks' (did you mean 'layer'?)"},
        BadText{"BlockCallsItself", "- {op: merge, x: q, to: y}", "- {block: layer}",
                "does 'layer' call itself?"},
        BadText{"WrongSplit", "{q: [2, 3]}", "{q: [2, 2]}",
                "the pieces have 4 numbers together, but a row of 'y' has 6"},
        BadText{"OtherLayerCount", "layers: layers, carry", "layers: 3, carry",
                "weight 'layers.w' has 2 layers, but the repeat around the step has 3"},
        BadText{"NotRowsOfHeads", "query: q", "query: y", "expected 'query' to be rows of heads"},
        BadText{"CarriedTypeChanges", "- {op: add, x: x, y: y, to: x}",
                "- {op: split, x: y, to: {x: [3], z: [3]}}",
                "'x' is not of the same type after a layer as before it"},
        BadText{"RuleOfAnOp", "shape: [width], role: bias", "shape: [7], role: bias", "[R1]"},
        BadText{"ResultNotComputed", "results: {y: x}", "results: {y: z}",
                "no value 'z' has been computed"},
        BadText{"BadInputType", "\"i32[rows]\"", "\"i32[row]\"",
                "expected the first size to be rows, seqs or asked"},
        BadText{"BadInputDType", "\"i32[rows]\"", "\"i8[rows]\"", "expected a type such as"},
        BadText{"NoSuchMemory", "batch: batch}", "batch: pages kv}",
                "no memory 'kv' is declared under 'kv'"},
        BadText{"TwoSources", "random: 3\n", "random: 3\ncheckpoint: x\n",
                "only one of 'checkpoint' and 'random'"},
        BadText{"NoSource", "random: 3\n", "", "expected a checkpoint"},
        BadText{"NoCheckpointThere", "random: 3\n", "checkpoint: nowhere\n",
                "expected weights in model.safetensors"},
        BadText{"Anchor", "axes: {", "axes: &a {",
                "anchors and aliases are not part of the language"},
        BadText{"TwoFunctionsOfAName",
                "blocks:", "  forward: {}\nblocks:", "key 'forward' appears twice"}),
    [](const auto &info) { return info.param.name; });

TEST(Description, BlocksThatDoubleAreBounded) {
  // Each block calls the one before twice: 2^40 steps if nobody counts.
  std::string text =
      "sluice: 1\nmodel: {name: bomb, kind: op}\nblocks:\n  b0: [{op: add, x: x, y: x, to: x}]\n";
  for (int i = 1; i <= 15; ++i)
    text += "  b" + std::to_string(i) + ": [{block: b" + std::to_string(i - 1) + "}, {block: b" +
            std::to_string(i - 1) + "}]\n";
  text += "functions:\n  f:\n    inputs: {x: \"f32[rows, 4]\"}\n    steps: [{block: b15}]\n    "
          "results: {x: x}\n";
  TempDir dir;
  ModelOptions options;
  options.path = dir.write("bomb.sluice.yaml", text);
  expectFailure(options, 2, "expected at most 20000 steps");
}

TEST(Description, DeepExpressionsAreRefused) {
  std::string deep(100'000, '(');
  TempDir dir;
  ModelOptions options;
  options.path = dir.write("deep.sluice.yaml",
                           "sluice: 1\nmodel: {name: a, kind: op}\naxes:\n  a: " + deep + "\n");
  expectFailure(options, 2, "nested parentheses");
}

TEST(Import, NothingThere) {
  ModelOptions options;
  options.path = "/nonexistent/model";
  expectFailure(options, 2, "there is nothing of that name");
}

TEST(Import, DTypesThatAreNotBuilt) {
  TempDir dir;
  tinyLlama().write(dir);
  ModelOptions options;
  options.path = dir.dir();
  options.dtype = "f8";
  expectFailure(options, 3, "dtype 'f8' is not built");
  options.dtype = "";
  options.page = 24;
  expectFailure(options, 3, "multiple of 16");
}

} // namespace
