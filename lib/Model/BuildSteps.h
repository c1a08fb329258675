//===- BuildSteps.h - one step, one op -------------------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Builds the body of one function: keeps which value each name stands for, and turns each step into
// its op.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_BUILDSTEPS_H
#define SLUICE_LIB_MODEL_BUILDSTEPS_H

#include "Description.h"
#include "dialects/Sluice/Sluice.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

namespace sluice::model {

/// FileLineColLoc of one place, or all of them fused.
mlir::Location locationOf(mlir::MLIRContext *context, const Places &places);
/// f32, bf16, f16, i32, i64.
mlir::Type elementType(mlir::MLIRContext *context, llvm::StringRef dtype);

class StepBuilder {
public:
  StepBuilder(mlir::OpBuilder &builder, const Description &description, ProblemLog &log)
      : b(builder), description(description), log(log) {}

  void define(llvm::StringRef name, mlir::Value value) { values[name] = value; }
  mlir::Value lookup(llvm::StringRef name) const { return values.lookup(name); }

  /// False after reporting.
  bool build(llvm::ArrayRef<Step> steps);

private:
  using Result = llvm::SmallVector<mlir::Value, 3>;

  bool build(const Step &step);
  bool buildRepeat(const Step &step);
  bool buildLayer(const Step &step);
  /// Null after reporting.
  RopeScalingAttrInterface scalingAttr(const Step &step);
  bool buildSplit(const Step &step);
  bool buildAttention(const Step &step);
  bool buildRoute(const Step &step);
  bool buildExperts(const Step &step);
  bool buildCombine(const Step &step);
  /// Where the layer that is being built stands among those that have |weight|. Null after
  /// reporting.
  mlir::Value placeOf(const Step &step, const Weight &weight);
  bool usesSomeLayers(llvm::ArrayRef<Step> steps) const;
  bool fail(const Step &step, const llvm::Twine &message);

  /// The value that |field| names, a tensor of |rank| (any rank when 0). Null after reporting, or
  /// when the step has no such field.
  mlir::Value rows(const Step &step, llvm::StringRef field, int64_t rank = 0);
  mlir::Value plain(const Step &step, llvm::StringRef field) { return lookup(step.text(field)); }
  /// Uses the weight that |field| names, at this layer when it is stacked. Null after reporting, or
  /// when the step has no such field.
  mlir::Value weight(const Step &step, llvm::StringRef field);
  /// The layer number for pages; null after reporting.
  mlir::Value layerOf(const Step &step, mlir::Value pages);

  mlir::RankedTensorType shaped(llvm::ArrayRef<int64_t> shape, mlir::Type element) {
    return mlir::RankedTensorType::get(shape, element);
  }
  mlir::Type resultElement(const Step &step) {
    return step.has("dtype") ? elementType(b.getContext(), step.text("dtype"))
                             : mlir::Type(b.getF32Type());
  }
  /// Null when the step has no such field.
  mlir::FloatAttr numberAttr(const Step &step, llvm::StringRef field) {
    std::optional<double> number = step.optionalNumber(field);
    return number ? b.getF64FloatAttr(*number) : mlir::FloatAttr();
  }
  bool give(const Step &step, mlir::Value value) {
    define(step.text("to"), value);
    return true;
  }

  mlir::OpBuilder &b;
  const Description &description;
  ProblemLog &log;
  llvm::StringMap<mlir::Value> values;
  mlir::Location loc = mlir::UnknownLoc::get(b.getContext());
  mlir::Value layer; ///< inside a repeat: its number
  mlir::Value round; ///< inside a repeat that counts rounds: which
  int64_t firstLayer = 0, endLayer = 0, layerInRound = 0; ///< inside a repeat
  int64_t layerCount = 0;                                 ///< inside a repeat: how many
  int64_t roundSize = 0;    ///< inside a repeat: how many layers its steps are
  bool layerOffset = false; ///< inside a `layer`
};

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_BUILDSTEPS_H
