// SPDX-License-Identifier: Apache-2.0
//
// move: requests to another home, and waiting for them.

#ifndef PLACE_MOVE_OPS_TD
#define PLACE_MOVE_OPS_TD

include "dialects/Place/PlaceAttrs.td"

def Place_SubmitOp : Place_Op<"submit", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "asks another home for rows of a table";
  let description = [{
    **Computes** a request for rows `ids` of the table that `param` names, to be put into `into`; returns at once.
    The buffer may be read after the `place.await` with the same `token`.

    **Rules**
    - (R1) It stands in a phase with share `one`.
    - (R2) `token` is not negative; each token has one submit and one await.

    **Example**
    ```mlir
    place.phase "table.submit" share one {
      place.submit @table[%ids] into %rows token 0 home "host" : memref<?xi32>, memref<?x64xf32>
    }
    ```
    **Lowers to**  cpu: `sluice_home_t::gather_submit`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, AnyStridedMemRef:$ids, AnyStridedMemRef:$into, I64Attr:$token,
                       StrAttr:$home);
  let assemblyFormat = [{
    $param `[` $ids `]` `into` $into `token` $token `home` $home attr-dict `:` type($ids) `,` type($into)
  }];
  let hasVerifier = 1;
}

def Place_AwaitOp : Place_Op<"await", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for rows that were asked for";
  let description = [{
    **Computes** nothing; after it (and a barrier) the rows of request `token` may be read.

    **Rules**
    - (R1) It stands in a phase with share `one`.

    **Lowers to**  cpu: `sluice_home_t::gather_await`; a failure becomes a trap record.
  }];
  let arguments = (ins I64Attr:$token, AnyStridedMemRef:$into);
  let assemblyFormat = "`token` $token `into` $into attr-dict `:` type($into)";
  let hasVerifier = 1;
}

def Place_CopyOp : Place_Op<"copy"> {
  let summary = "copies rows, widening them where the destination is wider";
  let description = [{
    **Computes** `into[r, ...] = from[r, ...]`. `place-bufferize` writes it where a value has to lie in two places (a result
    that is also an argument, say) or in another element type than it arrives in.

    **Rules**
    - (R1) Both have the same shape.
    - (R2) Both have the same element type, or `from` is bf16 or f16 and `into` is f32.

    **Numerics**  Exact.

    **Example**
    ```mlir
    place.copy %x into %result : memref<?x384xf32, strided<[400, 1]>>, memref<?x384xf32>
    ```
    **Lowers to**  cpu: row copy, `share rows` (or `seqs`, `asked`, as its rows are).
  }];
  let arguments = (ins Arg<AnyStridedMemRef, "", [MemRead]>:$from, Arg<AnyStridedMemRef, "", [MemWrite]>:$into);
  let assemblyFormat = "$from `into` $into attr-dict `:` type($from) `,` type($into)";
  let hasVerifier = 1;
}

#endif // PLACE_MOVE_OPS_TD
