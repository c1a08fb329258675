// RUN: sluice-check %s --target=reference

// theta 1: every pair turns by the position. cos 1 = 0.540302306, sin 1 = 0.841470985. Halves pair (0, 2) and (1, 3).
func.func @halves(
    %x: tensor<2x1x4xf32> {check.value = dense<[[[1.0, 0.0, 0.0, 1.0]], [[1.0, 2.0, 3.0, 4.0]]]> : tensor<2x1x4xf32>},
    %p: tensor<2xi32> {check.value = dense<[1, 0]> : tensor<2xi32>})
    -> (tensor<2x1x4xf32> {check.expect = dense<[[[0.540302306, -0.841470985, 0.841470985, 0.540302306]], [[1.0, 2.0, 3.0, 4.0]]]> : tensor<2x1x4xf32>}) {
  %y = sluice.rope halves %x at %p {theta = 1.0 : f64} : (tensor<2x1x4xf32>, tensor<2xi32>) -> tensor<2x1x4xf32>
  return %y : tensor<2x1x4xf32>
}

// Neighbours pair (0, 1) and (2, 3); the same numbers as above give others.
func.func @neighbours(
    %x: tensor<1x1x4xf32> {check.value = dense<[[[1.0, 0.0, 0.0, 1.0]]]> : tensor<1x1x4xf32>},
    %p: tensor<1xi32> {check.value = dense<1> : tensor<1xi32>})
    -> (tensor<1x1x4xf32> {check.expect = dense<[[[0.540302306, 0.841470985, -0.841470985, 0.540302306]]]> : tensor<1x1x4xf32>}) {
  %y = sluice.rope neighbours %x at %p {theta = 1.0 : f64} : (tensor<1x1x4xf32>, tensor<1xi32>) -> tensor<1x1x4xf32>
  return %y : tensor<1x1x4xf32>
}

// theta 4, dims 4: pair 1 turns by position / 2. At 2: cos 2 = -0.416146837, sin 2 = 0.909297427, then cos 1 and sin 1.
// The fifth channel is outside of `dims`.
func.func @theta_and_dims(
    %x: tensor<1x1x5xf32> {check.value = dense<[[[1.0, 1.0, 0.0, 0.0, 7.0]]]> : tensor<1x1x5xf32>},
    %p: tensor<1xi32> {check.value = dense<2> : tensor<1xi32>})
    -> (tensor<1x1x5xf32> {check.expect = dense<[[[-0.416146837, 0.540302306, 0.909297427, 0.841470985, 7.0]]]> : tensor<1x1x5xf32>}) {
  %y = sluice.rope halves %x at %p {theta = 4.0 : f64, dims = 4 : i64} : (tensor<1x1x5xf32>, tensor<1xi32>) -> tensor<1x1x5xf32>
  return %y : tensor<1x1x5xf32>
}
