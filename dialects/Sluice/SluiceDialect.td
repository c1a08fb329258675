// SPDX-License-Identifier: Apache-2.0
//
// The dialect itself, and the base class of its ops.

#ifndef SLUICE_DIALECT_TD
#define SLUICE_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/BuiltinTypes.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Sluice_Dialect : Dialect {
  let name = "sluice";
  let cppNamespace = "::sluice";
  let summary = "what a model author would say, with memory as a first-class value";
  let description = [{
    One family of ops per mechanism: attention, cache, linear, norm, and so on. On tensors the ops say what a model
    computes and nothing about the machine. The same ops in *buffer form* (memrefs, `into`) are what the placed stage
    runs inside `place.phase`. README.md beside this file says why the ops are cut as they are.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

class Sluice_Op<string mnemonic, list<Trait> traits = []> : Op<Sluice_Dialect, mnemonic, traits>;

// Letters for sizes are listed once, in dialects/README.md.

#endif // SLUICE_DIALECT_TD
