// SPDX-License-Identifier: Apache-2.0
//
// Compares what a target computed with what the oracle says, within what docs/Numerics.md promises.

#ifndef SLUICE_REFERENCE_COMPARE_H
#define SLUICE_REFERENCE_COMPARE_H

#include "sluice/Reference/Values.h"

#include <string>

namespace sluice::reference {

/// What a comparison found.
struct Report {
  int64_t compared = 0;
  int64_t wrong = 0; ///< elements outside their bound
  int64_t worst =
      -1; ///< row-major index of the element furthest outside (or nearest to) its bound; -1: none
  double expected = 0, found = 0, low = 0, high = 0; ///< at `worst`; integers as doubles
  double ulp = 0;  ///< |found - expected| at `worst` in ulp of the element type at `expected`
  double nmse = 0; ///< sum (found - expected)^2 / sum expected^2 over finite elements
  std::string shapeError; ///< not empty: the shapes or element types differ, nothing was compared

  bool passed() const { return wrong == 0 && shapeError.empty(); }
};

/// Compares element by element, as `expected.accuracy` says. NaN agrees with NaN only and Inf with
/// Inf of its sign; where the bound is exact, zeros agree with zeros of their sign only. Integers
/// are exact.
Report compare(const Tensor &expected, const Tensor &found);

/// Compares what every page holds; slots that were never written (NaN) in `expected` must still be
/// unwritten in `found`. Counts keys first, then values, by layer, page, head, slot.
Report compare(const Pages &expected, const Pages &found);

/// One or two lines of text for a report about `name`.
std::string describe(const Report &report, llvm::StringRef name, const Tensor &expected);

/// The distance of two neighbours of `type` at `value`.
double ulpOf(mlir::Type type, double value);

} // namespace sluice::reference

#endif // SLUICE_REFERENCE_COMPARE_H
