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

enum class Activation { None, Relu, Silu, GeluErf, GeluTanh, Tanh, Sigmoid };

llvm::StringRef stringify(Activation activation);

/// |activation| of |x| (scalar or vector).
Val activate(KernelBuilder &k, Activation activation, Val x);

} // namespace sluice::cpu

#endif
