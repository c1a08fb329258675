// SPDX-License-Identifier: Apache-2.0
//
// Kernels that work row by row, bit for bit against plain loops that follow docs/Contracts.md,
// section 4: norm, add, activation, clamp, rope, pool. With 1, 2 and 3 workers, on this machine's
// vectors and on narrower ones.
#include "test/Target/CPU/LinearReference.h"
#include "test/Target/CPU/StepHarness.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace sluice::cpu;

namespace {

constexpr const char *kMachines[] = {"native", "x86-64-v3"};
constexpr int kWorkers[] = {1, 2, 3};

/// A function @f of one phase: |arguments| and |op| of the placed stage, |top| before it.
std::string onePhase(llvm::StringRef top, llvm::StringRef arguments, llvm::StringRef share,
                     llvm::StringRef op) {
  return llvm::formatv(
             "module {{\n{0}\nfunc.func @f({1}) attributes {{sluice.export} {{\n"
             "place.team {{\n{4}\nplace.phase \"p\" share {2} {{\n{3}\n}\n}\nreturn\n}\n}\n",
             top, arguments, share, op, "")
      .str();
}

/// Runs @f of |text| everywhere; |results| must hold |expected| after each run.
void expectBits(const std::string &text, CallData &data, std::vector<float> &results,
                const std::vector<float> &expected) {
  for (const char *machine : kMachines) {
    LoadedStep step(text, machine);
    for (int workers : kWorkers) {
      std::fill(results.begin(), results.end(), floatOf(0xffffffff));
      step.run("f", data, workers);
      EXPECT_EQ(bitsOf(results), bitsOf(expected)) << machine << ", " << workers << " workers\n"
                                                   << text;
    }
  }
}

//===-- norm
//--------------------------------------------------------------------------------------===//

enum class Norm { Rms, Layer, L2 };

std::vector<float> normRows(Norm kind, const std::vector<float> &x, int64_t channels, float eps,
                            const std::vector<float> &weight, const std::vector<float> &bias) {
  std::vector<float> y(x.size());
  for (size_t at = 0; at < x.size(); at += channels) {
    const float *row = &x[at];
    auto squares =
        laneSum(channels, [&](int64_t i, float sum) { return std::fma(row[i], row[i], sum); });
    float count = static_cast<float>(channels);
    float mean = laneSum(channels, [&](int64_t i, float sum) { return sum + row[i]; }) / count;
    auto deviations = laneSum(channels, [&](int64_t i, float sum) {
      float d = row[i] - mean;
      return std::fma(d, d, sum);
    });
    for (int64_t i = 0; i < channels; ++i) {
      float value;
      if (kind == Norm::Rms)
        value = row[i] * (1.0f / std::sqrt(squares / count + eps));
      else if (kind == Norm::Layer)
        value = (row[i] - mean) * (1.0f / std::sqrt(deviations / count + eps));
      else
        value = row[i] / std::max(eps, std::sqrt(squares));
      if (!bias.empty())
        value = std::fma(value, weight[i], bias[i]);
      else if (!weight.empty())
        value = value * weight[i];
      y[at + i] = value;
    }
  }
  return y;
}

class NormTest : public testing::TestWithParam<int64_t> {};

TEST_P(NormTest, RmsWithWeight) {
  int64_t channels = GetParam(), rows = 7;
  Random random(1);
  auto x = random.floats(rows * channels, 3), weight = random.floats(channels);
  std::vector<float> y(x.size());
  CallData data;
  data.arg(x, rows), data.arg(y, rows), data.weight(weight);
  std::string text = onePhase(
      llvm::formatv(
          "sluice.param @w role scale layout rows : tensor<{0}xf32> from [\"w\"] rows [{0}]",
          channels)
          .str(),
      llvm::formatv("%x: memref<?x{0}xf32>, %y: memref<?x{0}xf32>", channels).str(), "rows",
      llvm::formatv("%w = sluice.param.use @w : tensor<{0}xf32>\n"
                    "sluice.norm rms %x weight %w into %y {{eps = 1.0e-6 : f64}"
                    " : (memref<?x{0}xf32>, tensor<{0}xf32>, memref<?x{0}xf32>) -> ()",
                    channels)
          .str());
  expectBits(text, data, y, normRows(Norm::Rms, x, channels, 1e-6f, weight, {}));
}

TEST_P(NormTest, LayerWithBf16WeightAndBiasRounded) {
  int64_t channels = GetParam(), rows = 5;
  Random random(2);
  auto x = random.floats(rows * channels, 2);
  std::vector<uint16_t> weightBits, biasBits;
  std::vector<float> weight, bias, y(x.size());
  for (int64_t i = 0; i < channels; ++i) {
    weightBits.push_back(toBf16(random.uniform())), weight.push_back(fromBf16(weightBits.back()));
    biasBits.push_back(toBf16(random.uniform())), bias.push_back(fromBf16(biasBits.back()));
  }
  CallData data;
  data.arg(x, rows), data.arg(y, rows), data.weight(weightBits), data.weight(biasBits);
  std::string params;
  for (const char *name : {"w", "b"})
    params += llvm::formatv(
        "sluice.param @{1} role scale layout rows : tensor<{0}xbf16> from [\"{1}\"] rows [{0}]\n",
        channels, name);
  std::string text = onePhase(
      params, llvm::formatv("%x: memref<?x{0}xf32>, %y: memref<?x{0}xf32>", channels).str(), "rows",
      llvm::formatv(
          "%w = sluice.param.use @w : tensor<{0}xbf16>\n%b = sluice.param.use @b : "
          "tensor<{0}xbf16>\n"
          "sluice.norm layer %x weight %w bias %b into %y {{eps = 1.0e-5 : f64, round = bf16}"
          " : (memref<?x{0}xf32>, tensor<{0}xbf16>, tensor<{0}xbf16>, memref<?x{0}xf32>) -> ()",
          channels)
          .str());
  auto expected = normRows(Norm::Layer, x, channels, 1e-5f, weight, bias);
  for (float &value : expected)
    value = fromBf16(toBf16(value));
  expectBits(text, data, y, expected);
}

TEST_P(NormTest, L2InPlaceOfHeads) {
  int64_t channels = GetParam(), rows = 4, heads = 3;
  Random random(3);
  auto start = random.floats(rows * heads * channels);
  std::fill(start.begin(), start.begin() + channels, 0.0f); // a zero row gives zeros
  std::vector<float> x = start, y(start.size());
  CallData data;
  data.arg(x, rows), data.arg(y, rows);
  std::string type = llvm::formatv("memref<?x{0}x{1}xf32>", heads, channels);
  std::string text = onePhase("", "%x: " + type + ", %y: " + type, "rows",
                              "place.copy %x into %y : " + type + ", " + type +
                                  "\nsluice.norm l2 %y into %y {eps = 1.0e-12 : f64} : (" + type +
                                  ", " + type + ") -> ()");
  expectBits(text, data, y, normRows(Norm::L2, start, channels, 1e-12f, {}, {}));
}

INSTANTIATE_TEST_SUITE_P(Channels, NormTest, testing::Values(1, 15, 16, 40, 100, 384));

TEST(RowKernels, NormToBf16RowsOfAPaddedBuffer) {
  constexpr int64_t channels = 40, rows = 6;
  Random random(4);
  auto x = random.floats(rows * channels);
  std::vector<float> y(x.size());
  CallData data;
  data.arg(x, rows), data.arg(y, rows);
  data.arenaRow = 48 * 2;
  std::string text =
      onePhase("", "%x: memref<?x40xf32>, %y: memref<?x40xf32>", "rows",
               "%h = place.buffer \"rows\" size <row = 96, seq = 0, fixed = 0> at <row = 0, seq = "
               "0, fixed = 0>"
               " : memref<?x40xbf16, strided<[48, 1]>>\n"
               "sluice.norm rms %x into %h {eps = 1.0e-6 : f64} : (memref<?x40xf32>, "
               "memref<?x40xbf16, strided<[48, 1]>>) -> ()\n"
               "place.copy %h into %y : memref<?x40xbf16, strided<[48, 1]>>, memref<?x40xf32>");
  auto expected = normRows(Norm::Rms, x, channels, 1e-6f, {}, {});
  for (float &value : expected)
    value = fromBf16(toBf16(value));
  expectBits(text, data, y, expected);
}

//===-- add, activation, clamp
//--------------------------------------------------------------------===//

TEST(RowKernels, AddColumnsOfAJoinedBuffer) {
  constexpr int64_t rows = 5;
  Random random(5);
  auto x = random.floats(rows * 56);
  std::vector<float> y(rows * 21), expected(rows * 21);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < 21; ++c)
      expected[r * 21 + c] = x[r * 56 + 3 + c] + x[r * 56 + 30 + c];
  CallData data;
  data.arg(x, rows), data.arg(y, rows);
  std::string view = "memref<?x21xf32, strided<[56, 1], offset: ";
  std::string text =
      onePhase("", "%x: memref<?x56xf32>, %y: memref<?x21xf32>", "rows",
               "%c0 = arith.constant 0 : index\n%r = memref.dim %x, %c0 : memref<?x56xf32>\n"
               "%a = memref.subview %x[0, 3] [%r, 21] [1, 1] : memref<?x56xf32> to " +
                   view +
                   "3>>\n"
                   "%b = memref.subview %x[0, 30] [%r, 21] [1, 1] : memref<?x56xf32> to " +
                   view +
                   "30>>\n"
                   "sluice.add %a, %b into %y : (" +
                   view + "3>>, " + view + "30>>, memref<?x21xf32>) -> ()");
  expectBits(text, data, y, expected);
}

