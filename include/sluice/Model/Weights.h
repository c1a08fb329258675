//===- Weights.h - the numbers behind params -------------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// What the artefact writer packs and the oracle computes with: the source tensors of a
// `sluice.param`, mapped from the checkpoint or generated (docs/Contracts.md, section 5), read in
// any range and as any float type.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_MODEL_WEIGHTS_H
#define SLUICE_MODEL_WEIGHTS_H

#include "dialects/Sluice/Sluice.h"
#include "mlir/IR/BuiltinOps.h"
#include "sluice/Model/Safetensors.h"

namespace sluice::model {

/// One source tensor of one block of a param: of a layer, or of one of its experts.
struct WeightTensor {
  std::string name;                 ///< in the checkpoint, the layer filled in
  llvm::SmallVector<int64_t> shape; ///< static, checked against the param
  Role role = Role::Weight;
  bool transposed = false;  ///< the tensor itself has the sizes the other way round
  bool alternating = false; ///< its rows take turns: 0, 2, 4, ... come before 1, 3, 5, ...
  int64_t first = 0;        ///< element of the tensor where this block begins (one of its experts)
  /// The checkpoint's tensor, mapped: little-endian, row-major, no alignment. Null: generated.
  const TensorView *view = nullptr;
  /// Set when the tensor is MXFP4 (its name ends in `_blocks`): |view| is its codes, two to a byte,
  /// the first one low, and this is a power of two for each 32 of them.
  const TensorView *scales = nullptr;

  int64_t elements() const;
  int64_t rows() const { return shape.front(); }
  /// Elements of one row (1 for a vector).
  int64_t rowSize() const { return elements() / shape.front(); }
};

class WeightStore {
public:
  /// Opens what the module's `sluice.weights` (a directory) or `sluice.random_seed` says. Null
  /// after reporting; a module with neither gives a store that has no tensors.
  static std::unique_ptr<WeightStore> open(mlir::ModuleOp module, ProblemLog &log);
  static std::unique_ptr<WeightStore> random(uint64_t seed);

  /// Set when the weights are generated.
  std::optional<uint64_t> seed() const { return randomSeed; }

  /// The sources of block |block| of |param| (ParamOp::getBlocks), in the order in which their rows
  /// are joined. Nullopt after reporting a missing tensor, another shape or a dtype that is not
  /// F32, BF16 or F16. The tensors live as long as the store.
  std::optional<std::vector<WeightTensor>> sources(ParamOp param, int64_t block,
                                                   ProblemLog &log) const;

  /// Elements [first, first + out.size()) of |tensor|, row-major, as f32: exact for every dtype
  /// that a checkpoint may have; generated values before rounding to the param's type.
  void read(const WeightTensor &tensor, int64_t first, llvm::MutableArrayRef<float> out) const;
  /// The same, rounded to nearest even to |type| (f32, bf16 or f16) and written as its bytes to
  /// |out|, which has room for |count| elements.
  void read(const WeightTensor &tensor, int64_t first, int64_t count, mlir::Type type,
            void *out) const;

  /// One layer of |param| as the model sees it: sources joined, each number rounded to the param's
  /// type, as f32. For the oracle. Nullopt after reporting.
  std::optional<std::vector<float>> layer(ParamOp param, int64_t layer, ProblemLog &log) const;

  /// Looks for NaN and infinite numbers in the checkpoint's tensors of |params| and reports each
  /// tensor that has some: as bad input, or as a warning when they are allowed. True when the
  /// weights may be used.
  bool checkFinite(llvm::ArrayRef<ParamOp> params, bool allow, ProblemLog &log) const;

private:
  WeightStore() = default;
  std::unique_ptr<Checkpoint> checkpoint;
  std::optional<uint64_t> randomSeed;
};

/// value(seed, name, i) of docs/Contracts.md, section 5, for i = first, first + step, ..., in f32.
/// |fanIn| is the last size of the tensor.
void generateWeights(uint64_t seed, llvm::StringRef name, Role role, int64_t fanIn, int64_t first,
                     llvm::MutableArrayRef<float> out, int64_t step = 1);

/// `x_scales` for `x_blocks`: the other half of an MXFP4 tensor. Empty for other names.
std::string scalesNameOf(llvm::StringRef name);

/// How many NaN and infinite numbers |tensor| has.
struct NonFinite {
  int64_t nan = 0, inf = 0;
  int64_t firstIndex = -1; ///< row-major; -1 when there is none
};
NonFinite scanNonFinite(const TensorView &tensor);

/// The bits of |value| rounded to nearest even; a NaN stays a (quiet) NaN.
uint16_t toBF16(float value);
uint16_t toF16(float value);
float fromBF16(uint16_t bits);
float fromF16(uint16_t bits);

} // namespace sluice::model

#endif // SLUICE_MODEL_WEIGHTS_H
