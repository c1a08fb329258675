// SPDX-License-Identifier: Apache-2.0
//
// Constants, memory, arithmetic and control of the kernel language. Number formats and lanes:
// KernelNumbers.cpp.
#include "lib/Target/CPU/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

int64_t Val::lanes() const {
  auto vector = dyn_cast<VectorType>(type());
  return vector ? vector.getNumElements() : 0;
}

//===-- Constants -----------------------------------------------------------------------------===//

Val KernelBuilder::index(Idx value) {
  if (value.value)
    return value.value;
  return val(arith::ConstantIndexOp::create(b, loc, value.constant));
}

Val KernelBuilder::i1(bool value) {
  return val(arith::ConstantIntOp::create(b, loc, b.getI1Type(), value));
}
Val KernelBuilder::i32(int32_t value) {
  return val(arith::ConstantIntOp::create(b, loc, b.getI32Type(), value));
}
Val KernelBuilder::i64(int64_t value) {
  return val(arith::ConstantIntOp::create(b, loc, b.getI64Type(), value));
}
Val KernelBuilder::f32(float value) {
  return val(arith::ConstantFloatOp::create(b, loc, b.getF32Type(), APFloat(value)));
}

Val KernelBuilder::splat(float value, int64_t lanes) {
  return val(arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(vectorType(b.getF32Type(), lanes), value)));
}

Val KernelBuilder::splatI32(int32_t value, int64_t lanes) {
  return val(arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(vectorType(b.getI32Type(), lanes), value)));
}

Val KernelBuilder::iota(int64_t lanes) {
  SmallVector<int32_t> values(lanes);
  for (int64_t i = 0; i < lanes; ++i)
    values[i] = static_cast<int32_t>(i);
  return val(arith::ConstantOp::create(
      b, loc, DenseIntElementsAttr::get(vectorType(b.getI32Type(), lanes), values)));
}

Val KernelBuilder::constant(double value, Type like) {
  Type element = getElementTypeOrSelf(like);
  TypedAttr attr;
  if (isa<FloatType>(element))
    attr = b.getFloatAttr(element, value);
  else
    attr = b.getIntegerAttr(element, static_cast<int64_t>(value));
  if (auto vector = dyn_cast<VectorType>(like))
    attr = DenseElementsAttr::get(vector, Attribute(attr));
  return val(arith::ConstantOp::create(b, loc, attr));
}

Val KernelBuilder::broadcast(Val scalar, int64_t lanes) {
  if (scalar.lanes())
    return scalar;
  return val(vector::BroadcastOp::create(b, loc, vectorType(scalar.type(), lanes), scalar));
}

//===-- Memory --------------------------------------------------------------------------------===//

static Type elementOf(Val mem) { return cast<MemRefType>(mem.type()).getElementType(); }

Val KernelBuilder::load(Val mem, Idx at) {
  return val(memref::LoadOp::create(b, loc, mem, ValueRange{index(at)}));
}

Val KernelBuilder::loadVector(Val mem, Idx at, int64_t lanes) {
  return val(vector::LoadOp::create(b, loc, vectorType(elementOf(mem), lanes), mem,
                                    ValueRange{index(at)}));
}

Val KernelBuilder::broadcastLoad(Val mem, Idx at, int64_t lanes) {
  return broadcast(load(mem, at), lanes);
}

Val KernelBuilder::maskedLoad(Val mem, Idx at, Val mask) {
  VectorType type = vectorType(elementOf(mem), mask.lanes());
  Val zero = val(arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(type))));
  return val(vector::MaskedLoadOp::create(b, loc, type, mem, ValueRange{index(at)}, mask, zero));
}

void KernelBuilder::store(Val value, Val mem, Idx at) {
  if (value.lanes())
    vector::StoreOp::create(b, loc, value, mem, ValueRange{index(at)});
  else
    memref::StoreOp::create(b, loc, value, mem, ValueRange{index(at)});
}

void KernelBuilder::maskedStore(Val value, Val mem, Idx at, Val mask) {
  vector::MaskedStoreOp::create(b, loc, mem, ValueRange{index(at)}, mask, value);
}

Val KernelBuilder::firstLanes(Val count, int64_t lanes) {
  // Clamped before it is narrowed, so that a count of 2^32 and more still fills the mask.
  Val clamped = min(count, index(lanes));
  return iota(lanes) < broadcast(toI32(clamped), lanes);
}

