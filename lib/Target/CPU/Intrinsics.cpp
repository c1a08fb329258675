// SPDX-License-Identifier: Apache-2.0
//
// The one file that names target intrinsics.
#include "lib/Target/CPU/Intrinsics.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace sluice::cpu {

Val dpbf16(KernelBuilder &k, Val sum, Val x, Val y) {
  OpBuilder &b = k.builder();
  auto call = LLVM::CallIntrinsicOp::create(b, k.location(), sum.type(),
                                            b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                            ValueRange{sum, x, y});
  return k.val(call.getResult(0));
}

Val broadcastBf16Pair(KernelBuilder &k, Val mem, Val at) {
  Val word = k.extract(k.bitcast(k.loadVector(mem, at, 2), k.i32Type()), 0);
  return k.bitcast(k.broadcast(word), k.bf16Type());
}

Val broadcastBf16PairFirst(KernelBuilder &k, Val mem, Val at) {
  OpBuilder &b = k.builder();
  Val half = k.bitcast(k.load(mem, at), b.getI16Type());
  Val word = k.val(arith::ExtUIOp::create(b, k.location(), k.i32Type(), half));
  return k.bitcast(k.broadcast(word), k.bf16Type());
}

} // namespace sluice::cpu
