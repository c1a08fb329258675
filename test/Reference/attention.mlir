// RUN: sluice-check %s --target=reference

// Zero queries weigh all visible keys alike, so results are means: causal over [8], [8, 2], [8, 2, 5]; the second
// sequence sees its own row only, and the empty one in between disturbs nobody.
func.func @causal_means(
    %q: tensor<?x1x2xf32> {check.value = dense<0.0> : tensor<4x1x2xf32>},
    %k: tensor<?x1x2xf32> {check.value = dense<[[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]], [[7.0, 8.0]]]> : tensor<4x1x2xf32>},
    %v: tensor<?x1x1xf32> {check.value = dense<[[[8.0]], [[2.0]], [[5.0]], [[100.0]]]> : tensor<4x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 3, 0, 1>})
    -> (tensor<?x1x1xf32> {check.expect = dense<[[[8.0]], [[5.0]], [[5.0]], [[100.0]]]> : tensor<4x1x1xf32>},
        tensor<?x1x1xf32> {check.expect = dense<[[[5.0]], [[5.0]], [[5.0]], [[100.0]]]> : tensor<4x1x1xf32>}) {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<?x1x2xf32>, tensor<?x1x2xf32>, tensor<?x1x1xf32>, !sluice.batch) -> tensor<?x1x1xf32>
  %z = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x1x2xf32>, tensor<?x1x2xf32>, tensor<?x1x1xf32>, !sluice.batch) -> tensor<?x1x1xf32>
  return %y, %z : tensor<?x1x1xf32>, tensor<?x1x1xf32>
}

// Scores 0.5 * 2 * (0, 1): weights 1 and e, so the result is (0 + 1 * e) / (1 + e) = 0.731058579. Without the scale it
// would be 0.880797.
func.func @scale(
    %q: tensor<2x1x1xf32> {check.value = dense<2.0> : tensor<2x1x1xf32>},
    %k: tensor<2x1x1xf32> {check.value = dense<[[[0.0]], [[1.0]]]> : tensor<2x1x1xf32>},
    %v: tensor<2x1x1xf32> {check.value = dense<[[[0.0]], [[1.0]]]> : tensor<2x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<2x1x1xf32> {check.expect = dense<0.731058579> : tensor<2x1x1xf32>}) {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0.5 : f64}
    : (tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, !sluice.batch) -> tensor<2x1x1xf32>
  return %y : tensor<2x1x1xf32>
}

// H = 4, G = 2: heads 0 and 1 read kv head 0, heads 2 and 3 kv head 1; E = 3 is not D = 1.
func.func @groups(
    %q: tensor<1x4x1xf32> {check.value = dense<1.0> : tensor<1x4x1xf32>},
    %k: tensor<1x2x1xf32> {check.value = dense<1.0> : tensor<1x2x1xf32>},
    %v: tensor<1x2x3xf32> {check.value = dense<[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]> : tensor<1x2x3xf32>},
    %b: !sluice.batch {check.rows = array<i64: 1>})
    -> (tensor<1x4x3xf32> {check.expect = dense<[[[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [4.0, 5.0, 6.0]]]> : tensor<1x4x3xf32>}) {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<1x4x1xf32>, tensor<1x2x1xf32>, tensor<1x2x3xf32>, !sluice.batch) -> tensor<1x4x3xf32>
  return %y : tensor<1x4x3xf32>
}

// A hidden NaN reaches nobody, in key or value; a visible one does, and an infinite score gives NaN.
func.func @nan(
    %q: tensor<3x1x1xf32> {check.value = dense<1.0> : tensor<3x1x1xf32>},
    %k: tensor<3x1x1xf32> {check.value = dense<[[[1.0]], [[0x7FC00000]], [[1.0]]]> : tensor<3x1x1xf32>},
    %v: tensor<3x1x1xf32> {check.value = dense<[[[2.0]], [[2.0]], [[0x7FC00000]]]> : tensor<3x1x1xf32>},
    %i: tensor<3x1x1xf32> {check.value = dense<[[[1.0]], [[0x7F800000]], [[1.0]]]> : tensor<3x1x1xf32>},
    %w: tensor<3x1x1xf32> {check.value = dense<2.0> : tensor<3x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 3>})
    -> (tensor<3x1x1xf32> {check.expect = dense<[[[2.0]], [[0x7FC00000]], [[0x7FC00000]]]> : tensor<3x1x1xf32>},
        tensor<3x1x1xf32> {check.expect = dense<[[[2.0]], [[0x7FC00000]], [[0x7FC00000]]]> : tensor<3x1x1xf32>}) {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>, !sluice.batch) -> tensor<3x1x1xf32>
  %z = sluice.attention %q, %i, %w batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>, !sluice.batch) -> tensor<3x1x1xf32>
  return %y, %z : tensor<3x1x1xf32>, tensor<3x1x1xf32>
}

// exp(1000) is no f32; relative to the largest score it is 1, and the other weight vanishes. Rounded to bf16.
func.func @large_scores(
    %q: tensor<2x1x1xf32> {check.value = dense<1.0> : tensor<2x1x1xf32>},
    %k: tensor<2x1x1xf32> {check.value = dense<[[[1000.0]], [[-1000.0]]]> : tensor<2x1x1xf32>},
    %v: tensor<2x1x1xf32> {check.value = dense<[[[4.0]], [[8.0]]]> : tensor<2x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<2x1x1xbf16> {check.expect = dense<4.0> : tensor<2x1x1xbf16>}) {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, !sluice.batch) -> tensor<2x1x1xbf16>
  return %y : tensor<2x1x1xbf16>
}