double exact(llvm::StringRef function, double x) {
  if (function == "silu")
    return x / (1 + std::exp(-x));
  if (function == "gelu_erf")
    return x / 2 * std::erfc(-x / std::sqrt(2.0));
  if (function == "gelu_tanh")
    return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  if (function == "quick_gelu")
    return x / (1 + std::exp(-1.702 * x));
  if (function == "relu")
    return std::max(x, 0.0);
  if (function == "relu2")
    return std::max(x, 0.0) * std::max(x, 0.0);
  if (function == "tanh")
    return std::tanh(x);
  return 1 / (1 + std::exp(-x));
}

class ActivationTest : public testing::TestWithParam<const char *> {};

TEST_P(ActivationTest, IsNearTheFunctionAndTheSameEverywhere) {
  constexpr int64_t rows = 7, channels = 37;
  Random random(6);
  auto x = random.floats(rows * channels, 8);
  std::vector<float> y(x.size()), first;
  CallData data;
  data.arg(x, rows), data.arg(y, rows);
  std::string text = onePhase("", "%x: memref<?x37xf32>, %y: memref<?x37xf32>", "rows",
                              std::string("sluice.activation ") + GetParam() +
                                  " %x into %y : (memref<?x37xf32>, memref<?x37xf32>) -> ()");
  for (const char *machine : kMachines) {
    LoadedStep step(text, machine);
    for (int workers : kWorkers) {
      step.run("f", data, workers);
      for (size_t i = 0; i < x.size(); ++i)
        ASSERT_NEAR(y[i], exact(GetParam(), x[i]),
                    1e-6 * std::max(1.0, std::fabs(exact(GetParam(), x[i]))))
            << GetParam() << "(" << x[i] << ")";
      if (first.empty())
        first = y;
      EXPECT_EQ(bitsOf(first), bitsOf(y)) << machine << ", " << workers << " workers";
    }
  }
}

