// SPDX-License-Identifier: Apache-2.0
//
// The operands of linear kernels as lists, and their last step.
#include "lib/Target/CPU/LinearLayer.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

std::string LinearFinish::suffix() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (bias)
    out << "_bias_" << bias;
  if (activation != Activation::None)
    out << "_" << stringify(activation);
  if (residual)
    out << "_residual";
  out << (dest == StoredAs::F32    ? "_to_f32"
          : dest == StoredAs::Bf16 ? "_to_bf16"
                                   : "_to_bf16_in_f32");
  if (listed)
    out << "_listed";
  return text;
}

Type LinearFinish::destType(MLIRContext *context) const {
  if (dest == StoredAs::Bf16)
    return BFloat16Type::get(context);
  return Float32Type::get(context);
}

SmallVector<Val> LinearOperands::list() const {
  SmallVector<Val> values = {rows,   rowStride, dest,       destStride, rowCount,
                             inputs, outputs,   firstPanel, endPanel};
  if (bias)
    values.push_back(bias);
  if (residual)
    values.append({residual, residualStride});
  if (rowList)
    values.append({rowList.order, rowList.at, rowList.inner, rowList.destInner});
  return values;
}

LinearOperands LinearOperands::of(ArrayRef<Val> list, const LinearFinish &finish) {
  LinearOperands o;
  o.rows = list[0], o.rowStride = list[1], o.dest = list[2], o.destStride = list[3];
  o.rowCount = list[4], o.inputs = list[5], o.outputs = list[6];
  o.firstPanel = list[7], o.endPanel = list[8];
  size_t next = 9;
  if (finish.bias)
    o.bias = list[next++];
  if (finish.residual)
    o.residual = list[next++], o.residualStride = list[next++];
  if (finish.listed) {
    o.rowList = {list[next], list[next + 1], list[next + 2], list[next + 3]};
    next += 4;
  }
  assert(next == list.size() && "as many operands as the layer has");
  return o;
}

Val RowList::offset(Val i, Val stride, Val innerStride) const {
  KernelBuilder &k = order.in();
  Val pair = (at + i) * 2;
  return k.toIndex(k.load(order, pair)) * stride + k.toIndex(k.load(order, pair + 1)) * innerStride;
}

void emitFinish(KernelBuilder &k, const CPUMachine &machine, const LinearFinish &finish,
                const LinearOperands &o, Val sums, Val sumAt, int64_t sumStride, Val row,
                Val rowEnd, Val panel, Val panelEnd) {
  k.forLoop(panel, panelEnd, 1, [&](Val p) {
    Val column = p * kLanes;
    Val mask = k.firstLanes(o.outputs - column);
    Val bias;
    if (finish.bias)
      bias = k.extend(k.maskedLoad(o.bias, column, mask));
    k.forLoop(row, rowEnd, 1, [&](Val r) {
      Val value = k.loadVector(sums, sumAt + (r - row) * sumStride + (p - panel) * kLanes);
      if (bias)
        value = value + bias;
      value = activate(k, finish.activation, value);
      if (finish.residual)
        value = value + k.maskedLoad(o.residual, r * o.residualStride + column, mask);
      if (finish.dest == StoredAs::RoundedF32)
        value = k.roundToBf16(value);
      else if (finish.dest == StoredAs::Bf16)
        value = k.f32ToBf16(value);
      Val at =
          (o.rowList ? o.rowList.offset(r, o.destStride, o.rowList.destInner) : r * o.destStride) +
          column;
      if (machine.maskedStores)
        k.maskedStore(value, o.dest, at, mask);
      else
        k.ifElse(
            column + kLanes <= o.outputs, [&] { k.store(value, o.dest, at); },
            [&] { k.maskedStore(value, o.dest, at, mask); });
    });
  });
}

} // namespace sluice::cpu
