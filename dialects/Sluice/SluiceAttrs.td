// SPDX-License-Identifier: Apache-2.0
//
// Choices that change numbers, as enums and attributes. A boolean that changes numbers is never used.

#ifndef SLUICE_ATTRS_TD
#define SLUICE_ATTRS_TD

include "dialects/Sluice/SluiceInterfaces.td"

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
  I32EnumAttrCase<"Sigmoid", 7, "sigmoid">]>;
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

class Sluice_Attr<string name, string mnemonic_, list<Trait> traits = []>
    : AttrDef<Sluice_Dialect, name, traits> {
  let mnemonic = mnemonic_;
}

def Sluice_AllAttr : Sluice_Attr<"All", "all", [DeclareAttrInterfaceMethods<Sluice_MaskAttrInterface, ["isAll"]>]> {
  let summary = "every query sees every key of its sequence";
}

def Sluice_CausalAttr : Sluice_Attr<"Causal", "causal",
    [DeclareAttrInterfaceMethods<Sluice_MaskAttrInterface, ["isCausal"]>]> {
  let summary = "a query sees the keys up to and including its own";
}

def Sluice_AnyMask : AttrConstraint<
    CPred<"::llvm::isa<::sluice::MaskAttrInterface>($_self)">, "a mask such as #sluice.causal or #sluice.all">;
def Sluice_MaskAttr : Attr<Sluice_AnyMask.predicate, Sluice_AnyMask.summary> {
  let storageType = "::sluice::MaskAttrInterface";
  let returnType = "::sluice::MaskAttrInterface";
  let convertFromStorage = "$_self";
}

#endif // SLUICE_ATTRS_TD
