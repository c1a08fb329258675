// SPDX-License-Identifier: Apache-2.0
//
// Registers every dialect that the tools know, once. Passes register where their stage is built.

#ifndef SLUICE_INITALL_H
#define SLUICE_INITALL_H

#include "dialects/Place/Place.h"
#include "dialects/Sluice/Sluice.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"

namespace sluice {

/// Every dialect that may occur at some stage: ours, and upstream's.
inline void registerAllDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<SluiceDialect, place::PlaceDialect>();
}

} // namespace sluice

#endif // SLUICE_INITALL_H
