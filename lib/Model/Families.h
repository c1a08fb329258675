//===- Families.h - the family files inside the compiler -------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// lib/Model/families/*.yaml are put into the binary at build time (EmbedFamilies.cmake writes the
// table).
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_FAMILIES_H
#define SLUICE_LIB_MODEL_FAMILIES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace sluice::model {

/// The text of families/NAME.yaml; nullopt when there is none. "keys" is there too.
std::optional<llvm::StringRef> builtinFamilyText(llvm::StringRef name);

/// The text of families/parts/NAME.yaml, which families take in with `uses`.
std::optional<llvm::StringRef> builtinPartText(llvm::StringRef name);
llvm::ArrayRef<llvm::StringRef> builtinParts();

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_FAMILIES_H
