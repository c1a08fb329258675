//===- CheckTensorStage.cpp - the contract at the end of the stage --------===//
// SPDX-License-Identifier: Apache-2.0
//
// Changes nothing; fails with a sentence. What it lets pass is what the placed stage and the oracle
// may rely on (docs/Contracts.md, section 1): legal dialects, linear pages, awaited requests, named
// functions, layers in range.
//===----------------------------------------------------------------------===//
#include "lib/Tensor/TensorContract.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "sluice/Tensor/Passes.h"

using namespace mlir;

namespace sluice::tensor {
#define GEN_PASS_DEF_CHECKTENSORSTAGEPASS
#include "sluice/Tensor/Passes.h.inc"
namespace {

/// The op says what a model computes: its dialect is legal here, and it is in tensor form.
LogicalResult checkLegal(Operation *op) {
  if (auto compute = dyn_cast<ComputeOpInterface>(op); compute && compute.isBufferForm())
    return op->emitOpError("expects tensor form at the tensor stage, but writes into a memref");
  for (Value operand : op->getOperands())
    if (isa<BaseMemRefType>(operand.getType()))
      return op->emitOpError() << "expects tensors at the tensor stage, but an operand is a "
                               << operand.getType();
  Dialect *dialect = op->getDialect();
  if (isa_and_present<SluiceDialect, arith::ArithDialect, math::MathDialect,
                      mlir::tensor::TensorDialect, linalg::LinalgDialect, func::FuncDialect>(
          dialect) ||
      isa<ModuleOp, scf::ForOp, scf::IfOp, scf::YieldOp>(op))
    return success();
  return op->emitOpError(
      "is not legal at the tensor stage, which has sluice, arith, math, tensor, linalg, func, "
      "scf.for and scf.if");
}

/// Requests are made and awaited in one block, once.
LogicalResult checkRequest(GatherOp gather) {
  if (gather.getResult().hasOneUse()) {
    Operation *user = *gather.getResult().getUsers().begin();
    if (isa<AwaitOp>(user) && user->getBlock() == gather->getBlock())
      return success();
  }
  auto error = gather.emitOpError(
      "expects exactly one sluice.await of the rows, in the block of the request");
  for (Operation *user : gather.getResult().getUsers())
    error.attachNote(user->getLoc()) << "this op uses them";
  return error;
}

/// |value| is a number that a manifest may give, from |least| up.
bool isCount(Attribute value, int64_t least) {
  auto number = dyn_cast_if_present<IntegerAttr>(value);
  return number && number.getValue().isSignedIntN(32) && number.getInt() >= least;
}

/// The module's attributes that travel into the manifest as they are.
LogicalResult checkSettings(ModuleOp module) {
  for (auto [name, known] : std::initializer_list<std::pair<StringRef, SmallVector<StringRef>>>{
           {"sluice.limits", {"vocab", "max_positions", "token_types"}},
           {"sluice.embed", {"max_seq_length"}}}) {
    Attribute given = module->getAttr(name);
    if (!given)
      continue;
    auto settings = dyn_cast<DictionaryAttr>(given);
    if (!settings)
      return module.emitError() << "expects '" << name << "' to be a dictionary, but found "
                                << given;
    for (NamedAttribute setting : settings)
      if (!llvm::is_contained(known, setting.getName().getValue()) ||
          !isCount(setting.getValue(), 1))
        return module.emitError() << "expects '" << name << "' to give positive 32-bit numbers for "
                                  << llvm::join(known, ", ") << ", but found " << setting.getName()
                                  << " = " << setting.getValue();
  }
  if (Attribute given = module->getAttr("sluice.eos")) {
    auto ids = dyn_cast<DenseI64ArrayAttr>(given);
    if (!ids || llvm::any_of(ids.asArrayRef(), [](int64_t id) { return id < 0 || id > INT32_MAX; }))
      return module.emitError()
             << "expects 'sluice.eos' to be an array of ids of tokens, from 0 to " << INT32_MAX
             << ", but found " << given;
  }
  return success();
}

LogicalResult checkModule(ModuleOp module) {
  if (!module->getAttrOfType<StringAttr>("sluice.name"))
    return module.emitError("expects the module's name as the string attribute 'sluice.name'");
  auto kind = module->getAttrOfType<StringAttr>("sluice.kind");
  if (!kind || !llvm::is_contained({"decoder", "encoder", "op"}, kind.getValue())) {
    auto error =
        module.emitError("expects 'sluice.kind' to be \"decoder\", \"encoder\" or \"op\", but ");
    return kind ? error << "found " << kind : error << "there is none";
  }
  if (failed(checkSettings(module)))
    return failure();
  // A session sizes its pages and checks tokens by these.
  auto limits = module->getAttrOfType<DictionaryAttr>("sluice.limits");
  if (kind.getValue() == "decoder")
    for (StringRef limit : {"vocab", "max_positions"})
      if (!limits || !limits.getAs<IntegerAttr>(limit))
        return module.emitError() << "expects 'sluice.limits' of a decoder to say '" << limit
                                  << "', but it does not";
  bool weights = module->hasAttrOfType<StringAttr>("sluice.weights");
  bool seed = module->hasAttrOfType<IntegerAttr>("sluice.random_seed");
  auto params = module.getOps<ParamOp>();
  if (weights && seed)
    return module.emitError(
        "expects weights from one place, but has both 'sluice.weights' and 'sluice.random_seed'");
  if (!params.empty() && !weights && !seed) {
    auto error = module.emitError(
        "expects 'sluice.weights' (a directory) or 'sluice.random_seed' to say where the "
        "params come from, but there is neither");
    error.attachNote((*params.begin()).getLoc()) << "the first param is declared here";
    return error;
  }
  return success();
}

struct CheckTensorStage : impl::CheckTensorStagePassBase<CheckTensorStage> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    bool failed = mlir::failed(checkModule(module));
    // All errors of one kind at once: whoever fixes them sees them together.
    auto kind = module->getAttrOfType<StringAttr>("sluice.kind");
    module.walk([&](Operation *op) {
      if (auto route = dyn_cast<RouteOp>(op);
          route && route.expertsChoose() && kind && kind.getValue() == "decoder")
        failed |= mlir::failed(route.emitOpError(
            "expects rows to choose in a decoder: when experts choose, a row's experts depend on "
            "rows that come after it"));
      failed |= mlir::failed(checkLegal(op)) || mlir::failed(checkPages(op)) ||
                mlir::failed(checkLayers(op));
      if (auto gather = dyn_cast<GatherOp>(op))
        failed |= mlir::failed(checkRequest(gather));
    });
    for (auto func : module.getOps<func::FuncOp>())
      failed |= mlir::failed(checkFunction(func));
    if (failed)
      signalPassFailure();
  }
};
} // namespace
} // namespace sluice::tensor
