//===- ModelToSluice.cpp - description to sluice ops on tensors ------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Stage 1 to stage 2: params, page declarations, then one function per exported function, all with
// the locations that the description kept. The module is what docs/Contracts.md, section 1, says,
// and verified.
//
//===----------------------------------------------------------------------===//
#include "BuildSteps.h"
#include "sluice/Model/ModelReader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"

using namespace llvm;

namespace sluice::model {

namespace {

class Importer {
public:
  Importer(mlir::MLIRContext &context, const Description &description, ProblemLog &log)
      : b(&context), description(description), log(log) {}

  mlir::OwningOpRef<mlir::ModuleOp> run();

private:
  void moduleAttributes(mlir::ModuleOp module);
  void weight(const Weight &weight);
  bool function(const Function &function);
  mlir::Type inputType(const InputType &type);

  mlir::OpBuilder b;
  const Description &description;
  ProblemLog &log;
};

void Importer::moduleAttributes(mlir::ModuleOp module) {
  module->setAttr("sluice.name", b.getStringAttr(description.name));
  module->setAttr("sluice.kind", b.getStringAttr(description.kind));
  SmallVector<mlir::NamedAttribute> limits;
  for (const auto &[name, limit] : description.limits)
    limits.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(limit)));
  module->setAttr("sluice.limits", b.getDictionaryAttr(limits));
  if (!description.eos.empty())
    module->setAttr("sluice.eos", b.getDenseI64ArrayAttr(description.eos));
  if (description.embedMaxSeqLength)
    module->setAttr("sluice.embed",
                    b.getDictionaryAttr(b.getNamedAttr(
                        "max_seq_length", b.getI64IntegerAttr(description.embedMaxSeqLength))));
  if (description.seed)
    module->setAttr("sluice.random_seed", b.getI64IntegerAttr(int64_t(*description.seed)));
  else if (!description.checkpoint.empty())
    module->setAttr("sluice.weights", b.getStringAttr(description.checkpoint));
}

void Importer::weight(const Weight &weight) {
  SmallVector<int64_t> shape;
  if (weight.stack)
    shape.push_back(weight.stack);
  if (weight.experts)
    shape.push_back(weight.experts);
  append_range(shape, weight.layerShape());
  SmallVector<mlir::Attribute> names;
  SmallVector<int64_t> rows;
  for (const Source &source : weight.sources) {
    names.push_back(b.getStringAttr(source.name));
    rows.push_back(source.shape.front());
  }
  ParamOp::create(b, locationOf(b.getContext(), weight.at), b.getStringAttr(weight.name),
                  weight.stack ? b.getI64IntegerAttr(weight.stack) : nullptr,
                  weight.experts ? b.getI64IntegerAttr(weight.experts) : nullptr,
                  RoleAttr::get(b.getContext(), *symbolizeRole(weight.role)),
                  mlir::TypeAttr::get(mlir::RankedTensorType::get(
                      shape, elementType(b.getContext(), weight.dtype))),
                  b.getArrayAttr(names), b.getDenseI64ArrayAttr(rows), nullptr,
                  weight.transposed ? b.getUnitAttr() : nullptr,
                  weight.alternating ? b.getUnitAttr() : nullptr,
                  weight.layers.empty() ? nullptr : b.getDenseI64ArrayAttr(weight.layers));
}

mlir::Type Importer::inputType(const InputType &type) {
  switch (type.kind) {
  case InputType::Batch:
    return BatchType::get(b.getContext());
  case InputType::Pages:
    return PagesType::get(b.getContext(),
                          mlir::FlatSymbolRefAttr::get(b.getContext(), type.memory));
  case InputType::Tensor: {
    SmallVector<int64_t> shape = {mlir::ShapedType::kDynamic};
    append_range(shape, type.shape);
    return mlir::RankedTensorType::get(shape, elementType(b.getContext(), type.dtype));
  }
  }
  llvm_unreachable("all kinds are listed");
}

bool Importer::function(const Function &function) {
  mlir::Location loc = locationOf(b.getContext(), function.at);
  SmallVector<mlir::Type> types;
  for (const auto &[name, type] : function.inputs)
    types.push_back(inputType(type));
  auto op = mlir::func::FuncOp::create(b, loc, function.name,
                                       b.getFunctionType(types, mlir::TypeRange()));
  op->setAttr("sluice.export", b.getUnitAttr());
  mlir::OpBuilder::InsertionGuard guard(b);
  mlir::Block *entry = op.addEntryBlock();
  b.setInsertionPointToStart(entry);

  StepBuilder steps(b, description, log);
  for (auto [input, argument] : zip(function.inputs, entry->getArguments()))
    steps.define(input.first, argument);
  if (!steps.build(function.steps))
    return false;
  SmallVector<mlir::Value> results;
  for (const auto &[name, value] : function.results)
    results.push_back(steps.lookup(value));
  mlir::func::ReturnOp::create(b, loc, results);
  // Attributes of results need the final type.
  op.setFunctionType(b.getFunctionType(types, mlir::ValueRange(results).getTypes()));
  for (auto [index, input] : enumerate(function.inputs))
    op.setArgAttr(index, "sluice.name", b.getStringAttr(input.first));
  for (auto [index, result] : enumerate(function.results))
    op.setResultAttr(index, "sluice.name", b.getStringAttr(result.first));
  return true;
}

mlir::OwningOpRef<mlir::ModuleOp> Importer::run() {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(locationOf(b.getContext(), description.at));
  moduleAttributes(*module);
  b.setInsertionPointToEnd(module->getBody());
  for (const Weight &one : description.weights)
    weight(one);
  for (const KVMemory &memory : description.memories)
    KVOp::create(b, locationOf(b.getContext(), memory.at), memory.name, memory.layers, memory.heads,
                 memory.key, memory.value, memory.page, elementType(b.getContext(), memory.dtype));
  for (const Function &one : description.functions)
    if (!function(one))
      return nullptr;
  return module;
}

/// The first line that a location speaks of.
FilePosition firstPlace(mlir::Location loc) {
  if (auto file = dyn_cast<mlir::FileLineColLoc>(loc))
    return {file.getFilename().str(), file.getLine(), file.getColumn()};
  if (auto fused = dyn_cast<mlir::FusedLoc>(loc))
    for (mlir::Location one : fused.getLocations())
      return firstPlace(one);
  return {};
}

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const Model &model,
                                              ProblemLog &log) {
  context.loadDialect<SluiceDialect, mlir::func::FuncDialect, mlir::arith::ArithDialect,
                      mlir::tensor::TensorDialect, mlir::scf::SCFDialect>();
  // A rule that an op of the description breaks is the description's mistake: its line, its exit
  // code.
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      log.report(Severity::BadInput, firstPlace(diagnostic.getLocation()), diagnostic.str());
    return mlir::success();
  });
  mlir::OwningOpRef<mlir::ModuleOp> module = Importer(context, model.description(), log).run();
  if (!module || failed(mlir::verify(*module)))
    return nullptr;
  return module;
}

} // namespace sluice::model
