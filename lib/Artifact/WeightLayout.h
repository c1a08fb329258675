// SPDX-License-Identifier: Apache-2.0
//
// Layouts of weights (docs/Contracts.md, section 3), and packing into them.

#ifndef SLUICE_LIB_ARTIFACT_WEIGHTLAYOUT_H
#define SLUICE_LIB_ARTIFACT_WEIGHTLAYOUT_H

#include "dialects/Sluice/Sluice.h"

namespace sluice::artifact {

/// The bytes of one param.
struct WeightLayout {
  bool panel;           ///< else row-major
  int64_t count;        ///< blocks: layers times experts
  int64_t rows;         ///< N: the first dimension of a block
  int64_t columns;      ///< the product of the others
  int64_t elementBytes; ///< 2 or 4; of the numbers before they are encoded
  int64_t stride;       ///< bytes from block to block, a multiple of 64
  BlocksAttr blocks;    ///< null: dense

  /// Elements that stand together in a panel: 1 of 4 bytes, 2 of 2 bytes.
  int64_t group() const { return 4 / elementBytes; }
  /// Bytes of the 16 outputs of one panel.
  int64_t panelBytes() const {
    return blocks ? blocks.getPanelBytes(columns) : llvm::divideCeil(columns, group()) * 64;
  }
};

WeightLayout layoutOf(ParamOp param);

/// Writes one panel: `count` (at most 16) dense rows at `rows` become [columns/group][16][group] at
/// `out`, zeros where there is no row or column.
void packPanel(const WeightLayout &layout, const uint8_t *rows, int64_t count, uint8_t *out);

} // namespace sluice::artifact

#endif // SLUICE_LIB_ARTIFACT_WEIGHTLAYOUT_H
