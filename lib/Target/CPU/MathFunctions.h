// SPDX-License-Identifier: Apache-2.0
//
// exp, tanh, erf, sine and cosine, and the activations made of them, as polynomials of ours on f32
// scalars or vectors of the kernel language. Only add, multiply, fma, compare, select and integer
// operations: the same bits on every machine.
#ifndef SLUICE_LIB_TARGET_CPU_MATHFUNCTIONS_H
#define SLUICE_LIB_TARGET_CPU_MATHFUNCTIONS_H

#include "lib/Target/CPU/KernelBuilder.h"

#include <utility>

namespace sluice::cpu {

/// e^x, within 1 ulp everywhere, denormal results included. exp(-inf) = +0, exp(inf) = inf, NaN
/// stays NaN.
Val exp(KernelBuilder &k, Val x);

/// The weight of a score that is |x| <= 0 (or NaN) away from the largest: the bits of exp, but +0
/// below -87, so that what is hidden or far costs no denormal numbers. |scales|: the machine has
/// scaleByPower(), and x is a vector of 16.
Val weightOf(KernelBuilder &k, Val x, bool scales);

/// The natural logarithm of a normal number, within 2 ulp; log(0) = -inf, log(inf) = inf, NaN stays
/// NaN. Numbers below 2^-126 count as 0, negative ones give garbage.
Val log(KernelBuilder &k, Val x);

/// Within 2 ulp. tanh(+-0) = +-0, tanh(+-inf) = +-1, NaN stays NaN.
Val tanh(KernelBuilder &k, Val x);

/// Within 2 ulp. erf(+-0) = +-0, erf(+-inf) = +-1, NaN stays NaN.
Val erf(KernelBuilder &k, Val x);

/// 1 / (1 + e^-x).
Val sigmoid(KernelBuilder &k, Val x);

/// Sine and cosine of an angle in radians, |x| <= 2^20: each within 1e-7 of the true value of the
/// f32 angle. Beyond that the error grows with the angle (no trap); NaN and infinities give NaN.
std::pair<Val, Val> sinCos(KernelBuilder &k, Val x);

enum class Activation { None, Relu, Relu2, Silu, GeluErf, GeluTanh, QuickGelu, Tanh, Sigmoid };

llvm::StringRef stringify(Activation activation);

/// |activation| of |x|. relu(NaN) = NaN. GeluErf is 0.5 x (1 + erf(x / sqrt 2)); GeluTanh is x / (1
/// + e^-2u) with u = sqrt(2/pi) (x + 0.044715 x^3), which equals 0.5 x (1 + tanh u) and keeps small
/// results; Silu is x / (1 + e^-x) and QuickGelu x / (1 +
/// e^-1.702x). All four give +0 for -inf.
Val activate(KernelBuilder &k, Activation activation, Val x);

} // namespace sluice::cpu

#endif
