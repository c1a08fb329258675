// SPDX-License-Identifier: Apache-2.0
//
// KernelBuilder: a small language inside C++ for writing CPU kernels as MLIR.
//
// A kernel is one private func.func whose sizes are run-time index arguments, so that one kernel
// serves every layer and compile time does not grow with depth. Its body is
// vector/arith/scf/memref/math ops; this file only makes that readable: values have operators,
// loops return what they carry, and every rule of docs/Contracts.md §4 that is easy to get wrong
// (fused multiply-add, rounding to bf16, the lane tree) is one function here and nowhere else.
//
//   func::FuncOp scale = getOrCreateKernel(module, "scale_f32", {f32s, f32s, index}, {},
//   [](KernelBuilder &k, ArrayRef<Val> a) {
//     Val src = a[0], dst = a[1], n = a[2];
//     k.forLoop(0, n, 16, [&](Val i) {
//       Val mask = k.firstLanes(n - i, 16);
//       k.maskedStore(k.maskedLoad(src, i, mask) * 0.5f, dst, i, mask);
//     });
//   });
//
// Vectors are written 16 f32 lanes wide on every machine (kLanes): the back end splits them in
// halves for AVX2 and in quarters for NEON, and no bit changes.
//
// What an operator means depends on the type of its operands only:
//   index and integers   + - * & | ^ <<, `/` and `%` unsigned, `>>` logical; < <= > >= signed
//   f32 and f32 vectors  + - * / rounded once each; comparisons are ordered (false on NaN), != is
//   unordered (true on NaN)
// A scalar meets a vector by being broadcast; a C++ number takes the other operand's type. Nothing
// is ever contracted: where an fma is meant, fma() is written.
#ifndef SLUICE_LIB_TARGET_CPU_KERNELBUILDER_H
#define SLUICE_LIB_TARGET_CPU_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <type_traits>

namespace sluice::cpu {

/// f32 lanes of a vector, and outputs of a weight panel.
inline constexpr int64_t kLanes = 16;

/// Marks an scf.for whose sums are carried as iter_args; checkTargetStage() holds it to that.
inline constexpr llvm::StringLiteral kReductionAttr = "cpu.reduction";

class KernelBuilder;

/// An SSA value that knows its builder, so that it can have operators. Copied freely; empty when
/// default-constructed.
class Val {
public:
  Val() = default;
  Val(KernelBuilder &builder, mlir::Value value) : builder(&builder), value(value) {}

  operator mlir::Value() const { return value; }
  explicit operator bool() const { return static_cast<bool>(value); }
  mlir::Type type() const { return value.getType(); }
  /// The element type of a vector, the type itself otherwise.
  mlir::Type element() const { return mlir::getElementTypeOrSelf(value.getType()); }
  /// Lanes of a vector, 0 for a scalar.
  int64_t lanes() const;
  KernelBuilder &in() const {
    assert(builder && "operation on an empty value");
    return *builder;
  }

private:
  KernelBuilder *builder = nullptr;
  mlir::Value value;
};

/// An index operand: a value of type index, or a constant.
class Idx {
public:
  template <typename T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  Idx(T constant) : constant(static_cast<int64_t>(constant)) {}
  Idx(Val value) : value(value) {}

private:
  friend class KernelBuilder;
  Val value;
  int64_t constant = 0;
};

class KernelBuilder {
public:
  KernelBuilder(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc) {}

  mlir::OpBuilder &builder() { return b; }
  mlir::Location location() const { return loc; }
  Val val(mlir::Value value) { return Val(*this, value); }

  //===-- Types -------------------------------------------------------------------------------===//

  mlir::Type f32Type() { return b.getF32Type(); }
  mlir::Type bf16Type() { return b.getBF16Type(); }
  mlir::Type f16Type() { return b.getF16Type(); }
  mlir::Type i32Type() { return b.getI32Type(); }
  mlir::VectorType vectorType(mlir::Type element, int64_t lanes = kLanes) {
    return mlir::VectorType::get({lanes}, element);
  }

