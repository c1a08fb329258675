//===- TinyModel.h - small model directories -------------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Writes a config.json and a safetensors file with the tensors that it asks for, so that a test can
// change one thing and see what the reader says.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_TEST_MODEL_TINYMODEL_H
#define SLUICE_TEST_MODEL_TINYMODEL_H

#include "TempDir.h"
#include "llvm/Support/JSON.h"
#include <functional>
#include <map>

namespace sluice::model {

struct TinyModel {
  llvm::json::Object config;
  std::map<std::string, std::vector<int64_t>> tensors;
  std::string dtype = "F32";
  std::map<std::string, std::string> dtypes; ///< of single tensors
  std::map<std::string, int> fill;           ///< byte value of single tensors; others count up

  void writeConfig(const TempDir &dir) const {
    std::string text;
    llvm::raw_string_ostream os(text);
    llvm::json::OStream(os, 2).value(llvm::json::Object(config));
    dir.write("config.json", text);
  }
  void writeTensors(const TempDir &dir) const {
    llvm::json::Object header;
    std::string data;
    for (const auto &[name, shape] : tensors) {
      auto own = dtypes.find(name);
      const std::string &type = own == dtypes.end() ? dtype : own->second;
      size_t bytes = type == "F64" || type == "I64" ? 8 : type == "F32" ? 4 : 2;
      for (int64_t size : shape)
        bytes *= size;
      auto value = fill.find(name);
      size_t begin = data.size();
      for (size_t i = 0; i != bytes; ++i)
        data += char(value == fill.end() ? i % 60 : value->second);
      header[name] = llvm::json::Object{{"dtype", type},
                                        {"shape", llvm::json::Array(shape)},
                                        {"data_offsets", llvm::json::Array{begin, data.size()}}};
    }
    std::string text;
    llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
    std::string file = safetensors(text, 0);
    dir.write("model.safetensors", file + data);
  }
  void write(const TempDir &dir) const {
    writeConfig(dir);
    writeTensors(dir);
  }
};

/// Two layers, 4 heads of 6, 2 kv heads, a vocabulary of 20.
inline TinyModel tinyLlama() {
  TinyModel model;
  model.config = llvm::json::Object{{"model_type", "llama"},    {"vocab_size", 20},
                                    {"hidden_size", 24},        {"intermediate_size", 40},
                                    {"num_hidden_layers", 2},   {"num_attention_heads", 4},
                                    {"num_key_value_heads", 2}, {"max_position_embeddings", 64},
                                    {"rms_norm_eps", 1e-5},     {"rope_theta", 5000.0},
                                    {"eos_token_id", 2}};
  auto &t = model.tensors;
  t["model.embed_tokens.weight"] = {20, 24};
  t["model.norm.weight"] = {24};
  t["lm_head.weight"] = {20, 24};
  for (std::string layer : {"0", "1"}) {
    std::string p = "model.layers." + layer + ".";
    t[p + "input_layernorm.weight"] = {24};
    t[p + "post_attention_layernorm.weight"] = {24};
    t[p + "self_attn.q_proj.weight"] = {24, 24};
    t[p + "self_attn.k_proj.weight"] = {12, 24};
    t[p + "self_attn.v_proj.weight"] = {12, 24};
    t[p + "self_attn.o_proj.weight"] = {24, 24};
    t[p + "mlp.gate_proj.weight"] = {40, 24};
    t[p + "mlp.up_proj.weight"] = {40, 24};
    t[p + "mlp.down_proj.weight"] = {24, 40};
  }
  return model;
}

/// Two layers, 2 heads of 8, a vocabulary of 30.
inline TinyModel tinyBert(std::string prefix = "", std::string scale = "weight",
                          std::string shift = "bias") {
  TinyModel model;
  model.config = llvm::json::Object{
      {"model_type", "bert"},          {"vocab_size", 30},       {"hidden_size", 16},
      {"intermediate_size", 32},       {"num_hidden_layers", 2}, {"num_attention_heads", 2},
      {"max_position_embeddings", 12}, {"type_vocab_size", 2},   {"hidden_act", "gelu"},
      {"layer_norm_eps", 1e-12}};
  auto &t = model.tensors;
  std::string e = prefix + "embeddings.";
  t[e + "word_embeddings.weight"] = {30, 16};
  t[e + "position_embeddings.weight"] = {12, 16};
  t[e + "token_type_embeddings.weight"] = {2, 16};
  t[e + "LayerNorm." + scale] = {16};
  t[e + "LayerNorm." + shift] = {16};
  for (std::string layer : {"0", "1"}) {
    std::string p = prefix + "encoder.layer." + layer + ".";
    for (std::string part : {"query", "key", "value"}) {
      t[p + "attention.self." + part + ".weight"] = {16, 16};
      t[p + "attention.self." + part + ".bias"] = {16};
    }
    t[p + "attention.output.dense.weight"] = {16, 16};
    t[p + "attention.output.dense.bias"] = {16};
    t[p + "attention.output.LayerNorm." + scale] = {16};
    t[p + "attention.output.LayerNorm." + shift] = {16};
    t[p + "intermediate.dense.weight"] = {32, 16};
    t[p + "intermediate.dense.bias"] = {32};
    t[p + "output.dense.weight"] = {16, 32};
    t[p + "output.dense.bias"] = {16};
    t[p + "output.LayerNorm." + scale] = {16};
    t[p + "output.LayerNorm." + shift] = {16};
  }
  return model;
}

} // namespace sluice::model

#endif // SLUICE_TEST_MODEL_TINYMODEL_H
