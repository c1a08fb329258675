// SPDX-License-Identifier: Apache-2.0
//
// Passes of the placed stage; Passes.td describes them.

#ifndef SLUICE_PLACE_PASSES_H
#define SLUICE_PLACE_PASSES_H

#include "dialects/Place/Place.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace sluice::place {
#define GEN_PASS_DECL
#include "sluice/Place/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "sluice/Place/Passes.h.inc"
} // namespace sluice::place

#endif // SLUICE_PLACE_PASSES_H
