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

#endif // SLUICE_DIALECTS_PLACE_H
