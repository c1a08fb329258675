// SPDX-License-Identifier: Apache-2.0
//
// route: scores, choices and weights of each row; the layers that rows chose; their sum.

#include "Rules.h"
#include "sluice/Reference/BlockCodes.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

//===-- Scores ------------------------------------------------------------------------------===//

namespace {
/// A row's scores, and how far honest ones may be off, relatively.
struct Scores {
  std::vector<double> value, slack;
};

/// A number that is compared: NaN is below everything.
double ordered(double x) { return std::isnan(x) ? -std::numeric_limits<double>::infinity() : x; }
} // namespace

/// exp(x - max) over its sum: the weights, and their relative slack.
static Scores softmax(ArrayRef<double> x, double sumSlack) {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  for (double z : x)
    max = z > max ? z : max;
  Scores all;
  double rough = 0; // of the sum
  for (double z : x) {
    double p = std::exp(z - max), slack = exponential + 2 * u * std::fabs(z - max);
    all.value.push_back(p);
    all.slack.push_back(slack);
    sum += p;
    rough += std::isfinite(p * slack) ? p * slack : 0;
  }
  for (auto [p, slack] : llvm::zip(all.value, all.slack)) {
    p /= sum;
    slack += sumSlack + 4 * u + rough / sum;
  }
  return all;
}

static Scores scoresOf(RouteScore kind, ArrayRef<double> logits) {
  if (kind == RouteScore::Softmax)
    return softmax(logits, tree(static_cast<int64_t>(logits.size())));
  Scores all;
  for (double z : logits) {
    switch (kind) {
    case RouteScore::Sigmoid:
      all.value.push_back(1 / (1 + std::exp(-z)));
      all.slack.push_back(16 * u);
      break;
    case RouteScore::SqrtSoftplus:
      all.value.push_back(std::sqrt(std::fmax(z, 0) + std::log1p(std::exp(-std::fabs(z)))));
      if (std::isnan(z))
        all.value.back() = z;
      all.slack.push_back(24 * u);
      break;
    default:
      all.value.push_back(z);
      all.slack.push_back(0);
    }
  }
  return all;
}

//===-- Choices -----------------------------------------------------------------------------===//

/// The open one of largest value, of equal ones the first; closes it.
static int64_t takeBest(ArrayRef<double> values, std::vector<bool> &open) {
  int64_t best = -1;
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
    if (open[i] && (best < 0 || ordered(values[i]) > ordered(values[best])))
      best = i;
  open[best] = false;
  return best;
}

/// Which experts a row may choose: those of the best groups.
static std::vector<bool> openExperts(RouteOp op, ArrayRef<double> compared,
                                     ArrayRef<double> biased) {
  int64_t E = op.getExperts();
  if (!op.getGroups())
    return std::vector<bool>(E, true);
  auto groups = static_cast<int64_t>(*op.getGroups());
  int64_t size = E / groups;
  std::vector<double> worth;
  for (int64_t g = 0; g < groups; ++g) {
    ArrayRef<double> mine =
        (op.getGroupScore() == GroupScore::TopTwo ? biased : compared).slice(g * size, size);
    std::vector<bool> left(size, true);
    double value = ordered(mine[takeBest(mine, left)]);
    if (op.getGroupScore() == GroupScore::TopTwo)
      value =
          roundTo(Float32Type::get(op.getContext()), value + ordered(mine[takeBest(mine, left)]));
    worth.push_back(value);
  }
  std::vector<bool> open(E, false), left(groups, true);
  for (uint64_t i = 0; i < *op.getTopGroups(); ++i) {
    int64_t g = takeBest(worth, left);
    std::fill_n(open.begin() + g * size, size, true);
  }
  return open;
}

namespace {
struct Routed {
  Tensor ids, weights;
};
} // namespace

