// SPDX-License-Identifier: Apache-2.0
//
// Packing is a transposition: seen as words of 4 bytes (one f32, or a pair of bf16) a panel of both
// element sizes is the transpose of its 16 rows.

#include "lib/Artifact/WeightLayout.h"

namespace sluice::artifact {

WeightLayout layoutOf(ParamOp param) {
  mlir::RankedTensorType block = param.getBlockType();
  WeightLayout layout;
  layout.panel = param.getLayout() == Layout::Panel;
  layout.count = param.getBlocks();
  layout.rows = block.getDimSize(0);
  layout.columns = block.getNumElements() / layout.rows;
  layout.blocks = blocksOf(block);
  layout.elementBytes = block.getElementTypeBitWidth() / 8;
  int64_t bytes = layout.panel ? llvm::divideCeil(layout.rows, 16) * layout.panelBytes()
                               : layout.rows * layout.columns * layout.elementBytes;
  layout.stride = llvm::alignTo(bytes, 64);
  return layout;
}

/// 16 words of each of 16 rows, whole: the part of a panel that matters for speed.
static void transposeTile(const uint8_t *rows, int64_t rowBytes, uint8_t *out) {
  uint32_t tile[16][16];
  for (int row = 0; row < 16; ++row)
    memcpy(tile[row], rows + row * rowBytes, 64);
  uint32_t turned[16][16];
  for (int word = 0; word < 16; ++word)
    for (int row = 0; row < 16; ++row)
      turned[word][row] = tile[row][word];
  memcpy(out, turned, sizeof turned);
}

void packPanel(const WeightLayout &layout, const uint8_t *rows, int64_t count, uint8_t *out) {
  int64_t rowBytes = layout.columns * layout.elementBytes;
  int64_t words = llvm::divideCeil(rowBytes, 4), word = 0;
  if (count == 16)
    for (; (word + 16) * 4 <= rowBytes; word += 16)
      transposeTile(rows + word * 4, rowBytes, out + word * 64);
  for (; word < words; ++word) {
    memset(out + word * 64, 0, 64);
    int64_t bytes = std::min<int64_t>(4, rowBytes - word * 4); // 2 in the last pair of an odd row
    for (int64_t row = 0; row < count; ++row)
      memcpy(out + word * 64 + row * 4, rows + row * rowBytes + word * 4, bytes);
  }
}
} // namespace sluice::artifact
