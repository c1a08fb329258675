// SPDX-License-Identifier: Apache-2.0

#include "dialects/Sluice/DimCheck.h"

using namespace mlir;
using namespace sluice;

void DimCheck::bind(Dim dim, int64_t size, StringRef name) {
  if (ShapedType::isDynamic(size))
    return;
  for (const Bound &other : bound) {
    if (other.letter != dim.letter || other.size == size)
      continue;
    failed = true;
    op->emitOpError() << "expects dim " << Twine(dim.letter) << " (" << dim.meaning
                      << ") to agree, but '" << other.name << "' has " << other.size << " and '"
                      << name << "' has " << size << "  [" << rule << "]";
    return;
  }
  bound.push_back({dim.letter, size, name.str()});
}

DimCheck &DimCheck::shape(Type type, StringRef name, ArrayRef<Dim> dims) {
  if (failed || !type)
    return *this;
  auto shaped = cast<ShapedType>(type);
  if (shaped.getRank() != static_cast<int64_t>(dims.size())) {
    failed = true;
    auto error = op->emitOpError() << "expects '" << name << "' to have the dims [";
    for (auto [i, dim] : llvm::enumerate(dims))
      error << (i ? ", " : "") << Twine(dim.letter);
    error << "], but it has " << shaped.getRank() << (shaped.getRank() == 1 ? " dim" : " dims")
          << "  [" << rule << "]";
    return *this;
  }
  for (auto [i, dim] : llvm::enumerate(dims))
    if (!failed)
      bind(dim, shaped.getDimSize(i), name);
  return *this;
}

DimCheck &DimCheck::size(int64_t size, StringRef name, Dim dim) {
  if (!failed)
    bind(dim, size, name);
  return *this;
}
