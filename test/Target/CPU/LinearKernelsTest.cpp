// SPDX-License-Identifier: Apache-2.0
//
// Linear kernels against plain loops that follow docs/Contracts.md §4, bit for bit: every weight
// format, every row count around the row classes, odd sizes, several k blocks, any division of the
// panels, on this machine and as x86-64-v3.
#include "lib/Target/CPU/LinearKernels.h"
#include "test/Target/CPU/LayerArguments.h"
#include "test/Target/CPU/LinearReference.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;

namespace {

struct Shape {
  int64_t rows, outputs, inputs;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int64_t rows = 1; rows <= 40; ++rows)
    all.push_back({rows, 16 * ((rows * 7) % 11) + 1 + (rows * 5) % 16, 1 + (rows * 37) % 90});
  for (Shape extra : {Shape{1, 1, 1},
                      {1, 16, 1},
                      {3, 15, 2},
                      {12, 32, 3},
                      {13, 300, 64},
                      {25, 129, 511},
                      {26, 144, 512},
                      {24, 145, 513},
                      {7, 40, 1025},
                      {200, 33, 700},
                      {193, 17, 1031},
                      {385, 16, 9},
                      {61, 520, 1030}, // several blocks of panels and of inputs
                      {125, 130, 830},
                      {2, 200, 1500},
                      {1, 321, 1537}})
    all.push_back(extra);
  return all;
}

LoadedKernel compile(const CPUMachine &machine, const LinearVariant &variant) {
  MLIRContext *context = &kernelContext();
  return LoadedKernel(
      machine, layerTypes({variant.weightType(context)}, variant.rowType(context), variant),
      [&](KernelBuilder &k, ModuleOp module, llvm::ArrayRef<Val> v) {
        callLinear(k, module, machine, variant, v[0], layerOperands(v.drop_front(), variant));
      });
}

/// What the kernel is to give: bits of dest, row-major [rows][outputs].
void check(const LinearVariant &variant, const char *cpu) {
  CPUMachine machine = machineOrDie(cpu);
  if (!canRun(machine))
    GTEST_SKIP() << "this computer cannot run code for " << cpu;
  if (variant.weights == LinearVariant::Weights::Bf16 && variant.dot == Dot::Dpbf16 &&
      !machine.hasDpbf16)
    GTEST_SKIP() << "no vdpbf16ps on " << cpu;
  LoadedKernel kernel = compile(machine, variant);
  uint64_t seed = 1;
  for (Shape shape : shapes()) {
    LinearCase data(variant, shape.rows, shape.outputs, shape.inputs, seed++);
    std::vector<uint32_t> expected = data.expected();
    for (int64_t workers : {1, 3}) {
      data.reset();
      for (int64_t me = 0; me < workers; ++me) {
        int64_t panels = (shape.outputs + 15) / 16;
        kernel(data.weights.data(), data.rows.data(), data.rowStride, data.dest.data(),
               data.destStride, shape.rows, shape.inputs, shape.outputs, me * panels / workers,
               (me + 1) * panels / workers, data.bias.data(), data.residual.data(),
               data.residualStride);
      }
      std::string difference = data.compare(expected);
      ASSERT_EQ(difference, "") << variant.name() << " on " << cpu << ", rows " << shape.rows
                                << ", outputs " << shape.outputs << ", inputs " << shape.inputs
                                << ", workers " << workers;
    }
  }
}

class Linear : public testing::TestWithParam<const char *> {};

TEST_P(Linear, F32) { check({}, GetParam()); }

TEST_P(Linear, F32BiasReluResidual) {
  LinearVariant variant;
  variant.bias = Float32Type::get(&kernelContext());
  variant.activation = Activation::Relu;
  variant.residual = true;
  check(variant, GetParam());
}

TEST_P(Linear, Bf16Fma) {
  LinearVariant variant;
  variant.weights = LinearVariant::Weights::Bf16;
  check(variant, GetParam());
}

TEST_P(Linear, Bf16FmaBiasResidualRounded) {
  LinearVariant variant;
  variant.weights = LinearVariant::Weights::Bf16;
  variant.bias = BFloat16Type::get(&kernelContext());
  variant.residual = true;
  variant.dest = StoredAs::RoundedF32;
  check(variant, GetParam());
}

TEST_P(Linear, Bf16FmaToBf16) {
  LinearVariant variant;
  variant.weights = LinearVariant::Weights::Bf16;
  variant.dest = StoredAs::Bf16;
  check(variant, GetParam());
}

TEST_P(Linear, F16) {
  LinearVariant variant;
  variant.weights = LinearVariant::Weights::F16;
  variant.bias = Float16Type::get(&kernelContext());
  check(variant, GetParam());
}

TEST_P(Linear, Bf16Dpbf16) {
  LinearVariant variant;
  variant.weights = LinearVariant::Weights::Bf16;
  variant.dot = Dot::Dpbf16;
  variant.dest = StoredAs::Bf16;
  check(variant, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Machines, Linear, testing::Values("native", "x86-64-v4", "x86-64-v3"),
                         [](const auto &info) {
                           return llvm::StringRef(info.param).str() == "native" ? "native"
                                  : llvm::StringRef(info.param) == "x86-64-v4"  ? "v4"
                                                                                : "v3";
                         });

} // namespace
