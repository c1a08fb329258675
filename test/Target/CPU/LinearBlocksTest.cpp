// SPDX-License-Identifier: Apache-2.0
//
// Linear kernels on codes against plain loops that follow docs/Contracts.md §3 and §4, bit for bit:
// both widths, rows as they are and as codes, every row count around the row classes, inputs off a
// group, any division of the panels, scales of every size, rows with NaN, on this machine and as
// x86-64-v4 and v3.
#include "lib/Target/CPU/LinearBlocks.h"
#include "test/Target/CPU/LayerArguments.h"

#include "llvm/ADT/bit.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;

namespace {

struct Shape {
  int64_t rows, outputs, inputs;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int64_t rows = 1; rows <= 27; ++rows)
    all.push_back({rows, 16 * ((rows * 7) % 5) + 1 + (rows * 5) % 16, 1 + (rows * 37) % 170});
  for (Shape extra : {Shape{1, 1, 1},
                      {1, 16, 32},
                      {12, 33, 1024},
                      {13, 40, 1025},
                      {97, 17, 530},
                      {200, 17, 64},
                      {24, 530, 40},
                      {9, 16, 2100},
                      {530, 5, 70},   // more rows than are encoded at once,
                      {13, 3, 55000}, // and more inputs
                      {2, 100, 700}})
    all.push_back(extra);
  return all;
}

/// Numbers, not very random, the same everywhere.
class Stream {
public:
  explicit Stream(uint32_t seed) : state(seed * 2654435761u + 1) {}
  uint32_t bits() { return state = state * 1664525 + 1013904223; }
  float number() { return static_cast<float>(static_cast<int32_t>(bits()) >> 8) * 0x1p-22f; }

private:
  uint32_t state;
};

