// RUN: sluice-check %s --target=reference

// Zero queries weigh all visible keys alike: results are means of the values 1, 2, 4, 8, ... that a row sees, so each
// visible set has its own mean.

#window = #sluice.and<#sluice.causal, #sluice.window<2>>
#local = #sluice.and<#sluice.window<2>, #sluice.ahead<1>>

// Two keys with one's own: [1], [1 2], [2 4], [4 8]; with one ahead: [1 2], [1 2 4], [2 4 8], [4 8].
func.func @window(
    %q: tensor<4x1x1xf32> {check.value = dense<0.0> : tensor<4x1x1xf32>},
    %v: tensor<4x1x1xf32> {check.value = dense<[[[1.0]], [[2.0]], [[4.0]], [[8.0]]]> : tensor<4x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 4>})
    -> (tensor<4x1x1xf32> {check.expect = dense<[[[1.0]], [[1.5]], [[3.0]], [[6.0]]]> : tensor<4x1x1xf32>},
        tensor<4x1x1xf32> {check.expect = dense<[[[1.5]], [[2.3333333]], [[4.6666665]], [[6.0]]]> : tensor<4x1x1xf32>}) {
  %y = sluice.attention %q, %v, %v batch %b mask #window {scale = 1.0 : f64}
    : (tensor<4x1x1xf32>, tensor<4x1x1xf32>, tensor<4x1x1xf32>, !sluice.batch) -> tensor<4x1x1xf32>
  %z = sluice.attention %q, %v, %v batch %b mask #local {scale = 1.0 : f64}
    : (tensor<4x1x1xf32>, tensor<4x1x1xf32>, tensor<4x1x1xf32>, !sluice.batch) -> tensor<4x1x1xf32>
  return %y, %z : tensor<4x1x1xf32>, tensor<4x1x1xf32>
}

// The same as an operand: 2 hides what the attribute hid, 0 hides nothing.
func.func @window_operand(
    %q: tensor<4x1x1xf32> {check.value = dense<0.0> : tensor<4x1x1xf32>},
    %v: tensor<4x1x1xf32> {check.value = dense<[[[1.0]], [[2.0]], [[4.0]], [[8.0]]]> : tensor<4x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 4>})
    -> (tensor<4x1x1xf32> {check.expect = dense<[[[1.0]], [[1.5]], [[3.0]], [[6.0]]]> : tensor<4x1x1xf32>},
        tensor<4x1x1xf32> {check.expect = dense<[[[1.0]], [[1.5]], [[2.3333333]], [[3.75]]]> : tensor<4x1x1xf32>}) {
  %two = arith.constant 2 : index
  %none = arith.constant 0 : index
  %y = sluice.attention %q, %v, %v batch %b mask #sluice.causal window %two {scale = 1.0 : f64}
    : (tensor<4x1x1xf32>, tensor<4x1x1xf32>, tensor<4x1x1xf32>, !sluice.batch, index) -> tensor<4x1x1xf32>
  %z = sluice.attention %q, %v, %v batch %b mask #sluice.causal window %none {scale = 1.0 : f64}
    : (tensor<4x1x1xf32>, tensor<4x1x1xf32>, tensor<4x1x1xf32>, !sluice.batch, index) -> tensor<4x1x1xf32>
  return %y, %z : tensor<4x1x1xf32>, tensor<4x1x1xf32>
}

// A prefix of 2 that all see, causal behind it; then lengths of their own for two sequences: 3 and 0.
#prefix = #sluice.or<#sluice.causal, #sluice.prefix<2>>
#prefixes = #sluice.or<#sluice.causal, #sluice.prefixes>
func.func @prefix(
    %q: tensor<5x1x1xf32> {check.value = dense<0.0> : tensor<5x1x1xf32>},
    %v: tensor<5x1x1xf32> {check.value = dense<[[[1.0]], [[2.0]], [[4.0]], [[1.0]], [[2.0]]]> : tensor<5x1x1xf32>},
    %p: tensor<2xi32> {check.value = dense<[3, 0]> : tensor<2xi32>},
    %b: !sluice.batch {check.rows = array<i64: 3, 2>})
    -> (tensor<5x1x1xf32> {check.expect = dense<[[[1.5]], [[1.5]], [[2.3333333]], [[1.5]], [[1.5]]]> : tensor<5x1x1xf32>},
        tensor<5x1x1xf32> {check.expect = dense<[[[2.3333333]], [[2.3333333]], [[2.3333333]], [[1.0]], [[1.5]]]> : tensor<5x1x1xf32>}) {
  %y = sluice.attention %q, %v, %v batch %b mask #prefix {scale = 1.0 : f64}
    : (tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, !sluice.batch) -> tensor<5x1x1xf32>
  %z = sluice.attention %q, %v, %v batch %b mask #prefixes prefixes %p {scale = 1.0 : f64}
    : (tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, !sluice.batch, tensor<2xi32>) -> tensor<5x1x1xf32>
  return %y, %z : tensor<5x1x1xf32>, tensor<5x1x1xf32>
}

