// SPDX-License-Identifier: Apache-2.0
//
// weights.safetensors: packed weights of all params, in order.

#ifndef SLUICE_LIB_ARTIFACT_WEIGHTFILE_H
#define SLUICE_LIB_ARTIFACT_WEIGHTFILE_H

#include "lib/Artifact/BlockCodes.h"
#include "sluice/Model/Weights.h"
#include "llvm/Support/Error.h"

namespace sluice::artifact {

/// Packs `params` from `store` into the file at `path`. Every tensor starts at a multiple of 64
/// bytes: the header is padded, and packed params are whole cache lines. Gives the bytes of
/// weights. What is wrong with weights goes to `log`: a missing tensor, and NaN or Inf where codes
/// are made of it. `errors` gets what encoding cost, a param that has an encoding after the other.
llvm::Expected<int64_t> writeWeightFile(llvm::StringRef path, llvm::ArrayRef<ParamOp> params,
                                        const model::WeightStore &store, model::ProblemLog &log,
                                        std::vector<EncodingError> &errors);

/// The same errors for weights that are generated when they are loaded: of each param's first
/// layer.
std::vector<EncodingError> measureEncoding(llvm::ArrayRef<ParamOp> params,
                                           const model::WeightStore &store, model::ProblemLog &log);

} // namespace sluice::artifact

#endif // SLUICE_LIB_ARTIFACT_WEIGHTFILE_H
