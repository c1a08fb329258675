// SPDX-License-Identifier: Apache-2.0

#include "sluice/Reference/Compare.h"
#include "sluice/Reference/Bounds.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace sluice::reference;

double sluice::reference::ulpOf(Type type, double value) {
  auto semantics = &cast<FloatType>(type).getFloatSemantics();
  int precision = static_cast<int>(llvm::APFloat::semanticsPrecision(*semantics));
  int smallest = llvm::APFloat::semanticsMinExponent(*semantics);
  int exponent = value == 0 || !std::isfinite(value) ? smallest : std::ilogb(value);
  return std::ldexp(1.0, std::max(exponent, smallest) - precision + 1);
}

namespace {
/// How far `found` is outside [low, high], as a multiple of the interval's half width and at least
/// of one ulp; at most 1 inside, infinite where kinds differ.
double excess(Type element, double expected, double low, double high, double found, bool exact) {
  double infinity = std::numeric_limits<double>::infinity();
  if (std::isnan(expected) || std::isnan(found))
    return std::isnan(expected) && std::isnan(found) ? 0 : infinity;
  if (exact)
    return expected == found && std::signbit(expected) == std::signbit(found) ? 0 : infinity;
  if (std::isinf(found) || std::isinf(expected))
    return low <= found && found <= high ? 0 : infinity;
  double distance = std::fabs(found - expected);
  if (low <= found && found <= high)
    return std::min(1.0, distance / std::max(std::max(high - expected, expected - low),
                                             ulpOf(element, expected)));
  double width = std::max({high - expected, expected - low, ulpOf(element, expected)});
  // Outside, however wide an ulp is.
  return std::max(distance / width, std::nextafter(1.0, 2.0));
}

/// Collects what a report says.
class Judge {
public:
  void see(Type element, int64_t index, double expected, double low, double high, double found,
           bool exact) {
    double outside = excess(element, expected, low, high, found, exact);
    ++report.compared;
    report.wrong += outside > 1;
    if (report.worst < 0 || outside > worst) {
      worst = outside;
      report.worst = index;
      report.expected = expected;
      report.found = found;
      report.low = low;
      report.high = high;
      report.ulp = std::isfinite(expected) && std::isfinite(found)
                       ? std::fabs(found - expected) / ulpOf(element, expected)
                       : (outside > 1 ? std::numeric_limits<double>::infinity() : 0);
    }
    if (std::isfinite(expected) && std::isfinite(found)) {
      error += (found - expected) * (found - expected);
      power += expected * expected;
    }
  }

  Report finish() {
    report.nmse = error == 0 ? 0 : error / power;
    return report;
  }

  Report report;

private:
  double worst = -1, error = 0, power = 0;
};
} // namespace

static std::string shapeText(const Tensor &tensor) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "[";
  llvm::interleaveComma(tensor.shape, stream);
  stream << "] of " << tensor.element;
  return text;
}

