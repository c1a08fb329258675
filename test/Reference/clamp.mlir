// RUN: sluice-check %s --target=reference

// Inside, outside and exactly at the width, on both sides; of a width only the magnitude counts.
func.func @both_sides(
    %x: tensor<?x5xf32> {check.value = dense<[[0.5, 2.0, 3.0, -3.0, -0.5], [-2.0, -9.0, 1.5, 0.25, 7.0]]> : tensor<2x5xf32>},
    %w: tensor<5xf32> {check.value = dense<[2.0, 2.0, -2.0, 2.0, -0.25]> : tensor<5xf32>})
    -> (tensor<?x5xf32> {check.expect = dense<[[0.5, 2.0, 2.0, -2.0, -0.25], [-2.0, -2.0, 1.5, 0.25, 0.25]]> : tensor<2x5xf32>}) {
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// One width per number: with widths swapped between rows the result would differ.
func.func @width_per_row(
    %x: tensor<2x3xf32> {check.value = dense<[[9.0, -9.0, 9.0], [-9.0, 9.0, 0.5]]> : tensor<2x3xf32>},
    %w: tensor<2x3xf32> {check.value = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>})
    -> (tensor<2x3xf32> {check.expect = dense<[[1.0, -2.0, 3.0], [-4.0, 5.0, 0.5]]> : tensor<2x3xf32>}) {
  %y = sluice.clamp %x width %w nan propagate : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// The sign of a zero is that of x, whether x or the width is the zero.
func.func @signs_of_zeros(
    %x: tensor<1x6xf32> {check.value = dense<[[-0.0, 0.0, -1.0, 1.0, -0.0, -1.0]]> : tensor<1x6xf32>},
    %w: tensor<6xf32> {check.value = dense<[1.0, 1.0, 0.0, -0.0, 0.0, -0.0]> : tensor<6xf32>})
    -> (tensor<1x6xf32> {check.expect = dense<[[-0.0, 0.0, -0.0, 0.0, -0.0, -0.0]]> : tensor<1x6xf32>}) {
  %y = sluice.clamp %x width %w nan ignore : (tensor<1x6xf32>, tensor<6xf32>) -> tensor<1x6xf32>
  return %y : tensor<1x6xf32>
}

// inf, -inf as x and as width: an infinite width lets everything pass.
func.func @infinities(
    %x: tensor<1x4xf32> {check.value = dense<[[0x7F800000, 0xFF800000, 0xFF800000, 3.0]]> : tensor<1x4xf32>},
    %w: tensor<4xf32> {check.value = dense<[2.0, 2.0, 0x7F800000, 0xFF800000]> : tensor<4xf32>})
    -> (tensor<1x4xf32> {check.expect = dense<[[2.0, -2.0, 0xFF800000, 3.0]]> : tensor<1x4xf32>}) {
  %y = sluice.clamp %x width %w nan propagate : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// NaN as x, as width and as both, beside infinities and numbers.
func.func @nan_propagate(
    %x: tensor<1x6xf32> {check.value = dense<[[0x7FC00000, 1.0, 0xFFC00000, 0x7F800000, 0x7FC00000, 1.0]]> : tensor<1x6xf32>},
    %w: tensor<6xf32> {check.value = dense<[1.0, 0x7FC00000, 0x7FC00000, 0xFFC00000, 0x7F800000, 0.5]> : tensor<6xf32>})
    -> (tensor<1x6xf32> {check.expect = dense<[[0x7FC00000, 0x7FC00000, 0x7FC00000, 0x7FC00000, 0x7FC00000, 0.5]]> : tensor<1x6xf32>}) {
  %y = sluice.clamp %x width %w nan propagate : (tensor<1x6xf32>, tensor<6xf32>) -> tensor<1x6xf32>
  return %y : tensor<1x6xf32>
}

// A NaN x is a silent channel (+0, whatever its sign bit); a NaN width is an open one, for -0 and infinities too.
func.func @nan_ignore(
    %x: tensor<1x6xf32> {check.value = dense<[[0x7FC00000, -1.0, 0xFFC00000, 0xFF800000, 0xFFC00000, -0.0]]> : tensor<1x6xf32>},
    %w: tensor<6xf32> {check.value = dense<[1.0, 0x7FC00000, 0x7FC00000, 0xFFC00000, 0x7F800000, 0x7FC00000]> : tensor<6xf32>})
    -> (tensor<1x6xf32> {check.expect = dense<[[0.0, -1.0, 0.0, 0xFF800000, 0.0, -0.0]]> : tensor<1x6xf32>}) {
  %y = sluice.clamp %x width %w nan ignore : (tensor<1x6xf32>, tensor<6xf32>) -> tensor<1x6xf32>
  return %y : tensor<1x6xf32>
}

// Denormals are numbers like others: the smallest of f32, and one ulp above a normal.
func.func @denormals(
    %x: tensor<1x3xf32> {check.value = dense<[[0x00000001, 0x80000003, 0x3F800001]]> : tensor<1x3xf32>},
    %w: tensor<3xf32> {check.value = dense<[1.0, 0x00000002, 1.0]> : tensor<3xf32>})
    -> (tensor<1x3xf32> {check.expect = dense<[[0x00000001, 0x80000002, 1.0]]> : tensor<1x3xf32>}) {
  %y = sluice.clamp %x width %w nan propagate : (tensor<1x3xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// 1.0078125 is the bf16 after 1; its smallest denormal is 0x0001.
func.func @bf16(
    %x: tensor<2x2xbf16> {check.value = dense<[[1.0078125, 0x8001], [-3.0, 0x7FC0]]> : tensor<2x2xbf16>},
    %w: tensor<2xbf16> {check.value = dense<[1.0, 0x7F80]> : tensor<2xbf16>})
    -> (tensor<2x2xbf16> {check.expect = dense<[[1.0, 0x8001], [-1.0, 0x7FC0]]> : tensor<2x2xbf16>}) {
  %y = sluice.clamp %x width %w nan propagate : (tensor<2x2xbf16>, tensor<2xbf16>) -> tensor<2x2xbf16>
  return %y : tensor<2x2xbf16>
}

// Nothing in, nothing out; the size of what is not there is still right.
func.func @no_rows(
    %x: tensor<?x3xf32> {check.value = dense<> : tensor<0x3xf32>},
    %w: tensor<3xf32> {check.value = dense<1.0> : tensor<3xf32>})
    -> (tensor<?x3xf32> {check.expect = dense<> : tensor<0x3xf32>}) {
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// Clamped twice, a number is as clamped once.
func.func @twice(
    %x: tensor<1x4xf32> {check.value = dense<[[-5.0, 0x7FC00000, 0.5, -0.0]]> : tensor<1x4xf32>},
    %w: tensor<4xf32> {check.value = dense<[3.0, 1.0, 0x7FC00000, 0.0]> : tensor<4xf32>})
    -> (tensor<1x4xf32> {check.expect = dense<[[-3.0, 0.0, 0.5, -0.0]]> : tensor<1x4xf32>}) {
  %y = sluice.clamp %x width %w nan ignore : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  %z = sluice.clamp %y width %w nan ignore : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  return %z : tensor<1x4xf32>
}
