// SPDX-License-Identifier: Apache-2.0
//
// cache.append: row r, the i-th token of its sequence, fills slot i mod `page` of the sequence's
// page number i / `page`.

#include "PageTable.h"
#include "Rules.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::reference;

std::optional<int64_t> sluice::reference::pageOf(Operation *op, const Batch &batch,
                                                 const Pages &pages, int64_t sequence,
                                                 int64_t token, Frame &frame) {
  int64_t number = token / pages.slots();
  int64_t owned =
      batch.pageStart.empty() ? 0 : batch.pageStart[sequence + 1] - batch.pageStart[sequence];
  if (number >= owned) {
    frame.machine.refuse({Trap::Page, number, owned, op->getLoc()});
    return std::nullopt;
  }
  int64_t page = batch.pageTable[batch.pageStart[sequence] + number];
  if (page < 0 || page >= pages.count()) {
    frame.machine.refuse({Trap::Page, page, pages.count(), op->getLoc()});
    return std::nullopt;
  }
  return page;
}

static LogicalResult evalAppend(CacheAppendOp op, Frame &frame) {
  const Tensor &key = frame.tensor(op.getKey());
  const Tensor *value = op.getValue() ? &frame.tensor(op.getValue()) : nullptr;
  const Batch &batch = frame.batch(op.getBatch());
  int64_t layer = frame.integer(op.getLayer());
  Pages pages = frame.pages(op.getPages());
  if (layer < 0 || layer >= pages.layers())
    return op.emitError() << "expects a layer number below " << pages.layers() << ", but it is "
                          << layer;
  for (auto [tensor, name] : {std::pair(&key, "key"), std::pair(value, "value")})
    if (tensor && tensor->dim(0) != batch.rows())
      return op.emitError() << "expects dim R (rows) to agree, but '" << name << "' has "
                            << tensor->dim(0) << " and the batch has " << batch.rows();
  for (int64_t r = 0; r < batch.rows(); ++r) {
    int64_t i = batch.indexOf(r), slot = i % pages.slots();
    std::optional<int64_t> page = pageOf(op, batch, pages, batch.sequenceOf(r), i, frame);
    if (!page)
      continue;
    for (int64_t g = 0; g < pages.heads(); ++g) {
      for (int64_t d = 0; d < pages.keySize(); ++d)
        pages.setKey(layer, *page, g, slot, d, key({r, g, d}));
      for (int64_t e = 0; value && e < pages.valueSize(); ++e)
        pages.setValue(layer, *page, g, slot, e, (*value)({r, g, e}));
    }
  }
  frame.give(op.getResult(), std::move(pages));
  return success();
}

void sluice::reference::addCacheRules(RuleBook &book) { book.add<CacheAppendOp>(evalAppend); }
