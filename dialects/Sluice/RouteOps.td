// SPDX-License-Identifier: Apache-2.0
//
// route: which experts see which rows, their layers, and what becomes of their results.

#ifndef SLUICE_ROUTE_OPS_TD
#define SLUICE_ROUTE_OPS_TD

include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

def Sluice_RouteScore : Sluice_Enum<"RouteScore", "what a router makes of its logits", [
  I32EnumAttrCase<"Softmax", 0, "softmax">,
  I32EnumAttrCase<"Sigmoid", 1, "sigmoid">,
  I32EnumAttrCase<"SqrtSoftplus", 2, "sqrt_softplus">,
  I32EnumAttrCase<"Raw", 3, "raw">]>;
def Sluice_RouteScoreAttr : EnumAttr<Sluice_Dialect, Sluice_RouteScore, "route_score">;

def Sluice_RouteWeigh : Sluice_Enum<"RouteWeigh", "how the scores of the chosen experts become weights", [
  I32EnumAttrCase<"Score", 0, "score">,
  I32EnumAttrCase<"Sum", 1, "sum">,
  I32EnumAttrCase<"Softmax", 2, "softmax">]>;
def Sluice_RouteWeighAttr : EnumAttr<Sluice_Dialect, Sluice_RouteWeigh, "route_weigh">;

def Sluice_RouteChooser : Sluice_Enum<"RouteChooser", "who chooses: each row its experts, or each expert its rows", [
  I32EnumAttrCase<"Rows", 0, "rows">,
  I32EnumAttrCase<"Experts", 1, "experts">]>;
def Sluice_RouteChooserAttr : EnumAttr<Sluice_Dialect, Sluice_RouteChooser, "route_chooser">;

def Sluice_GroupScore : Sluice_Enum<"GroupScore", "what a group of experts is worth", [
  I32EnumAttrCase<"Max", 0, "max">,
  I32EnumAttrCase<"TopTwo", 1, "top_two">]>;
def Sluice_GroupScoreAttr : EnumAttr<Sluice_Dialect, Sluice_GroupScore, "group_score">;

// Numbers of experts: a row's choices.
def Sluice_ChoiceRows : AnyTypeOf<[2DTensorOf<[I32]>, StridedMemRefRankOf<[I32], [2]>]>;

