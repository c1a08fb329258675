// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/Kernels.h"
#include "sluice/Target/CPU/Passes.h"

namespace sluice::cpu {

void registerCPUKernels(mlir::DialectRegistry &registry) {
  registerActivationKernel(registry);
  registerAttentionKernel(registry);
  registerCacheKernels(registry);
  registerClampKernel(registry);
  registerCopyKernels(registry);
  registerEmbedKernel(registry);
  registerHeadsKernels(registry);
  registerLinearKernel(registry);
  registerMoveKernels(registry);
  registerNormKernel(registry);
  registerPoolKernel(registry);
  registerRopeKernel(registry);
  registerRouteExpertsKernel(registry);
  registerRouteKernels(registry);
  registerSampleKernels(registry);
}

} // namespace sluice::cpu
