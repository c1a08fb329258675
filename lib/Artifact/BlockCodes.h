// SPDX-License-Identifier: Apache-2.0
//
// Weights as codes and scales (docs/Contracts.md, sections 3 and 8), and what that costs in
// accuracy.

#ifndef SLUICE_LIB_ARTIFACT_BLOCKCODES_H
#define SLUICE_LIB_ARTIFACT_BLOCKCODES_H

#include "lib/Artifact/WeightLayout.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>

namespace sluice::artifact {

/// How far the numbers of an encoded weight are from what they were made of.
struct EncodingError {
  std::string param, encoding;
  int64_t layers = 1; ///< of the param
  double largest = 0; ///< the largest error of a number
  double squares = 0, numberSquares = 0;
  int64_t count = 0;
  /// Row and column of a NaN, Inf or number of 2^100 and more, in the joined sources.
  std::optional<std::pair<int64_t, int64_t>> refused;
  int64_t firstRow = 0; ///< of the panel that is being encoded

  /// Adds rows of `layer`; layers come in order.
  void add(const EncodingError &part, int64_t layer);
  /// Root mean square of the errors, and the same relative to the numbers'.
  double rms() const;
  double relative() const;
  /// "layers.qkv: int8 in groups of 128, rms error ..."
  std::string text() const;
  llvm::json::Object json() const;

private:
  /// Layers that were looked at, their sums, and the one with the largest relative error.
  struct Layer {
    int64_t number;
    double squares, numberSquares;
    double relative() const;
  };
  const Layer &worst() const;
  std::vector<Layer> measured;
};

/// Writes one panel of codes and scales at `out` (nowhere when it is null): `count` (at most 16)
/// dense rows of `element` at `rows`. Adds what it costs to `error`.
void encodePanel(const WeightLayout &layout, mlir::Type element, const uint8_t *rows, int64_t count,
                 uint8_t *out, EncodingError &error);

} // namespace sluice::artifact

#endif // SLUICE_LIB_ARTIFACT_BLOCKCODES_H
