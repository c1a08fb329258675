// SPDX-License-Identifier: Apache-2.0
//
// Codes and scales of an encoded weight (`#sluice.blocks`), and of the rows that meet it:
// docs/Contracts.md, section 8, written out number by number, so that packers, generator and
// kernels are compared with something that is not theirs.

#ifndef SLUICE_REFERENCE_BLOCKCODES_H
#define SLUICE_REFERENCE_BLOCKCODES_H

#include "dialects/Sluice/Sluice.h"
#include "sluice/Reference/Values.h"

namespace sluice::reference {

/// One matrix as codes: number (n, k) is `scale(n, k / columns) * code(n, k)`.
struct BlockCodes {
  int64_t outputs, inputs, columns;
  std::vector<int32_t> codes; ///< [outputs][inputs], signed
  std::vector<float> scales;  ///< [outputs][blocks]

  int64_t blocks() const { return (inputs + columns - 1) / columns; }
  int32_t code(int64_t n, int64_t k) const { return codes[n * inputs + k]; }
  float scale(int64_t n, int64_t block) const { return scales[n * blocks() + block]; }
};

/// The codes of `layer` (finite numbers, [N, K]) in `encoding`.
BlockCodes encodeBlocks(const Tensor &layer, BlocksAttr encoding);
/// The numbers that they stand for, as f32.
Tensor decodeBlocks(const BlockCodes &codes, mlir::MLIRContext *context);

/// Rows [R, K] as `inputs int8` sees them in blocks of `columns`. A scale is NaN where a block has
/// NaN or Inf.
BlockCodes encodeRows(const Tensor &rows, int64_t columns);

} // namespace sluice::reference

#endif // SLUICE_REFERENCE_BLOCKCODES_H