  //===-- Constants ---------------------------------------------------------------------------===//

  Val index(Idx value);
  Val i1(bool value);
  Val i32(int32_t value);
  Val i64(int64_t value);
  Val f32(float value);
  /// A vector with |value| in every lane.
  Val splat(float value, int64_t lanes = kLanes);
  Val splatI32(int32_t value, int64_t lanes = kLanes);
  /// vector<lanes x i32>: 0, 1, 2, ...
  Val iota(int64_t lanes = kLanes);
  /// The constant |value| in the type of |like| (scalar or vector, index, integer or float).
  Val constant(double value, mlir::Type like);
  /// |scalar| in every lane; a vector passes through.
  Val broadcast(Val scalar, int64_t lanes = kLanes);

  //===-- Memory: |mem| is a 1-D memref with unit stride, |at| counts its elements ------------===//

  Val load(Val mem, Idx at);
  Val loadVector(Val mem, Idx at, int64_t lanes = kLanes);
  /// One element in every lane.
  Val broadcastLoad(Val mem, Idx at, int64_t lanes = kLanes);
  /// Lanes whose bit in |mask| is clear are not touched and read as zero (never NaN times 0).
  Val maskedLoad(Val mem, Idx at, Val mask);
  /// Scalars and vectors.
  void store(Val value, Val mem, Idx at);
  void maskedStore(Val value, Val mem, Idx at, Val mask);
  /// vector<lanes x i1>: lane i is set when i < |count| (an index; may be negative or larger than
  /// |lanes|).
  Val firstLanes(Val count, int64_t lanes = kLanes);
  /// |locality| 0 = streamed once ... 3 = keep in L1. A wrong address is harmless.
  void prefetch(Val mem, Idx at, unsigned locality = 3);
  /// For writing, into L2 at least, so that a store later does not wait for the line.
  void prefetchForStore(Val mem, Idx at);
  /// A 1-D memref of |count| elements of |element| that starts |byte| bytes into |bytes|
  /// (memref<?xi8>).
  Val view(Val bytes, Idx byte, mlir::Type element, Idx count);
  /// The memory at |pointer| (!llvm.ptr) as memref<?x|element|>, and the |type| (integer, float or
  /// !llvm.ptr) found |byte| bytes into it: how entry functions open a call record. Sizes are
  /// unknown there; the memref's is not to be asked for.
  Val arrayAt(Val pointer, mlir::Type element);
  Val fieldAt(Val pointer, int64_t byte, mlir::Type type);
  mlir::Type pointerType();
  /// A fixed scratch array on the stack. Only at the top of a kernel: one in a loop fails the
  /// compile (CheckKernels).
  Val scratch(mlir::Type element, int64_t count);

  //===-- Conversions -------------------------------------------------------------------------===//

  /// Integer (signed) to index and back. i1 counts as 0 or 1.
  Val toIndex(Val integer);
  Val toI32(Val integer);
  Val toI64(Val integer);
  /// Signed integers to f32 and back (truncating), lane by lane.
  Val toF32(Val integer);
  Val truncToI32(Val f32);
  /// The same bits as another element type; the number of lanes follows from the widths.
  Val bitcast(Val value, mlir::Type element);

  /// bf16 -> f32: exact, a shift of the bits.
  Val bf16ToF32(Val value);
  /// f32 -> bf16: to nearest, ties to even, in integer arithmetic on every machine; NaN stays NaN
  /// (made quiet, payload cut), infinities and signed zeros stay, denormals are rounded and not
  /// flushed.
  Val f32ToBf16(Val value);
  /// The same rounding, kept as f32: what a buffer with `round = bf16` holds.
  Val roundToBf16(Val value);
  /// vector<32 x bf16> of pairs (or its 16 i32 words): the first / the second of each pair as 16
  /// f32 lanes.
  Val pairFirst(Val pairs);
  Val pairSecond(Val pairs);
  /// f16 <-> f32; f32 -> f16 rounds to nearest even.
  Val f16ToF32(Val value);
  Val f32ToF16(Val value);
  /// Any of f32, bf16, f16 (scalar or vector) as f32, and f32 as |element|.
  Val extend(Val value);
  Val round(Val value, mlir::Type element);

