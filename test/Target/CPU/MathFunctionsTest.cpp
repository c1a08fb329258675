// SPDX-License-Identifier: Apache-2.0
//
// exp, tanh, erf, sine and cosine: the stated errors against double precision over the f32 numbers,
// the special values, and the same bits on every machine that this computer can play.
#include "lib/Target/CPU/MathFunctions.h"
#include "test/Target/CPU/KernelHarness.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;

namespace {

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

/// |found| - |exact| in units of the last place of an f32 at |exact| (of the smallest denormal's at
/// least).
double ulps(float found, double exact) {
  if (std::isnan(exact))
    return std::isnan(found) ? 0 : INFINITY;
  float nearest = static_cast<float>(exact);
  if (std::isinf(nearest) || std::isinf(found))
    return found == nearest ? 0 : INFINITY;
  int exponent;
  std::frexp(exact, &exponent);
  double ulp = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::fabs(found - exact) / ulp;
}

using Emit = llvm::function_ref<Val(KernelBuilder &, Val)>;

/// out[i] = emit(in[i]) for n = a multiple of 16.
LoadedKernel mapKernel(const char *cpu, Emit emit) {
  Type f32s = arrayOf(Float32Type::get(&kernelContext())), index = IndexType::get(&kernelContext());
  return LoadedKernel(machineOrDie(cpu), {f32s, f32s, index},
                      [&](KernelBuilder &k, ModuleOp, ArrayRef<Val> a) {
                        k.forLoop(0, a[2], kLanes,
                                  [&](Val i) { k.store(emit(k, k.loadVector(a[0], i)), a[1], i); });
                      });
}

constexpr int64_t kBatch = 1 << 16;

/// Every |stride|-th f32 bit pattern with magnitude in [0, limit], both signs, goes through
/// |kernel| into |visit|.
void sweep(const LoadedKernel &kernel, uint32_t stride, float limit,
           llvm::function_ref<void(float, float)> visit) {
  std::vector<float> in(kBatch), out(kBatch);
  for (uint64_t first = 0; first <= bitsOf(limit);
       first += static_cast<uint64_t>(stride) * kBatch / 2) {
    for (int64_t i = 0; i < kBatch; ++i) {
      uint64_t bits =
          std::min<uint64_t>(first + static_cast<uint64_t>(i / 2) * stride, bitsOf(limit));
      in[i] = floatOf(static_cast<uint32_t>(bits) | (i % 2 ? 0x80000000u : 0));
    }
    kernel(in, out, kBatch);
    for (int64_t i = 0; i < kBatch; ++i)
      visit(in[i], out[i]);
  }
}

struct Function {
  const char *name;
  Val (*emit)(KernelBuilder &, Val);
  double (*exact)(double);
  double bound; ///< ulp
};

const Function functions[] = {
    {"exp", [](KernelBuilder &k, Val x) { return cpu::exp(k, x); },
     [](double x) { return std::exp(x); }, 1.0},
    {"tanh", [](KernelBuilder &k, Val x) { return cpu::tanh(k, x); },
     [](double x) { return std::tanh(x); }, 2.0},
    {"erf", [](KernelBuilder &k, Val x) { return cpu::erf(k, x); },
     [](double x) { return std::erf(x); }, 2.0},
};

TEST(MathFunctions, StayWithinTheirBounds) {
  for (const Function &function : functions) {
    LoadedKernel kernel = mapKernel("native", function.emit);
    double worst = 0;
    float at = 0;
    sweep(kernel, 251, INFINITY, [&](float x, float y) {
      double error = ulps(y, function.exact(x));
      if (error > worst)
        worst = error, at = x;
    });
    RecordProperty(function.name, std::to_string(worst));
    EXPECT_LE(worst, function.bound) << function.name << " at " << at;
    // A bound that nothing comes near would not notice a worse polynomial.
    EXPECT_GE(worst, function.bound / 4) << function.name;
  }
}

TEST(MathFunctions, KeepSpecialValues) {
  float nan = std::nanf(""), inf = INFINITY;
  std::vector<float> in = {nan,    inf,     -inf,  0.0f,   -0.0f, 89.0f, -104.5f, -87.5f,
                           1e-40f, -1e-40f, 3e38f, -3e38f, 1,     -1,    4,       -4};
  std::vector<float> out(16);
  LoadedKernel exp = mapKernel("native", functions[0].emit);
  exp(in, out, 16);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_EQ(out[1], inf);
  EXPECT_EQ(bitsOf(out[2]), 0u);
  EXPECT_EQ(out[3], 1.0f);
  EXPECT_EQ(out[4], 1.0f);
  EXPECT_EQ(out[5], inf);
  EXPECT_EQ(bitsOf(out[6]), 0u);
  EXPECT_EQ(std::fpclassify(out[7]), FP_SUBNORMAL);
  EXPECT_EQ(out[10], inf);
  EXPECT_EQ(bitsOf(out[11]), 0u);
  for (int which : {1, 2}) {
    LoadedKernel odd = mapKernel("native", functions[which].emit);
    odd(in, out, 16);
    EXPECT_TRUE(std::isnan(out[0]));
    EXPECT_EQ(out[1], 1.0f);
    EXPECT_EQ(out[2], -1.0f);
    EXPECT_EQ(bitsOf(out[3]), 0u);
    EXPECT_EQ(bitsOf(out[4]), 0x80000000u);
    EXPECT_EQ(out[12], -out[13]);
  }
}

TEST(MathFunctions, SineAndCosineUpToTwoToTwenty) {
  LoadedKernel sine =
      mapKernel("native", [](KernelBuilder &k, Val x) { return sinCos(k, x).first; });
  LoadedKernel cosine =
      mapKernel("native", [](KernelBuilder &k, Val x) { return sinCos(k, x).second; });
  double worstSine = 0, worstCosine = 0;
  sweep(sine, 97, 0x1p20f, [&](float x, float y) {
    worstSine = std::max(worstSine, std::fabs(y - std::sin(double(x))));
  });
  sweep(cosine, 97, 0x1p20f, [&](float x, float y) {
    worstCosine = std::max(worstCosine, std::fabs(y - std::cos(double(x))));
  });
  RecordProperty("sine", std::to_string(worstSine * 1e9));
  EXPECT_LE(worstSine, 1e-7);
  EXPECT_LE(worstCosine, 1e-7);
  // Integers are what positions are made of.
  std::vector<float> in(kBatch), out(kBatch);
  for (int64_t first = 0; first < (1 << 20); first += kBatch) {
    for (int64_t i = 0; i < kBatch; ++i)
      in[i] = static_cast<float>(first + i);
    cosine(in, out, kBatch);
    for (int64_t i = 0; i < kBatch; ++i)
      ASSERT_LE(std::fabs(out[i] - std::cos(double(in[i]))), 1e-7) << in[i];
  }
}

TEST(MathFunctions, GiveTheSameBitsOnEveryMachine) {
  using Emitter = Val (*)(KernelBuilder &, Val);
  const Emitter emitters[] = {
      functions[0].emit,
      functions[1].emit,
      functions[2].emit,
      [](KernelBuilder &k, Val x) { return sinCos(k, x).first; },
      [](KernelBuilder &k, Val x) { return activate(k, Activation::GeluErf, x); },
      [](KernelBuilder &k, Val x) { return activate(k, Activation::GeluTanh, x); },
      [](KernelBuilder &k, Val x) { return activate(k, Activation::Silu, x); },
      [](KernelBuilder &k, Val x) { return k.roundToBf16(x); },
      [](KernelBuilder &k, Val x) { return k.bf16ToF32(k.f32ToBf16(x)); },
      [](KernelBuilder &k, Val x) { return k.f16ToF32(k.f32ToF16(x)); },
      [](KernelBuilder &k, Val x) { return k.broadcast(k.laneSum(x)); },
  };
  for (size_t which = 0; which < std::size(emitters); ++which) {
    Emitter emit = emitters[which];
    LoadedKernel native = mapKernel("native", emit), generic = mapKernel("x86-64-v3", emit);
    std::vector<float> in(kBatch), out(kBatch);
    sweep(native, 65521, INFINITY, [&](float x, float y) {
      // One batch of the same inputs at a time, in the order of the sweep.
      static thread_local int64_t filled;
      in[filled] = x, out[filled] = y;
      if (++filled < kBatch)
        return;
      filled = 0;
      std::vector<float> other(kBatch);
      generic(in, other, kBatch);
      for (int64_t i = 0; i < kBatch; ++i)
        ASSERT_EQ(bitsOf(out[i]), bitsOf(other[i])) << "function " << which << " of " << in[i];
    });
  }
}

TEST(MathFunctions, ActivationsFollowTheirDefinitions) {
  struct {
    Activation activation;
    double (*exact)(double);
  } all[] = {
      {Activation::Relu, [](double x) { return x > 0 ? x : 0; }},
      {Activation::Silu, [](double x) { return x / (1 + std::exp(-x)); }},
      {Activation::GeluErf, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {Activation::GeluTanh,
       [](double x) {
         return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
       }},
      {Activation::Tanh, [](double x) { return std::tanh(x); }},
      {Activation::Sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
  };
  for (auto &entry : all) {
    Activation activation = entry.activation;
    auto exact = entry.exact;
    LoadedKernel kernel =
        mapKernel("native", [&](KernelBuilder &k, Val x) { return activate(k, activation, x); });
    sweep(kernel, 9973, 60.0f, [&](float x, float y) {
      double wanted = exact(x);
      double scale = std::max(std::fabs(wanted), std::min(1.0, std::fabs(double(x))));
      ASSERT_LE(std::fabs(y - wanted), 4e-7 * scale + 0x1p-149)
          << stringify(activation).str() << " of " << x << " is " << y << ", expected " << wanted;
    });
  }
}

} // namespace
