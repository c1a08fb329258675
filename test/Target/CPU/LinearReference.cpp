// SPDX-License-Identifier: Apache-2.0
#include "test/Target/CPU/LinearReference.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace sluice::cpu {

static uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

static float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

uint16_t toBf16(float value) {
  if (std::isnan(value))
    return static_cast<uint16_t>((bitsOf(value) >> 16) | 0x40);
  // The two neighbours, the nearer one, the even one on a tie.
  uint32_t bits = bitsOf(value), low = bits & 0xffff;
  uint16_t cut = static_cast<uint16_t>(bits >> 16);
  bool up = low > 0x8000 || (low == 0x8000 && (cut & 1));
  return static_cast<uint16_t>(cut + up);
}

float fromBf16(uint16_t bits) { return floatOf(static_cast<uint32_t>(bits) << 16); }

uint16_t toF16(float value) {
  llvm::APFloat number(value);
  bool exact;
  number.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven, &exact);
  return static_cast<uint16_t>(number.bitcastToAPInt().getZExtValue());
}

float fromF16(uint16_t bits) {
  llvm::APFloat number(llvm::APFloat::IEEEhalf(), llvm::APInt(16, bits));
  bool exact;
  number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &exact);
  return number.convertToFloat();
}

/// splitmix64, in [-1, 1).
static float nextUniform(uint64_t &state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<float>(z >> 40) * 0x1p-23f - 1.0f;
}

static const uint8_t kPoison = 0xff; // NaN in every float format

static bool isPaired(const LinearVariant &variant) {
  return variant.weights != LinearVariant::Weights::F32;
}
static bool isDpbf16(const LinearVariant &variant) {
  return variant.weights == LinearVariant::Weights::Bf16 && variant.dot == Dot::Dpbf16;
}

template <typename T>
static void put(std::vector<uint8_t> &bytes, int64_t index, T value) {
  std::memcpy(bytes.data() + index * sizeof(T), &value, sizeof(T));
}

template <typename T>
static T get(const std::vector<uint8_t> &bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

LinearCase::LinearCase(const LinearVariant &variant, int64_t rowCount, int64_t outputs,
                       int64_t inputs, uint64_t seed)
    : rowStride(inputs + 3), destStride(outputs + 5), residualStride(outputs + 2), variant(variant),
      rowCount(rowCount), outputs(outputs), inputs(inputs) {
  uint64_t state = seed;
  bool bf16Weights = variant.weights == LinearVariant::Weights::Bf16;

  // Rows: the padding between and behind them is NaN and must not count. Some values are tiny, so
  // that sums underflow.
  plainRows.resize(rowCount * inputs);
  rows.assign(rowCount * rowStride * 4, kPoison);
  for (int64_t r = 0; r < rowCount; ++r)
    for (int64_t i = 0; i < inputs; ++i) {
      float value = nextUniform(state) * ((r + i) % 11 == 0 ? 0x1p-100f : 1.0f);
      if (bf16Weights)
        value = fromBf16(toBf16(value));
      plainRows[r * inputs + i] = value;
      if (isDpbf16(variant))
        put<uint16_t>(rows, r * rowStride + i, toBf16(value));
      else
        put<float>(rows, r * rowStride + i, value);
    }

  int64_t panels = (outputs + 15) / 16, group = isPaired(variant) ? 2 : 1,
          groups = (inputs + group - 1) / group;
  plainWeights.resize(outputs * inputs);
  weights.assign(panels * groups * 16 * group * (isPaired(variant) ? 2 : 4), 0);
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t i = 0; i < inputs; ++i) {
      float value = nextUniform(state) * ((n + i) % 13 == 0 ? 0x1p-40f : 1.0f);
      int64_t at = ((n / 16 * groups + i / group) * 16 + n % 16) * group + i % group;
      switch (variant.weights) {
      case LinearVariant::Weights::F32:
        put<float>(weights, at, value);
        break;
      case LinearVariant::Weights::Bf16:
        put<uint16_t>(weights, at, toBf16(value));
        value = fromBf16(toBf16(value));
        break;
      case LinearVariant::Weights::F16:
        put<uint16_t>(weights, at, toF16(value));
        value = fromF16(toF16(value));
        break;
      }
      plainWeights[n * inputs + i] = value;
    }

  plainBias.resize(outputs);
  bias.assign(outputs * 4, kPoison);
  for (int64_t n = 0; variant.bias && n < outputs; ++n) {
    float value = nextUniform(state);
    if (variant.bias.isF32())
      put<float>(bias, n, value);
    else if (variant.bias.isBF16())
      put<uint16_t>(bias, n, toBf16(value)), value = fromBf16(toBf16(value));
    else
      put<uint16_t>(bias, n, toF16(value)), value = fromF16(toF16(value));
    plainBias[n] = value;
  }

  residual.assign(rowCount * residualStride, std::nanf(""));
  for (int64_t r = 0; r < rowCount; ++r)
    for (int64_t n = 0; n < outputs; ++n)
      residual[r * residualStride + n] = nextUniform(state);
  reset();
}

