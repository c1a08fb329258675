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
    InterfaceMethod<[{
        What the op computes, whatever the kernel: additions, multiplications, comparisons and divisions count one each, a
        fused multiply-add two, a function such as exp or tanh one. One for each number of the output unless the family
        says otherwise.
      }],
      "::sluice::OperationCount", "countOperations", (ins), [{}], [{ return ::sluice::countOutputs($_op); }]>,
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
    token of the sequence, cached ones included. A mask is a predicate of (i, j) and of what the caller says about the
    sequence (`MaskFacts`); the oracle asks for single pairs. Lowering knows the leaves (all, causal, window, ahead,
    prefix, prefixes, segment, tree) and the two ways of combining them, and asks each whether a block of queries sees
    none, some or all of a tile of keys.
  }];
  let methods = [
    InterfaceMethod<"Whether query `i` sees key `j`, both counted from the start of the sequence.",
      "bool", "isVisible", (ins "int64_t":$i, "int64_t":$j, "const ::sluice::MaskFacts &":$facts)>,
    InterfaceMethod<[{The operands of an attention that the mask reads: a union of MaskNeeds.}],
      "unsigned", "getNeeds", (ins), [{}], [{ return ::sluice::kNeedsNothing; }]>,
    InterfaceMethod<[{Whether every query sees every key, later ones too: then what a row gets depends on how a sequence
      is cut into steps.}],
      "bool", "isAll", (ins), [{}], [{ return false; }]>,
  ];
}

def Sluice_RopeScalingAttrInterface : AttrInterface<"RopeScalingAttrInterface"> {
  let cppNamespace = "::sluice";
  let description = [{
    How the frequencies of a rotation differ from theta^(-2i/dims). Each back end computes them from the attribute's
    definition: a table at compile time, but for what depends on the length of a sequence.
  }];
  let methods = [
    InterfaceMethod<"Whether frequencies depend on the length of a row's sequence.",
      "bool", "needsLength", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<"Checks what depends on the number of rotated channels; reports through `emitError`.",
      "::llvm::LogicalResult", "verifyFor",
      (ins "int64_t":$dims, "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError), [{}],
      [{ return ::mlir::success(); }]>,
  ];
}

#endif // SLUICE_INTERFACES_TD
