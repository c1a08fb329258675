// SPDX-License-Identifier: Apache-2.0
//
// One order of a linear layer's arguments for tests and benchmarks that call its kernels from C++:
// the weights, then rows, rowStride, dest, destStride, rowCount, inputs, outputs, firstPanel,
// endPanel, bias, residual, residualStride. The last three are always there, used or not.
#ifndef SLUICE_TEST_TARGET_CPU_LAYERARGUMENTS_H
#define SLUICE_TEST_TARGET_CPU_LAYERARGUMENTS_H

#include "lib/Target/CPU/LinearLayer.h"
#include "test/Target/CPU/KernelHarness.h"

#include <vector>

namespace sluice::cpu {

/// Types of the arguments, for weights in arrays of |weights| and rows of |rows|.
inline std::vector<mlir::Type> layerTypes(std::initializer_list<mlir::Type> weights,
                                          mlir::Type rows, const LinearFinish &finish) {
  mlir::MLIRContext *context = &kernelContext();
  mlir::Type index = mlir::IndexType::get(context), f32 = mlir::Float32Type::get(context);
  std::vector<mlir::Type> types;
  for (mlir::Type element : weights)
    types.push_back(arrayOf(element));
  types.insert(types.end(),
               {arrayOf(rows), index, arrayOf(finish.destType(context)), index, index, index, index,
                index, index, arrayOf(finish.bias ? finish.bias : f32), arrayOf(f32), index});
  return types;
}

/// The operands among the arguments behind the weights.
inline LinearOperands layerOperands(llvm::ArrayRef<Val> values, const LinearFinish &finish) {
  LinearFinish all;
  all.bias = values[9].type();
  all.residual = true;
  LinearOperands operands = LinearOperands::of(values, all);
  if (!finish.bias)
    operands.bias = Val();
  if (!finish.residual)
    operands.residual = operands.residualStride = Val();
  return operands;
}

} // namespace sluice::cpu

#endif
