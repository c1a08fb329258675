// SPDX-License-Identifier: Apache-2.0
//
// When each buffer of a team is in use, counted in epochs: the stretches between barriers.

#ifndef SLUICE_LIB_PLACE_BUFFEREPOCHS_H
#define SLUICE_LIB_PLACE_BUFFEREPOCHS_H

#include "dialects/Place/Place.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/MapVector.h"

namespace sluice::place {

/// The epochs in which each buffer holds something that is still needed, or is being written.
/// Buffers without a common epoch may share memory: a barrier lies between their uses on every
/// path.
///
/// Epochs are numbered in program order. A buffer that is written whole before it is read in each
/// round of the innermost loop around its uses lives from its first to its last use in the round;
/// one whose content goes around a loop lives for all of the loop. Where no barrier stands at a
/// loop's seam, the last epoch of a round runs into the first of the next, so what lives in the
/// last lives in the first too.
llvm::MapVector<BufferOp, llvm::BitVector> findBufferEpochs(TeamOp team);

} // namespace sluice::place

#endif // SLUICE_LIB_PLACE_BUFFEREPOCHS_H
