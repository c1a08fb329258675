//===- FiniteWeights.cpp - weights that are not numbers --------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// One NaN in a weight makes every result NaN, and nothing else says why. So a checkpoint is looked
// through before it is packed.
//
//===----------------------------------------------------------------------===//
#include "sluice/Model/Weights.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"

using namespace llvm;

namespace sluice::model {

NonFinite scanNonFinite(const TensorView &tensor) {
  NonFinite found;
  const uint8_t *bytes = tensor.bytes.data();
  auto scan = [&](auto word, uint64_t exponentBits) {
    using Word = decltype(word);
    const Word exponent = Word(exponentBits);
    size_t count = tensor.bytes.size() / sizeof(Word);
    for (size_t i = 0; i < count;) {
      // Most blocks have none: one look at all of them is as fast as memory, and only then which.
      size_t end = std::min<size_t>(i + 4096, count);
      unsigned any = 0;
      for (size_t j = i; j != end; ++j)
        any |= (support::endian::read<Word, llvm::endianness::little>(bytes + j * sizeof(Word)) &
                exponent) == exponent;
      if (!any) {
        i = end;
        continue;
      }
      for (; i != end; ++i) {
        Word bits = support::endian::read<Word, llvm::endianness::little>(bytes + i * sizeof(Word));
        if ((bits & exponent) != exponent)
          continue;
        // What is left below the sign and the exponent tells NaN from infinity.
        Word fraction = bits & ((exponent & -exponent) - 1);
        ++(fraction ? found.nan : found.inf);
        if (found.firstIndex < 0)
          found.firstIndex = int64_t(i);
      }
    }
  };
  switch (tensor.dtype) {
  case DType::F32:
    scan(uint32_t(), 0x7f800000);
    break;
  case DType::BF16:
    scan(uint16_t(), 0x7f80);
    break;
  case DType::F16:
    scan(uint16_t(), 0x7c00);
    break;
  case DType::F64:
    scan(uint64_t(), 0x7ff0000000000000);
    break;
  default: // integers are finite; formats of 8 bits and fewer are not weights yet
    break;
  }
  return found;
}

/// "[2, 5]": row-major |index| in |shape|.
static std::string placeText(ArrayRef<int64_t> shape, int64_t index) {
  SmallVector<int64_t> place(shape.size());
  for (size_t d = shape.size(); d-- > 0; index /= shape[d])
    place[d] = index % shape[d];
  return shapeText(place);
}

bool WeightStore::checkFinite(ArrayRef<ParamOp> params, bool allow, ProblemLog &log) const {
  if (!checkpoint)
    return true;
  bool fine = true;
  StringSet<> seen; // params may share a tensor
  for (ParamOp param : params)
    for (int64_t layer = 0, end = param.getBlocks(); layer != end; ++layer) {
      ProblemLog missing; // is reported by whoever packs
      auto tensors = sources(param, layer, missing);
      if (!tensors)
        continue;
      for (const WeightTensor &tensor : *tensors) {
        if (!tensor.view || !seen.insert(tensor.name).second)
          continue;
        NonFinite found = scanNonFinite(*tensor.view);
        if (tensor.scales)
          for (auto [index, scale] : enumerate(tensor.scales->bytes))
            if (scale == 255 && ++found.nan && found.firstIndex < 0)
              found.firstIndex = int64_t(index) * 16; // of bytes of codes
        if (found.firstIndex < 0)
          continue;
        fine = false;
        log.report(allow ? Severity::Warning : Severity::BadInput,
                   {checkpoint->directory().str(), 0, 0},
                   "tensor '" + tensor.name + "' has " + Twine(found.nan) + " NaN and " +
                       Twine(found.inf) + " infinite numbers, the first at " +
                       placeText(tensor.view->shape, found.firstIndex) +
                       (allow ? "" : "; --allow-nonfinite compiles it all the same"));
      }
    }
  return fine || allow;
}

} // namespace sluice::model
