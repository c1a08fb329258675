// SPDX-License-Identifier: Apache-2.0
//
// attention: for row r (the i-th token of sequence s) and head h, with g = h / (H / G), the mean of
// the visible values, weighted by the softmax of scale * dot(query, key), capped and biased.

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
  double score;
};

/// A score, and how far an honest computation of it may be away.
struct Score {
  double value, slack;
};

/// What changes scores, and what shows keys.
struct Options {
  mutable AttentionOp op; // handles of ops know no const
  const Tensor *slopes, *bias, *sinks;
  int64_t window; ///< 0 and less: none

  bool isVisible(int64_t i, int64_t j, const MaskFacts &facts) const {
    return op.getMask().isVisible(i, j, facts) && (window <= 0 || i - j < window);
  }
  /// |score| of query i and key j of head h, capped and biased.
  Score finish(Score score, int64_t h, int64_t i, int64_t j) const;
  bool hasBias(int64_t i, int64_t j) const {
    return !bias || bias->rank() == 2 || (i < bias->dim(1) && j < bias->dim(2));
  }
};

/// What a row gets: written by attend().
struct Outputs {
  Tensor &result;
  Tensor *lse; ///< may be null
};
} // namespace

Score Options::finish(Score score, int64_t h, int64_t i, int64_t j) const {
  if (std::optional<APFloat> softcap = op.getSoftcap()) {
    double cap = softcap->convertToDouble();
    // tanh is never steeper than 1; its own error is relative to 1, its argument is rounded once.
    score.slack += (8 * cap + 2 * std::min(std::fabs(score.value), cap)) * u;
    score.value = cap * std::tanh(score.value / cap);
  }
  auto add = [&](double term, double termSlack) {
    score.value += term;
    score.slack += termSlack + 2 * u * (std::fabs(term) + std::fabs(score.value));
  };
  if (slopes) {
    double term = (*slopes)({h}) * static_cast<double>(j - i);
    add(term, u * std::fabs(term));
  }
  if (bias && bias->rank() == 2)
    add((*bias)({h, std::clamp<int64_t>(j - i + bias->dim(1) / 2, 0, bias->dim(1) - 1)}), 0);
  else if (bias)
    add((*bias)({h, i, j}), 0);
  return score;
}

/// Writes result[r, h, :] and lse[r, h].
static void attend(const Options &options, const Tensor &query, int64_t r, int64_t h, int64_t i,
                   const Memory &memory, const MaskFacts &facts, Outputs outputs) {
  AttentionOp op = options.op;
  double scale = op.getScale().convertToDouble();
  double infinity = std::numeric_limits<double>::infinity();
  int64_t D = query.dim(2);
  std::vector<Visible> visible;
  double sink = options.sinks ? (*options.sinks)({h}) : -infinity;
  double max = sink, slack = 0;
  bool lost = std::isnan(sink) ||
              sink == infinity; // a score is NaN, or a cut has visible keys and no finite maximum
  double cutMax = -infinity;
  int64_t cut = -1;
  for (int64_t j = 0; j < memory.count; ++j) {
    if (!options.isVisible(i, j, facts))
      continue;
    double sum = 0, magnitude = 0;
    for (int64_t d = 0; d < D; ++d) {
      sum += query({r, h, d}) * memory.key(j, d);
      magnitude += std::fabs(query({r, h, d}) * memory.key(j, d));
    }
    Score score =
        options.finish({sum * scale, (chain(D) + 2 * u) * magnitude * std::fabs(scale)}, h, i, j);
    if (j / SLUICE_CUT_KEYS != cut) {
      lost |= cut >= 0 && cutMax == -infinity;
      cut = j / SLUICE_CUT_KEYS;
      cutMax = -infinity;
    }
    lost |= std::isnan(score.value) || score.value == infinity;
    cutMax = std::max(cutMax, score.value);
    max = std::max(max, score.value);
    slack = std::max(slack, score.slack);
    visible.push_back({j, score.value});
  }
  lost |= !visible.empty() && cutMax == -infinity;
  if (lost)
    max = std::nan("");

  double total = sink == -infinity ? 0 : std::exp(sink - max), furthest = 0;
  for (const Visible &v : visible) {
    total += std::exp(v.score - max);
    furthest = std::max(furthest, std::exp(v.score - max) * std::fabs(v.score - max));
  }
  int64_t n = static_cast<int64_t>(visible.size()), cuts = memory.count / SLUICE_CUT_KEYS + 1;
  double relative =
      2 * slack + exponential + chain(std::min<int64_t>(n, SLUICE_CUT_KEYS)) + chain(cuts) + 12 * u;
  for (int64_t e = 0; e < memory.valueSize; ++e) {
    double value = 0, magnitude = 0, distance = 0, far = 0;
    for (const Visible &v : visible) {
      double weight = std::exp(v.score - max) / total, x = memory.value(v.j, e);
      value += weight * x;
      magnitude += weight * std::fabs(x);
      far += v.score - max < -86 ? std::fabs(x) : 0; // may count as nothing
      // A weight that is exactly 0 is infinitely far and moves nothing.
      if (weight > 0)
        distance += weight * std::fabs(x) * std::fabs(v.score - max);
    }
    outputs.result.put(outputs.result.at({r, h, e}), value,
                       relative * magnitude + 2 * u * distance + std::exp(-86.0) * far);
  }
  if (outputs.lse) {
    double value = max == -infinity ? -infinity : max + std::log(total);
    // The sum's relative error is an absolute one of its logarithm.
    outputs.lse->put(outputs.lse->at({r, h}), value,
                     relative + 2 * u * static_cast<double>(n) * furthest +
                         4 * u * (std::fabs(max) + std::fabs(std::log(total)) + 1));
  }
}

