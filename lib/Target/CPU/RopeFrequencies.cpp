// SPDX-License-Identifier: Apache-2.0
//
// One table for each scaling. Exponents, powers and results are f32, as in the models' own code;
// what a scaling does between is f64.
#include "lib/Target/CPU/RopeFrequencies.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace sluice::cpu {
namespace {

constexpr double kTurn = 2 * llvm::numbers::pi;

double clampToUnit(double x) { return std::min(1.0, std::max(0.0, x)); }

/// f32(theta^f32(2i/dims)), i < dims/2.
std::vector<float> powers(double theta, int64_t dims) {
  std::vector<float> all(dims / 2);
  for (int64_t i = 0; i < dims / 2; ++i) {
    double exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    all[i] = static_cast<float>(std::pow(theta, exponent));
  }
  return all;
}

/// Between which pairs YaRN goes from one kind of frequency to the other.
std::pair<double, double> yarnRamp(RopeYarnAttr yarn, double theta, int64_t dims) {
  auto original = static_cast<double>(yarn.getOriginal());
  // The pair that turns this often in `original` positions.
  auto pairTurning = [&](double times) {
    return static_cast<double>(dims) * std::log(original / (times * kTurn)) / (2 * std::log(theta));
  };
  double first = pairTurning(yarn.getFast().convertToDouble());
  double last = pairTurning(yarn.getSlow().convertToDouble());
  if (yarn.getCorners() == YarnCorners::Whole) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, static_cast<double>(dims - 1));
  return {first, first == last ? last + 0.001 : last};
}

} // namespace

std::vector<float> ropeFrequencies(double theta, int64_t dims, RopeScalingAttrInterface scaling) {
  if (auto ntk = dyn_cast_or_null<RopeNtkAttr>(Attribute(scaling)))
    theta *= std::pow(ntk.getFactor().convertToDouble(),
                      static_cast<double>(dims) / static_cast<double>(dims - 2));
  std::vector<float> power = powers(theta, dims), table(power.size());
  for (size_t i = 0; i < power.size(); ++i)
    table[i] = 1.0f / power[i];
  if (!scaling)
    return table;

  llvm::TypeSwitch<Attribute>(scaling)
      .Case([&](RopeLinearAttr linear) {
        for (float &frequency : table)
          frequency = static_cast<float>(frequency / linear.getFactor().convertToDouble());
      })
      .Case([&](RopeLlama3Attr llama3) {
        double factor = llama3.getFactor().convertToDouble(),
               low = llama3.getLow().convertToDouble(), high = llama3.getHigh().convertToDouble();
        for (float &frequency : table) {
          double turns = static_cast<double>(llama3.getOriginal()) * frequency / kTurn;
          double keep = clampToUnit((turns - low) / (high - low));
          frequency = static_cast<float>(frequency * (keep + (1 - keep) / factor));
        }
      })
      .Case([&](RopeYarnAttr yarn) {
        auto [first, last] = yarnRamp(yarn, theta, dims);
        double factor = yarn.getFactor().convertToDouble();
        for (size_t i = 0; i < table.size(); ++i) {
          double stretched = clampToUnit((static_cast<double>(i) - first) / (last - first));
          table[i] =
              static_cast<float>(stretched / (factor * power[i]) + (1 - stretched) * table[i]);
        }
      })
      .Case([&](RopeLongropeAttr longrope) {
        table.clear();
        for (auto divisors : {longrope.getShortFactors(), longrope.getLongFactors()})
          for (auto [divisor, p] : llvm::zip_equal(divisors.asArrayRef(), power))
            table.push_back(
                static_cast<float>(1.0 / (static_cast<double>(static_cast<float>(divisor)) * p)));
      })
      .Default([](Attribute) {}); // ntk is in theta, dynamic works at run time
  return table;
}

} // namespace sluice::cpu