void LinearCase::reset() { dest.assign((rowCount * destStride + 64) * 4, kPoison); }

float LinearCase::sum(int64_t row, int64_t output) const {
  const float *x = &plainRows[row * inputs], *w = &plainWeights[output * inputs];
  float acc = 0;
  if (isDpbf16(variant)) {
    // Two steps per pair, the odd element first; denormal inputs and results of a step count as
    // zero.
    auto flush = [](float v) {
      return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v;
    };
    for (int64_t i = 0; i < inputs; i += 2)
      for (int64_t j : {i + 1, i}) {
        float a = j < inputs ? flush(x[j]) : 0, b = j < inputs ? flush(w[j]) : 0;
        acc = flush(std::fma(a, b, acc));
      }
    return acc;
  }
  for (int64_t i = 0; i < inputs; ++i)
    acc = std::fma(x[i], w[i], acc);
  if (isPaired(variant) && inputs % 2)
    acc = std::fma(0.0f, 0.0f, acc);
  return acc;
}

std::vector<uint32_t> LinearCase::expected() const {
  std::vector<uint32_t> bits(rowCount * outputs);
  for (int64_t r = 0; r < rowCount; ++r)
    for (int64_t n = 0; n < outputs; ++n) {
      float value = sum(r, n);
      if (variant.bias)
        value += plainBias[n];
      if (variant.activation == Activation::Relu)
        value = value > 0 ? value : 0.0f;
      if (variant.residual)
        value += residual[r * residualStride + n];
      switch (variant.dest) {
      case StoredAs::F32:
        bits[r * outputs + n] = bitsOf(value);
        break;
      case StoredAs::RoundedF32:
        bits[r * outputs + n] = bitsOf(fromBf16(toBf16(value)));
        break;
      case StoredAs::Bf16:
        bits[r * outputs + n] = toBf16(value);
        break;
      }
    }
  return bits;
}

std::string LinearCase::compare(const std::vector<uint32_t> &expected) const {
  std::string text;
  llvm::raw_string_ostream out(text);
  bool narrow = variant.dest == StoredAs::Bf16;
  int64_t cells = static_cast<int64_t>(dest.size()) / (narrow ? 2 : 4);
  for (int64_t cell = 0; cell < cells; ++cell) {
    uint32_t found = narrow ? get<uint16_t>(dest, cell) : get<uint32_t>(dest, cell);
    int64_t row = cell / destStride, column = cell % destStride;
    bool inside = row < rowCount && column < outputs;
    uint32_t wanted = inside ? expected[row * outputs + column] : narrow ? 0xffff : 0xffffffff;
    if (found == wanted)
      continue;
    out << (inside ? "wrong value" : "written outside") << " at row " << row << ", column "
        << column << ": found bits " << llvm::format_hex(found, 10) << ", expected "
        << llvm::format_hex(wanted, 10);
    if (inside)
      out << " (" << floatOf(narrow ? found << 16 : found) << ", "
          << floatOf(narrow ? wanted << 16 : wanted) << ")";
    return text;
  }
  return text;
}

} // namespace sluice::cpu