TEST_P(ActivationTest, SpecialNumbers) {
  std::vector<float> x = {-INFINITY, floatOf(0x7fc00000), -0.0f, 0.0f}, y(4);
  CallData data;
  data.arg(x, 1), data.arg(y, 1);
  LoadedStep step(onePhase("", "%x: memref<?x4xf32>, %y: memref<?x4xf32>", "rows",
                           std::string("sluice.activation ") + GetParam() +
                               " %x into %y : (memref<?x4xf32>, memref<?x4xf32>) -> ()"));
  step.run("f", data, 1);
  EXPECT_EQ(y[0], llvm::StringRef(GetParam()) == "tanh" ? -1.0f : 0.0f);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_EQ(y[2], llvm::StringRef(GetParam()) == "sigmoid" ? 0.5f : 0.0f);
}

INSTANTIATE_TEST_SUITE_P(Functions, ActivationTest,
                         testing::Values("silu", "gelu_erf", "gelu_tanh", "quick_gelu", "relu",
                                         "relu2", "tanh", "sigmoid"));

TEST(RowKernels, GatedActivationIsTheProductRoundedOnce) {
  constexpr int64_t rows = 3, channels = 21;
  Random random(7);
  auto x = random.floats(rows * 2 * channels, 4);
  std::vector<float> y(rows * channels), expected(y.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < channels; ++c)
      expected[r * channels + c] =
          fromBf16(toBf16(std::max(x[r * 42 + c], 0.0f) * x[r * 42 + 21 + c]));
  CallData data;
  data.arg(x, rows), data.arg(y, rows);
  expectBits(onePhase("", "%x: memref<?x42xf32>, %y: memref<?x21xf32>", "rows",
                      "sluice.activation relu %x gated into %y {round = bf16}"
                      " : (memref<?x42xf32>, memref<?x21xf32>) -> ()"),
             data, y, expected);
}

