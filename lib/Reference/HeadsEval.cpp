// SPDX-License-Identifier: Apache-2.0
//
// heads.linear: each head times its own rows of one weight. heads.join: channels side by side.

#include "Rules.h"

#include <cmath>

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;
using namespace sluice::reference::bounds;

static LogicalResult evalHeadsLinear(HeadsLinearOp op, Frame &frame) {
  const Tensor &rows = frame.tensor(op.getRows());
  const Tensor &weight = frame.tensor(op.getWeight());
  auto type = cast<ShapedType>(op.getResult().getType());
  int64_t R = rows.dim(0), H = rows.dim(1), K = rows.dim(2), N = type.getDimSize(2);
  int64_t block = weight.dim(0) / H, first = static_cast<int64_t>(op.getFirst());
  bool plain = op.getTurn() == HeadsTurn::Plain;
  Tensor result = Tensor::bounded(type.getElementType(), {R, H, N});
  for (int64_t r = 0; r < R; ++r)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t n = 0; n < N; ++n) {
        double sum = 0, magnitude = 0;
        for (int64_t k = 0; k < K; ++k) {
          int64_t row = h * block + first + (plain ? n : k), column = plain ? k : n;
          double product = rows({r, h, k}) * weight({row, column});
          sum += product;
          magnitude += std::fabs(product);
        }
        result.put(result.at({r, h, n}), sum, chain(K) * magnitude);
      }
  return frame.give(op.getResult(), std::move(result));
}

static LogicalResult evalHeadsJoin(HeadsJoinOp op, Frame &frame) {
  auto type = cast<ShapedType>(op.getResult().getType());
  int64_t R = frame.tensor(op.getPieces().front()).dim(0), H = type.getDimSize(1);
  Tensor result(type.getElementType(), {R, H, type.getDimSize(2)});
  int64_t offset = 0;
  for (Value value : op.getPieces()) {
    const Tensor &piece = frame.tensor(value);
    if (piece.dim(0) != R)
      return op.emitError() << "expects dim R (rows) to agree, but pieces have " << R << " and "
                            << piece.dim(0);
    bool one = piece.dim(1) == 1;
    for (int64_t r = 0; r < R; ++r)
      for (int64_t h = 0; h < H; ++h)
        for (int64_t d = 0; d < piece.dim(2); ++d)
          result.put(result.at({r, h, offset + d}), piece({r, one ? 0 : h, d}));
    offset += piece.dim(2);
  }
  return frame.give(op.getResult(), std::move(result));
}

void sluice::reference::addHeadsRules(RuleBook &book) {
  book.add<HeadsLinearOp>(evalHeadsLinear);
  book.add<HeadsJoinOp>(evalHeadsJoin);
}