static void routeRows(RouteOp op, const Tensor &logits, const Tensor *bias, Routed &out) {
  int64_t R = logits.dim(0), E = logits.dim(1), C = out.ids.dim(1);
  Type f32 = Float32Type::get(op.getContext());
  double scale = op.getScale() ? op.getScale()->convertToDouble() : 1;
  std::vector<int64_t> load(E, 0);
  int64_t capacity = op.capacityOf(R);
  for (int64_t r = 0; r < R; ++r) {
    ArrayRef<double> z(logits.numbers.data() + r * E, E);
    Scores scores = scoresOf(op.getScore(), z);
    std::vector<double> biased;
    for (int64_t e = 0; e < E; ++e)
      biased.push_back(roundTo(f32, roundTo(f32, scores.value[e]) + (bias ? (*bias)({e}) : 0)));
    ArrayRef<double> compared = bias ? ArrayRef<double>(biased) : z;
    std::vector<bool> open = openExperts(op, compared, biased);
    std::vector<double> chosen, slack;
    std::vector<int64_t> experts;
    double sum = 0, rough = 0;
    for (int64_t c = 0; c < C; ++c) {
      int64_t e = takeBest(compared, open);
      experts.push_back(e);
      chosen.push_back(scores.value[e]);
      slack.push_back(scores.slack[e]);
      sum += chosen.back();
      rough += std::fabs(chosen.back()) * slack.back();
    }
    if (op.getWeigh() == RouteWeigh::Softmax) {
      Scores weights = softmax(chosen, chain(C));
      chosen = weights.value, slack = weights.slack;
    } else if (op.getWeigh() == RouteWeigh::Sum) {
      for (int64_t c = 0; c < C; ++c) {
        chosen[c] /= sum + 1e-20;
        slack[c] += chain(C) + 4 * u + (sum > 0 ? rough / sum : 0);
      }
    }
    for (int64_t c = 0; c < C; ++c) {
      bool dropped = load[experts[c]]++ >= capacity;
      double weight = dropped ? 0 : scale * chosen[c];
      out.ids.integers[out.ids.at({r, c})] = dropped ? -1 : experts[c];
      out.weights.put(out.weights.at({r, c}), weight,
                      (slack[c] + 4 * u) * std::fabs(weight) + (dropped ? 0 : tiny));
    }
  }
}

static void routeExperts(RouteOp op, const Tensor &logits, Routed &out) {
  int64_t R = logits.dim(0), E = logits.dim(1);
  double scale = op.getScale() ? op.getScale()->convertToDouble() : 1;
  std::vector<Scores> scores;
  for (int64_t r = 0; r < R; ++r)
    scores.push_back(scoresOf(op.getScore(), ArrayRef(logits.numbers).slice(r * E, E)));
  int64_t capacity = std::min(op.capacityOf(R), R);
  for (int64_t e = 0; e < E; ++e) {
    std::vector<double> column;
    for (const Scores &row : scores)
      column.push_back(row.value[e]);
    std::vector<bool> open(R, true);
    for (int64_t i = 0; i < capacity; ++i)
      takeBest(column, open);
    for (int64_t r = 0; r < R; ++r) {
      double weight = open[r] ? 0 : scale * scores[r].value[e];
      out.ids.integers[out.ids.at({r, e})] = open[r] ? -1 : e;
      out.weights.put(out.weights.at({r, e}), weight,
                      (scores[r].slack[e] + 4 * u) * std::fabs(weight) + (open[r] ? 0 : tiny));
    }
  }
}

static LogicalResult evalRoute(RouteOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits());
  const Tensor *bias = op.getBias() ? &frame.tensor(op.getBias()) : nullptr;
  int64_t R = logits.dim(0), C = static_cast<int64_t>(op.getTop());
  auto element = [&](unsigned i) {
    return cast<ShapedType>(op.getRouted()[i].getType()).getElementType();
  };
  Routed out{Tensor(element(0), {R, C}), Tensor::bounded(element(1), {R, C})};
  if (op.expertsChoose())
    routeExperts(op, logits, out);
  else
    routeRows(op, logits, bias, out);
  if (failed(frame.give(op.getRouted()[0], std::move(out.ids))))
    return failure();
  return frame.give(op.getRouted()[1], std::move(out.weights));
}

//===-- Layers and their sum ----------------------------------------------------------------===//