void KernelBuilder::prefetch(Val mem, Idx at, unsigned locality) {
  memref::PrefetchOp::create(b, loc, mem, ValueRange{index(at)}, /*isWrite=*/false, locality,
                             /*isDataCache=*/true);
}

void KernelBuilder::prefetchForStore(Val mem, Idx at) {
  memref::PrefetchOp::create(b, loc, mem, ValueRange{index(at)}, /*isWrite=*/true, /*locality=*/3,
                             /*isDataCache=*/true);
}

Val KernelBuilder::view(Val bytes, Idx byte, Type element, Idx count) {
  return val(memref::ViewOp::create(b, loc, arrayOf(element), bytes, index(byte),
                                    ValueRange{index(count)}));
}

Type KernelBuilder::pointerType() { return LLVM::LLVMPointerType::get(b.getContext()); }

Val KernelBuilder::arrayAt(Val pointer, Type element) {
  // The descriptor that the lowering of memref uses; the cast disappears when both sides have
  // become LLVM types.
  MLIRContext *context = b.getContext();
  Type word = b.getI64Type(), pair = LLVM::LLVMArrayType::get(word, 1);
  auto type =
      LLVM::LLVMStructType::getLiteral(context, {pointerType(), pointerType(), word, pair, pair});
  Value descriptor = LLVM::PoisonOp::create(b, loc, type);
  auto set = [&](Value field, ArrayRef<int64_t> position) {
    descriptor = LLVM::InsertValueOp::create(b, loc, descriptor, field, position);
  };
  set(pointer, {0});
  set(pointer, {1});
  set(LLVM::ConstantOp::create(b, loc, word, b.getI64IntegerAttr(0)), {2});
  set(LLVM::ConstantOp::create(b, loc, word,
                               b.getI64IntegerAttr(std::numeric_limits<int64_t>::max())),
      {3, 0});
  set(LLVM::ConstantOp::create(b, loc, word, b.getI64IntegerAttr(1)), {4, 0});
  return val(UnrealizedConversionCastOp::create(b, loc, arrayOf(element), descriptor).getResult(0));
}

Val KernelBuilder::fieldAt(Val pointer, int64_t byte, Type type) {
  Value address = LLVM::GEPOp::create(b, loc, pointerType(), b.getI8Type(), pointer,
                                      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(byte)});
  return val(LLVM::LoadOp::create(b, loc, type, address));
}

Val KernelBuilder::scratch(Type element, int64_t count) {
  Value array =
      memref::AllocaOp::create(b, loc, MemRefType::get({count}, element), b.getI64IntegerAttr(64));
  return val(memref::CastOp::create(b, loc, arrayOf(element), array));
}

//===-- Arithmetic ----------------------------------------------------------------------------===//

void KernelBuilder::match(Val &lhs, Val &rhs) {
  if (lhs.lanes() && !rhs.lanes())
    rhs = broadcast(rhs, lhs.lanes());
  else if (rhs.lanes() && !lhs.lanes())
    lhs = broadcast(lhs, rhs.lanes());
  assert(lhs.type() == rhs.type() && "operands of different types");
}

Val KernelBuilder::apply(Op op, Val lhs, Val rhs) {
  match(lhs, rhs);
  bool isFloat = isa<FloatType>(lhs.element());
  switch (op) {
  case Op::Add:
    return isFloat ? val(arith::AddFOp::create(b, loc, lhs, rhs))
                   : val(arith::AddIOp::create(b, loc, lhs, rhs));
  case Op::Sub:
    return isFloat ? val(arith::SubFOp::create(b, loc, lhs, rhs))
                   : val(arith::SubIOp::create(b, loc, lhs, rhs));
  case Op::Mul:
    return isFloat ? val(arith::MulFOp::create(b, loc, lhs, rhs))
                   : val(arith::MulIOp::create(b, loc, lhs, rhs));
  case Op::Div:
    return isFloat ? val(arith::DivFOp::create(b, loc, lhs, rhs))
                   : val(arith::DivUIOp::create(b, loc, lhs, rhs));
  case Op::Rem:
    assert(!isFloat && "no remainder of floats");
    return val(arith::RemUIOp::create(b, loc, lhs, rhs));
  case Op::And:
    return val(arith::AndIOp::create(b, loc, lhs, rhs));
  case Op::Or:
    return val(arith::OrIOp::create(b, loc, lhs, rhs));
  case Op::Xor:
    return val(arith::XOrIOp::create(b, loc, lhs, rhs));
  case Op::Shl:
    return val(arith::ShLIOp::create(b, loc, lhs, rhs));
  case Op::Shr:
    return val(arith::ShRUIOp::create(b, loc, lhs, rhs));
  }
  llvm_unreachable("covered switch");
}

