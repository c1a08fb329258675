// SPDX-License-Identifier: Apache-2.0
//
// Number formats and lanes of the kernel language: conversions between f32, bf16 and f16, and the
// fixed lane tree.
#include "lib/Target/CPU/KernelBuilder.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace sluice::cpu {

/// The type of |like| with another element type: scalar stays scalar, vector keeps its lanes.
static Type withElement(Val like, Type element) {
  if (int64_t lanes = like.lanes())
    return VectorType::get({lanes}, element);
  return element;
}

//===-- Integers ------------------------------------------------------------------------------===//

Val KernelBuilder::toIndex(Val integer) {
  if (isa<IndexType>(integer.element()))
    return integer;
  Type type = withElement(integer, b.getIndexType());
  if (integer.element().isInteger(1))
    return val(arith::IndexCastUIOp::create(b, loc, type, integer));
  return val(arith::IndexCastOp::create(b, loc, type, integer));
}

static Val toWidth(KernelBuilder &k, Val integer, IntegerType to) {
  OpBuilder &b = k.builder();
  Location loc = k.location();
  Type type = withElement(integer, to);
  if (isa<IndexType>(integer.element()))
    return k.val(arith::IndexCastOp::create(b, loc, type, integer));
  unsigned from = cast<IntegerType>(integer.element()).getWidth();
  if (from == to.getWidth())
    return integer;
  if (from > to.getWidth())
    return k.val(arith::TruncIOp::create(b, loc, type, integer));
  if (from == 1)
    return k.val(arith::ExtUIOp::create(b, loc, type, integer));
  return k.val(arith::ExtSIOp::create(b, loc, type, integer));
}

Val KernelBuilder::toI32(Val integer) { return toWidth(*this, integer, b.getI32Type()); }
Val KernelBuilder::toI64(Val integer) { return toWidth(*this, integer, b.getI64Type()); }

Val KernelBuilder::toF32(Val integer) {
  if (isa<IndexType>(integer.element()))
    integer = toI64(integer);
  return val(arith::SIToFPOp::create(b, loc, withElement(integer, b.getF32Type()), integer));
}

Val KernelBuilder::truncToI32(Val value) {
  return val(arith::FPToSIOp::create(b, loc, withElement(value, b.getI32Type()), value));
}

Val KernelBuilder::bitcast(Val value, Type element) {
  if (value.element() == element)
    return value;
  int64_t lanes = value.lanes();
  if (!lanes)
    return val(arith::BitcastOp::create(b, loc, element, value));
  unsigned from = value.element().getIntOrFloatBitWidth(), to = element.getIntOrFloatBitWidth();
  assert(lanes * from % to == 0 && "the lanes do not fill the new element type");
  return val(vector::BitCastOp::create(
      b, loc, VectorType::get({static_cast<int64_t>(lanes * from / to)}, element), value));
}

//===-- bf16 and f16 --------------------------------------------------------------------------===//

Val KernelBuilder::bf16ToF32(Val value) {
  Val bits = bitcast(value, b.getI16Type());
  Val wide = val(arith::ExtUIOp::create(b, loc, withElement(value, b.getI32Type()), bits));
  return bitcast(wide << 16, b.getF32Type());
}

/// The bits of |value| with the 16 low ones rounded into the high ones; what is left in the low
/// ones is to be cut.
static Val roundHighHalf(KernelBuilder &k, Val value) {
  Val bits = k.bitcast(value, k.i32Type());
  // Half an ulp less one, plus the last kept bit: ties go to even. Cannot overflow, but for NaNs
  // with all-ones payloads.
  Val rounded = bits + ((bits >> 16) & 1) + 0x7fff;
  Val quiet = bits | 0x400000;
  return k.select(value != value, quiet, rounded);
}

Val KernelBuilder::f32ToBf16(Val value) {
  Val high = roundHighHalf(*this, value) >> 16;
  Val narrow = val(arith::TruncIOp::create(b, loc, withElement(value, b.getI16Type()), high));
  return bitcast(narrow, b.getBF16Type());
}

Val KernelBuilder::roundToBf16(Val value) {
  Val high = roundHighHalf(*this, value) & static_cast<int32_t>(0xffff0000);
  return bitcast(high, b.getF32Type());
}

Val KernelBuilder::pairFirst(Val pairs) {
  return bitcast(bitcast(pairs, b.getI32Type()) << 16, b.getF32Type());
}

Val KernelBuilder::pairSecond(Val pairs) {
  return bitcast(bitcast(pairs, b.getI32Type()) & static_cast<int32_t>(0xffff0000), b.getF32Type());
}

Val KernelBuilder::f16ToF32(Val value) {
  return val(arith::ExtFOp::create(b, loc, withElement(value, b.getF32Type()), value,
                                   arith::FastMathFlagsAttr()));
}

Val KernelBuilder::f32ToF16(Val value) {
  return val(arith::TruncFOp::create(b, loc, withElement(value, b.getF16Type()), value));
}

Val KernelBuilder::extend(Val value) {
  if (value.element().isBF16())
    return bf16ToF32(value);
  if (value.element().isF16())
    return f16ToF32(value);
  assert(value.element().isF32() && "not a float that kernels store");
  return value;
}

Val KernelBuilder::round(Val value, Type element) {
  if (element.isBF16())
    return f32ToBf16(value);
  if (element.isF16())
    return f32ToF16(value);
  assert(element.isF32() && "not a float that kernels store");
  return value;
}

//===-- Lanes ---------------------------------------------------------------------------------===//

Val KernelBuilder::extract(Val vector, int64_t lane) {
  return val(vector::ExtractOp::create(b, loc, vector, ArrayRef<int64_t>{lane}));
}

Val KernelBuilder::slice(Val vector, int64_t first, int64_t lanes) {
  return val(vector::ExtractStridedSliceOp::create(b, loc, vector, ArrayRef<int64_t>{first},
                                                   ArrayRef<int64_t>{lanes}, ArrayRef<int64_t>{1}));
}

Val KernelBuilder::laneTree(Val vector, llvm::function_ref<Val(Val, Val)> combine) {
  int64_t lanes = vector.lanes();
  assert(llvm::isPowerOf2_64(lanes) && "the lane tree halves the vector");
  for (; lanes > 1; lanes /= 2)
    vector = combine(slice(vector, 0, lanes / 2), slice(vector, lanes / 2, lanes / 2));
  return extract(vector, 0);
}

Val KernelBuilder::laneSum(Val vector) {
  return laneTree(vector, [](Val low, Val high) { return low + high; });
}

Val KernelBuilder::laneMax(Val vector) {
  return laneTree(vector, [this](Val low, Val high) { return max(low, high); });
}

} // namespace sluice::cpu