/// One chosen row and one expert's output.
static std::pair<double, double> dot(const double *x, const double *w, int64_t K, bool flushes) {
  double value = 0, magnitude = 0, flushed = 0;
  for (int64_t k = 0; k < K; ++k) {
    value += x[k] * w[k];
    magnitude += std::fabs(x[k] * w[k]);
    flushed += 1 + std::fabs(x[k]) + std::fabs(w[k]);
  }
  return {value, chain(K) * magnitude + 2 * u * magnitude + (flushes ? tiny * flushed : 0)};
}

/// The same with a row that is made of codes (`inputs int8`).
static std::pair<double, double> dotOfCodes(const BlockCodes &rows, int64_t row, const double *w) {
  double value = 0, magnitude = 0;
  for (int64_t block = 0; block < rows.blocks(); ++block) {
    int64_t begin = block * rows.columns, end = std::min(begin + rows.columns, rows.inputs);
    double part = 0;
    for (int64_t k = begin; k < end; ++k)
      part += rows.code(row, k) * w[k];
    part *= rows.scale(row, block);
    value += part;
    magnitude += std::fabs(part);
  }
  return {value,
          (chain(rows.blocks()) + 4 * u) * magnitude + tiny * static_cast<double>(rows.blocks())};
}

static LogicalResult evalExperts(RouteExpertsOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &weight = frame.tensor(op.getWeight());
  const Tensor &ids = frame.tensor(op.getIds());
  const Tensor *bias = op.getBias() ? &frame.tensor(op.getBias()) : nullptr;
  int64_t R = ids.dim(0), C = ids.dim(1), E = weight.dim(0), N = weight.dim(1), K = weight.dim(2);
  if (rows.dim(0) != R)
    return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << rows.dim(0)
                          << " and 'ids' has " << R;
  bool own = rows.rank() == 3;
  std::optional<BlockCodes> coded;
  if (op.getInputs())
    coded = encodeRows(own ? rows.reshaped({R * C, K}) : rows,
                       blocksOf(op.getWeight().getType()).getColumns());
  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), {R, C, N});
  for (int64_t r = 0; r < R; ++r)
    for (int64_t c = 0; c < C; ++c) {
      int64_t e = ids.integers[ids.at({r, c})];
      if (e < 0 || e >= E)
        continue; // zeros
      int64_t row = own ? r * C + c : r;
      for (int64_t n = 0; n < N; ++n) {
        const double *w = weight.numbers.data() + weight.at({e, n, 0});
        auto [value, slack] =
            coded ? dotOfCodes(*coded, row, w)
                  : dot(rows.numbers.data() + row * K, w, K, weight.element.isBF16());
        if (bias) {
          value += (*bias)({e, n});
          slack += 2 * u * (std::fabs(value) + std::fabs((*bias)({e, n})));
        }
        result.put(result.at({r, c, n}), value, slack);
      }
    }
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalCombine(RouteCombineOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &weights = frame.tensor(op.getWeights());
  const Tensor *residual = op.getResidual() ? &frame.tensor(op.getResidual()) : nullptr;
  int64_t R = rows.dim(0), C = rows.dim(1), N = rows.dim(2);
  for (auto [tensor, name] : {std::pair(&weights, "weights"), std::pair(residual, "residual")})
    if (tensor && tensor->dim(0) != R)
      return op.emitError() << "expects dim R (rows) to agree, but 'rows' has " << R << " and '"
                            << name << "' has " << tensor->dim(0);
  Tensor result =
      Tensor::bounded(cast<ShapedType>(op.getResult().getType()).getElementType(), {R, N});
  for (int64_t r = 0; r < R; ++r)
    for (int64_t n = 0; n < N; ++n) {
      double value = 0, magnitude = 0;
      for (int64_t c = 0; c < C; ++c) {
        double part = weights({r, c}) * rows({r, c, n});
        value += part;
        magnitude += std::fabs(part);
      }
      double slack = chain(C) * magnitude;
      if (residual) {
        value += (*residual)({r, n});
        slack += 2 * u * (std::fabs(value) + std::fabs((*residual)({r, n})));
      }
      result.put(result.at({r, n}), value, slack);
    }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addRouteRules(RuleBook &book) {
  book.add<RouteOp>(evalRoute);
  book.add<RouteExpertsOp>(evalExperts);
  book.add<RouteCombineOp>(evalCombine);
}
