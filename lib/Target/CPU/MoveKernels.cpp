// SPDX-License-Identifier: Apache-2.0
//
// submit and await: requests to another home, by the function pointers of sluice_home_t. Worker 0
// makes and awaits them; the token waits in the call record.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/StepContext.h"
#include "sluice-rt/kernel_abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace sluice::cpu {
namespace {

/// Calls the function pointer at |byte| of the call's home, with its `self` before |arguments|.
Val callHome(StepContext &step, size_t byte, Type result, ArrayRef<Val> arguments) {
  KernelBuilder &k = step.builder();
  Val home = step.callField(offsetof(sluice_call_t, home), k.pointerType());
  SmallVector<Type> types = {k.pointerType()};
  SmallVector<Value> operands = {k.fieldAt(home, static_cast<int64_t>(byte), k.pointerType()),
                                 k.fieldAt(home, offsetof(sluice_home_t, self), k.pointerType())};
  for (Val argument : arguments) {
    types.push_back(argument.type());
    operands.push_back(argument);
  }
  auto type = LLVM::LLVMFunctionType::get(result, types);
  return k.val(LLVM::CallOp::create(k.builder(), k.location(), type, operands).getResult());
}

Val tokenAddress(StepContext &step, uint64_t token) {
  Val tokens = step.callField(offsetof(sluice_call_t, tokens), step.builder().pointerType());
  return step.advance(tokens, static_cast<int64_t>(token * sizeof(int64_t)));
}

/// Rows of the table that request |token| asks.
int64_t rowsOfTable(StepContext &step, place::AwaitOp op) {
  int64_t rows = 0;
  op->getParentOfType<func::FuncOp>().walk([&](place::SubmitOp submit) {
    if (submit.getToken() == op.getToken())
      if (auto param = step.module().lookupSymbol<ParamOp>(submit.getParam()))
        rows = param.getTensorType().getDimSize(0);
  });
  return rows;
}

/// A home does not say which number it could not serve: the record has -1 for it.
void trapHome(StepContext &step, place::AwaitOp op, Val code) {
  KernelBuilder &k = step.builder();
  emitTrap(k, step.module(), step.trapRecord(), code, step.locationNumber(op), k.index(-1),
           k.index(rowsOfTable(step, op)));
}

struct SubmitKernel : CPUKernelOpInterface::ExternalModel<SubmitKernel, place::SubmitOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<place::SubmitOp>(operation);
    KernelBuilder &k = step.builder();
    auto type = cast<MemRefType>(op.getInto().getType());
    auto param = step.module().lookupSymbol<ParamOp>(op.getParam());
    if (!param)
      return op.emitOpError("names '") << op.getParam() << "', which is not a sluice.param";
    RankedTensorType table = param.getTensorType();
    if (type.getElementType() != table.getElementType())
      return op.emitOpError("expects rows of ")
             << table.getElementType() << ", as the table has, but 'into' is " << type;
    View ids = step.view(op.getIds()), into = step.view(op.getInto());
    int64_t size = type.getElementTypeBitWidth() / 8;
    k.ifThen(step.me() == 0, [&] {
      Val rowBytes = k.i64(table.getDimSize(1) * size);
      Val number = k.i32(static_cast<int32_t>(step.paramNumber(op.getParam())));
      Val token = callHome(step, offsetof(sluice_home_t, gather_submit), k.builder().getI64Type(),
                           {number, step.pointer(op.getIds()), k.toI64(ids.sizes[0]), rowBytes,
                            step.pointer(op.getInto()), k.toI64(into.strides[0] * size)});
      LLVM::StoreOp::create(k.builder(), k.location(), token, tokenAddress(step, op.getToken()));
    });
    return success();
  }
};

struct AwaitKernel : CPUKernelOpInterface::ExternalModel<AwaitKernel, place::AwaitOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<place::AwaitOp>(operation);
    KernelBuilder &k = step.builder();
    k.ifThen(step.me() == 0, [&] {
      Val token = k.fieldAt(tokenAddress(step, op.getToken()), 0, k.builder().getI64Type());
      k.ifElse(
          token >= 0,
          [&] {
            Val code = callHome(step, offsetof(sluice_home_t, gather_await), k.i32Type(), {token});
            k.ifThen(code != 0, [&] { trapHome(step, op, code); });
          },
          [&] { trapHome(step, op, k.i32(SLUICE_TRAP_ID)); });
    });
    return success();
  }
};

} // namespace

void registerMoveKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, place::PlaceDialect *) {
    place::SubmitOp::attachInterface<SubmitKernel>(*context);
    place::AwaitOp::attachInterface<AwaitKernel>(*context);
  });
}

} // namespace sluice::cpu
