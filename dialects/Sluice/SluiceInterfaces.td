// SPDX-License-Identifier: Apache-2.0
//
// What passes may ask of any op or attribute of the dialect without knowing its family.

#ifndef SLUICE_INTERFACES_TD
#define SLUICE_INTERFACES_TD

include "dialects/Sluice/SluiceDialect.td"

def Sluice_ComputeOpInterface : OpInterface<"ComputeOpInterface"> {
  let cppNamespace = "::sluice";
  let description = [{
    An op that computes on rows, in one of two forms:

    - *tensor form*: row operands are tensors, there is no `into`, every result is a tensor. The op is pure.
    - *buffer form*: row operands are memrefs, `into` names the destinations, there is no result. The op reads its
      memrefs and writes `into`; it may write in place where the family's text says so.

    Weights are immutable and stay tensor values (of `sluice.param.use`) in both forms. (R0) is that an op is wholly in
    one of the forms, and that destinations have the shape that the result would have. In buffer form `round` says that
    a destination of f32 holds numbers that are rounded to that type of 16 bits; in tensor form that they will.
  }];
  let methods = [
    InterfaceMethod<[{The operands that the op writes in buffer form, in the order of the results; empty in tensor form.}],
      "::mlir::OperandRange", "getDestinations", (ins), [{}], [{ return $_op.getInto(); }]>,
    InterfaceMethod<[{How many outputs the family has: results in tensor form, destinations in buffer form.}],
      "unsigned", "getOutputCount", (ins), [{}], [{ return 1; }]>,
    InterfaceMethod<[{Whether the op is in buffer form.}],
      "bool", "isBufferForm", (ins), [{}], [{ return !$_op.getInto().empty(); }]>,
  ];
  let verify = [{ return ::sluice::verifyForm($_op); }];
}

// A compute op: has `into` (variadic, last operand group), and derives its effects from its form.
class Sluice_ComputeOp<string mnemonic, list<Trait> traits = []>
    : Sluice_Op<mnemonic, !listconcat([Sluice_ComputeOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>],
                                      traits)> {
  let extraClassDefinition = [{
    void $cppClass::getEffects(
        ::llvm::SmallVectorImpl<::mlir::SideEffects::EffectInstance<::mlir::MemoryEffects::Effect>> &effects) {
      ::sluice::addFormEffects(getOperation(), effects);
    }
  }];
}

def Sluice_MaskAttrInterface : AttrInterface<"MaskAttrInterface"> {
  let cppNamespace = "::sluice";
  let description = [{
    Which keys a query may see. Queries and keys are counted from the start of their sequence: query `i` is the i-th
    token of the sequence, cached ones included. A mask is a predicate of (i, j); lowering asks for bounds so that hidden
    cuts are skipped, and the oracle asks for single pairs.
  }];
  let methods = [
    InterfaceMethod<"Whether query `i` sees key `j`, both counted from the start of the sequence.",
      "bool", "isVisible", (ins "int64_t":$i, "int64_t":$j)>,
    InterfaceMethod<[{Whether query `i` sees exactly the keys [0, min(keys, i + 1)).}],
      "bool", "isCausal", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<[{Whether every query sees every key.}],
      "bool", "isAll", (ins), [{}], [{ return false; }]>,
  ];
}

#endif // SLUICE_INTERFACES_TD
