// SPDX-License-Identifier: Apache-2.0
//
// The oracle: an interpreter of the tensor stage. It states what each op's text says, in plain
// loops and f64, and shares no code with any lowering. One file per family
// (lib/Reference/<Family>Eval.cpp) adds rules to a table; nothing here knows a family.

#ifndef SLUICE_REFERENCE_EVALUATOR_H
#define SLUICE_REFERENCE_EVALUATOR_H

#include "dialects/Sluice/Sluice.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "sluice/Reference/Values.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <optional>

namespace sluice::reference {

/// Where weights come from; the oracle itself reads no files.
class WeightSource {
public:
  virtual ~WeightSource() = default;
  /// The numbers of one layer of `param` (layer 0 when it is not stacked), in the shape of its
  /// layer type, rounded to its element type; what its encoding makes of them is the evaluator's
  /// part. On failure an error has been reported at `param`.
  virtual llvm::FailureOr<Tensor> read(ParamOp param, int64_t layer) = 0;
};

/// Why the program refused a value from outside; kernel_abi.h has the same codes and meaning.
struct Trap {
  enum Code { Id = 1, Page = 2, Position = 3 };
  Code code;
  int64_t value; ///< the value found
  int64_t bound; ///< values must be in [0, bound)
  mlir::Location location;
};

class Evaluator;

/// The values of one function's activation.
class Frame {
public:
  explicit Frame(Evaluator &machine) : machine(machine) {}

  /// What a value is bound to. The kind follows from the value's MLIR type, which the verifier has
  /// checked.
  const Tensor &tensor(mlir::Value value) const;
  const Batch &batch(mlir::Value value) const;
  const Pages &pages(mlir::Value value) const;
  /// An index or integer scalar.
  int64_t integer(mlir::Value value) const;
  const Datum &datum(mlir::Value value) const;

  void bind(mlir::Value value, Datum datum);
  /// Binds a result; fails, with an error, when the shape contradicts the static sizes of the
  /// value's type.
  llvm::LogicalResult give(mlir::Value value, Tensor tensor);
  void give(mlir::Value value, Pages pages);

  Evaluator &machine;

private:
  llvm::DenseMap<mlir::Value, Datum> values;
};

/// How each op is evaluated.
class RuleBook {
public:
  using Rule = std::function<llvm::LogicalResult(mlir::Operation *, Frame &)>;
  struct Entry {
    Rule rule;
    /// The op only moves numbers (or runs other ops): bounds of its operands are bounds of its
    /// results.
    bool moves = false;
  };

  template <typename OpTy>
  void add(llvm::LogicalResult (*rule)(OpTy, Frame &), bool moves = false) {
    entries[OpTy::getOperationName()] = {
        [rule](mlir::Operation *op, Frame &frame) { return rule(llvm::cast<OpTy>(op), frame); },
        moves};
  }
  void add(llvm::StringRef name, Rule rule, bool moves = false) {
    entries[name] = {std::move(rule), moves};
  }
  const Entry *lookup(llvm::StringRef name) const;

  /// The rules of every family.
  static const RuleBook &all();

private:
  llvm::StringMap<Entry> entries;
};

/// Runs functions of one module.
class Evaluator {
public:
  /// `weights` may be null for modules without params; it must outlive the evaluator.
  Evaluator(mlir::ModuleOp module, WeightSource *weights) : module(module), weights(weights) {}

  /// The results of `function` on `arguments` (as many as it has, of the kinds of its types). On
  /// failure an error has been reported.
  llvm::FailureOr<llvm::SmallVector<Datum>> call(mlir::func::FuncOp function,
                                                 llvm::ArrayRef<Datum> arguments);
  /// Runs `block` with its arguments bound; gives the operands of its terminator.
  llvm::FailureOr<llvm::SmallVector<Datum>> run(mlir::Block &block, llvm::ArrayRef<Datum> arguments,
                                                Frame &frame);
  /// One layer of a param, read once, as the numbers that its encoding stands for.
  llvm::FailureOr<std::shared_ptr<const Tensor>> weight(ParamOp param, int64_t layer);

  /// The first refused value of all calls so far; the program went on, as compiled code does.
  std::optional<Trap> trap;
  void refuse(Trap refused) {
    if (!trap)
      trap = refused;
  }

private:
  llvm::LogicalResult run(mlir::Operation *op, Frame &frame);

  mlir::ModuleOp module;
  WeightSource *weights;
  std::map<std::pair<mlir::Operation *, int64_t>, std::shared_ptr<const Tensor>> cache;
};

} // namespace sluice::reference

#endif // SLUICE_REFERENCE_EVALUATOR_H
