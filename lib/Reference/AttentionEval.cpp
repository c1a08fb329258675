// SPDX-License-Identifier: Apache-2.0
//
// attention: for row r (the i-th token of sequence s) and head h, with g = h / (H / G), the mean of
// the visible values, weighted by the softmax of scale * dot(query, key).

#include "PageTable.h"
#include "Rules.h"
#include "sluice-rt/kernel_abi.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

namespace {
/// The keys and values of one sequence and kv head, wherever they come from.
struct Memory {
  std::function<double(int64_t j, int64_t d)> key;
  std::function<double(int64_t j, int64_t e)> value;
  int64_t count, valueSize;
};

struct Visible {
  int64_t j;
  double score, magnitude; ///< magnitude: scale * sum of |q k|
};
} // namespace

/// Writes result[r, h, :].
static void attend(AttentionOp op, const Tensor &query, int64_t r, int64_t h, int64_t i,
                   const Memory &memory, Tensor &result) {
  double scale = op.getScale().convertToDouble();
  double infinity = std::numeric_limits<double>::infinity();
  int64_t D = query.dim(2);
  std::vector<Visible> visible;
  double max = -infinity, largest = 0;
  bool lost = false; // a score is NaN, or a cut has visible keys and no finite maximum
  double cutMax = -infinity;
  int64_t cut = -1;
  for (int64_t j = 0; j < memory.count; ++j) {
    if (!op.getMask().isVisible(i, j))
      continue;
    double score = 0, magnitude = 0;
    for (int64_t d = 0; d < D; ++d) {
      score += query({r, h, d}) * memory.key(j, d);
      magnitude += std::fabs(query({r, h, d}) * memory.key(j, d));
    }
    score *= scale;
    magnitude *= std::fabs(scale);
    if (j / SLUICE_CUT_KEYS != cut) {
      lost |= cut >= 0 && cutMax == -infinity;
      cut = j / SLUICE_CUT_KEYS;
      cutMax = -infinity;
    }
    lost |= std::isnan(score) || score == infinity;
    cutMax = std::max(cutMax, score);
    max = std::max(max, score);
    largest = std::max(largest, magnitude);
    visible.push_back({j, score, magnitude});
  }
  lost |= !visible.empty() && cutMax == -infinity;
  if (lost)
    max = std::nan("");

  double total = 0;
  for (const Visible &v : visible)
    total += std::exp(v.score - max);
  int64_t n = static_cast<int64_t>(visible.size()), cuts = memory.count / SLUICE_CUT_KEYS + 1;
  double relative = 2 * (chain(D) + 2 * u) * largest + exponential +
                    chain(std::min<int64_t>(n, SLUICE_CUT_KEYS)) + chain(cuts) + 12 * u;
  for (int64_t e = 0; e < memory.valueSize; ++e) {
    double value = 0, magnitude = 0, distance = 0;
    for (const Visible &v : visible) {
      double weight = std::exp(v.score - max) / total, x = memory.value(v.j, e);
      value += weight * x;
      magnitude += weight * std::fabs(x);
      // A weight that is exactly 0 is infinitely far and moves nothing.
      if (weight > 0)
        distance += weight * std::fabs(x) * std::fabs(v.score - max);
    }
    result.put(result.at({r, h, e}), value, relative * magnitude + 2 * u * distance);
  }
}

static LogicalResult evalAttention(AttentionOp op, Frame &frame) {
  const Tensor &query = frame.tensor(op.getQuery());
  const Batch &batch = frame.batch(op.getBatch());
  const Tensor *key = op.getKey() ? &frame.tensor(op.getKey()) : nullptr;
  const Tensor *value = op.getValue() ? &frame.tensor(op.getValue()) : nullptr;
  const Pages *pages = op.getPages() ? &frame.pages(op.getPages()) : nullptr;
  int64_t layer = op.getLayer() ? frame.integer(op.getLayer()) : 0;
  if (query.dim(0) != batch.rows() ||
      (key && (key->dim(0) != batch.rows() || value->dim(0) != batch.rows())))
    return op.emitError() << "expects dim R (rows) to agree, but the batch has " << batch.rows()
                          << " and 'query' has " << query.dim(0);
  if (pages && (layer < 0 || layer >= pages->layers()))
    return op.emitError() << "expects a layer number below " << pages->layers() << ", but it is "
                          << layer;
  int64_t R = query.dim(0), H = query.dim(1);
  int64_t G = key ? key->dim(1) : pages->heads();
  int64_t E = value ? value->dim(2) : pages->valueSize();

  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), {R, H, E});
  for (int64_t s = 0; s < batch.seqs(); ++s) {
    int64_t start = batch.rowStart[s], rows = batch.rowStart[s + 1] - start;
    // Pages hold what was appended before this step and in it; tensors hold this step's rows.
    int64_t count = pages ? batch.past[s] + rows : rows;
    std::vector<int64_t> table;
    for (int64_t j = 0; pages && rows > 0 && j < count; j += pages->slots()) {
      std::optional<int64_t> page = pageOf(op, batch, *pages, s, j, frame);
      table.push_back(page.value_or(0));
      if (!page)
        count = j; // refused: nothing is read from there on
    }
    for (int64_t h = 0; h < H; ++h) {
      int64_t g = h / (H / G);
      Memory memory;
      memory.count = count;
      memory.valueSize = E;
      if (pages) {
        memory.key = [&, g](int64_t j, int64_t d) {
          return pages->key(layer, table[j / pages->slots()], g, j % pages->slots(), d);
        };
        memory.value = [&, g](int64_t j, int64_t e) {
          return pages->value(layer, table[j / pages->slots()], g, j % pages->slots(), e);
        };
      } else {
        memory.key = [&, g, start](int64_t j, int64_t d) { return (*key)({start + j, g, d}); };
        memory.value = [&, g, start](int64_t j, int64_t e) { return (*value)({start + j, g, e}); };
      }
      for (int64_t r = start; r < start + rows; ++r)
        attend(op, query, r, h, pages ? batch.indexOf(r) : r - start, memory, result);
    }
  }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addAttentionRules(RuleBook &book) { book.add<AttentionOp>(evalAttention); }
