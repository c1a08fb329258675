// SPDX-License-Identifier: Apache-2.0
//
// The one file that names target intrinsics, or writes assembly.
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

Val scaleByPower(KernelBuilder &k, Val x, Val n) {
  OpBuilder &b = k.builder();
  Value all = arith::ConstantOp::create(b, k.location(), b.getI16IntegerAttr(-1));
  constexpr int32_t kCurrentRounding = 4;
  auto call = LLVM::CallIntrinsicOp::create(b, k.location(), x.type(),
                                            b.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
                                            ValueRange{x, n, x, all, k.i32(kCurrentRounding)});
  return k.val(call.getResult(0));
}

Val dot4(KernelBuilder &k, const CPUMachine &machine, Val sums, Val x, Val y) {
  OpBuilder &b = k.builder();
  if (machine.hasVnni) {
    auto call = LLVM::CallIntrinsicOp::create(
        b, k.location(), sums.type(), b.getStringAttr("llvm.x86.avx512.vpdpbusd.512"),
        ValueRange{sums, k.bitcast(x, b.getI8Type()), k.bitcast(y, b.getI8Type())});
    return k.val(call.getResult(0));
  }
  // Bytes as words: their products have 16 bits, which the back end multiplies in pairs where it
  // can.
  for (int64_t byte = 0; byte < 4; ++byte) {
    Val left = x >> 8 * byte & 0xff;
    Val right = k.shiftRightSigned(y << 8 * (3 - byte), k.constant(24, y.type()));
    sums = sums + left * right;
  }
  return sums;
}

void keepInMemory(KernelBuilder &k) {
  OpBuilder &b = k.builder();
  LLVM::InlineAsmOp::create(b, k.location(), TypeRange{}, ValueRange{}, /*asm_string=*/"",
                            /*constraints=*/"~{memory}", /*has_side_effects=*/true,
                            /*is_align_stack=*/false, LLVM::TailCallKind::None,
                            /*asm_dialect=*/{}, /*operand_attrs=*/{});
}

} // namespace sluice::cpu