float clampBits(float x, float w, bool propagate) {
  if (std::isnan(x))
    return propagate ? x : 0.0f;
  if (std::isnan(w))
    return propagate ? w : x;
  return std::copysign(std::min(std::fabs(x), std::fabs(w)), x);
}

TEST(RowKernels, ClampOfEveryPairOfSpecialNumbers) {
  std::vector<float> numbers = {0.0f,
                                -0.0f,
                                1.5f,
                                -1.5f,
                                2.0f,
                                -3.0f,
                                INFINITY,
                                -INFINITY,
                                floatOf(1),
                                floatOf(0x80000001),
                                floatOf(0x7fc00000)};
  std::vector<float> x, w;
  for (float a : numbers)
    for (float b : numbers)
      x.push_back(a), w.push_back(b);
  for (bool propagate : {true, false}) {
    std::vector<float> y(x.size()), expected;
    for (size_t i = 0; i < x.size(); ++i)
      expected.push_back(clampBits(x[i], w[i], propagate));
    CallData data;
    data.arg(x, 11), data.arg(w, 11), data.arg(y, 11);
    std::string type = "memref<?x11xf32>";
    expectBits(onePhase("", "%x: " + type + ", %w: " + type + ", %y: " + type, "rows",
                        std::string("sluice.clamp %x width %w nan ") +
                            (propagate ? "propagate" : "ignore") + " into %y : (" + type + ", " +
                            type + ", " + type + ") -> ()"),
               data, y, expected);
  }
}

TEST(RowKernels, ClampInBf16WithAWidthPerChannel) {
  constexpr int64_t rows = 4, channels = 19;
  Random random(8);
  std::vector<uint16_t> x, w, y(rows * channels), expected;
  for (int64_t i = 0; i < rows * channels; ++i)
    x.push_back(toBf16(random.uniform()));
  for (int64_t c = 0; c < channels; ++c)
    w.push_back(toBf16(random.uniform()));
  for (int64_t i = 0; i < rows * channels; ++i)
    expected.push_back(toBf16(clampBits(fromBf16(x[i]), fromBf16(w[i % channels]), true)));
  CallData data;
  data.arg(x, rows), data.arg(y, rows), data.weight(w);
  std::string type = "memref<?x19xbf16>";
  std::string text =
      onePhase("sluice.param @w role scale layout rows : tensor<19xbf16> from [\"w\"] rows [19]",
               "%x: " + type + ", %y: " + type, "rows",
               "%w = sluice.param.use @w : tensor<19xbf16>\n"
               "sluice.clamp %x width %w nan propagate into %y : (" +
                   type + ", tensor<19xbf16>, " + type + ") -> ()");
  for (const char *machine : kMachines) {
    LoadedStep step(text, machine);
    for (int workers : kWorkers) {
      std::fill(y.begin(), y.end(), 0xffff);
      step.run("f", data, workers);
      EXPECT_EQ(y, expected) << machine << ", " << workers << " workers";
    }
  }
}

//===-- rope
//--------------------------------------------------------------------------------------===//

struct RopeCase {
  bool halves;
  int64_t heads, channels, dims;
};
class RopeTest : public testing::TestWithParam<RopeCase> {};