Val KernelBuilder::compare(Cmp predicate, Val lhs, Val rhs) {
  match(lhs, rhs);
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  static constexpr F floats[] = {F::OEQ, F::UNE, F::OLT, F::OLE, F::OGT, F::OGE};
  static constexpr I integers[] = {I::eq, I::ne, I::slt, I::sle, I::sgt, I::sge};
  auto which = static_cast<unsigned>(predicate);
  if (isa<FloatType>(lhs.element()))
    return val(arith::CmpFOp::create(b, loc, floats[which], lhs, rhs));
  return val(arith::CmpIOp::create(b, loc, integers[which], lhs, rhs));
}

Val KernelBuilder::fma(Val x, Val y, Val acc) {
  match(x, y);
  match(x, acc);
  // Not vector.fma: that becomes llvm.fmuladd, which may be split into two roundings.
  return val(math::FmaOp::create(b, loc, x, y, acc));
}

Val KernelBuilder::max(Val a, Val b) { return select(a > b, a, b); }
Val KernelBuilder::min(Val a, Val b) { return select(a < b, a, b); }

Val KernelBuilder::select(Val condition, Val yes, Val no) {
  match(yes, no);
  if (condition.lanes() && !yes.lanes()) {
    yes = broadcast(yes, condition.lanes());
    no = broadcast(no, condition.lanes());
  }
  return val(arith::SelectOp::create(b, loc, condition, yes, no));
}

Val KernelBuilder::sqrt(Val value) { return val(math::SqrtOp::create(b, loc, value)); }
Val KernelBuilder::abs(Val value) { return val(math::AbsFOp::create(b, loc, value)); }
Val KernelBuilder::neg(Val value) {
  if (isa<FloatType>(value.element()))
    return val(arith::NegFOp::create(b, loc, value));
  return constant(0, value.type()) - value;
}
Val KernelBuilder::roundEven(Val value) { return val(math::RoundEvenOp::create(b, loc, value)); }

Val KernelBuilder::shiftRightSigned(Val value, Val by) {
  match(value, by);
  return val(arith::ShRSIOp::create(b, loc, value, by));
}

Val KernelBuilder::ceilDiv(Val a, Idx divisor) {
  Val d = index(divisor);
  return (a + (d - 1)) / d;
}

Val KernelBuilder::alignUp(Val a, Idx to) { return ceilDiv(a, to) * index(to); }

Val KernelBuilder::anyLane(Val mask) {
  auto type = VectorType::get({1}, b.getIntegerType(static_cast<unsigned>(mask.lanes())));
  Value bits = vector::BitCastOp::create(b, loc, type, mask);
  Value word = vector::ExtractOp::create(b, loc, bits, ArrayRef<int64_t>{0});
  return val(arith::ExtUIOp::create(b, loc, b.getI32Type(), word));
}

//===-- Control -------------------------------------------------------------------------------===//

SmallVector<Val> KernelBuilder::wrap(ValueRange values) {
  return llvm::map_to_vector(values, [&](Value v) { return val(v); });
}

SmallVector<Value> KernelBuilder::unwrap(ArrayRef<Val> values) {
  return llvm::map_to_vector(values, [](Val v) -> Value { return v; });
}

void KernelBuilder::forLoop(Idx lo, Idx hi, Idx step, llvm::function_ref<void(Val)> body) {
  forLoop(lo, hi, step, {}, [&](Val i, ArrayRef<Val>) {
    body(i);
    return SmallVector<Val>();
  });
}

SmallVector<Val>
KernelBuilder::forLoop(Idx lo, Idx hi, Idx step, ArrayRef<Val> init,
                       llvm::function_ref<SmallVector<Val>(Val, ArrayRef<Val>)> body) {
  Val from = index(lo), to = index(hi), by = index(step);
  auto loop = scf::ForOp::create(b, loc, from, to, by, unwrap(init),
                                 [&](OpBuilder &inner, Location, Value i, ValueRange carried) {
                                   // |inner| is |b| with its insertion point in the body.
                                   assert(&inner == &b);
                                   SmallVector<Val> next = body(val(i), wrap(carried));
                                   scf::YieldOp::create(b, loc, unwrap(next));
                                 });
  return wrap(loop.getResults());
}

