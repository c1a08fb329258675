// SPDX-License-Identifier: Apache-2.0

#include "PackedMemory.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::check;
using namespace sluice::reference;

/// Numbers that lie together: 32 bits of them.
static int64_t groupOf(Type type) { return 4 / static_cast<int64_t>(elementBytes(type)); }

void check::packWeight(uint8_t *at, const Tensor &layer, StringRef layout) {
  if (layout != "panel")
    return storeTensor(at, layer);
  int64_t N = layer.dim(0), K = layer.dim(1), g = groupOf(layer.element), groups = (K + g - 1) / g;
  int64_t bytes = static_cast<int64_t>(elementBytes(layer.element));
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k) {
      int64_t element = ((n / 16 * groups + k / g) * 16 + n % 16) * g + k % g;
      storeFloat(at + element * bytes, layer.element, layer({n, k}));
    }
}

void check::packCodes(uint8_t *at, const BlockCodes &codes, BlocksAttr encoding) {
  int64_t bits = encoding.getBits(), columns = codes.columns, blocks = codes.blocks();
  int64_t codeBytes = blocks * columns * 16 * bits / 8;
  int64_t panelBytes = codeBytes + (blocks * 32 + 63) / 64 * 64;
  for (int64_t n = 0; n < (codes.outputs + 15) / 16 * 16; ++n) {
    uint8_t *panel = at + n / 16 * panelBytes;
    int64_t lane = n % 16;
    for (int64_t k = 0; k < blocks * columns; ++k) {
      bool real = n < codes.outputs && k < codes.inputs;
      int32_t stored = (real ? codes.code(n, k) : 0) + (1 << (bits - 1));
      if (bits == 8)
        panel[(k / 4 * 16 + lane) * 4 + k % 4] = static_cast<uint8_t>(stored);
      else // codes k and k + 4 of eight share a byte
        panel[(k / 8 * 16 + lane) * 4 + k % 4] |= static_cast<uint8_t>(stored << (k % 8 / 4 * 4));
    }
    for (int64_t block = 0; block < blocks && n < codes.outputs; ++block)
      storeFloat(panel + codeBytes + (block * 16 + lane) * 2, encoding.getScale(),
                 codes.scale(n, block));
  }
}

namespace {
/// Numbers of a value that are not those of its key.
int64_t ownValues(const Pages &pages) { return pages.isShared() ? 0 : pages.valueSize(); }

/// Where the numbers of a pool lie.
struct PoolLayout {
  explicit PoolLayout(const Pages &pages) : pages(pages) {
    g = groupOf(pages.elementType());
    bytes = static_cast<int64_t>(elementBytes(pages.elementType()));
    keyElements = (pages.keySize() + g - 1) / g * 16 * g;
    tileBytes = ((keyElements + 16 * ownValues(pages)) * bytes + 63) / 64 * 64;
  }
  int64_t tile(int64_t layer, int64_t page, int64_t head, int64_t slot) const {
    int64_t tilesPerPage = pages.slots() / 16;
    return (((layer * pages.count() + page) * pages.heads() + head) * tilesPerPage + slot / 16) *
           tileBytes;
  }
  int64_t key(int64_t layer, int64_t page, int64_t head, int64_t slot, int64_t d) const {
    return tile(layer, page, head, slot) + ((d / g * 16 + slot % 16) * g + d % g) * bytes;
  }
  int64_t value(int64_t layer, int64_t page, int64_t head, int64_t slot, int64_t e) const {
    int64_t s = slot % 16;
    return tile(layer, page, head, slot) +
           (keyElements + (s / g * pages.valueSize() + e) * g + s % g) * bytes;
  }

  const Pages &pages;
  int64_t g, bytes, keyElements, tileBytes;
};

/// Calls `body(layer, page, head, slot)` for every slot.
template <typename Body>
void forEachSlot(const Pages &pages, Body body) {
  for (int64_t l = 0; l < pages.layers(); ++l)
    for (int64_t p = 0; p < pages.count(); ++p)
      for (int64_t g = 0; g < pages.heads(); ++g)
        for (int64_t slot = 0; slot < pages.slots(); ++slot)
          body(l, p, g, slot);
}
} // namespace

size_t check::poolBytes(const Pages &pages) {
  PoolLayout layout(pages);
  return pages.layers() * pages.count() * pages.heads() * (pages.slots() / 16) * layout.tileBytes;
}

void check::packPages(uint8_t *base, const Pages &pages) {
  PoolLayout layout(pages);
  Type type = pages.elementType();
  forEachSlot(pages, [&](int64_t l, int64_t p, int64_t g, int64_t slot) {
    bool written = false;
    for (int64_t d = 0; d < pages.keySize(); ++d)
      if (double number = pages.key(l, p, g, slot, d); !std::isnan(number)) {
        storeFloat(base + layout.key(l, p, g, slot, d), type, number);
        written = true;
      }
    // An append leaves zeros in the padding of an odd key.
    for (int64_t d = pages.keySize(); written && d % layout.g != 0; ++d)
      storeFloat(base + layout.key(l, p, g, slot, d), type, 0);
    for (int64_t e = 0; e < ownValues(pages); ++e)
      if (double number = pages.value(l, p, g, slot, e); !std::isnan(number))
        storeFloat(base + layout.value(l, p, g, slot, e), type, number);
  });
}

Pages check::unpackPages(const uint8_t *base, const Pages &like) {
  Pages pages(like.layers(), like.heads(), like.keySize(), like.valueSize(), like.slots(),
              like.elementType(), like.count(), like.isShared());
  PoolLayout layout(like);
  forEachSlot(like, [&](int64_t l, int64_t p, int64_t g, int64_t slot) {
    for (int64_t d = 0; d < like.keySize(); ++d)
      pages.setKey(l, p, g, slot, d,
                   loadFloat(base + layout.key(l, p, g, slot, d), like.elementType()));
    for (int64_t e = 0; e < ownValues(like); ++e)
      pages.setValue(l, p, g, slot, e,
                     loadFloat(base + layout.value(l, p, g, slot, e), like.elementType()));
  });
  return pages;
}