TEST_P(RopeTest, RotatesByTheAngleInF32) {
  auto [halves, heads, channels, dims] = GetParam();
  Batch batch({{0, 3}, {1000, 4}, {32000, 1}});
  int64_t rows = batch.rows();
  Random random(9);
  auto x = random.floats(rows * heads * channels);
  std::vector<float> y(x.size()), first;
  CallData data;
  data.batch = &batch;
  data.arg(x, rows), data.arg(y, rows);
  std::string type = llvm::formatv("memref<?x{0}x{1}xf32>", heads, channels);
  std::string text =
      onePhase("", "%x: " + type + ", %b: !sluice.batch, %y: " + type, "rows",
               llvm::formatv("%p = sluice.batch.positions %b : memref<?xi32>\n"
                             "sluice.rope {0} %x at %p into %y {{theta = 1.0e4 : f64, dims = {1}}"
                             " : ({2}, memref<?xi32>, {2}) -> ()",
                             halves ? "halves" : "neighbours", dims, type)
                   .str());
  for (const char *machine : kMachines) {
    LoadedStep step(text, machine);
    for (int workers : kWorkers) {
      std::fill(y.begin(), y.end(), floatOf(0xffffffff));
      step.run("f", data, workers);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t h = 0; h < heads; ++h) {
          const float *in = &x[(r * heads + h) * channels], *out = &y[(r * heads + h) * channels];
          for (int64_t i = 0; i < dims / 2; ++i) {
            float exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
            float frequency =
                1.0f / static_cast<float>(std::pow(1e4, static_cast<double>(exponent)));
            double angle = static_cast<float>(batch.position[r]) * frequency;
            int64_t a = halves ? i : 2 * i, b = halves ? i + dims / 2 : 2 * i + 1;
            ASSERT_NEAR(out[a], in[a] * std::cos(angle) - in[b] * std::sin(angle), 6e-7);
            ASSERT_NEAR(out[b], in[b] * std::cos(angle) + in[a] * std::sin(angle), 6e-7);
          }
          for (int64_t c = dims; c < channels; ++c)
            ASSERT_EQ(bitsOf(out[c]), bitsOf(in[c]));
          if (batch.position[r] == 0)
            for (int64_t c = 0; c < channels; ++c)
              ASSERT_EQ(out[c], in[c]) << "position 0 changes nothing";
        }
      if (first.empty())
        first = y;
      EXPECT_EQ(bitsOf(first), bitsOf(y)) << machine << ", " << workers << " workers";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, RopeTest,
                         testing::Values(RopeCase{true, 3, 64, 64}, RopeCase{true, 2, 20, 20},
                                         RopeCase{true, 1, 80, 32}, RopeCase{false, 2, 64, 64},
                                         RopeCase{false, 3, 24, 10}));

//===-- pool
//--------------------------------------------------------------------------------------===//

TEST(RowKernels, PoolsEachSequence) {
  Batch batch({{0, 5}, {0, 0}, {0, 1}, {0, 17}});
  constexpr int64_t channels = 35;
  Random random(10);
  auto x = random.floats(batch.rows() * channels);
  for (const char *kind : {"mean", "first", "last"}) {
    std::vector<float> y(batch.seqs() * channels), expected(y.size());
    for (int64_t s = 0; s < batch.seqs(); ++s)
      for (int64_t c = 0; c < channels; ++c) {
        int64_t a = batch.rowStart[s], b = batch.rowStart[s + 1];
        float value = 0;
        if (llvm::StringRef(kind) == "mean")
          for (int64_t r = a; r < b; ++r)
            value = r + 1 == b ? (value + x[r * channels + c]) / static_cast<float>(b - a)
                               : value + x[r * channels + c];
        else if (a < b)
          value = x[(kind[0] == 'f' ? a : b - 1) * channels + c];
        expected[s * channels + c] = value;
      }
    CallData data;
    data.batch = &batch;
    data.arg(x, batch.rows()), data.arg(y, batch.seqs());
    expectBits(
        onePhase(
            "", "%x: memref<?x35xf32>, %b: !sluice.batch, %y: memref<?x35xf32>", "seqs",
            std::string("sluice.pool ") + kind +
                " %x batch %b into %y : (memref<?x35xf32>, !sluice.batch, memref<?x35xf32>) -> ()"),
        data, y, expected);
  }
}

} // namespace
