// SPDX-License-Identifier: Apache-2.0
//
// Choices that change numbers, as enums and attributes. A boolean that changes numbers is never used.

#ifndef SLUICE_ATTRS_TD
#define SLUICE_ATTRS_TD

include "dialects/Sluice/SluiceInterfaces.td"
include "mlir/IR/TensorEncoding.td"

class Sluice_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::sluice";
  let genSpecializedAttr = 0;
}

def Sluice_NanRule : Sluice_Enum<"NanRule", "what a NaN operand does", [
  I32EnumAttrCase<"Propagate", 0, "propagate">,
  I32EnumAttrCase<"Ignore", 1, "ignore">]>;
def Sluice_NanRuleAttr : EnumAttr<Sluice_Dialect, Sluice_NanRule, "nan">;

def Sluice_NormKind : Sluice_Enum<"NormKind", "which statistic a norm divides by", [
  I32EnumAttrCase<"Rms", 0, "rms">,
  I32EnumAttrCase<"Layer", 1, "layer">,
  I32EnumAttrCase<"L2", 2, "l2">]>;
def Sluice_NormKindAttr : EnumAttr<Sluice_Dialect, Sluice_NormKind, "norm_kind">;

def Sluice_Function : Sluice_Enum<"Function", "an elementwise activation function", [
  I32EnumAttrCase<"Silu", 0, "silu">,
  I32EnumAttrCase<"GeluErf", 1, "gelu_erf">,
  I32EnumAttrCase<"GeluTanh", 2, "gelu_tanh">,
  I32EnumAttrCase<"QuickGelu", 3, "quick_gelu">,
  I32EnumAttrCase<"Relu", 4, "relu">,
  I32EnumAttrCase<"Relu2", 5, "relu2">,
  I32EnumAttrCase<"Tanh", 6, "tanh">,
  I32EnumAttrCase<"Sigmoid", 7, "sigmoid">,
  I32EnumAttrCase<"Identity", 8, "identity">]>;
def Sluice_FunctionAttr : EnumAttr<Sluice_Dialect, Sluice_Function, "function">;

def Sluice_RopePairing : Sluice_Enum<"RopePairing", "which two channels a rotation mixes", [
  I32EnumAttrCase<"Halves", 0, "halves">,
  I32EnumAttrCase<"Neighbours", 1, "neighbours">]>;
def Sluice_RopePairingAttr : EnumAttr<Sluice_Dialect, Sluice_RopePairing, "rope_pairing">;

def Sluice_PoolKind : Sluice_Enum<"PoolKind", "how a sequence's rows become one row", [
  I32EnumAttrCase<"Mean", 0, "mean">,
  I32EnumAttrCase<"First", 1, "first">,
  I32EnumAttrCase<"Last", 2, "last">]>;
def Sluice_PoolKindAttr : EnumAttr<Sluice_Dialect, Sluice_PoolKind, "pool_kind">;

def Sluice_Role : Sluice_Enum<"Role", "what a parameter is to the layer that uses it; decides its generated values", [
  I32EnumAttrCase<"Weight", 0, "weight">,
  I32EnumAttrCase<"Scale", 1, "scale">,
  I32EnumAttrCase<"Bias", 2, "bias">,
  I32EnumAttrCase<"Table", 3, "table">]>;
def Sluice_RoleAttr : EnumAttr<Sluice_Dialect, Sluice_Role, "role">;

def Sluice_Layout : Sluice_Enum<"Layout", "how a parameter's bytes lie in memory (docs/Contracts.md, section 3)", [
  I32EnumAttrCase<"Rows", 0, "rows">,
  I32EnumAttrCase<"Panel", 1, "panel">]>;
def Sluice_LayoutAttr : EnumAttr<Sluice_Dialect, Sluice_Layout, "layout">;

def Sluice_RowCode : Sluice_Enum<"RowCode", "what a linear layer makes of its rows before it multiplies them", [
  I32EnumAttrCase<"Int8", 0, "int8">]>;
