// SPDX-License-Identifier: Apache-2.0
//
// A panel is encoded block by block: its rows are turned so that sixteen outputs lie side by side,
// and the encoder that the runtime's generator uses too makes the codes.

#include "lib/Artifact/BlockCodes.h"
#include "runtime/src/block_codes.h"
#include "sluice/Model/Weights.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;

namespace sluice::artifact {
namespace {
constexpr int64_t kLanes = SLUICE_BLOCK_LANES;

float widen(Type element, const uint8_t *at) {
  if (element.isF32()) {
    float value;
    memcpy(&value, at, 4);
    return value;
  }
  uint16_t bits;
  memcpy(&bits, at, 2);
  return element.isBF16() ? model::fromBF16(bits) : model::fromF16(bits);
}

/// Code `j` of a word, signed.
int64_t codeOf(uint32_t word, int64_t j, int64_t bits) {
  int64_t shift = bits == 8 ? 8 * j : 8 * (j % 4) + 4 * (j / 4);
  return static_cast<int64_t>(word >> shift & ((1u << bits) - 1)) - (int64_t(1) << (bits - 1));
}
} // namespace

void encodePanel(const WeightLayout &layout, Type element, const uint8_t *rows, int64_t count,
                 uint8_t *out, EncodingError &error) {
  BlocksAttr blocks = layout.blocks;
  int64_t columns = blocks.getColumns(), bits = blocks.getBits(),
          perWord = blocks.getCodesPerWord();
  int64_t words = columns / perWord;
  std::vector<float> values(columns * kLanes);
  std::vector<uint32_t> codes(words * kLanes);
  uint16_t scales[kLanes];
  if (out) // behind the last scale of an odd number of blocks
    memset(out + blocks.getScalesAt(layout.columns), 0,
           blocks.getPanelBytes(layout.columns) - blocks.getScalesAt(layout.columns));
  for (int64_t block = 0; block < blocks.getBlockCount(layout.columns); ++block) {
    int64_t first = block * columns, end = std::min(first + columns, layout.columns);
    std::fill(values.begin(), values.end(), 0.0f);
    for (int64_t lane = 0; lane < count; ++lane) {
      const uint8_t *row = rows + lane * layout.columns * layout.elementBytes;
      for (int64_t k = first; k < end; ++k) {
        float value = widen(element, row + k * layout.elementBytes);
        if (!(std::fabs(value) < 0x1p100f)) {
          if (!error.refused)
            error.refused = {error.firstRow + lane, k};
          value = 0;
        }
        values[(k - first) * kLanes + lane] = value;
      }
    }
    sluice_block_encode(values.data(), columns, static_cast<int>(bits), codes.data(), scales);
    if (out) {
      memcpy(out + block * words * kLanes * 4, codes.data(), words * kLanes * 4);
      memcpy(out + blocks.getScalesAt(layout.columns) + block * kLanes * 2, scales, kLanes * 2);
    }
    for (int64_t lane = 0; lane < count; ++lane) {
      double scale = model::fromBF16(scales[lane]);
      for (int64_t k = 0; k < end - first; ++k) {
        double value = values[k * kLanes + lane];
        double off = value - scale * codeOf(codes[k / perWord * kLanes + lane], k % perWord, bits);
        error.largest = std::max(error.largest, std::fabs(off));
        error.squares += off * off;
        error.numberSquares += value * value;
      }
      error.count += end - first;
    }
  }
}

static double ratio(double squares, double numberSquares) {
  return numberSquares > 0 ? std::sqrt(squares / numberSquares) : 0;
}

void EncodingError::add(const EncodingError &part, int64_t layer) {
  if (measured.empty() || measured.back().number != layer)
    measured.push_back({layer, 0, 0});
  measured.back().squares += part.squares;
  measured.back().numberSquares += part.numberSquares;
  count += part.count;
  squares += part.squares;
  numberSquares += part.numberSquares;
  largest = std::max(largest, part.largest);
}

double EncodingError::Layer::relative() const { return ratio(squares, numberSquares); }
double EncodingError::rms() const { return count ? std::sqrt(squares / double(count)) : 0; }
double EncodingError::relative() const { return ratio(squares, numberSquares); }

const EncodingError::Layer &EncodingError::worst() const {
  return *std::max_element(measured.begin(), measured.end(), [](const Layer &a, const Layer &b) {
    return a.relative() < b.relative();
  });
}

std::string EncodingError::text() const {
  std::string line =
      llvm::formatv("{0}: {1}, rms error {2:E2} ({3:F2}% of the weights' rms), largest {4:E2}",
                    param, encoding, rms(), 100 * relative(), largest);
  if (int64_t(measured.size()) < layers)
    line += llvm::formatv("; layer 0 of {0}", layers);
  else if (layers > 1)
    line += llvm::formatv("; worst layer {0} ({1:F2}%)", worst().number, 100 * worst().relative());
  return line;
}

llvm::json::Object EncodingError::json() const {
  return llvm::json::Object{{"param", param},
                            {"encoding", encoding},
                            {"layers", layers},
                            {"measured_layers", int64_t(measured.size())},
                            {"worst_layer", worst().number},
                            {"worst_relative_error", worst().relative()},
                            {"rms_error", rms()},
                            {"relative_error", relative()},
                            {"max_error", largest},
                            {"numbers", count}};
}
} // namespace sluice::artifact
