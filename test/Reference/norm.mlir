// RUN: sluice-check %s --target=reference

// mean(x^2) = 4, and 5 with eps 21 is 25 (second row: mean 4 + 21).
func.func @rms(
    %x: tensor<2x2xf32> {check.value = dense<[[2.0, -2.0], [0.0, 0.0]]> : tensor<2x2xf32>},
    %w: tensor<2xf32> {check.value = dense<[3.0, 0.5]> : tensor<2xf32>},
    %b: tensor<2xf32> {check.value = dense<[1.0, -1.0]> : tensor<2xf32>})
    -> (tensor<2x2xf32> {check.expect = dense<[[2.2, -1.2], [1.0, -1.0]]> : tensor<2x2xf32>}) {
  %y = sluice.norm rms %x weight %w bias %b {eps = 21.0 : f64} : (tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Mean 5, biased variance 4 (numbers 3 and 7): the unbiased one would be 8.
func.func @layer_has_the_biased_variance(
    %x: tensor<1x2xf32> {check.value = dense<[[3.0, 7.0]]> : tensor<1x2xf32>},
    %w: tensor<2xf32> {check.value = dense<[10.0, 2.0]> : tensor<2xf32>},
    %b: tensor<2xf32> {check.value = dense<[0.5, 0.25]> : tensor<2xf32>})
    -> (tensor<1x2xf32> {check.expect = dense<[[-9.5, 2.25]]> : tensor<1x2xf32>}) {
  %y = sluice.norm layer %x weight %w bias %b {eps = 0.0 : f64} : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// 3-4-5; a row shorter than eps is divided by eps; a zero row stays zero.
func.func @l2(
    %x: tensor<3x2xf32> {check.value = dense<[[3.0, -4.0], [0.25, 0.0], [0.0, -0.0]]> : tensor<3x2xf32>})
    -> (tensor<3x2xf32> {check.expect = dense<[[0.6, -0.8], [0.5, 0.0], [0.0, -0.0]]> : tensor<3x2xf32>}) {
  %y = sluice.norm l2 %x {eps = 0.5 : f64} : (tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// Heads are rows of their own.
func.func @per_head(
    %x: tensor<1x2x2xf32> {check.value = dense<[[[2.0, 2.0], [8.0, -8.0]]]> : tensor<1x2x2xf32>})
    -> (tensor<1x2x2xf32> {check.expect = dense<[[[1.0, 1.0], [1.0, -1.0]]]> : tensor<1x2x2xf32>}) {
  %y = sluice.norm rms %x {eps = 0.0 : f64} : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// Without eps a zero row is 0 / 0; NaN stays in its row.
func.func @zero_and_nan_rows(
    %x: tensor<3x2xf32> {check.value = dense<[[0.0, 0.0], [0x7FC00000, 1.0], [5.0, -5.0]]> : tensor<3x2xf32>})
    -> (tensor<3x2xf32> {check.expect = dense<[[0x7FC00000, 0x7FC00000], [0x7FC00000, 0x7FC00000], [1.0, -1.0]]> : tensor<3x2xf32>}) {
  %y = sluice.norm rms %x {eps = 0.0 : f64} : (tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// Rounded once, after the weight: 1 * 1.00390625 (a tie) goes to 1, the even neighbour; 1.01171875 goes to 1.015625.
func.func @rounds_once_to_even(
    %x: tensor<1x2xf32> {check.value = dense<[[4.0, 4.0]]> : tensor<1x2xf32>},
    %w: tensor<2xf32> {check.value = dense<[1.00390625, 1.01171875]> : tensor<2xf32>})
    -> (tensor<1x2xbf16> {check.expect = dense<[[1.0, 1.015625]]> : tensor<1x2xbf16>}) {
  %y = sluice.norm rms %x weight %w {eps = 0.0 : f64} : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xbf16>
  return %y : tensor<1x2xbf16>
}

// mean(x^2) = 4; weights are differences from 1.
func.func @offset(
    %x: tensor<1x2xf32> {check.value = dense<[[2.0, -2.0]]> : tensor<1x2xf32>},
    %w: tensor<2xf32> {check.value = dense<[0.5, -1.0]> : tensor<2xf32>},
    %b: tensor<2xf32> {check.value = dense<[0.25, 3.0]> : tensor<2xf32>})
    -> (tensor<1x2xf32> {check.expect = dense<[[1.75, 3.0]]> : tensor<1x2xf32>}) {
  %y = sluice.norm rms %x weight %w bias %b {eps = 0.0 : f64, offset = 1.0 : f64} : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// Two heads of two channels: each has its own statistic (2, then 8) and its own weights.
func.func @grouped(
    %x: tensor<1x2x2xf32> {check.value = dense<[[[2.0, -2.0], [8.0, 8.0]]]> : tensor<1x2x2xf32>},
    %w: tensor<4xf32> {check.value = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>})
    -> (tensor<1x2x2xf32> {check.expect = dense<[[[1.0, -2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>}) {
  %y = sluice.norm rms %x weight %w {eps = 0.0 : f64} : (tensor<1x2x2xf32>, tensor<4xf32>) -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}