def Sluice_RowCodeAttr : EnumAttr<Sluice_Dialect, Sluice_RowCode, "row_code">;

class Sluice_Attr<string name, string mnemonic_, list<Trait> traits = []>
    : AttrDef<Sluice_Dialect, name, traits> {
  let mnemonic = mnemonic_;
}

// Masks: `i` counts queries and `j` keys from the start of their sequence, cached tokens included.

class Sluice_Mask<string name, string mnemonic_, list<string> methods = []>
    : Sluice_Attr<name, mnemonic_, [DeclareAttrInterfaceMethods<Sluice_MaskAttrInterface, methods>]>;

def Sluice_AllAttr : Sluice_Mask<"All", "all", ["isAll"]> {
  let summary = "every query sees every key of its sequence";
}

def Sluice_CausalAttr : Sluice_Mask<"Causal", "causal"> {
  let summary = "a query sees the keys up to and including its own: j <= i";
}

def Sluice_WindowAttr : Sluice_Mask<"Window", "window"> {
  let summary = "a query sees no key that is `keys` or more behind it: i - j < keys";
  let description = "With causal: the last `keys` keys, its own included. Alone it says nothing about later keys.";
  let parameters = (ins "int64_t":$keys);
  let assemblyFormat = "`<` $keys `>`";
  let genVerifyDecl = 1;
}

def Sluice_AheadAttr : Sluice_Mask<"Ahead", "ahead"> {
  let summary = "a query sees no key that is more than `keys` ahead of it: j - i <= keys";
  let parameters = (ins "int64_t":$keys);
  let assemblyFormat = "`<` $keys `>`";
  let genVerifyDecl = 1;
}

def Sluice_PrefixAttr : Sluice_Mask<"Prefix", "prefix"> {
  let summary = "a query sees the first `keys` keys of its sequence: j < keys";
  let description = [{
    With pages, the prefix has to come in one step: what is not appended yet cannot be seen.
  }];
  let parameters = (ins "int64_t":$keys);
  let assemblyFormat = "`<` $keys `>`";
  let genVerifyDecl = 1;
}

def Sluice_PrefixesAttr : Sluice_Mask<"Prefixes", "prefixes", ["getNeeds"]> {
  let summary = "as prefix, with a length for each sequence: the operand `prefixes`";
}

def Sluice_SegmentAttr : Sluice_Mask<"Segment", "segment", ["getNeeds"]> {
  let summary = "a query sees the keys of this step whose row has the same number in the operand `segments`";
  let description = "Keys from before this step belong to no segment.";
}

def Sluice_TreeAttr : Sluice_Mask<"Tree", "tree", ["getNeeds"]> {
  let summary = "a query sees all keys from before this step, its own, and those of its ancestors";
  let description = [{
    `parents[r]` is which row of its sequence in this step (counted from 0) comes before row r; a number that is not
    below the row's own says that none does.
  }];
}

class Sluice_MaskOfMasks<string name, string mnemonic_> : Sluice_Mask<name, mnemonic_, ["getNeeds", "isAll"]> {
  let parameters = (ins ArrayRefParameter<"::mlir::Attribute">:$masks);
  let assemblyFormat = "`<` $masks `>`";
  let genVerifyDecl = 1;
}

def Sluice_AndAttr : Sluice_MaskOfMasks<"And", "and"> {
  let summary = "a query sees the keys that each of the masks shows it";
}

def Sluice_OrAttr : Sluice_MaskOfMasks<"Or", "or"> {
  let summary = "a query sees the keys that one of the masks shows it";
}