def Sluice_RouteOp : Sluice_ComputeOp<"route", [AttrSizedOperandSegments]> {
  let summary = "chooses experts for each row, and their weights";
  let description = [{
    **Computes** from the logits z of each row, with E experts and C choices:

        s[e] = softmax(z)[e], 1 / (1 + exp(-z[e])), sqrt(ln(1 + exp(z[e]))), or z[e]    softmax, sigmoid, sqrt_softplus, raw
        v[e] = s[e] + bias[e], or z[e] where there is no bias                           what is compared

    With `groups G`, experts are G neighbouring groups of E / G, a group is worth its largest v (`max`) or the sum of its two
    largest s + bias (`top_two`; without bias, of s), and only the `top_groups` groups of most worth stay open. The C = `top`
    open experts of largest v, largest first, are the row's `ids`. With t the s of these (bias never counts here) the
    weights are

        score     scale * t
        sum       scale * t / (sum of t + 1e-20)
        softmax   scale * softmax(t) over the C choices

    Of equal ones the lowest number comes first, among experts and among groups; NaN counts as below everything.

    `capacity` (or `capacity_factor` f, which is a capacity of ceil(R * f / E)) is how many rows an expert takes: choices are counted
    row after row, and within a row in their order; one that comes too late is dropped: its id is -1 and its weight 0.

    With `chooser = experts`, each expert e chooses: the `capacity` rows (all when there are fewer) of largest s[e], of equal ones the
    first. Choice e of a row is e with weight scale * s[e] where it was chosen, else -1 with weight 0; so C = E.

    **Shapes**  logits [R, E] · bias [E] · ids [R, C] · weights [R, C]

    **Rules**
    - (R1) Each letter has one size wherever it appears; E and C are static, and E is at most 4096.
    - (R2) `logits` and the weights are f32, the ids i32.
    - (R3) `top` is C, from 1 to E.
    - (R4) `weigh softmax` goes with raw scores, and raw scores only with it.
    - (R5) `groups` divides E, `top_groups` is from 1 to `groups`, the open groups have `top` experts together; `group_score = top_two`
      needs groups of two or more. `top_groups` and `group_score` come with `groups`, and `groups` with `top_groups`.
    - (R6) `scale` is finite and positive.
    - (R7) `capacity` is at least 1, `capacity_factor` finite and positive; one of them is given.
    - (R8) `batch_dependent` is there exactly when there is a capacity: what a row gets then depends on the other rows of the step.
    - (R9) `chooser = experts` needs a capacity, `top` = E, `weigh score`, and no bias or groups.

    **Edges**  A row of NaN chooses experts 0, 1, ... with weights NaN. Ids are always from -1 to E - 1.

    **Numerics**  In f32. Softmax is exp(z - max) over its sum, a row reduction (docs/Contracts.md, section 4) over E; sums over choices
    are chains. Without a bias and `top_two`, logits are compared as they are, so choices are exact. With them, choices whose v differ by less than the bound of s may differ between targets. Bound: docs/Numerics.md, row
    "route".

    **Example**
    ```mlir
    %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    %j, %v = sluice.route sigmoid %y top 8 weigh sum bias %b
      {groups = 8 : i64, top_groups = 4 : i64, group_score = #sluice<group_score top_two>, scale = 2.5 : f64}
      : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
    ```
    **Lowers to**  cpu: `share rows`; with a capacity `share one`.
  }];
  let arguments = (ins Sluice_RouteScoreAttr:$score, Sluice_FloatRows:$logits, Optional<Sluice_Weight>:$bias,
                       Variadic<AnyStridedMemRef>:$into, I64Attr:$top, Sluice_RouteWeighAttr:$weigh,
                       OptionalAttr<Sluice_RouteChooserAttr>:$chooser,
                       OptionalAttr<I64Attr>:$groups, OptionalAttr<I64Attr>:$top_groups,
                       OptionalAttr<Sluice_GroupScoreAttr>:$group_score, OptionalAttr<F64Attr>:$scale,
                       OptionalAttr<I64Attr>:$capacity, OptionalAttr<F64Attr>:$capacity_factor,
                       UnitAttr:$batch_dependent);
  let results = (outs Variadic<AnyRankedTensor>:$routed);
  let assemblyFormat = [{
    custom<Word>($score) $logits `top` $top `weigh` custom<Word>($weigh) (`bias` $bias^)? (`into` $into^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    /// Ids and weights.
    unsigned getOutputCount() { return 2; }
    int64_t getExperts() { return ::llvm::cast<::mlir::ShapedType>(getLogits().getType()).getDimSize(1); }
    bool expertsChoose() { return getChooser().value_or(RouteChooser::Rows) == RouteChooser::Experts; }
    /// Rows that an expert takes of a step of `rows` rows; `rows` or more when there is no capacity.
    int64_t capacityOf(int64_t rows);
  }];
  let hasVerifier = 1;
}

def Sluice_RouteExpertsOp : Sluice_ComputeOp<"route.experts", [AttrSizedOperandSegments]> {
  let summary = "multiplies rows by the weight matrices of the experts that they chose";
  let description = [{
    **Computes**, for each row r and choice c with expert e = ids[r, c]:

        result[r, c, n] = sum over k of x[k] * weight[e, n, k] + bias[e, n]

    where x is rows[r, :], or rows[r, c, :] when each choice has its own. An encoded weight (`#sluice.blocks`) and `inputs int8`
    mean what they mean for `sluice.linear`.

    **Shapes**  rows [R, K] or [R, C, K] · weight [E, N, K] · ids [R, C] · bias [E, N] · result [R, C, N]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) `rows` has the element type of `weight`, or is f32 when `weight` is f16; in buffer form it may be f32 that is already
      rounded.
    - (R3) The result is f32, and ids are i32.
    - (R4) `inputs` needs an encoded weight.
    - (R5) In buffer form `groups` says which choices are whose (`sluice.route.group`): order [R, C, 2] and start [E + 1], both i32. In
      tensor form there is none.

    **Edges**  A choice whose id is not from 0 to E - 1 gives zeros. R = 0 gives no rows.

    **Numerics**  As `sluice.linear`: what a row gets does not depend on which other rows chose its expert.

    **Effects**  The weights of an expert that no row chose are not read; those of the others are read once for up to a tile of rows.

    **Example**
    ```mlir
    %h = sluice.route.experts %x, %w by %i : (tensor<?x64xbf16>, tensor<8x96x64xbf16>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
    ```
    **Lowers to**  cpu: panels kernel over each expert's rows, `share columns`.
  }];
  let arguments = (ins Sluice_FloatRows:$rows, Sluice_StoredWeight:$weight, Sluice_ChoiceRows:$ids,
                       Optional<Sluice_Weight>:$bias, Variadic<AnyStridedMemRef>:$groups, Variadic<AnyStridedMemRef>:$into,
                       OptionalAttr<Sluice_RowCodeAttr>:$inputs, OptionalAttr<AnyAttr>:$schedule);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $rows `,` $weight (`inputs` custom<OptionalWord>($inputs)^)? `by` $ids (`bias` $bias^)? (`groups` $groups^)? (`into` $into^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
    int64_t getExperts() { return ::llvm::cast<::mlir::ShapedType>(getWeight().getType()).getDimSize(0); }
    /// One expert's weight.
    ::mlir::RankedTensorType getExpertType();
  }];
  let hasVerifier = 1;
}

