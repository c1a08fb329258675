// SPDX-License-Identifier: Apache-2.0
//
// heads: what is done to each head of a row by itself, as latent attention needs it.

#ifndef SLUICE_HEADS_OPS_TD
#define SLUICE_HEADS_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_HeadsTurn : Sluice_Enum<"HeadsTurn", "which way round a head's matrix is multiplied by", [
  I32EnumAttrCase<"Plain", 0, "plain">,
  I32EnumAttrCase<"Turned", 1, "turned">]>;
def Sluice_HeadsTurnAttr : EnumAttr<Sluice_Dialect, Sluice_HeadsTurn, "heads_turn">;

def Sluice_HeadsLinearOp : Sluice_ComputeOp<"heads.linear"> {
  let summary = "multiplies each head by its own part of one weight";
  let description = [{
    **Computes**, for each row r and head h, with the weight's M outputs seen as H blocks of S = M / H and
    W_h[i, :] = weight[h * S + first + i, :]:

        result[r, h, n] = sum over k of rows[r, h, k] * W_h[n, k]        `plain`: as a linear layer
        result[r, h, n] = sum over k of rows[r, h, k] * W_h[k, n]        `turned`

    So one weight that makes keys and values of a latent, head by head, also takes queries into the space of the latent
    (`turned`, with the rows that make keys) and sums of latents out of it (`plain`, with those that make values).

    **Shapes**  rows [R, H, K] · weight [M, C] · result [R, H, N]; `plain`: C = K, and N of a block's S rows are used;
    `turned`: C = N, and K of them.

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) M is a multiple of H; `first` is not negative, and the rows that are used end within S.
    - (R3) `rows` is f32, the weight dense; the result is f32, bf16 or f16.

    **Edges**  R = 0 gives no rows. NaN and Inf spread as the formula says.

    **Numerics**  One chain per result, k ascending from +0 in f32, the weight's numbers widened; then rounded once to the
    result's type. Bound: docs/Numerics.md, row "heads.linear".

    **Example**
    ```mlir
    %z = sluice.heads.linear turned %q, %w {first = 0 : i64} : (tensor<?x4x12xf32>, tensor<112x24xbf16>) -> tensor<?x4x24xf32>
    %o = sluice.heads.linear plain %a, %w {first = 12 : i64} : (tensor<?x4x24xf32>, tensor<112x24xbf16>) -> tensor<?x4x16xbf16>
    ```
    **Lowers to**  cpu: the weight lies in rows and is read once for all rows of a worker's heads, `share heads`.
  }];
  let arguments = (ins Sluice_HeadsTurnAttr:$turn, Sluice_FloatRows:$rows, Sluice_Weight:$weight,
                       Variadic<AnyStridedMemRef>:$into, I64Attr:$first, OptionalAttr<TypeAttr>:$round);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    custom<Word>($turn) $rows `,` $weight (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// Rows of the weight that belong to a head.
    int64_t getBlockRows();
  }];
  let hasVerifier = 1;
}

def Sluice_HeadsJoinOp : Sluice_ComputeOp<"heads.join", [AttrSizedOperandSegments]> {
  let summary = "puts the channels of several pieces of heads one behind another";
  let description = [{
    **Computes**  result[r, h, :] = the channels of piece 0, then those of piece 1, ..., each of head h; a piece with one head
    gives it to all.

    **Shapes**  each piece [R, H, d_i] or [R, 1, d_i] · result [R, H, D], D = sum of d_i

    **Rules**
    - (R1) There are at least two pieces; R has one size wherever it appears.
    - (R2) A piece has as many heads as the result, or one.
    - (R3) The pieces' channels add up to D.
    - (R4) Pieces and result have one element type.

    **Edges**  R = 0 gives no rows.

    **Numerics**  Exact: copies.

    **Example**
    ```mlir
    %k = sluice.heads.join %nope, %rope : (tensor<?x4x12xf32>, tensor<?x1x8xf32>) -> tensor<?x4x20xf32>
    ```
    **Lowers to**  cpu: row kernel, `share rows`.
  }];
  let arguments = (ins Variadic<Sluice_FloatRows>:$pieces, Variadic<AnyStridedMemRef>:$into);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $pieces (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations() { return {}; }
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_HEADS_OPS_TD
