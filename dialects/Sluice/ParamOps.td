// SPDX-License-Identifier: Apache-2.0
//
// param: weights as symbols, used whole or one layer at a time.

#ifndef SLUICE_PARAM_OPS_TD
#define SLUICE_PARAM_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_ParamOp : Sluice_Op<"param", [Symbol]> {
  let summary = "declares a weight by name, shape and source";
  let description = [{
    **Computes** nothing: it names immutable data. The text never holds weights.

    `sources` are names of tensors in the checkpoint. With `stack L` the param is L equal layers: `{}` in a source name
    stands for the layer number and the type has a leading L. Several sources are joined along their first dimension, in
    order; `source_rows` says how many rows each contributes.

    With `experts E` each layer is E equal blocks and the type has an E after L. A source name with one `{}` more (behind that of the
    layer) names a tensor for each expert; without it the tensor holds all experts, with E as its first dimension. Rows, columns
    and `source_rows` are those of one expert.

    `layers` says which layers of the checkpoint the L blocks are, when they are not 0, 1, 2, ...: a model may have experts in some
    layers only.

    With `transposed` each source (of one expert) lies in the checkpoint as [columns, rows] (GPT-2's Conv1D), and is turned when it
    is packed. With `alternating` its rows take turns: first comes its row 0, 2, 4, ..., then row 1, 3, 5, ...

    `role` says what the param is to the layer that uses it; generated weights depend on it (docs/Contracts.md, section 5).
    `layout` is written by `place-choose-layouts`. A type with an encoding (`#sluice.blocks`) says that the sources' numbers,
    rounded to the element type, are stored as codes and scales.

    **Rules**
    - (R1) There is at least one source, and as many `source_rows` as sources.
    - (R2) `stack` is positive and equals the leading dimension; without it the type has no layer dimension. The same for `experts` and
      the next dimension.
    - (R3) `source_rows` are positive and add up to the first dimension (after L and E).
    - (R4) The shape is static and no dimension is zero.
    - (R5) With `stack`, every source name has exactly one `{}`; without it, none; with `experts` it may have one more.
    - (R6) `layout = panel` and `transposed` need two dimensions (after L and E).
    - (R7) A type with an encoding is `#sluice.blocks`, has two dimensions (after L and E), and no layout but `panel`.
    - (R8) `layers` has L numbers, from 0 on, ascending.
    - (R9) With `alternating` every source has an even number of rows.

    **Example**
    ```mlir
    sluice.param @qkv stack 24 role weight : tensor<24x1152x896xbf16>
      from ["model.layers.{}.self_attn.q_proj.weight", "model.layers.{}.self_attn.k_proj.weight",
            "model.layers.{}.self_attn.v_proj.weight"] rows [896, 128, 128]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<I64Attr>:$stack, OptionalAttr<I64Attr>:$experts, Sluice_RoleAttr:$role,
                       TypeAttrOf<Sluice_StoredWeight>:$type, StrArrayAttr:$sources, DenseI64ArrayAttr:$source_rows,
                       OptionalAttr<Sluice_LayoutAttr>:$layout, UnitAttr:$transposed, UnitAttr:$alternating,
                       OptionalAttr<DenseI64ArrayAttr>:$layers);
  let assemblyFormat = [{
    $sym_name (`stack` $stack^)? (`experts` $experts^)? `role` custom<Word>($role) (`layout` custom<OptionalWord>($layout)^)? `:` $type
    `from` $sources `rows` $source_rows (`transposed` $transposed^)? (`alternating` $alternating^)? (`layers` $layers^)? attr-dict
  }];
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
    /// The type of one layer (of the whole param when it is not stacked).
    ::mlir::RankedTensorType getLayerType();
    /// The type of one expert of one layer (of the layer when there are none): what a block of memory holds.
    ::mlir::RankedTensorType getBlockType();
    /// Blocks of a layer, and of the whole param: block b is expert b % E of layer b / E.
    int64_t getBlocksOfLayer() { return static_cast<int64_t>(getExperts().value_or(1)); }
    int64_t getBlocks() { return static_cast<int64_t>(getStack().value_or(1)) * getBlocksOfLayer(); }
    /// The tensor of `source` that holds block `block`: the source's name with numbers for `{}`.
    std::string nameOfSource(::llvm::StringRef source, int64_t block);
    /// Whether `source` names a tensor that holds all experts of a layer.
    bool holdsAllExperts(::llvm::StringRef source);
  }];
  let hasVerifier = 1;
}

def Sluice_ParamUseOp : Sluice_Op<"param.use", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "reads a weight, or one layer of a stacked weight";
  let description = [{
    **Computes** the value of `param`, or of its layer `layer`.

    **Rules**
    - (R1) `param` names a `sluice.param`.
    - (R2) A stacked param has a layer number, another has none.
    - (R3) The result type is the param's, without L.

    **Edges**  A layer number outside [0, L) is undefined; the importer writes loops over exactly L.

    **Example**
    ```mlir
    %w = sluice.param.use @qkv[%l] : tensor<1152x896xbf16>
    %e = sluice.param.use @embed : tensor<151936x896xbf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, Optional<Index>:$layer);
  let results = (outs Sluice_StoredWeight:$result);
  let assemblyFormat = "$param (`[` $layer^ `]`)? attr-dict `:` type($result)";
}

def Sluice_KVOp : Sluice_Op<"kv", [Symbol]> {
  let summary = "declares what a page of remembered keys and values is";
  let description = [{
    **Computes** nothing: it declares a memory. A page holds `page` slots of every layer and kv head; a slot is one key of
    `key` and one value of `value` numbers of type `element`. With `shared` there are no values: that of a slot is the first
    `value` numbers of its key (the latent of MLA, behind which its rotated part lies).

    **Rules**
    - (R1) `layers`, `heads`, `key` and `value` are positive.
    - (R2) `page` is a positive multiple of 16 (one KV tile).
    - (R3) `element` is f32 or bf16.
    - (R4) With `shared`, `value` is at most `key`.

    **Example**
    ```mlir
    sluice.kv @kv layers 24 heads 2 key 64 value 64 page 16 : bf16
    sluice.kv @latent layers 27 heads 1 key 576 value 512 shared page 16 : bf16
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$layers, I64Attr:$heads, I64Attr:$key, I64Attr:$value,
                       I64Attr:$page, TypeAttr:$element, UnitAttr:$shared);
  let assemblyFormat = [{
    $sym_name `layers` $layers `heads` $heads `key` $key `value` $value (`shared` $shared^)? `page` $page `:` $element attr-dict
  }];
  let extraClassDeclaration = [{
    /// Numbers that a slot of one kv head holds.
    int64_t getSlotNumbers() { return getKey() + (getShared() ? 0 : getValue()); }
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_PARAM_OPS_TD