def Sluice_RouteCombineOp : Sluice_ComputeOp<"route.combine", [AttrSizedOperandSegments]> {
  let summary = "adds up the results of a row's choices, each by its weight";
  let description = [{
    **Computes** `result[r, n] = sum over c of weights[r, c] * rows[r, c, n] + residual[r, n]`; without `residual` the sum alone. With C = 1
    it multiplies each row by a number of its own (the gate of a shared expert).

    **Shapes**  rows [R, C, N] · weights [R, C] · residual [R, N] · result [R, N]

    **Rules**
    - (R1) Each letter has one size wherever it appears.
    - (R2) All are f32.

    **Edges**  NaN and Inf spread as the formula says: what nobody computed is zero (`sluice.route.experts`), not absent.

    **Numerics**  One chain per number, `acc = fma(weight, row, acc)` over c ascending from +0, then the residual. Bound:
    docs/Numerics.md, row "route.combine".

    **Effects**  In buffer form `residual` may be the destination itself.

    **Example**
    ```mlir
    %y = sluice.route.combine %h weights %w residual %x
      : (tensor<?x2x64xf32>, tensor<?x2xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
    ```
    **Lowers to**  cpu: row kernel, `share rows`.
  }];
  let arguments = (ins Sluice_FloatRows:$rows, Sluice_FloatRows:$weights, Optional<Sluice_FloatRows>:$residual,
                       Variadic<AnyStridedMemRef>:$into);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $rows `weights` $weights (`residual` $residual^)? (`into` $into^)? attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    OperationCount countOperations();
  }];
  let hasVerifier = 1;
}

def Sluice_RouteGroupOp : Sluice_ComputeOp<"route.group"> {
  let summary = "sorts a step's choices by expert";
  let description = [{
    **Computes** `order`, all choices (r, c) as pairs, those of expert 0 first, then those of expert 1 and so on, and in the end those of
    no expert; within an expert in the order of r, then c. `start[e]` is where expert e begins, `start[E]` where no expert does:
    `start[e + 1] - start[e]` is the load of expert e. Buffer form only: it is how `sluice.route.experts` finds its rows.

    **Shapes**  ids [R, C] · order [R, C, 2] · start [E + 1]

    **Rules**
    - (R1) Each letter has one size wherever it appears, and there is no tensor form.
    - (R2) All are i32.
    - (R3) `order` is dense.

    **Example**
    ```mlir
    sluice.route.group %i into %order, %start : (memref<?x2xi32>, memref<?x2x2xi32>, memref<9xi32>) -> ()
    ```
    **Lowers to**  cpu: a counting sort, `share one`.
  }];
  let arguments = (ins Sluice_ChoiceRows:$ids, Variadic<AnyStridedMemRef>:$into);
  let results = (outs Variadic<AnyRankedTensor>:$grouped);
  let assemblyFormat = "$ids (`into` $into^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    OperationCount countOperations();
    unsigned getOutputCount() { return 2; }
  }];
  let hasVerifier = 1;
}

#endif // SLUICE_ROUTE_OPS_TD
