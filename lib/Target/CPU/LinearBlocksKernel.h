// SPDX-License-Identifier: Apache-2.0
//
// The other half of linear's lowering: weights of codes.
#ifndef SLUICE_LIB_TARGET_CPU_LINEARBLOCKSKERNEL_H
#define SLUICE_LIB_TARGET_CPU_LINEARBLOCKSKERNEL_H

#include "lib/Target/CPU/LinearLayer.h"
#include "lib/Target/CPU/StepContext.h"

namespace sluice::cpu {

/// Emits |op|, whose weight is encoded and whose other operands are |layer|. Fails, with an error
/// at |op|, for what the cpu has no kernel for.
llvm::LogicalResult emitLinearBlocks(LinearOp op, StepContext &step, const LinearFinish &finish,
                                     const LinearOperands &layer);

} // namespace sluice::cpu

#endif
