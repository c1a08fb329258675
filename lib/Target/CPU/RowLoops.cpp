// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

Val Lanes::load(Val array, Val at) const {
  KernelBuilder &k = array.in();
  Val stored = mask ? k.maskedLoad(array, at + i, mask) : k.loadVector(array, at + i);
  return k.extend(stored);
}

void Lanes::store(Val value, Val array, Val at) const {
  KernelBuilder &k = array.in();
  Val stored = k.round(value, cast<MemRefType>(array.type()).getElementType());
  if (mask)
    k.maskedStore(stored, array, at + i, mask);
  else
    k.store(stored, array, at + i);
}

void Lanes::copy(Val from, Val fromAt, Val into, Val intoAt) const {
  KernelBuilder &k = from.in();
  if (mask)
    k.maskedStore(k.maskedLoad(from, fromAt + i, mask), into, intoAt + i, mask);
  else
    k.store(k.loadVector(from, fromAt + i), into, intoAt + i);
}

Val Lanes::keep(Val value) const {
  KernelBuilder &k = value.in();
  return mask ? k.select(mask, value, k.constant(0, value.type())) : value;
}

SmallVector<Val> forLanes(KernelBuilder &k, Val n, ArrayRef<Val> init,
                          llvm::function_ref<SmallVector<Val>(Lanes, ArrayRef<Val>)> body) {
  Val whole = n / kLanes * kLanes;
  SmallVector<Val> carried = k.forLoop(0, whole, kLanes, init, [&](Val i, ArrayRef<Val> carried) {
    return body(Lanes{i, {}}, carried);
  });
  return k.choose(
      whole < n, [&] { return body(Lanes{whole, k.firstLanes(n - whole)}, carried); },
      [&] { return carried; });
}

void forLanes(KernelBuilder &k, Val n, llvm::function_ref<void(Lanes)> body) {
  Val whole = n / kLanes * kLanes;
  k.forLoop(0, whole, kLanes, [&](Val i) { body(Lanes{i, {}}); });
  k.ifThen(whole < n, [&] { body(Lanes{whole, k.firstLanes(n - whole)}); });
}

Val roundTo(Val value, Type round) {
  KernelBuilder &k = value.in();
  if (!round || round.isF32())
    return value;
  if (round.isBF16())
    return k.roundToBf16(value);
  return k.f16ToF32(k.f32ToF16(value));
}

Type roundOf(std::optional<Type> attribute) { return attribute.value_or(Type()); }

std::string nameOf(Type element, Type round) {
  std::string name;
  llvm::raw_string_ostream stream(name);
  stream << element;
  if (round && round != element)
    stream << '.' << round;
  return name;
}

View asHeads(KernelBuilder &k, View view) {
  if (view.sizes.size() == 1) {
    view.sizes.push_back(k.index(1));
    view.strides.push_back(k.index(1));
  }
  if (view.sizes.size() == 2) {
    view.sizes.insert(view.sizes.begin() + 1, k.index(1));
    view.strides.insert(view.strides.begin() + 1, k.index(0));
  }
  return view;
}

LogicalResult expectUnitStride(Operation *op, Value operand, StringRef name) {
  auto type = dyn_cast<MemRefType>(operand.getType());
  if (!type || type.getStridesAndOffset().first.back() == 1)
    return success();
  return op->emitOpError() << "expects '" << name
                           << "' to have unit inner stride on the cpu, but it is " << type;
}

} // namespace sluice::cpu
