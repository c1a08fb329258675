//===- WeightsTest.cpp - the numbers behind params -------------------------===//
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//
#include "sluice/Model/Weights.h"
#include "TinyModel.h"
#include "sluice/Model/ModelReader.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/bit.h"
#include <cmath>

using namespace sluice;
using namespace sluice::model;

namespace {

ParamOp findParam(mlir::ModuleOp module, llvm::StringRef name) {
  return mlir::dyn_cast_or_null<ParamOp>(mlir::SymbolTable::lookupSymbolIn(module, name));
}

// Values worked out by hand from the definition with 64-bit integers and float32 (Python).
TEST(Weights, GeneratedValuesAreTheDefinitions) {
  float out[3];
  generateWeights(7, "model.layers.1.mlp.up_proj.weight", Role::Weight, 24, 0, out);
  EXPECT_EQ(llvm::bit_cast<uint32_t>(out[0]), 0xbea9162fu);
  EXPECT_EQ(llvm::bit_cast<uint32_t>(out[1]), 0x3e1fcd0au);
  EXPECT_EQ(llvm::bit_cast<uint32_t>(out[2]), 0x3db246b2u);
  generateWeights(7, "model.norm.weight", Role::Scale, 24, 5, out);
  EXPECT_EQ(llvm::bit_cast<uint32_t>(out[0]), 0x3f81bf05u);
  generateWeights(0, "b", Role::Bias, 24, 1'000'000'000'000, out);
  EXPECT_EQ(llvm::bit_cast<uint32_t>(out[0]), 0x3d784e93u);
}

TEST(Weights, GeneratedRangesAgree) {
  std::vector<float> all(100), part(30);
  generateWeights(3, "w", Role::Table, 10, 0, all);
  generateWeights(3, "w", Role::Table, 10, 42, part);
  for (int i = 0; i != 30; ++i)
    EXPECT_EQ(part[i], all[42 + i]);
  double squares = 0;
  std::vector<float> many(100'000);
  generateWeights(3, "w", Role::Weight, 64, 0, many);
  for (float value : many)
    squares += double(value) * value;
  EXPECT_NEAR(std::sqrt(squares / many.size()), 1.2 / 8, 1e-3);
}

TEST(Weights, RoundingIsToNearestEven) {
  EXPECT_EQ(toBF16(1.0f), 0x3f80);
  EXPECT_EQ(toBF16(1.00390625f), 0x3f80); // a tie, down to even
  EXPECT_EQ(toBF16(1.01171875f), 0x3f82); // a tie, up to even
  EXPECT_EQ(toBF16(3.4028235e38f), 0x7f80);
  EXPECT_EQ(toBF16(-0.0f), 0x8000);
  EXPECT_TRUE(std::isnan(fromBF16(toBF16(llvm::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(toF16(1.0f), 0x3c00);
  EXPECT_EQ(toF16(65504.0f), 0x7bff);
  EXPECT_EQ(toF16(65519.996f), 0x7bff);
  EXPECT_EQ(toF16(65520.0f), 0x7c00);
  EXPECT_EQ(toF16(0x1p-24f), 1);
  EXPECT_EQ(toF16(0x1p-25f), 0);   // a tie, down to even
  EXPECT_EQ(toF16(0x1.8p-24f), 2); // a tie, up to even
  EXPECT_EQ(toF16(-0x1p-14f), 0x8400);
  EXPECT_TRUE(std::isnan(fromF16(toF16(NAN))));
  for (uint32_t bits = 0; bits != 0x10000; ++bits) {
    if ((bits & 0x7c00) != 0x7c00 || (bits & 0x3ff) == 0)
      EXPECT_EQ(toF16(fromF16(uint16_t(bits))), bits);
    if ((bits & 0x7f80) != 0x7f80 || (bits & 0x7f) == 0)
      EXPECT_EQ(toBF16(fromBF16(uint16_t(bits))), bits);
  }
}

TEST(Weights, StoreReadsTheCheckpoint) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.fill["model.layers.1.self_attn.k_proj.weight"] = 0x3f;
  model.write(dir);
  ModelOptions options;
  options.path = dir.dir();
  ProblemLog log;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module = importModel(context, options, log);
  ASSERT_TRUE(module) << messages(log);
  std::unique_ptr<WeightStore> store = WeightStore::open(*module, log);
  ASSERT_NE(store, nullptr) << messages(log);
  ParamOp qkv = findParam(*module, "layers.qkv");
  ASSERT_TRUE(qkv);
  auto sources = store->sources(qkv, 1, log);
  ASSERT_TRUE(sources) << messages(log);
  ASSERT_EQ(sources->size(), 3u);
  const WeightTensor &k = (*sources)[1];
  EXPECT_EQ(k.name, "model.layers.1.self_attn.k_proj.weight");
  EXPECT_EQ(k.rows(), 12);
  EXPECT_EQ(k.rowSize(), 24);
  ASSERT_NE(k.view, nullptr);
  float values[2];
  store->read(k, 286, values);
  EXPECT_EQ(values[1], llvm::bit_cast<float>(0x3f3f3f3fu));
  uint16_t narrow[2];
  store->read(k, 0, 2, mlir::Builder(&context).getBF16Type(), narrow);
  EXPECT_EQ(narrow[0], 0x3f3f);
  auto joined = store->layer(qkv, 1, log);
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->size(), 48u * 24);
  EXPECT_EQ((*joined)[24 * 24], llvm::bit_cast<float>(0x3f3f3f3fu));

  // Another shape than the param's is refused even if the module is at fault.
  qkv.setSourceRows({24, 11, 13});
  ProblemLog other;
  EXPECT_FALSE(store->sources(qkv, 0, other));
  EXPECT_NE(messages(other).find("of shape [11, 24], but found F32 [12, 24]"), std::string::npos)
      << messages(other);
}

TEST(Weights, StoreGenerates) {
  TempDir dir;
  TinyModel model = tinyLlama();
  model.config["torch_dtype"] = "bfloat16";
  model.writeConfig(dir);
  ModelOptions options;
  options.path = dir.dir();
  options.randomSeed = 11;
  ProblemLog log;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module = importModel(context, options, log);
  ASSERT_TRUE(module) << messages(log);
  std::unique_ptr<WeightStore> store = WeightStore::open(*module, log);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->seed(), std::optional<uint64_t>(11));
  ParamOp norm = findParam(*module, "norm");
  auto sources = store->sources(norm, 0, log);
  ASSERT_TRUE(sources);
  EXPECT_EQ((*sources)[0].view, nullptr);
  std::vector<float> expected(24);
  generateWeights(11, "model.norm.weight", Role::Scale, 24, 0, expected);
  auto values = store->layer(norm, 0, log);
  ASSERT_TRUE(values);
  for (int i = 0; i != 24; ++i)
    EXPECT_EQ((*values)[i], fromBF16(toBF16(expected[i])));
}

TEST(Weights, NonFiniteNumbersAreFound) {
  uint32_t f32[] = {0x3f800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001};
  TensorView view;
  view.dtype = DType::F32;
  view.bytes = {reinterpret_cast<const uint8_t *>(f32), sizeof(f32)};
  NonFinite found = scanNonFinite(view);
  EXPECT_EQ(found.inf, 2);
  EXPECT_EQ(found.nan, 2);
  EXPECT_EQ(found.firstIndex, 1);
  uint16_t bf16[] = {0x3f80, 0x7f7f, 0xff80, 0x7f81};
  view.dtype = DType::BF16;
  view.bytes = {reinterpret_cast<const uint8_t *>(bf16), sizeof(bf16)};
  found = scanNonFinite(view);
  EXPECT_EQ(found.inf, 1);
  EXPECT_EQ(found.nan, 1);
  EXPECT_EQ(found.firstIndex, 2);
}

} // namespace
