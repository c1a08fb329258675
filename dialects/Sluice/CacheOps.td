// SPDX-License-Identifier: Apache-2.0
//
// cache: what a sequence remembers of its keys and values.

#ifndef SLUICE_CACHE_OPS_TD
#define SLUICE_CACHE_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_CacheAppendOp : Sluice_Op<"cache.append", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
                                                      DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "writes this step's keys and values behind those that a sequence has";
  let description = [{
    **Computes** new pages: row r, the i-th token of its sequence (cached ones counted), fills slot i of `layer`, that is
    slot i mod `page` of the sequence's page number i / `page`. All other slots stay. Pages whose values are shared with their
    keys (`sluice.kv`) get keys only.

    **Shapes**  key [R, G, D] · value [R, G, E]

    **Rules**
    - (R1) Each letter has one size wherever it appears; G, D and E agree with the pages' `heads`, `key` and `value`.
    - (R2) Keys and values are f32.
    - (R3) `pages` names a `sluice.kv`, and the result has its type (tensor form); in buffer form there is no result.
    - (R4) `value` is there unless the pages are `shared`.

    **Edges**  A page number outside the pool ends the step in a trap record. The caller guarantees that pages to be
    appended to are not shared.

    **Numerics**  Rounded to nearest even to the pages' element type.

    **Effects**  The pages are a linear value: after an append only its result may be read. In buffer form the pages are
    written in place.

    **Example**
    ```mlir
    %kv1 = sluice.cache.append %k, %v to %kv0[%l] batch %b
      : (tensor<?x2x64xf32>, tensor<?x2x64xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
    ```
    **Lowers to**  cpu: each row writes its slot of the KV tile, `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$key, Optional<Sluice_FloatRows>:$value, Sluice_PagesType:$pages, Index:$layer,
                       Sluice_BatchType:$batch);
  let results = (outs Optional<Sluice_PagesType>:$result);
  let assemblyFormat = [{
    $key (`,` $value^)? `to` $pages `[` $layer `]` `batch` $batch attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Sluice_CachePackOp : Sluice_Op<"cache.pack", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "packs this step's keys and values into tiles, as an append would";
  let description = [{
    **Computes** KV tiles in scratch memory (docs/Contracts.md, section 3), so that attention over tensors is attention over
    tiles: the same kernel, the same bits. Buffer form only.

    **Shapes**  key [R, G, D] · value [R, G, E] · into: bytes

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) Keys and values are memrefs of f32, `into` is i8.

    **Example**
    ```mlir
    sluice.cache.pack %k, %v batch %b into %tiles
      : (memref<?x4x16xf32>, memref<?x4x16xf32>, !sluice.batch, memref<?xi8>)
    ```
    **Lowers to**  cpu: `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$key, Sluice_FloatRows:$value, Sluice_BatchType:$batch, AnyStridedMemRef:$into);
  let assemblyFormat = "$key `,` $value `batch` $batch `into` $into attr-dict `:` `(` type(operands) `)`";
  let hasVerifier = 1;
}

#endif // SLUICE_CACHE_OPS_TD
