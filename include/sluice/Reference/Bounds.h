// SPDX-License-Identifier: Apache-2.0
//
// What a target promises about numbers, written once. The evaluators compute bounds out of these
// functions; `sluice-check --print-bounds` prints the table, which docs/Numerics.md quotes (a test
// compares the two).

#ifndef SLUICE_REFERENCE_BOUNDS_H
#define SLUICE_REFERENCE_BOUNDS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace sluice::reference::bounds {

/// Unit roundoff of f32: one operation is within u of the exact result, relatively.
inline constexpr double u = 0x1p-24;
/// What is lost when a result that should be denormal is flushed to zero.
inline constexpr double tiny = 0x1p-126;
/// exp, relatively.
inline constexpr double exponential = 8 * u;
/// sin and cos of an f32 angle, absolutely.
inline constexpr double sine = 2e-7;
/// A program's rows, relative to the root mean square of the reference row: all in f32, with rows
/// rounded to 16 bits on the way, and with rows made into codes.
inline constexpr double program = 5e-5;
inline constexpr double roughProgram = 2e-2;
inline constexpr double codedProgram = 8e-2;

/// A sum of `terms` numbers one after the other, relative to the sum of their magnitudes: terms * u
/// in the worst case; rounding errors add like a random walk, so 8 sqrt(terms) * u when that is
/// less.
double chain(int64_t terms);
/// A row reduction over `count` numbers by the 16-lane tree: a chain of count/16 and 4 levels.
double tree(int64_t count);

/// A row of the table.
struct Row {
  llvm::StringRef op, types, bound, reason;
};
llvm::ArrayRef<Row> table();

} // namespace sluice::reference::bounds

#endif // SLUICE_REFERENCE_BOUNDS_H