SmallVector<Val>
KernelBuilder::reductionLoop(Idx lo, Idx hi, Idx step, ArrayRef<Val> init,
                             llvm::function_ref<SmallVector<Val>(Val, ArrayRef<Val>)> body) {
  assert(!init.empty() && "a reduction without sums");
  SmallVector<Val> sums = forLoop(lo, hi, step, init, body);
  Value(sums.front()).getDefiningOp()->setAttr(kReductionAttr, b.getUnitAttr());
  return sums;
}

SmallVector<Val>
KernelBuilder::whileLoop(ArrayRef<Val> init, llvm::function_ref<Val(ArrayRef<Val>)> condition,
                         llvm::function_ref<SmallVector<Val>(ArrayRef<Val>)> body) {
  SmallVector<Value> start = unwrap(init);
  SmallVector<Type> types = llvm::map_to_vector(start, [](Value v) { return v.getType(); });
  auto loop = scf::WhileOp::create(
      b, loc, types, start,
      [&](OpBuilder &, Location, ValueRange carried) {
        Val go = condition(wrap(carried));
        scf::ConditionOp::create(b, loc, go, carried);
      },
      [&](OpBuilder &, Location, ValueRange carried) {
        SmallVector<Val> next = body(wrap(carried));
        scf::YieldOp::create(b, loc, unwrap(next));
      });
  return wrap(loop.getResults());
}

void KernelBuilder::ifThen(Val condition, llvm::function_ref<void()> then) {
  scf::IfOp::create(b, loc, condition, [&](OpBuilder &, Location) {
    then();
    scf::YieldOp::create(b, loc);
  });
}

void KernelBuilder::ifElse(Val condition, llvm::function_ref<void()> then,
                           llvm::function_ref<void()> otherwise) {
  scf::IfOp::create(
      b, loc, condition,
      [&](OpBuilder &, Location) {
        then();
        scf::YieldOp::create(b, loc);
      },
      [&](OpBuilder &, Location) {
        otherwise();
        scf::YieldOp::create(b, loc);
      });
}

SmallVector<Val> KernelBuilder::choose(Val condition, llvm::function_ref<SmallVector<Val>()> then,
                                       llvm::function_ref<SmallVector<Val>()> otherwise) {
  auto choice = scf::IfOp::create(
      b, loc, condition,
      [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, unwrap(then())); },
      [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, unwrap(otherwise())); });
  return wrap(choice.getResults());
}

SmallVector<Val> KernelBuilder::call(func::FuncOp kernel, ArrayRef<Val> arguments) {
  return wrap(func::CallOp::create(b, loc, kernel, unwrap(arguments)).getResults());
}

//===-- Kernels -------------------------------------------------------------------------------===//

MemRefType arrayOf(Type element) { return MemRefType::get({ShapedType::kDynamic}, element); }

func::FuncOp
getOrCreateKernel(ModuleOp module, StringRef name, ArrayRef<Type> arguments, ArrayRef<Type> results,
                  llvm::function_ref<SmallVector<Val>(KernelBuilder &, ArrayRef<Val>)> emitBody) {
  FunctionType type = FunctionType::get(module.getContext(), arguments, results);
  if (auto existing = module.lookupSymbol<func::FuncOp>(name)) {
    assert(existing.getFunctionType() == type && "two kernels of one name");
    return existing;
  }
  OpBuilder builder(module.getContext());
  builder.setInsertionPointToEnd(module.getBody());
  Location loc = NameLoc::get(builder.getStringAttr(name));
  auto kernel = func::FuncOp::create(builder, loc, name, type);
  kernel.setPrivate();
  kernel.setNoInline(true); // one copy, however many phases call it
  builder.setInsertionPointToStart(kernel.addEntryBlock());
  KernelBuilder k(builder, loc);
  SmallVector<Val> values;
  for (BlockArgument argument : kernel.getArguments())
    values.push_back(k.val(argument));
  SmallVector<Value> returned;
  for (Val result : emitBody(k, values))
    returned.push_back(result);
  func::ReturnOp::create(builder, loc, returned);
  return kernel;
}

func::FuncOp getOrCreateKernel(ModuleOp module, StringRef name, ArrayRef<Type> arguments,
                               llvm::function_ref<void(KernelBuilder &, ArrayRef<Val>)> emitBody) {
  return getOrCreateKernel(module, name, arguments, {},
                           [&](KernelBuilder &k, ArrayRef<Val> values) {
                             emitBody(k, values);
                             return SmallVector<Val>();
                           });
}

} // namespace sluice::cpu
