// SPDX-License-Identifier: Apache-2.0
//
// How an op of a phase becomes a call of a kernel. Each family attaches it to its ops in its own file (<Family>Kernel.cpp),
// so that the lowering of phases knows no family.

#ifndef SLUICE_TARGET_CPU_KERNELINTERFACE_TD
#define SLUICE_TARGET_CPU_KERNELINTERFACE_TD

include "mlir/IR/OpBase.td"

def CPUKernelOpInterface : OpInterface<"CPUKernelOpInterface"> {
  let cppNamespace = "::sluice::cpu";
  let description = [{
    An op of the placed stage, in buffer form, that the CPU target has a kernel for. The kernel is one private function
    per variant of the op (its types and attributes); sizes, strides and this worker's share are run-time arguments.
  }];
  let methods = [
    InterfaceMethod<[{
        Emits, at the builder's place in `step`, a call that does this worker's share of the op; makes the kernel when the
        module does not have it yet. Reports at the op what it cannot do.
      }],
      "::llvm::LogicalResult", "emitKernel", (ins "::sluice::cpu::StepContext &":$step)>,
  ];
}

#endif // SLUICE_TARGET_CPU_KERNELINTERFACE_TD
