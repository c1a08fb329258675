// SPDX-License-Identifier: Apache-2.0
//
// TurnLanes: a square of numbers in registers, the other way round.
#ifndef SLUICE_LIB_TARGET_CPU_TURNLANES_H
#define SLUICE_LIB_TARGET_CPU_TURNLANES_H

#include "lib/Target/CPU/KernelBuilder.h"

namespace sluice::cpu {

/// Vector i of the result has in lane j what vector j of |square| (kLanes vectors of kLanes lanes)
/// has in lane i.
llvm::SmallVector<Val> turnLanes(KernelBuilder &k, llvm::ArrayRef<Val> square);

} // namespace sluice::cpu

#endif