  //===-- Arithmetic without an operator ------------------------------------------------------===//

  /// x * y + acc, rounded once. Scalars and vectors.
  Val fma(Val x, Val y, Val acc);
  /// a > b ? a : b, and a < b ? a : b: one instruction for floats; when either is NaN the result is
  /// |b|. Signed for integers.
  Val max(Val a, Val b);
  Val min(Val a, Val b);
  /// Scalars or vectors; a scalar condition may choose between vectors.
  Val select(Val condition, Val yes, Val no);
  Val sqrt(Val value);
  Val abs(Val value); ///< of floats
  Val neg(Val value);
  /// To the nearest integer, ties to even, as f32.
  Val roundEven(Val value);
  /// Arithmetic shift right of integers.
  Val shiftRightSigned(Val value, Val by);
  Val ceilDiv(Val a, Idx divisor);
  /// |a| rounded up to a multiple of |to|.
  Val alignUp(Val a, Idx to);

  //===-- Lanes -------------------------------------------------------------------------------===//

  Val extract(Val vector, int64_t lane);
  Val slice(Val vector, int64_t first, int64_t lanes);
  /// docs/Contracts.md §4: v[i] += v[i + n/2], then n/4, ... 1; lanes is a power of two.
  Val laneSum(Val vector);
  /// The same tree with max().
  Val laneMax(Val vector);
  /// i32 that is not 0 when a lane of |mask| (vector<lanes x i1>) is set.
  Val anyLane(Val mask);

  //===-- Control -----------------------------------------------------------------------------===//

  /// for (i = lo; i < hi; i += step). |step| is positive.
  void forLoop(Idx lo, Idx hi, Idx step, llvm::function_ref<void(Val i)> body);
  /// The same with carried values: |body| gets them and returns the next ones; the last ones are
  /// returned.
  llvm::SmallVector<Val>
  forLoop(Idx lo, Idx hi, Idx step, llvm::ArrayRef<Val> init,
          llvm::function_ref<llvm::SmallVector<Val>(Val i, llvm::ArrayRef<Val> carried)> body);
  /// A loop whose carried values are the sums of a reduction: |body| must not write memory (checked
  /// before emission).
  llvm::SmallVector<Val> reductionLoop(
      Idx lo, Idx hi, Idx step, llvm::ArrayRef<Val> init,
      llvm::function_ref<llvm::SmallVector<Val>(Val i, llvm::ArrayRef<Val> carried)> body);
  /// while (condition(carried)) carried = body(carried).
  llvm::SmallVector<Val>
  whileLoop(llvm::ArrayRef<Val> init,
            llvm::function_ref<Val(llvm::ArrayRef<Val> carried)> condition,
            llvm::function_ref<llvm::SmallVector<Val>(llvm::ArrayRef<Val> carried)> body);
  void ifThen(Val condition, llvm::function_ref<void()> then);
  void ifElse(Val condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);
  /// A choice with results; both sides return as many values of the same types.
  llvm::SmallVector<Val> choose(Val condition, llvm::function_ref<llvm::SmallVector<Val>()> then,
                                llvm::function_ref<llvm::SmallVector<Val>()> otherwise);
  llvm::SmallVector<Val> call(mlir::func::FuncOp kernel, llvm::ArrayRef<Val> arguments);

  //===-- What the operators call -------------------------------------------------------------===//

