// SPDX-License-Identifier: Apache-2.0
//
// Types and sizes of buffers: strides, padding, KV tiles.

#ifndef SLUICE_LIB_PLACE_BUFFERTYPES_H
#define SLUICE_LIB_PLACE_BUFFERTYPES_H

#include "dialects/Place/Place.h"
#include "lib/Place/RowExtents.h"

namespace sluice::place {

/// Buffers start and end at multiples of this: a cache line, and the widest vector.
constexpr int64_t kLineBytes = 64;

/// Whether dense rows of `type` lie at a multiple of 4096 bytes, where all of them fall into one
/// set of the L1 cache.
bool wantsPadding(mlir::RankedTensorType type);

/// A row-major memref for `type` with elements of `element`. Dense for borders of functions
/// (`padded` false); else rows start at whole cache lines, one more where they would alias.
mlir::MemRefType bufferType(mlir::RankedTensorType type, mlir::Type element, bool padded);

/// How many bytes a buffer of that type has.
ExtentAttr bufferSize(mlir::MemRefType type, Extent extent);

/// How many bytes the tiles of this step's keys and values take (docs/Contracts.md, section 3).
ExtentAttr tilesSize(mlir::MLIRContext *context, mlir::Type element, int64_t heads, int64_t keySize,
                     int64_t valueSize);

} // namespace sluice::place

#endif // SLUICE_LIB_PLACE_BUFFERTYPES_H
