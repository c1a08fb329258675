// SPDX-License-Identifier: Apache-2.0
//
// The one header of the `sluice` dialect.

#ifndef SLUICE_DIALECTS_SLUICE_H
#define SLUICE_DIALECTS_SLUICE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Sluice/SluiceDialect.h.inc"
#include "dialects/Sluice/SluiceEnums.h.inc"

namespace mlir {
class AsmParser;
class AsmPrinter;
} // namespace mlir

namespace sluice {
/// Arithmetic of a compute op.
struct OperationCount {
  int64_t perRow = 0;  ///< for each row of its first operand with rows
  int64_t perPair = 0; ///< attention: for each pair of a row and a key that it sees, all heads
};
/// One operation for each number of the outputs.
OperationCount countOutputs(mlir::Operation *op);
/// Parameters of attributes that are numbers, written as decimals.
void printNumber(mlir::AsmPrinter &printer, const llvm::APFloat &value);
llvm::FailureOr<llvm::APFloat> parseNumber(mlir::AsmParser &parser);

/// (R0): the op is wholly in tensor form or wholly in buffer form (see ComputeOpInterface).
llvm::LogicalResult verifyForm(mlir::Operation *op);
/// Effects of a compute op: none in tensor form; in buffer form it reads its memrefs and writes its
/// destinations.
void addFormEffects(
    mlir::Operation *op,
    llvm::SmallVectorImpl<mlir::SideEffects::EffectInstance<mlir::MemoryEffects::Effect>> &effects);

/// What masks may depend on besides (i, j); numbers about rows are of this step's rows of the
/// sequence.
struct MaskFacts {
  int64_t past = 0;   ///< keys from before this step
  int64_t prefix = 0; ///< of the operand `prefixes`
  llvm::ArrayRef<int64_t> segments, parents;
};
/// The operands of an attention that a mask reads.
enum MaskNeeds : unsigned {
  kNeedsNothing = 0,
  kNeedsSegments = 1,
  kNeedsParents = 2,
  kNeedsPrefixes = 4
};
} // namespace sluice

#include "dialects/Sluice/SluiceAttrInterfaces.h.inc"
#include "dialects/Sluice/SluiceOpInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Sluice/SluiceAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Sluice/SluiceTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/Sluice/SluiceOps.h.inc"

namespace sluice {
/// The type of output `index` of a compute op: its result's in tensor form, its destination's in
/// buffer form.
mlir::ShapedType outputType(mlir::Operation *op, unsigned index = 0);
/// Numbers in one row of `rows`: the product of all dimensions but the first.
int64_t elementsOfRow(mlir::Value rows);
/// `rule`: the op's output is f32, or rounded to bf16 or f16.
llvm::LogicalResult verifyRounded(mlir::Operation *op, llvm::StringRef rule);
/// The param that `weight` (a value of `sluice.param.use`) reads; null when it is something else.
ParamOp paramOf(mlir::Value weight);
/// The encoding of a weight's type; null when it is dense.
BlocksAttr blocksOf(mlir::Type type);
} // namespace sluice

#endif // SLUICE_DIALECTS_SLUICE_H
