//===- Families.cpp - the family files inside the compiler -----------------===//
// SPDX-License-Identifier: Apache-2.0
//
// See Families.h.
//
//===----------------------------------------------------------------------===//
#include "Families.h"
#include "sluice/Model/ModelReader.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace sluice::model {

namespace {
struct Family {
  StringLiteral name;
  StringLiteral text;
};
constexpr Family families[] = {
#include "lib/Model/Families.inc"
};
constexpr Family parts[] = {
#include "lib/Model/Parts.inc"
};

std::optional<StringRef> textOf(ArrayRef<Family> files, StringRef name) {
  for (const Family &file : files)
    if (file.name == name)
      return StringRef(file.text);
  return std::nullopt;
}
} // namespace

std::optional<StringRef> builtinFamilyText(StringRef name) { return textOf(families, name); }

std::optional<StringRef> builtinPartText(StringRef name) { return textOf(parts, name); }

ArrayRef<StringRef> builtinParts() {
  static const std::vector<StringRef> names = [] {
    std::vector<StringRef> all;
    for (const Family &part : parts)
      all.push_back(part.name);
    llvm::sort(all);
    return all;
  }();
  return names;
}

ArrayRef<StringRef> builtinFamilies() {
  static const std::vector<StringRef> names = [] {
    std::vector<StringRef> all;
    for (const Family &family : families)
      if (family.name != "keys") // what all families share is not one
        all.push_back(family.name);
    llvm::sort(all);
    return all;
  }();
  return names;
}

} // namespace sluice::model