Report sluice::reference::compare(const Tensor &expected, const Tensor &found) {
  Judge judge;
  if (expected.shape != found.shape || expected.element != found.element) {
    judge.report.shapeError = "expects " + shapeText(expected) + ", but found " + shapeText(found);
    return judge.report;
  }
  if (!expected.isFloat()) {
    for (int64_t i = 0; i < expected.count(); ++i) {
      bool equal = expected.integers[i] == found.integers[i];
      Report &report = judge.report;
      ++report.compared;
      if (!equal && report.wrong++ == 0) {
        report.worst = i;
        report.expected = report.low = report.high = static_cast<double>(expected.integers[i]);
        report.found = static_cast<double>(found.integers[i]);
      }
    }
    return judge.report;
  }
  int64_t columns = expected.rank() == 0 ? 1 : expected.shape.back();
  double slack = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    double low = expected.numbers[i], high = expected.numbers[i];
    if (expected.accuracy == Accuracy::Bounded) {
      low = expected.low[i];
      high = expected.high[i];
    } else if (expected.accuracy == Accuracy::Program) {
      if (i % columns == 0) {
        double squares = 0;
        for (int64_t c = 0; c < columns; ++c)
          squares += std::isfinite(expected.numbers[i + c])
                         ? expected.numbers[i + c] * expected.numbers[i + c]
                         : 0;
        slack = (expected.roughened & kRoundedToCodes ? bounds::codedProgram
                 : expected.roughened                 ? bounds::roughProgram
                                                      : bounds::program) *
                std::sqrt(squares / static_cast<double>(columns));
      }
      if (std::isfinite(low)) {
        // The bound is about numbers before their last rounding.
        low = roundTo(expected.element, low - slack - ulpOf(expected.element, low) / 2);
        high = roundTo(expected.element, high + slack + ulpOf(expected.element, high) / 2);
      }
    }
    judge.see(expected.element, i, expected.numbers[i], low, high, found.numbers[i],
              expected.accuracy == Accuracy::Exact);
  }
  return judge.finish();
}

/// Everything that pages hold as one tensor: keys, then values.
static Tensor flatten(const Pages &pages) {
  int64_t slots = pages.layers() * pages.count() * pages.heads() * pages.slots();
  // Values that are parts of keys are compared with them.
  int64_t values = pages.isShared() ? 0 : pages.valueSize();
  Tensor tensor(pages.elementType(), {slots * (pages.keySize() + values)});
  int64_t at = 0;
  for (bool keys : {true, false})
    for (int64_t l = 0; l < pages.layers(); ++l)
      for (int64_t p = 0; p < pages.count(); ++p)
        for (int64_t g = 0; g < pages.heads(); ++g)
          for (int64_t slot = 0; slot < pages.slots(); ++slot)
            for (int64_t d = 0; d < (keys ? pages.keySize() : values); ++d)
              tensor.numbers[at++] =
                  keys ? pages.key(l, p, g, slot, d) : pages.value(l, p, g, slot, d);
  tensor.accuracy = pages.accuracy;
  tensor.roughened = pages.roughened;
  return tensor;
}

Report sluice::reference::compare(const Pages &expected, const Pages &found) {
  Tensor e = flatten(expected), f = flatten(found);
  if (e.accuracy == Accuracy::Program) {
    // Rows are the slots' vectors where they have one length; otherwise pages are one row.
    int64_t columns = expected.keySize() == expected.valueSize() ? expected.keySize() : e.count();
    if (columns > 0 && e.count() % columns == 0) {
      e = e.reshaped({e.count() / columns, columns});
      f = f.reshaped({f.count() / columns, columns});
    }
  }
  return compare(e, f);
}

std::string sluice::reference::describe(const Report &report, llvm::StringRef name,
                                        const Tensor &expected) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "'" << name << "': ";
  if (!report.shapeError.empty()) {
    stream << report.shapeError;
    return text;
  }
  if (report.wrong == 0)
    stream << report.compared << " numbers agree";
  else
    stream << report.wrong << " of " << report.compared << " numbers differ";
  if (report.worst < 0)
    return text;
  stream << "; worst at [";
  SmallVector<int64_t> index;
  int64_t rest = report.worst;
  for (int64_t size : llvm::reverse(expected.shape)) {
    index.push_back(rest % size);
    rest /= size;
  }
  llvm::interleaveComma(llvm::reverse(index), stream);
  stream << "]: expected " << llvm::format("%.9g", report.expected) << ", found "
         << llvm::format("%.9g", report.found);
  if (!expected.isFloat())
    return text;
  stream << " (" << llvm::format("%.3g", report.ulp) << " ulp";
  if (expected.accuracy != Accuracy::Exact)
    stream << ", bound [" << llvm::format("%.9g", report.low) << ", "
           << llvm::format("%.9g", report.high) << "]";
  stream << "), NMSE " << llvm::format("%.3g", report.nmse);
  return text;
}