float bf16(uint16_t bits) { return llvm::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

/// Operands of one call, and the answer.
struct Case {
  Case(const BlocksVariant &variant, Shape shape, uint32_t seed)
      : variant(variant), shape(shape), bits(variant.blocks.getBits()),
        columns(variant.blocks.getColumns()), groups((shape.inputs + columns - 1) / columns),
        panelBytes(variant.blocks.getPanelBytes(shape.inputs)), rowStride(shape.inputs + 3),
        destStride(shape.outputs + 5), dest(shape.rows * destStride), rows(shape.rows * rowStride),
        residual(shape.rows * shape.outputs), bias(shape.outputs) {
    Stream stream(seed);
    for (float &x : rows)
      x = stream.number();
    if (shape.rows > 4) {
      for (int64_t k = 0; k < std::min(columns, shape.inputs); ++k)
        rows[k] = 0;                       // a group of zeros
      rows[2 * rowStride] = std::nanf(""); // and one with NaN
      rows[3 * rowStride] = INFINITY;      // and one with Inf
      rows[4 * rowStride] = 1e-38f;
    }
    for (float &x : residual)
      x = stream.number();
    for (float &x : bias)
      x = stream.number();
    panels.resize((shape.outputs + 15) / 16 * panelBytes + 64);
    bytes = panels.data() + (64 - reinterpret_cast<uintptr_t>(panels.data()) % 64) % 64;
    int64_t scalesAt = variant.blocks.getScalesAt(shape.inputs);
    for (int64_t panel = 0; panel < (shape.outputs + 15) / 16; ++panel)
      for (int64_t at = 0; at < panelBytes; at += 2) {
        auto word = static_cast<uint16_t>(stream.bits() >> 16);
        // Scales: any sign, from denormal to 2^80, some of them zero.
        static constexpr uint16_t sizes[] = {0, 1, 0x80, 0x3f80, 0x3c00, 0x6780};
        if (at >= scalesAt)
          word = (word & 0x807f) | sizes[word % (at % 64 == 0 ? 6 : 5)];
        memcpy(bytes + panel * panelBytes + at, &word, 2);
      }
    // Inputs that do not exist have the code 0, as packers leave it.
    for (int64_t n = 0; n < (shape.outputs + 15) / 16 * 16; ++n)
      for (int64_t k = shape.inputs; k < groups * columns; ++k)
        setCode(n, k);
  }

  int64_t byteOf(int64_t n, int64_t k) const {
    int64_t perWord = 32 / bits, j = k % perWord;
    return n / 16 * panelBytes + (k / perWord * 16 + n % 16) * 4 + (bits == 8 ? j : j % 4);
  }
  void setCode(int64_t n, int64_t k) {
    uint8_t &byte = bytes[byteOf(n, k)];
    int64_t shift = bits == 8 ? 0 : k % 8 / 4 * 4;
    byte = bits == 8 ? 128 : (byte & ~(15 << shift)) | 8 << shift;
  }
  int32_t code(int64_t n, int64_t k) const {
    uint8_t byte = bytes[byteOf(n, k)];
    return bits == 8 ? byte - 128 : (byte >> (k % 8 / 4 * 4) & 15) - 8;
  }
  float scale(int64_t n, int64_t group) const {
    uint16_t half;
    memcpy(&half,
           bytes + n / 16 * panelBytes + variant.blocks.getScalesAt(shape.inputs) +
               (group * 16 + n % 16) * 2,
           2);
    return bf16(half);
  }
  float row(int64_t r, int64_t k) const {
    return k < shape.inputs ? rows[r * rowStride + k] : 0.0f;
  }

  float sum(int64_t r, int64_t n) const {
    float sum = 0;
    for (int64_t group = 0; group < groups; ++group) {
      int64_t begin = group * columns, end = begin + columns;
      if (!variant.codedRows) {
        for (int64_t k = begin; k < end; ++k)
          sum = std::fma(row(r, k), scale(n, group) * static_cast<float>(code(n, k)), sum);
        continue;
      }
      float largest = 0;
      bool finite = true;
      for (int64_t k = begin; k < end; ++k) {
        finite &= std::isfinite(row(r, k));
        largest = std::max(largest, std::fabs(row(r, k)));
      }
      int32_t integer = 0;
      float rowScale = finite ? 0.0f : std::nanf("");
      if (finite && largest >= 0x1p-100f) {
        rowScale = largest / 127.0f;
        for (int64_t k = begin; k < end; ++k)
          integer +=
              static_cast<int32_t>(std::nearbyint(row(r, k) * (127.0f / largest))) * code(n, k);
      }
      sum = std::fma(static_cast<float>(integer), scale(n, group) * rowScale, sum);
    }
    if (variant.bias)
      sum += bias[n];
    if (variant.activation == Activation::Relu)
      sum = sum > 0 ? sum : std::isnan(sum) ? sum : 0.0f;
    if (variant.residual)
      sum += residual[r * shape.outputs + n];
    return sum;
  }

  const BlocksVariant &variant;
  Shape shape;
  int64_t bits, columns, groups, panelBytes, rowStride, destStride;
  std::vector<float> dest, rows, residual, bias;
  std::vector<uint8_t> panels;
  uint8_t *bytes;
};

void check(BlocksVariant variant, const char *cpu) {
  CPUMachine machine = machineOrDie(cpu);
  if (!canRun(machine))
    GTEST_SKIP() << "this computer cannot run code for " << cpu;
  MLIRContext *context = &kernelContext();
  variant.rows = Float32Type::get(context);
  LoadedKernel kernel(machine,
                      layerTypes({IntegerType::get(context, 32), BFloat16Type::get(context)},
                                 variant.rows, variant),
                      [&](KernelBuilder &k, ModuleOp module, llvm::ArrayRef<Val> v) {
                        callLinearBlocks(k, module, machine, variant, {v[0], v[1]},
                                         layerOperands(v.drop_front(2), variant));
                      });
  uint32_t seed = 1;
  for (Shape shape : shapes()) {
    Case data(variant, shape, seed++);
    for (int64_t workers : {1, 3}) {
      std::fill(data.dest.begin(), data.dest.end(), -77.0f);
      int64_t panels = (shape.outputs + 15) / 16;
      for (int64_t me = 0; me < workers; ++me)
        kernel(data.bytes, data.bytes, data.rows, data.rowStride, data.dest, data.destStride,
               shape.rows, shape.inputs, shape.outputs, me * panels / workers,
               (me + 1) * panels / workers, data.bias, data.residual, shape.outputs);
      for (int64_t r = 0; r < shape.rows; ++r) {
        for (int64_t n = 0; n < shape.outputs; ++n) {
          float expected = data.sum(r, n), found = data.dest[r * data.destStride + n];
          // A NaN is as good as another; a zero that denormals were lost in may have either sign.
          if ((std::isnan(expected) && std::isnan(found)) || (expected == 0 && found == 0))
            continue;
          ASSERT_EQ(llvm::bit_cast<uint32_t>(found), llvm::bit_cast<uint32_t>(expected))
              << variant.name() << " on " << cpu << ": row " << r << " of " << shape.rows
              << ", output " << n << " of " << shape.outputs << ", inputs " << shape.inputs
              << ", workers " << workers << ": expected " << expected << ", found " << found;
        }
        for (int64_t pad = shape.outputs; pad < data.destStride; ++pad)
          ASSERT_EQ(data.dest[r * data.destStride + pad], -77.0f) << "wrote beside a row";
      }
    }
  }
}

BlocksVariant blocks(unsigned bits, int64_t columns, bool codedRows) {
  MLIRContext *context = &kernelContext();
  context->getOrLoadDialect<SluiceDialect>(); // whose attribute says what an encoding is
  BlocksVariant variant;
  variant.blocks = BlocksAttr::get(context, IntegerType::get(context, bits), 1, columns,
                                   BFloat16Type::get(context));
  variant.codedRows = codedRows;
  return variant;
}

class LinearBlocks : public testing::TestWithParam<const char *> {};

TEST_P(LinearBlocks, Int8) { check(blocks(8, 128, false), GetParam()); }
TEST_P(LinearBlocks, Int4) { check(blocks(4, 32, false), GetParam()); }
TEST_P(LinearBlocks, Int8CodedRows) { check(blocks(8, 64, true), GetParam()); }
TEST_P(LinearBlocks, Int4CodedRows) { check(blocks(4, 32, true), GetParam()); }
TEST_P(LinearBlocks, Int8CodedRowsEpilogue) {
  BlocksVariant variant = blocks(8, 1024, true);
  variant.bias = Float32Type::get(&kernelContext());
  variant.activation = Activation::Relu;
  variant.residual = true;
  check(variant, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Machines, LinearBlocks,
                         testing::Values("native", "x86-64-v4", "x86-64-v3"), [](const auto &info) {
                           return llvm::StringRef(info.param).str() == "native" ? "native"
                                  : llvm::StringRef(info.param) == "x86-64-v4"  ? "v4"
                                                                                : "v3";
                         });

} // namespace