static std::vector<int64_t> rowsOf(const Tensor *numbers, int64_t start, int64_t count) {
  if (!numbers)
    return {};
  auto first = numbers->integers.begin() + start;
  return std::vector<int64_t>(first, first + count);
}

static LogicalResult evalAttention(AttentionOp op, Frame &frame) {
  auto tensorOrNone = [&](Value value) { return value ? &frame.tensor(value) : nullptr; };
  const Tensor &query = frame.tensor(op.getQuery());
  const Batch &batch = frame.batch(op.getBatch());
  const Tensor *key = tensorOrNone(op.getKey()), *value = tensorOrNone(op.getValue());
  const Tensor *segments = tensorOrNone(op.getSegments()), *parents = tensorOrNone(op.getParents()),
               *prefixes = tensorOrNone(op.getPrefixes());
  const Pages *pages = op.getPages() ? &frame.pages(op.getPages()) : nullptr;
  int64_t layer = op.getLayer() ? frame.integer(op.getLayer()) : 0;
  for (const Tensor *rows : {&query, key, value, segments, parents})
    if (rows && rows->dim(0) != batch.rows())
      return op.emitError() << "expects dim R (rows) to agree, but the batch has " << batch.rows()
                            << " and an operand has " << rows->dim(0);
  if (prefixes && prefixes->dim(0) != batch.seqs())
    return op.emitError() << "expects dim S (sequences) to agree, but the batch has "
                          << batch.seqs() << " and 'prefixes' has " << prefixes->dim(0);
  if (pages && (layer < 0 || layer >= pages->layers()))
    return op.emitError() << "expects a layer number below " << pages->layers() << ", but it is "
                          << layer;
  int64_t R = query.dim(0), H = query.dim(1);
  int64_t G = key ? key->dim(1) : pages->heads();
  int64_t E = value ? value->dim(2) : pages->valueSize();
  Options options{op, tensorOrNone(op.getSlopes()), tensorOrNone(op.getBias()),
                  tensorOrNone(op.getSinks()), op.getWindow() ? frame.integer(op.getWindow()) : 0};

  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), {R, H, E});
  std::optional<Tensor> lse;
  if (op.hasLse())
    lse = Tensor::bounded(cast<ShapedType>(op.getLse().getType()).getElementType(), {R, H});
  for (int64_t s = 0; s < batch.seqs(); ++s) {
    int64_t start = batch.rowStart[s], rows = batch.rowStart[s + 1] - start;
    // Pages hold what was appended before this step and in it; tensors hold this step's rows.
    MaskFacts facts;
    facts.past = pages ? batch.past[s] : 0;
    facts.prefix = prefixes ? prefixes->integers[s] : 0;
    std::vector<int64_t> segment = rowsOf(segments, start, rows),
                         parent = rowsOf(parents, start, rows);
    facts.segments = segment;
    facts.parents = parent;
    int64_t count = facts.past + rows;
    std::vector<int64_t> table;
    for (int64_t j = 0; pages && rows > 0 && j < count; j += pages->slots()) {
      std::optional<int64_t> page = pageOf(op, batch, *pages, s, j, frame);
      table.push_back(page.value_or(0));
      if (!page)
        count = j; // refused: nothing is read from there on
    }
    for (int64_t i = facts.past; i < facts.past + rows; ++i)
      for (int64_t j = 0; j < count; ++j)
        if (!options.hasBias(i, j) && options.isVisible(i, j, facts)) {
          bool isQuery = i >= options.bias->dim(1);
          frame.machine.refuse(
              {Trap::Position, isQuery ? i : j, options.bias->dim(isQuery ? 1 : 2), op->getLoc()});
          count = 0;
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
        attend(options, query, r, h, facts.past + r - start, memory, facts,
               {result, lse ? &*lse : nullptr});
    }
  }
  if (failed(frame.give(op.getResult(), std::move(result))))
    return failure();
  return lse ? frame.give(op.getLse(), std::move(*lse)) : success();
}

void sluice::reference::addAttentionRules(RuleBook &book) { book.add<AttentionOp>(evalAttention); }
