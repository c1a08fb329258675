// SPDX-License-Identifier: Apache-2.0
//
// The one header of the `place` dialect.

#ifndef SLUICE_DIALECTS_PLACE_H
#define SLUICE_DIALECTS_PLACE_H

#include "dialects/Sluice/Sluice.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include "dialects/Place/PlaceDialect.h.inc"
#include "dialects/Place/PlaceEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Place/PlaceAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/Place/PlaceOps.h.inc"

namespace sluice::place {
/// Whether `op` is work that a phase divides: each such op has a number in the manifest's `ops`.
inline bool isWork(mlir::Operation *op) {
  return mlir::isa<ComputeOpInterface, CacheAppendOp, CachePackOp, SubmitOp, AwaitOp, CopyOp>(op);
}
} // namespace sluice::place

#endif // SLUICE_DIALECTS_PLACE_H
