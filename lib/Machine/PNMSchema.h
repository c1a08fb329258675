// SPDX-License-Identifier: Apache-2.0
//
// The keys that a PNM machine file may have, with units and bounds. The reader, the printer and
// the documentation read this one table.
#ifndef SLUICE_LIB_MACHINE_PNMSCHEMA_H
#define SLUICE_LIB_MACHINE_PNMSCHEMA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace sluice::pnm {

struct QuantityRule {
  llvm::StringLiteral key;
  llvm::StringLiteral unit;
  double least, most;
  enum Kind { Real, Integer, Power, Flag } kind; ///< Power: of two
  bool nullable;                                 ///< may be unknown
  std::optional<double> absent;                  ///< optional: what leaving it out means
  llvm::StringLiteral meaning;
};

struct CurveRule {
  llvm::StringLiteral key;
  llvm::ArrayRef<llvm::StringLiteral> columns;
  double least, most;
  llvm::StringLiteral meaning;
};

llvm::ArrayRef<QuantityRule> quantityRules();
llvm::ArrayRef<CurveRule> curveRules();
const QuantityRule *findQuantityRule(llvm::StringRef key);
const CurveRule *findCurveRule(llvm::StringRef key);

/// What is wrong with |value| for |rule|, or "".
std::string problemWith(const QuantityRule &rule, double value);

/// The shortest text of up to ten digits.
std::string numberText(double value);

} // namespace sluice::pnm

#endif
