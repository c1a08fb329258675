// SPDX-License-Identifier: Apache-2.0
//
// team: one parallel region per step, cut into phases by barriers.

#ifndef PLACE_TEAM_OPS_TD
#define PLACE_TEAM_OPS_TD

include "dialects/Place/PlaceAttrs.td"

def Place_BufferOp : Place_Op<"buffer"> {
  let summary = "names a piece of the step's arena";
  let description = [{
    **Computes** a view of the arena at offset `at`, which `place-plan-memory` writes (absent before). The leading dimension
    is dynamic: `rows` (R), `seqs` (S), `asked` (A) or `bytes` (the whole `size`, for scratch of i8); or, with `fixed`, the
    shape is static.

    **Rules**
    - (R1) The type is a memref whose first dimension only is dynamic (none with `fixed`), with unit inner stride.
    - (R2) `bytes` goes with one dimension of i8, and nothing else does.

    **Example**
    ```mlir
    %x = place.buffer "rows" size <row = 3648, seq = 0, fixed = 0> at <row = 0, seq = 0, fixed = 0>
       : memref<?x896xf32, strided<[912, 1]>>
    ```
  }];
  let arguments = (ins StrAttr:$extent, Place_ExtentAttr:$size, OptionalAttr<Place_ExtentAttr>:$at);
  // Two buffers that look alike are two buffers until they have addresses.
  let results = (outs Res<AnyStridedMemRef, "", [MemAlloc]>:$result);
  let assemblyFormat = "$extent `size` $size (`at` $at^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Place_TeamOp : Place_Op<"team", [NoTerminator, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "runs its region on every worker of the team";
  let description = [{
    **Computes** its region, once per worker. Control flow outside of phases is uniform: every worker takes the same way,
    so that barriers meet.

    **Rules**
    - (R1) The body holds phases, barriers, `scf.for` loops of these, and ops without effects.
    - (R2) An exported function of the placed stage has exactly one team.

    **Example**  see docs/Contracts.md, section 2.
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$body attr-dict";
  let hasVerifier = 1;
}

def Place_PhaseOp : Place_Op<"phase", [NoTerminator, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "divides the work of its ops among the workers";
  let description = [{
    **Computes** the ops of its body in order, each worker on its own share of the items: `rows` of the batch, `columns`
    (panels of 16 outputs), `heads` ((row, kv head) pairs), `seqs`, `asked` rows, or `one` (worker 0 does it all).

    **Rules**
    - (R1) The body is not empty.
    - (R2) Between two ops of a phase there is no barrier, so an op may read what an earlier op of the phase wrote only for
      its own items. Checked by `check-placed-stage`: where two ops of one phase touch a buffer and one writes, the share
      is not `columns` or `heads`.

    **Example**
    ```mlir
    place.phase "attn.qkv" share columns {
      sluice.linear %h, %w into %qkv : (memref<?x896xf32>, tensor<1152x896xf32>, memref<?x1152xf32>) -> ()
    }
    ```
  }];
  let arguments = (ins StrAttr:$name, Place_ShareAttr:$share);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name `share` custom<Share>($share) $body attr-dict";
  let hasVerifier = 1;
}

def Place_BarrierOp : Place_Op<"barrier", [HasParent<"TeamOp, ::mlir::scf::ForOp">]> {
  let summary = "waits for all workers";
  let description = [{
    **Computes** nothing; no worker passes before all have come.

    **Effects**  What was written before it by any worker may be read after it by any other.
  }];
  let assemblyFormat = "attr-dict";
}

#endif // PLACE_TEAM_OPS_TD