def Sluice_BlocksAttr : Sluice_Attr<"Blocks", "blocks",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding, ["verifyEncoding"]>]> {
  let summary = "a weight stored as small codes, with a scale for each block";
  let description = [{
    The encoding of a weight's tensor type. A block is `rows` outputs by `columns` inputs of one layer; it has one scale of
    type `scale` and one code of type `element` per number, and the number is `scale * code` in f32, exactly. The tensor's
    element type says what rows the weight takes, as for a dense weight; the numbers themselves are not rounded to it.

    Codes of i8 and i4 are signed. How blocks are made: docs/Contracts.md, section 8; how they lie: section 3. Codes of f4E2M1FN
    (0, 0.5, 1, 1.5, 2, 3, 4, 6 and a sign) with scales of f8E8M0FNU (powers of two) are MXFP4; they are read from checkpoints.

    - (R1) `element` is i8 or i4 with a `scale` of bf16, or f4E2M1FN with f8E8M0FNU; `rows` is 1. Other encodings are not built.
    - (R2) `columns` is a power of two from 32 to 1024; with f4E2M1FN it is 32.
    - (R3) The tensor has two dimensions beside the layers and experts, and an element type of f32, bf16 or f16.

    ```mlir
    tensor<24x1152x896xbf16, #sluice.blocks<element = i8, rows = 1, columns = 128, scale = bf16>>
    ```
  }];
  let parameters = (ins "::mlir::Type":$element, "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$scale);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bits of a code, and the codes in a word of 32 bits.
    int64_t getBits() const;
    int64_t getCodesPerWord() const { return 32 / getBits(); }
    /// Whether codes are floats (MXFP4): their bits are stored as they are.
    bool isFloat() const { return ::llvm::isa<::mlir::FloatType>(getElement()); }
    /// What is added to a signed code where it is stored: codes lie as unsigned numbers.
    int64_t getOffset() const { return int64_t(1) << (getBits() - 1); }
    /// Blocks of one output of `inputs` inputs, and the inputs of these, padding included.
    int64_t getBlockCount(int64_t inputs) const { return (inputs + getColumns() - 1) / getColumns(); }
    int64_t getPaddedInputs(int64_t inputs) const { return getBlockCount(inputs) * getColumns(); }
    /// Bytes of a panel of 16 outputs: first the codes, then, from `getScalesAt` on, the scales. Both are multiples
    /// of 64 (docs/Contracts.md, section 3).
    int64_t getScalesAt(int64_t inputs) const { return getPaddedInputs(inputs) * 16 * getBits() / 8; }
    int64_t getPanelBytes(int64_t inputs) const;
    /// Bytes of one layer in panels.
    int64_t getLayerBytes(int64_t outputs, int64_t inputs) const {
      return (outputs + 15) / 16 * getPanelBytes(inputs);
    }
    /// "int8 in groups of 128": for messages.
    std::string describe() const;
  }];
}

def Sluice_AnyMask : AttrConstraint<
    CPred<"::llvm::isa<::sluice::MaskAttrInterface>($_self)">, "a mask such as #sluice.causal or #sluice.all">;
def Sluice_MaskAttr : Attr<Sluice_AnyMask.predicate, Sluice_AnyMask.summary> {
  let storageType = "::sluice::MaskAttrInterface";
  let returnType = "::sluice::MaskAttrInterface";
  let convertFromStorage = "$_self";
}

// Scalings of rotary frequencies. f[i] = f32(1 / power[i]) with power[i] = f32(theta^f32(2i/dims)) is the frequency of
// pair i without scaling; what an attribute says is computed from the f32 values without rounding, then rounded to f32.

// A number, written as a decimal.
class Sluice_Number<string desc = ""> : APFloatParameter<desc> {
  let printer = "::sluice::printNumber($_printer, $_self)";
  let parser = "::sluice::parseNumber($_parser)";
}

class Sluice_RopeScaling<string name, string mnemonic_, list<string> methods = []>
    : Sluice_Attr<"Rope" # name, "rope_" # mnemonic_,
                  [DeclareAttrInterfaceMethods<Sluice_RopeScalingAttrInterface, methods>]> {
  let genVerifyDecl = 1;
  let assemblyFormat = "`<` struct(params) `>`";
}