// Documents 7, 7, 9, 7 of one sequence, causal inside each: [1], [1 2], [4], [1 2 8].
#document = #sluice.and<#sluice.causal, #sluice.segment>
func.func @segment(
    %q: tensor<4x1x1xf32> {check.value = dense<0.0> : tensor<4x1x1xf32>},
    %v: tensor<4x1x1xf32> {check.value = dense<[[[1.0]], [[2.0]], [[4.0]], [[8.0]]]> : tensor<4x1x1xf32>},
    %s: tensor<4xi32> {check.value = dense<[7, 7, 9, 7]> : tensor<4xi32>},
    %b: !sluice.batch {check.rows = array<i64: 4>})
    -> (tensor<4x1x1xf32> {check.expect = dense<[[[1.0]], [[1.5]], [[4.0]], [[3.6666667]]]> : tensor<4x1x1xf32>}) {
  %y = sluice.attention %q, %v, %v batch %b mask #document segments %s {scale = 1.0 : f64}
    : (tensor<4x1x1xf32>, tensor<4x1x1xf32>, tensor<4x1x1xf32>, !sluice.batch, tensor<4xi32>) -> tensor<4x1x1xf32>
  return %y : tensor<4x1x1xf32>
}

// A tree of drafts: 0 -> 1, 0 -> 2, 1 -> 3; row 4 is a root, because 9 is not below it. Sets: [0], [0 1], [0 2],
// [0 1 3], [4].
func.func @tree(
    %q: tensor<5x1x1xf32> {check.value = dense<0.0> : tensor<5x1x1xf32>},
    %v: tensor<5x1x1xf32> {check.value = dense<[[[1.0]], [[2.0]], [[4.0]], [[8.0]], [[16.0]]]> : tensor<5x1x1xf32>},
    %p: tensor<5xi32> {check.value = dense<[-1, 0, 0, 1, 9]> : tensor<5xi32>},
    %b: !sluice.batch {check.rows = array<i64: 5>})
    -> (tensor<5x1x1xf32> {check.expect = dense<[[[1.0]], [[1.5]], [[2.5]], [[3.6666667]], [[16.0]]]> : tensor<5x1x1xf32>}) {
  %y = sluice.attention %q, %v, %v batch %b mask #sluice.tree parents %p {scale = 1.0 : f64}
    : (tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, !sluice.batch, tensor<5xi32>) -> tensor<5x1x1xf32>
  return %y : tensor<5x1x1xf32>
}

// The step of TiDAR (mechanisms of masks: two drafts, then a group of two for each number of accepted drafts): drafts are
// a chain, groups hang on a draft and see themselves whole. Values 1, 2 | 4, 8 | 16, 32: sets [1], [1 2], [1 4 8] twice,
// [1 2 16 32] twice.
#tidar = #sluice.or<#sluice.tree, #sluice.segment>
func.func @tidar(
    %q: tensor<6x1x1xf32> {check.value = dense<0.0> : tensor<6x1x1xf32>},
    %v: tensor<6x1x1xf32> {check.value = dense<[[[1.0]], [[2.0]], [[4.0]], [[8.0]], [[16.0]], [[32.0]]]> : tensor<6x1x1xf32>},
    %s: tensor<6xi32> {check.value = dense<[0, 1, 2, 2, 3, 3]> : tensor<6xi32>},
    %p: tensor<6xi32> {check.value = dense<[-1, 0, 0, 0, 1, 1]> : tensor<6xi32>},
    %b: !sluice.batch {check.rows = array<i64: 6>})
    -> (tensor<6x1x1xf32> {check.expect = dense<[[[1.0]], [[1.5]], [[4.3333335]], [[4.3333335]], [[12.75]], [[12.75]]]> : tensor<6x1x1xf32>}) {
  %y = sluice.attention %q, %v, %v batch %b mask #tidar segments %s parents %p {scale = 1.0 : f64}
    : (tensor<6x1x1xf32>, tensor<6x1x1xf32>, tensor<6x1x1xf32>, !sluice.batch, tensor<6xi32>, tensor<6xi32>) -> tensor<6x1x1xf32>
  return %y : tensor<6x1x1xf32>
}

// Row 1 sees nothing: zeros, and a sum of weights whose logarithm is -inf.
#nothing = #sluice.and<#sluice.prefix<1>, #sluice.window<1>>
func.func @nothing(
    %q: tensor<2x1x1xf32> {check.value = dense<1.0> : tensor<2x1x1xf32>},
    %v: tensor<2x1x1xf32> {check.value = dense<[[[3.0]], [[5.0]]]> : tensor<2x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<2x1x1xf32> {check.expect = dense<[[[3.0]], [[0.0]]]> : tensor<2x1x1xf32>},
        tensor<2x1xf32> {check.expect = dense<[[3.0], [0xFF800000]]> : tensor<2x1xf32>}) {
  %y:2 = sluice.attention %q, %v, %v batch %b mask #nothing {scale = 1.0 : f64}
    : (tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, !sluice.batch) -> (tensor<2x1x1xf32>, tensor<2x1xf32>)
  return %y#0, %y#1 : tensor<2x1x1xf32>, tensor<2x1xf32>
}
