// SPDX-License-Identifier: Apache-2.0
//
// Seeded weights for the oracle: docs/Contracts.md, section 5, written out once more, so that the
// compiler's packers and the runtime's generator are compared with something that is not theirs.

#ifndef SLUICE_REFERENCE_RANDOMWEIGHTS_H
#define SLUICE_REFERENCE_RANDOMWEIGHTS_H

#include "sluice/Reference/Evaluator.h"

namespace sluice::reference {

/// The raw value of index `index` of the tensor `name`, in [-1, 1).
float randomValue(uint64_t seed, llvm::StringRef name, uint64_t index);

class RandomWeights : public WeightSource {
public:
  explicit RandomWeights(uint64_t seed) : seed(seed) {}
  llvm::FailureOr<Tensor> read(ParamOp param, int64_t layer) override;

private:
  uint64_t seed;
};

} // namespace sluice::reference

#endif // SLUICE_REFERENCE_RANDOMWEIGHTS_H