def Sluice_RopeLinearAttr : Sluice_RopeScaling<"Linear", "linear"> {
  let summary = "f[i] / factor: positions stretched evenly";
  let parameters = (ins Sluice_Number<>:$factor);
}

def Sluice_RopeNtkAttr : Sluice_RopeScaling<"Ntk", "ntk", ["verifyFor"]> {
  let summary = "the frequencies of theta * factor^(dims / (dims - 2))";
  let parameters = (ins Sluice_Number<>:$factor);
}

def Sluice_RopeDynamicAttr : Sluice_RopeScaling<"Dynamic", "dynamic", ["verifyFor", "needsLength"]> {
  let summary = "ntk by as much as a sequence is longer than `original`";
  let description = [{
    For a row of a sequence of length n (see `sluice.rope`): f[i] when n <= original, else
    f[i] * (1 + factor * (n - original) / original)^(-2i / (dims - 2)).
  }];
  let parameters = (ins Sluice_Number<>:$factor, "int64_t":$original);
}

def Sluice_RopeLlama3Attr : Sluice_RopeScaling<"Llama3", "llama3"> {
  let summary = "long waves stretched, short ones not, with a ramp between";
  let description = [{
    With turns = original * f[i] / (2 pi): f[i] when turns > high, f[i] / factor when turns < low, else
    (1 - s) * f[i] / factor + s * f[i] with s = (turns - low) / (high - low).
  }];
  let parameters = (ins Sluice_Number<>:$factor, Sluice_Number<>:$low, Sluice_Number<>:$high, "int64_t":$original);
}

def Sluice_YarnCorners : Sluice_Enum<"YarnCorners", "whether the ends of YaRN's ramp are whole pair numbers", [
  I32EnumAttrCase<"Whole", 0, "whole">,
  I32EnumAttrCase<"Exact", 1, "exact">]>;

def Sluice_RopeYarnAttr : Sluice_RopeScaling<"Yarn", "yarn"> {
  let summary = "f[i] for the first pairs, f[i] / factor for the last, with a ramp between";
  let description = [{
    With corner(turns) = dims * ln(original / (2 pi turns)) / (2 ln theta), low = max(corner(fast), 0) and
    high = min(corner(slow), dims - 1), of which `corners = whole` takes the floor and the ceiling first (when both ends are
    the same, high is 0.001 more): ramp = clamp((i - low) / (high - low), 0, 1), and the frequency is
    ramp / (factor * power[i]) + (1 - ramp) * f[i].
  }];
  let parameters = (ins Sluice_Number<>:$factor, Sluice_Number<>:$fast, Sluice_Number<>:$slow, "int64_t":$original,
                        EnumParameter<Sluice_YarnCorners>:$corners);
}

def Sluice_RopeLongropeAttr : Sluice_RopeScaling<"Longrope", "longrope", ["verifyFor", "needsLength"]> {
  let summary = "a divisor for each pair, from one list for short sequences and another for long ones";
  let description = [{
    1 / (f32(list[i]) * power[i]), where the list is `long` for rows of a sequence of length n > original (see `sluice.rope`),
    else `short`.
  }];
  let parameters = (ins "::mlir::DenseF64ArrayAttr":$short_factors, "::mlir::DenseF64ArrayAttr":$long_factors,
                        "int64_t":$original);
}

def Sluice_AnyRopeScaling : AttrConstraint<
    CPred<"::llvm::isa<::sluice::RopeScalingAttrInterface>($_self)">, "a scaling such as #sluice.rope_linear<factor = 8.0>">;
def Sluice_RopeScalingAttr : Attr<Sluice_AnyRopeScaling.predicate, Sluice_AnyRopeScaling.summary> {
  let storageType = "::sluice::RopeScalingAttrInterface";
  let returnType = "::sluice::RopeScalingAttrInterface";
  let convertFromStorage = "$_self";
}

#endif // SLUICE_ATTRS_TD
