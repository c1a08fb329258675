// SPDX-License-Identifier: Apache-2.0
//
// Weights and pages in the layouts of docs/Contracts.md, section 3, written out once more and
// element by element, so that the compiler's and the runtime's packing are compared with something
// that is not theirs.

#ifndef SLUICE_TOOLS_CHECK_PACKEDMEMORY_H
#define SLUICE_TOOLS_CHECK_PACKEDMEMORY_H

#include "GuardedMemory.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "sluice/Reference/BlockCodes.h"

namespace sluice::check {

/// One layer of a weight at `at`, which has been zeroed: layout "panel" or "rows".
void packWeight(uint8_t *at, const reference::Tensor &layer, llvm::StringRef layout);

/// One layer of an encoded weight at `at`, which has been zeroed, in panels.
void packCodes(uint8_t *at, const reference::BlockCodes &codes, BlocksAttr encoding);

/// The bytes of a whole pool.
size_t poolBytes(const reference::Pages &pages);
/// Writes the slots that hold something; others are left as they are.
void packPages(uint8_t *base, const reference::Pages &pages);
/// Reads every slot; poison is NaN.
reference::Pages unpackPages(const uint8_t *base, const reference::Pages &like);

} // namespace sluice::check

#endif // SLUICE_TOOLS_CHECK_PACKEDMEMORY_H
