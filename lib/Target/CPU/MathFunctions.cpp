// SPDX-License-Identifier: Apache-2.0
//
#include "lib/Target/CPU/MathFunctions.h"

namespace sluice::cpu {

llvm::StringRef stringify(Activation activation) {
  switch (activation) {
  case Activation::None:
    return "none";
  case Activation::Relu:
    return "relu";
  case Activation::Silu:
    return "silu";
  case Activation::GeluErf:
    return "gelu_erf";
  case Activation::GeluTanh:
    return "gelu_tanh";
  case Activation::Tanh:
    return "tanh";
  case Activation::Sigmoid:
    return "sigmoid";
  }
  llvm_unreachable("covered switch");
}

Val activate(KernelBuilder &k, Activation activation, Val x) {
  switch (activation) {
  case Activation::None:
    return x;
  case Activation::Relu:
    // max(x, +0): -0 gives +0. NaN stays NaN
    return k.select(x <= k.constant(0, x.type()), k.constant(0, x.type()), x);
  default:
    llvm_unreachable("later");
  }
}

} // namespace sluice::cpu
