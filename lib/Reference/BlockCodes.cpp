// SPDX-License-Identifier: Apache-2.0

#include "sluice/Reference/BlockCodes.h"
#include "mlir/IR/Builders.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

/// To the nearest integer, ties to even, whatever the rounding mode says.
static int32_t nearest(float value) {
  float floor = std::floor(value), rest = value - floor;
  bool up = rest > 0.5f || (rest == 0.5f && std::fmod(floor, 2.0f) != 0);
  return static_cast<int32_t>(floor) + (up ? 1 : 0);
}

BlockCodes reference::encodeBlocks(const Tensor &layer, BlocksAttr encoding) {
  BlockCodes made = {layer.dim(0), layer.dim(1), encoding.getColumns(), {}, {}};
  int32_t half = 1 << (encoding.getBits() - 1);
  for (int64_t n = 0; n < made.outputs; ++n)
    for (int64_t begin = 0; begin < made.inputs; begin += made.columns) {
      int64_t end = std::min(begin + made.columns, made.inputs);
      // The number of the largest magnitude; of two that have it, the negative one.
      double low = 0, high = 0;
      for (int64_t k = begin; k < end; ++k) {
        low = std::min(low, layer({n, k}));
        high = std::max(high, layer({n, k}));
      }
      auto extreme = static_cast<float>(-low >= high ? low : high);
      auto scale = static_cast<float>(
          roundTo(encoding.getScale(), extreme * (-1.0f / static_cast<float>(half))));
      if (scale == 0)
        scale = 0; // not -0
      made.scales.push_back(scale);
      for (int64_t k = begin; k < end; ++k)
        made.codes.push_back(
            scale == 0
                ? 0
                : std::clamp(nearest(static_cast<float>(layer({n, k})) / scale), -half, half - 1));
    }
  return made;
}

Tensor reference::decodeBlocks(const BlockCodes &codes, MLIRContext *context) {
  Tensor layer(Float32Type::get(context), {codes.outputs, codes.inputs});
  for (int64_t n = 0; n < codes.outputs; ++n)
    for (int64_t k = 0; k < codes.inputs; ++k)
      layer.put(layer.at({n, k}),
                static_cast<double>(codes.scale(n, k / codes.columns)) * codes.code(n, k));
  return layer;
}

BlockCodes reference::encodeRows(const Tensor &rows, int64_t columns) {
  BlockCodes made = {rows.dim(0), rows.dim(1), columns, {}, {}};
  for (int64_t r = 0; r < made.outputs; ++r)
    for (int64_t begin = 0; begin < made.inputs; begin += columns) {
      int64_t end = std::min(begin + columns, made.inputs);
      float largest = 0;
      bool finite = true;
      for (int64_t k = begin; k < end; ++k) {
        auto x = static_cast<float>(rows({r, k}));
        finite &= std::isfinite(x);
        largest = std::max(largest, std::fabs(x));
      }
      bool zero = largest < 0x1p-100f;
      made.scales.push_back(!finite ? std::numeric_limits<float>::quiet_NaN()
                            : zero  ? 0.0f
                                    : largest / 127.0f);
      float inverse = 127.0f / largest;
      for (int64_t k = begin; k < end; ++k)
        made.codes.push_back(
            !finite || zero
                ? 0
                : std::clamp(nearest(static_cast<float>(rows({r, k})) * inverse), -127, 127));
    }
  return made;
}