  enum class Op { Add, Sub, Mul, Div, Rem, And, Or, Xor, Shl, Shr };
  enum class Cmp { Eq, Ne, Lt, Le, Gt, Ge };
  Val apply(Op op, Val lhs, Val rhs);
  Val compare(Cmp predicate, Val lhs, Val rhs);

private:
  /// Brings a scalar and a vector to the vector's lanes.
  void match(Val &lhs, Val &rhs);
  Val laneTree(Val vector, llvm::function_ref<Val(Val, Val)> combine);
  llvm::SmallVector<Val> wrap(mlir::ValueRange values);
  llvm::SmallVector<mlir::Value> unwrap(llvm::ArrayRef<Val> values);

  mlir::OpBuilder &b;
  mlir::Location loc;
};

#define SLUICE_VAL_OPERATOR(symbol, call, which)                                                   \
  inline Val operator symbol(Val lhs, Val rhs) {                                                   \
    return lhs.in().call(KernelBuilder::which, lhs, rhs);                                          \
  }                                                                                                \
  template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>                        \
  Val operator symbol(Val lhs, T rhs) {                                                            \
    return lhs.in().call(KernelBuilder::which, lhs,                                                \
                         lhs.in().constant(static_cast<double>(rhs), lhs.type()));                 \
  }                                                                                                \
  template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>                        \
  Val operator symbol(T lhs, Val rhs) {                                                            \
    return rhs.in().call(KernelBuilder::which,                                                     \
                         rhs.in().constant(static_cast<double>(lhs), rhs.type()), rhs);            \
  }
SLUICE_VAL_OPERATOR(+, apply, Op::Add)
SLUICE_VAL_OPERATOR(-, apply, Op::Sub)
SLUICE_VAL_OPERATOR(*, apply, Op::Mul)
SLUICE_VAL_OPERATOR(/, apply, Op::Div)
SLUICE_VAL_OPERATOR(%, apply, Op::Rem)
SLUICE_VAL_OPERATOR(&, apply, Op::And)
SLUICE_VAL_OPERATOR(|, apply, Op::Or)
SLUICE_VAL_OPERATOR(^, apply, Op::Xor)
SLUICE_VAL_OPERATOR(<<, apply, Op::Shl)
SLUICE_VAL_OPERATOR(>>, apply, Op::Shr)
SLUICE_VAL_OPERATOR(==, compare, Cmp::Eq)
SLUICE_VAL_OPERATOR(!=, compare, Cmp::Ne)
SLUICE_VAL_OPERATOR(<, compare, Cmp::Lt)
SLUICE_VAL_OPERATOR(<=, compare, Cmp::Le)
SLUICE_VAL_OPERATOR(>, compare, Cmp::Gt)
SLUICE_VAL_OPERATOR(>=, compare, Cmp::Ge)
#undef SLUICE_VAL_OPERATOR

/// The private kernel |name| of |module|; when it is not there yet it is made at the module's end
/// by |emitBody|, which gets one value per argument and returns the results (none for most
/// kernels). The name must say everything that |emitBody| depends on: asking again with other types
/// for the same name is a bug and asserts.
mlir::func::FuncOp getOrCreateKernel(
    mlir::ModuleOp module, llvm::StringRef name, llvm::ArrayRef<mlir::Type> arguments,
    llvm::ArrayRef<mlir::Type> results,
    llvm::function_ref<llvm::SmallVector<Val>(KernelBuilder &, llvm::ArrayRef<Val>)> emitBody);

/// The same for a kernel without results.
mlir::func::FuncOp
getOrCreateKernel(mlir::ModuleOp module, llvm::StringRef name, llvm::ArrayRef<mlir::Type> arguments,
                  llvm::function_ref<void(KernelBuilder &, llvm::ArrayRef<Val>)> emitBody);

/// memref<?xT>: how kernels take arrays. The element offset travels beside it as an index.
mlir::MemRefType arrayOf(mlir::Type element);

} // namespace sluice::cpu

#endif
