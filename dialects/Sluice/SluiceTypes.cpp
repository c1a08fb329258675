// SPDX-License-Identifier: Apache-2.0
//
// Questions about values of the dialect's types.

#include "dialects/Sluice/Sluice.h"

using namespace mlir;

sluice::ParamOp sluice::paramOf(Value weight) {
  auto use = weight.getDefiningOp<ParamUseOp>();
  if (!use)
    return nullptr;
  return SymbolTable::lookupNearestSymbolFrom<ParamOp>(use, use.getParamAttr());
}
