// SPDX-License-Identifier: Apache-2.0
//
// One line per family: attaches its kernels to its ops.
#ifndef SLUICE_LIB_TARGET_CPU_KERNELS_H
#define SLUICE_LIB_TARGET_CPU_KERNELS_H

#include "dialects/Sluice/Sluice.h"
#include "lib/Target/CPU/MathFunctions.h"

#include "mlir/IR/DialectRegistry.h"

namespace sluice::cpu {

void registerActivationKernel(mlir::DialectRegistry &registry);
void registerAttentionKernel(mlir::DialectRegistry &registry);
void registerCacheKernels(mlir::DialectRegistry &registry);
void registerClampKernel(mlir::DialectRegistry &registry);
void registerCopyKernels(mlir::DialectRegistry &registry);
void registerEmbedKernel(mlir::DialectRegistry &registry);
void registerHeadsKernels(mlir::DialectRegistry &registry);
void registerLinearKernel(mlir::DialectRegistry &registry);
void registerMoveKernels(mlir::DialectRegistry &registry);
void registerNormKernel(mlir::DialectRegistry &registry);
void registerPoolKernel(mlir::DialectRegistry &registry);
void registerRopeKernel(mlir::DialectRegistry &registry);
void registerRouteExpertsKernel(mlir::DialectRegistry &registry);
void registerRouteKernels(mlir::DialectRegistry &registry);
void registerSampleKernels(mlir::DialectRegistry &registry);

/// What kernels call the op's function.
Activation activationOf(Function function);

} // namespace sluice::cpu

#endif
