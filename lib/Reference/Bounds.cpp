// SPDX-License-Identifier: Apache-2.0

#include "sluice/Reference/Bounds.h"

#include <algorithm>
#include <cmath>

namespace sluice::reference::bounds {

double chain(int64_t terms) {
  double n = static_cast<double>(terms);
  return std::min(n, 8 * std::sqrt(n)) * u;
}

double tree(int64_t count) { return chain((count + 15) / 16 + 4); }

llvm::ArrayRef<Row> table() {
  static const Row rows[] = {
      {"linear", "f32, f16 weights",
       "s (chain(K) M + 2u (M + abs bias)) + function + 2u (abs result + abs residual)",
       "M = sum of abs(row * weight): one chain of K fused steps, then one rounding per epilogue "
       "step; s is the steepest "
       "slope of the activation there, `function` the bound of its row below"},
      {"linear", "bf16 weights", "as f32 + tiny (K + sum abs row + sum abs weight)",
       "products of two bf16 are exact in f32; `vdpbf16ps` takes denormal inputs as zero and "
       "flushes denormal sums"},
      {"linear", "codes", "as f32 weights",
       "a code times its scale is exact in f32, and takes part in the same chain"},
      {"linear, inputs int8", "codes",
       "as f32 weights, with (chain(groups) + 2u) M + tiny groups for chain(K) M",
       "M = sum of the groups' magnitudes: a group is an exact sum of integers, the product of its "
       "two scales is rounded, and it joins by one fused step; codes of rows are part of the "
       "definition"},
      {"heads.linear", "f32; bf16 and f16 weights", "chain(K) M",
       "one chain of K fused steps, the weight widened"},
      {"heads.join", "f32, bf16, f16", "exact", "copies"},
      {"norm rms, l2", "f32", "(tree(C) + 8u) abs y + 2u (abs y + abs result)",
       "the statistic has the relative error of its sum, halved by the root; y is the result "
       "before the bias"},
      {"norm layer", "f32",
       "(m + (tree(C) + m^2 + 8u) abs y') abs weight + 2u (abs y + abs result)",
       "m = tree(C) mean(abs x) / deviation: the mean's error is relative to the numbers, not to "
       "their differences; y' is "
       "y before the weight"},
      {"rope", "f32", "(sine + 2u) (abs a + abs b)",
       "the f32 angle is part of the definition; sine = 2e-7 for sin and cos"},
      {"rope with an amplitude", "f32", "(sine + 4u) amplitude (abs a + abs b)",
       "one multiplication more"},
      {"rope_dynamic beyond original", "f32",
       "as above with sine + (10 + 8 e (1 + ln(growth))) u abs angle, e = 2i / (dims - 2)",
       "growth^-e is made of a logarithm and an exp in f32 at run time"},
      {"embed, gather", "all", "exact", "a copy, and widening is exact"},
      {"activation silu, sigmoid", "f32", "16u abs f + tiny (1 + abs x)",
       "one exp, one sum, one division; f below 2^-126 may be 0"},
      {"activation quick_gelu", "f32", "(16 + 2 abs x) u abs f + tiny (1 + abs x)",
       "as silu, with a rounded argument of exp"},
      {"activation gelu_erf, gelu_tanh", "f32", "8u abs x",
       "1 + erf and 1 + tanh cancel for negative x, so the bound is relative to x, not to f"},
      {"activation tanh", "f32", "8u", "absolute: exp(2x) - 1 cancels near 0"},
      {"activation relu, relu2", "f32", "exact; relu2 2u abs f", "one multiplication"},
      {"activation, gated", "f32", "(bound of f) abs gate + 2u abs result",
       "one multiplication more; 4u with an up_offset"},
      {"activation, scaled", "f32",
       "output_scale (bound + 2u slope abs x) + 2u abs result, slope as in linear",
       "the argument of f and the result are rounded once more"},
      {"add", "f32", "exact", "one f32 addition, correctly rounded"},
      {"attention", "f32",
       "(2 s + exponential + chain(min(n, 256)) + chain(cuts) + 12u) A + sum of w abs v (abs(score "
       "- max)) 2u + e^-86 sum of abs v where score - max < -86",
       "A = sum of w abs v over n visible keys; s = the largest error of a score, (chain(D) + 2u) "
       "scale * sum abs(q k), and with a cap 8u cap + 2u abs score more, and for each bias 2u (abs "
       "bias + abs score) more: an error of a score is a relative error of its weight, and of the "
       "sum of weights"},
      {"attention, lse", "f32",
       "2 s + exponential + chain(min(n, 256)) + chain(cuts) + 12u + 2u n largest (w abs(score - "
       "max)) + 4u (abs max + abs log sum + 1)",
       "a relative error of the sum of weights is an absolute one of its logarithm"},
      {"cache.append", "f32, bf16", "exact", "rounding to nearest even is part of the definition"},
      {"pool mean", "f32", "chain(n) sum abs x / n + 2u abs result",
       "one chain over the n rows, one division"},
      {"pool first, last", "f32", "exact", "copies"},
      {"sample", "i32, i64", "exact",
       "a draw whose margin is under the bound of exp may differ; the tests' seeds have none"},
      {"route", "f32",
       "(s + chain(choices) + 8u + mean s of the choices) abs weight + tiny, s = exponential + 2u "
       "(abs(logit - max) + 2) + tree(E) + mean s for softmax (chain(choices) for tree(E) over "
       "choices), 16u for sigmoid, 24u for sqrt_softplus",
       "one function per score, one sum and one division; ids are exact, but with a bias or "
       "top_two where two differ by less than that"},
      {"route.experts", "f32, bf16, f16, codes", "as linear without an epilogue, 2u M more",
       "the same chain over one expert's weights"},
      {"route.combine", "f32", "chain(C) sum of abs(weight * row) + 2u (abs result + abs residual)",
       "one chain of fused steps over the choices"},
      {"clamp", "f32, bf16", "exact, signs of zeros included",
       "the result is one of the inputs, up to sign"},
      {"results of 16 bits", "bf16, f16", "round(exact - bound) to round(exact + bound)",
       "the rounding of a number near a tie may go either way, and no further"},
      {"programs", "f32", "5e-5 rms of the reference row",
       "what is made out of inexact numbers; errors mix within a row"},
      {"programs that round rows to 16 bits", "f32, bf16, f16", "2e-2 rms of the reference row",
       "one flipped rounding is 2^-8 of a number and spreads through the layers after it"},
      {"programs that make codes of rows", "f32, bf16, f16", "8e-2 rms of the reference row",
       "one flipped code is 2^-7 of the largest number of its group"},
  };
  return rows;
}

} // namespace sluice::reference::bounds
