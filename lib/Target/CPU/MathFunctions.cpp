// SPDX-License-Identifier: Apache-2.0
//
// The polynomials. Coefficients are minimax fits (relative error of the result, iterated
// reweighting in 120-bit arithmetic) whose lower terms were rounded to f32 one by one, refitting
// the rest each time. The errors that the header states are measured on every f32 by
// MathFunctionsTest.
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/Intrinsics.h"

#include <limits>

namespace sluice::cpu {

/// c[0] + c[1] x + c[2] x^2 + ... by Horner's rule, one fma per term.
static Val polynomial(KernelBuilder &k, Val x, std::initializer_list<float> coefficients) {
  auto next = std::rbegin(coefficients);
  Val value = k.constant(*next++, x.type());
  for (; next != std::rend(coefficients); ++next)
    value = k.fma(value, x, k.constant(*next, x.type()));
  return value;
}

/// 1.5 * 2^23: adding it rounds to an integer (ties to even), which then stands in the low bits.
static constexpr float kRounder = 0x1.8p23f;
static constexpr int32_t kRounderBits = 0x4b400000;

/// The nearest integer to x * scale, as f32 and as i32. Exact below 2^22; garbage, but no trap,
/// beyond and for NaN.
static std::pair<Val, Val> nearestMultiple(KernelBuilder &k, Val x, float scale) {
  Val shifted = k.fma(x, k.constant(scale, x.type()), k.constant(kRounder, x.type()));
  return {shifted - kRounder, k.bitcast(shifted, k.i32Type()) - kRounderBits};
}

/// 2^n as f32, n in [-126, 127].
static Val powerOfTwo(KernelBuilder &k, Val n) { return k.bitcast((n + 127) << 23, k.f32Type()); }

namespace {
/// e^x = |p| * 2^|n|, n as f32 and as i32.
struct ScaledExp {
  Val p, n, exponent;
};
} // namespace

/// Of x in [-104, 89], or NaN.
static ScaledExp scaledExp(KernelBuilder &k, Val x) {
  auto constant = [&](float value) { return k.constant(value, x.type()); };
  auto [n, exponent] = nearestMultiple(k, x, 0x1.715476p0f); // log2(e)
  // r = x - n ln 2, in [-0.35, 0.35]; the first step is exact.
  Val r = k.fma(n, constant(-0x1.62e430p-1f), x);
  r = k.fma(n, constant(0x1.05c610p-29f), r);
  // e^r = 1 + (r + r^2 q(r)).
  Val q = polynomial(
      k, r,
      {0.5f, 0x1.555554p-3f, 0x1.5554e4p-5f, 0x1.11130cp-7f, 0x1.6d5270p-10f, 0x1.9e0912p-13f});
  return {k.fma(r * r, q, r) + 1.0f, n, exponent};
}

/// 2^n in two factors: the first is exact, the second rounds once where the result is denormal.
static Val inTwoSteps(KernelBuilder &k, const ScaledExp &e) {
  Val half = k.shiftRightSigned(e.exponent, k.constant(1, e.exponent.type()));
  return e.p * powerOfTwo(k, half) * powerOfTwo(k, e.exponent - half);
}

Val exp(KernelBuilder &k, Val x) {
  // Outside, the result is 0 or infinite anyhow. Written so that NaN passes.
  Val inside = k.max(k.constant(-104.0f, x.type()), k.min(k.constant(89.0f, x.type()), x));
  return inTwoSteps(k, scaledExp(k, inside));
}

Val weightOf(KernelBuilder &k, Val x, bool scales) {
  Val least = k.constant(-87.0f, x.type());
  ScaledExp e = scaledExp(k, k.max(least, x));
  Val weight = scales ? scaleByPower(k, e.p, e.n) : e.p * powerOfTwo(k, e.exponent);
  return k.select(x < least, k.constant(0, x.type()), weight);
}

Val log(KernelBuilder &k, Val x) {
  auto constant = [&](float value) { return k.constant(value, x.type()); };
  // x = m 2^n with m in [sqrt 1/2, sqrt 2).
  Val bits = k.bitcast(x, k.i32Type());
  Val shifted = bits - 0x3f3504f3;
  Val exponent = k.shiftRightSigned(shifted, k.constant(23, shifted.type()));
  Val m = k.bitcast(bits - (exponent << 23), k.f32Type());
  Val n = k.toF32(exponent);
  // log m = 2 atanh(s) with s = (m - 1) / (m + 1), |s| <= 0.172; the series ends below 2^-30.
  Val f = m - 1.0f, s = f / (m + 1.0f), z = s * s;
  Val q = polynomial(k, z, {2.0f / 3, 2.0f / 5, 2.0f / 7, 2.0f / 9, 2.0f / 11});
  // 2 s = f - s f, which keeps the low bits of f.
  Val small = f - s * (f - z * q);
  Val result = k.fma(n, constant(0x1.62e400p-1f), k.fma(n, constant(0x1.7f7d1cp-20f), small));
  float infinity = std::numeric_limits<float>::infinity();
  result = k.select(x < constant(0x1p-126f), constant(-infinity), result);
  return k.select(x < constant(infinity), result, x);
}

/// |magnitude| with the sign of |x|.
static Val withSignOf(KernelBuilder &k, Val magnitude, Val x) {
  Val sign = k.bitcast(x, k.i32Type()) & std::numeric_limits<int32_t>::min();
  return k.bitcast(k.bitcast(magnitude, k.i32Type()) | sign, k.f32Type());
}

Val tanh(KernelBuilder &k, Val x) {
  Val a = k.abs(x), z = x * x;
  Val p = polynomial(
      k, z, {-0x1.555532p-2f, 0x1.1106fep-3f, -0x1.b8378ap-5f, 0x1.5209f6p-6f, -0x1.756c16p-8f});
  Val small = k.fma(x * z, p, x);
  // 1 - 2 / (e^2a + 1)
  Val large = 1.0f - 2.0f / (exp(k, a + a) + 1.0f);
  // Not (a < bound): NaN takes the side that keeps it.
  return withSignOf(k, k.select(a >= 0.625f, large, small), x);
}

Val erf(KernelBuilder &k, Val x) {
  Val a = k.abs(x), z = x * x;
  Val p = polynomial(k, z,
                     {0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2ce6p-4f, -0x1.b7f71cp-6f,
                      0x1.53f246p-8f, -0x1.a352cep-11f, 0x1.477702p-14f});
  Val small = k.fma(x, p, x);
  // 1 - e^-q with q = -log(1 - erf a); from 4 on erf is 1 in f32.
  Val t = k.min(a, k.constant(4, x.type()));
  Val q = polynomial(k, t,
                     {-0x1.8afd40p-13f, 0x1.212c24p0f, 0x1.443510p-1f, 0x1.bc17e6p-4f,
                      -0x1.9d09f6p-6f, 0x1.1396fcp-8f, -0x1.cee78cp-12f, 0x1.6c06e4p-16f});
  Val large = 1.0f - exp(k, k.neg(q));
  return k.select(a >= 1.0f, withSignOf(k, large, x), small);
}

Val sigmoid(KernelBuilder &k, Val x) { return 1.0f / (exp(k, k.neg(x)) + 1.0f); }

std::pair<Val, Val> sinCos(KernelBuilder &k, Val x) {
  auto constant = [&](float value) { return k.constant(value, x.type()); };
  // r = x - n pi/2 in [-pi/4, pi/4]; pi/2 in three parts, and the first step is exact below 2^20.
  auto [n, quarter] = nearestMultiple(k, x, 0x1.45f306p-1f); // 2 / pi
  Val r = k.fma(n, constant(-0x1.921fb6p0f), x);
  r = k.fma(n, constant(0x1.777a5cp-25f), r);
  r = k.fma(n, constant(0x1.ee59dap-50f), r);
  Val z = r * r;
  Val sine = k.fma(
      r * z, polynomial(k, z, {-0x1.555556p-3f, 0x1.111174p-7f, -0x1.a0596ap-13f, 0x1.7c375cp-19f}),
      r);
  Val cosine = k.fma(z * z, polynomial(k, z, {0x1.55554ap-5f, -0x1.6c0c2ap-10f, 0x1.99e8f2p-16f}),
                     k.fma(z, constant(-0.5f), constant(1.0f)));
  // Odd quarters swap the two; the second bit of n turns the sine's sign, that of n + 1 the
  // cosine's.
  Val odd = (quarter & 1) != 0;
  auto signedBy = [&](Val value, Val turns) {
    return k.bitcast(k.bitcast(value, k.i32Type()) ^ ((turns & 2) << 30), k.f32Type());
  };
  return {signedBy(k.select(odd, cosine, sine), quarter),
          signedBy(k.select(odd, sine, cosine), quarter + 1)};
}

llvm::StringRef stringify(Activation activation) {
  switch (activation) {
  case Activation::None:
    return "none";
  case Activation::Relu:
    return "relu";
  case Activation::Relu2:
    return "relu2";
  case Activation::Silu:
    return "silu";
  case Activation::GeluErf:
    return "gelu_erf";
  case Activation::GeluTanh:
    return "gelu_tanh";
  case Activation::QuickGelu:
    return "quick_gelu";
  case Activation::Tanh:
    return "tanh";
  case Activation::Sigmoid:
    return "sigmoid";
  }
  llvm_unreachable("covered switch");
}

/// |y|, which is f(x) for an f that goes to 0 on the left, with f(-inf) = 0 where the formula gives
/// inf / inf or 0 * inf.
static Val zeroAtMinusInfinity(KernelBuilder &k, Val x, Val y) {
  Val bottom = k.constant(-std::numeric_limits<double>::infinity(), x.type());
  return k.select(x == bottom, k.constant(0, x.type()), y);
}

Val activate(KernelBuilder &k, Activation activation, Val x) {
  auto zero = [&] { return k.constant(0, x.type()); };
  switch (activation) {
  case Activation::None:
    return x;
  case Activation::Relu:
    return k.select(x <= zero(), zero(), x);
  case Activation::Relu2:
    return k.select(x <= zero(), zero(), x * x);
  case Activation::Silu:
    return zeroAtMinusInfinity(k, x, x / (exp(k, k.neg(x)) + 1.0f));
  case Activation::QuickGelu:
    return zeroAtMinusInfinity(k, x, x / (exp(k, x * -1.702f) + 1.0f));
  case Activation::GeluErf:
    return zeroAtMinusInfinity(k, x, (x * 0.5f) * (erf(k, x * 0x1.6a09e6p-1f) + 1.0f));
  case Activation::GeluTanh: {
    Val inner = k.fma(x * x, k.constant(0.044715f, x.type()), k.constant(1, x.type())) * x;
    return zeroAtMinusInfinity(k, x, x / (exp(k, inner * (-2 * 0x1.988454p-1f)) + 1.0f));
  }
  case Activation::Tanh:
    return tanh(k, x);
  case Activation::Sigmoid:
    return sigmoid(k, x);
  }
  llvm_unreachable("covered switch");
}

} // namespace sluice::cpu
