// SPDX-License-Identifier: Apache-2.0
//
// The way from a token of a sequence to its page, for those who write pages and those who read
// them.

#ifndef SLUICE_LIB_REFERENCE_PAGETABLE_H
#define SLUICE_LIB_REFERENCE_PAGETABLE_H

#include "sluice/Reference/Evaluator.h"

#include <optional>

namespace sluice::reference {

/// The page that holds token `token` (cached ones counted) of `sequence`. None when the sequence
/// has too few pages or the page is outside the pool: then `op` has been refused with a trap.
std::optional<int64_t> pageOf(mlir::Operation *op, const Batch &batch, const Pages &pages,
                              int64_t sequence, int64_t token, Frame &frame);

} // namespace sluice::reference

#endif // SLUICE_LIB_REFERENCE_PAGETABLE_H
