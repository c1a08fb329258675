// SPDX-License-Identifier: Apache-2.0
//
// What an operation and a moved bit cost, from published tables, each with its grade (P primary, S
// second-hand, I inferred, M from memory). `sluice-pnm energy` prints it.
#ifndef SLUICE_MACHINE_ENERGYTABLE_H
#define SLUICE_MACHINE_ENERGYTABLE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace sluice::pnm {

struct OperationEnergy {
  llvm::StringLiteral name;
  std::optional<double> at45, at7; ///< pJ
  llvm::StringLiteral grade45, grade7, source;
};

struct TierEnergy {
  llvm::StringLiteral name;
  std::optional<double> value; ///< pJ a bit; nothing: unknown
  double lo, hi;
  llvm::StringLiteral grade, source;
};

/// A machine of one kind: enough for a roofline with static power.
struct TargetEnergy {
  llvm::StringLiteral name, tier;
  double bytesPerSecond, operationsPerSecond, staticWatts;
  llvm::StringLiteral grade, source;
};

llvm::ArrayRef<OperationEnergy> operationEnergies();
llvm::ArrayRef<TierEnergy> tierEnergies();
llvm::ArrayRef<TargetEnergy> targetEnergies();
/// By name; asserts that there is one.
const OperationEnergy &energyOf(llvm::StringRef name);
const TierEnergy &tierOf(llvm::StringRef name);

} // namespace sluice::pnm

#endif
