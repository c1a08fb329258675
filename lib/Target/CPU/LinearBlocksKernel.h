// SPDX-License-Identifier: Apache-2.0
//
// The other half of linear's lowering: weights of codes.
#ifndef SLUICE_LIB_TARGET_CPU_LINEARBLOCKSKERNEL_H
#define SLUICE_LIB_TARGET_CPU_LINEARBLOCKSKERNEL_H

#include "lib/Target/CPU/LinearKernels.h"
#include "lib/Target/CPU/StepContext.h"

namespace sluice::cpu {

/// Emits |op|, whose weight is encoded; its share and strides have been checked. Fails, with an
/// error at |op|, for what the cpu has no kernel for.
llvm::LogicalResult emitLinearBlocks(LinearOp op, StepContext &step, StoredAs stored);

} // namespace sluice::cpu

#endif
