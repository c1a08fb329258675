// SPDX-License-Identifier: Apache-2.0
//
// embed: rows of tables in every layout and element type, and what becomes of a wrong number.
#include "test/Target/CPU/LinearReference.h"
#include "test/Target/CPU/StepHarness.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

using namespace sluice::cpu;

namespace {

enum class Format { F32, Bf16, F16 };

struct EmbedCase {
  Format format;
  bool panel;
  int64_t channels;
};
class EmbedTest : public testing::TestWithParam<EmbedCase> {};

constexpr int64_t kTableRows = 37;

/// A table in the case's layout, and what its rows are in f32.
struct Table {
  std::vector<uint8_t> bytes;
  std::vector<float> rows;

  explicit Table(const EmbedCase &c) : rows(kTableRows * c.channels) {
    Random random(1);
    int64_t g = c.format == Format::F32 ? 1 : 2, size = c.format == Format::F32 ? 4 : 2;
    int64_t padded = (c.channels + g - 1) / g;
    bytes.assign(c.panel ? (kTableRows + 15) / 16 * padded * 16 * g * size
                         : kTableRows * c.channels * size,
                 0);
    for (int64_t v = 0; v < kTableRows; ++v)
      for (int64_t k = 0; k < c.channels; ++k) {
        int64_t at =
            c.panel ? ((v / 16 * padded + k / g) * 16 + v % 16) * g + k % g : v * c.channels + k;
        float value = random.uniform();
        if (c.format == Format::F32) {
          std::memcpy(&bytes[at * 4], &value, 4);
        } else {
          uint16_t bits = c.format == Format::Bf16 ? toBf16(value) : toF16(value);
          value = c.format == Format::Bf16 ? fromBf16(bits) : fromF16(bits);
          std::memcpy(&bytes[at * 2], &bits, 2);
        }
        rows[v * c.channels + k] = value;
      }
  }
};

std::string moduleFor(const EmbedCase &c) {
  const char *element = c.format == Format::F32 ? "f32" : c.format == Format::Bf16 ? "bf16" : "f16";
  return llvm::formatv(
             "module {{\n"
             "sluice.param @t role table layout {0} : tensor<{1}x{2}x{3}> from [\"t\"] rows [{1}]\n"
             "func.func @f(%i: memref<?xi32>, %y: memref<?x{2}xf32>) attributes {{sluice.export} "
             "{{\n"
             "place.team {{ place.phase \"embed\" share rows {{\n"
             "%t = sluice.param.use @t : tensor<{1}x{2}x{3}>\n"
             "sluice.embed %t[%i] into %y : (tensor<{1}x{2}x{3}>, memref<?xi32>, "
             "memref<?x{2}xf32>) -> ()\n"
             "} }\nreturn\n}\n}\n",
             c.panel ? "panel" : "rows", kTableRows, c.channels, element)
      .str();
}

TEST_P(EmbedTest, GathersRowsExactly) {
  EmbedCase c = GetParam();
  Table table(c);
  std::vector<int32_t> ids = {0, 36, 15, 16, 17, 31, 32, 5, 5};
  std::vector<float> y(ids.size() * c.channels), expected;
  for (int32_t id : ids)
    expected.insert(expected.end(), table.rows.begin() + id * c.channels,
                    table.rows.begin() + (id + 1) * c.channels);
  CallData data;
  data.arg(ids, ids.size()), data.arg(y, ids.size()), data.weight(table.bytes);
  for (const char *machine : {"native", "x86-64-v3"}) {
    LoadedStep step(moduleFor(c), machine);
    for (int workers : {1, 2, 3}) {
      std::fill(y.begin(), y.end(), floatOf(0xffffffff));
      step.run("f", data, workers);
      EXPECT_EQ(bitsOf(y), bitsOf(expected)) << machine << ", " << workers << " workers";
      EXPECT_EQ(data.trap.code, SLUICE_TRAP_NONE);
    }
  }
}

TEST_P(EmbedTest, TrapsAWrongNumberAndLeavesItsRowZero) {
  EmbedCase c = GetParam();
  Table table(c);
  LoadedStep step(moduleFor(c));
  for (int32_t wrong : {-1, 37, INT32_MAX, INT32_MIN}) {
    std::vector<int32_t> ids = {1, wrong, 2};
    std::vector<float> y(ids.size() * c.channels), expected(y.size(), 0.0f);
    for (int64_t k = 0; k < c.channels; ++k) {
      expected[k] = table.rows[c.channels + k];
      expected[2 * c.channels + k] = table.rows[2 * c.channels + k];
    }
    CallData data;
    data.arg(ids, ids.size()), data.arg(y, ids.size()), data.weight(table.bytes);
    step.run("f", data, 1);
    EXPECT_EQ(bitsOf(y), bitsOf(expected));
    EXPECT_EQ(data.trap.code, SLUICE_TRAP_ID);
    EXPECT_EQ(data.trap.value, wrong);
    EXPECT_EQ(data.trap.bound, kTableRows);
    EXPECT_EQ(data.trap.location, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, EmbedTest,
    testing::Values(EmbedCase{Format::F32, false, 40}, EmbedCase{Format::F32, true, 33},
                    EmbedCase{Format::Bf16, false, 33}, EmbedCase{Format::Bf16, true, 33},
                    EmbedCase{Format::Bf16, true, 64}, EmbedCase{Format::F16, false, 19},
                    EmbedCase{Format::F16, true, 7}));

TEST(EmbedKernel, ThePositionsOfABatchAreCheckedToo) {
  Batch batch({{0, 4}});
  batch.position[2] = 9;
  std::vector<float> table(9 * 3, 1.0f), y(4 * 3), expected(4 * 3, 1.0f);
  std::fill(expected.begin() + 6, expected.begin() + 9, 0.0f);
  CallData data;
  data.batch = &batch;
  data.arg(y, 4), data.weight(table);
  LoadedStep step(
      "sluice.param @t role table layout rows : tensor<9x3xf32> from [\"t\"] rows [9]\n"
      "func.func @f(%b: !sluice.batch, %y: memref<?x3xf32>) attributes {sluice.export} {\n"
      "place.team { place.phase \"embed\" share rows {\n"
      "%t = sluice.param.use @t : tensor<9x3xf32>\n"
      "%i = sluice.batch.positions %b : memref<?xi32>\n"
      "sluice.embed %t[%i] into %y : (tensor<9x3xf32>, memref<?xi32>, memref<?x3xf32>) -> ()\n"
      "} }\nreturn\n}\n");
  step.run("f", data, 2);
  EXPECT_EQ(y, expected);
  EXPECT_EQ(data.trap.code, SLUICE_TRAP_POSITION);
  EXPECT_EQ(data.trap.value, 9);
}

TEST(EmbedKernel, PicksTheRowsAskedFor) {
  Batch batch({{0, 6}});
  Random random(2);
  auto x = random.floats(6 * 20);
  std::vector<int32_t> ask = {5, 0};
  std::vector<float> y(2 * 20), expected(x.begin() + 100, x.end());
  expected.insert(expected.end(), x.begin(), x.begin() + 20);
  CallData data;
  data.batch = &batch;
  data.arg(x, 6), data.arg(ask, 2), data.arg(y, 2);
  LoadedStep step("func.func @f(%x: memref<?x20xf32>, %b: !sluice.batch, %ask: memref<?xi32> "
                  "{sluice.name = \"ask\"},"
                  " %y: memref<?x20xf32>) attributes {sluice.export} {\n"
                  "%h = place.buffer \"asked\" size <row = 128, seq = 0, fixed = 0>"
                  " at <row = 0, seq = 0, fixed = 0> : memref<?x20xf32, strided<[32, 1]>>\n"
                  "place.team { place.phase \"pick\" share asked {\n"
                  "sluice.embed %x[%ask] into %h : (memref<?x20xf32>, memref<?xi32>, "
                  "memref<?x20xf32, strided<[32, 1]>>) -> ()\n"
                  "}\nplace.barrier\nplace.phase \"out\" share asked {\n"
                  "place.copy %h into %y : memref<?x20xf32, strided<[32, 1]>>, memref<?x20xf32>\n"
                  "} }\nreturn\n}\n");
  data.arenaRow = 128;
  for (int workers : {1, 2, 3}) {
    std::fill(y.begin(), y.end(), -1.0f);
    step.run("f", data, workers);
    EXPECT_EQ(y, expected);
  }
}

} // namespace
