//===- FunctionContract.cpp - what exported functions promise -------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Programs call functions by name and bind arguments by name, so both are part of the contract
// (docs/Contracts.md, section 1).
//===----------------------------------------------------------------------===//
#include "dialects/Sluice/Sluice.h"
#include "lib/Tensor/TensorContract.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace sluice::tensor {
namespace {

/// A function that a kind of module exports. Optional arguments are not listed.
struct Signature {
  StringRef kind, function;
  SmallVector<StringRef> arguments, results;
};

ArrayRef<Signature> signatures() {
  static const SmallVector<Signature> all = {
      {"encoder", "forward", {"tokens", "batch"}, {"last_hidden_state"}},
      {"encoder", "embed", {"tokens", "batch"}, {"embeddings"}},
      {"decoder", "step", {"tokens", "batch", "kv", "ask"}, {"logits", "kv"}},
      {"decoder", "sample", {"logits", "temperature", "rng"}, {"tokens", "rng"}},
  };
  return all;
}

/// Tensors with a dynamic first dimension at most, the batch, and pages cross the border; nothing
/// else.
LogicalResult checkBorderType(func::FuncOp func, Type type, StringRef name) {
  if (isa<BatchType, PagesType>(type))
    return success();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() == 0)
    return func.emitOpError() << "expects '" << name
                              << "' to be a tensor with at least one dim, a batch or pages, but it "
                              << "is a " << type;
  if (llvm::any_of(tensor.getShape().drop_front(), ShapedType::isDynamic))
    return func.emitOpError() << "expects only the first dim of '" << name
                              << "' to be dynamic, but it is a " << type;
  return success();
}

/// Names of the arguments (or results), each there and unlike the others.
FailureOr<llvm::StringSet<>> checkNames(func::FuncOp func, bool results) {
  llvm::StringSet<> names;
  StringRef what = results ? "result" : "argument";
  ArrayRef<Type> types = results ? func.getResultTypes() : func.getArgumentTypes();
  for (auto [i, type] : llvm::enumerate(types)) {
    auto name = results ? func.getResultAttrOfType<StringAttr>(i, "sluice.name")
                        : func.getArgAttrOfType<StringAttr>(i, "sluice.name");
    if (!name || name.empty())
      return func.emitOpError() << "expects every " << what
                                << " of an exported function to have a 'sluice.name', but " << what
                                << " " << i << " has none";
    if (!names.insert(name.getValue()).second)
      return func.emitOpError() << "expects " << what
                                << "s of different names, but two are called '" << name.getValue()
                                << "'";
    if (failed(checkBorderType(func, type, name.getValue())))
      return failure();
  }
  return names;
}

LogicalResult checkHas(func::FuncOp func, const llvm::StringSet<> &names,
                       ArrayRef<StringRef> wanted, StringRef what) {
  for (StringRef name : wanted)
    if (!names.contains(name))
      return func.emitOpError() << "expects the " << what << " '" << name << "', which every '"
                                << func.getName() << "' has, but there is none of that name";
  return success();
}
} // namespace

LogicalResult checkFunction(func::FuncOp func) {
  if (!func->hasAttr("sluice.export"))
    return success();
  if (func.isExternal() || !llvm::hasSingleElement(func.getBody()))
    return func.emitOpError("expects a body of one block in an exported function");
  FailureOr<llvm::StringSet<>> arguments = checkNames(func, /*results=*/false);
  FailureOr<llvm::StringSet<>> results = checkNames(func, /*results=*/true);
  if (failed(arguments) || failed(results))
    return failure();
  if (llvm::count_if(func.getArgumentTypes(), [](Type type) { return isa<BatchType>(type); }) > 1)
    return func.emitOpError(
        "expects at most one batch, so that no two ops can disagree about rows");
  auto kind = func->getParentOfType<ModuleOp>()->getAttrOfType<StringAttr>("sluice.kind");
  for (const Signature &signature : signatures())
    if (kind && signature.kind == kind.getValue() && signature.function == func.getName())
      if (failed(checkHas(func, *arguments, signature.arguments, "argument")) ||
          failed(checkHas(func, *results, signature.results, "result")))
        return failure();
  return success();
}
} // namespace sluice::tensor
