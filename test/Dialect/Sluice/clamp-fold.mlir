// RUN: sluice-opt %s -canonicalize -split-input-file | FileCheck %s

// Every branch of the formula: x inside and outside of the width, on both sides, and both zeros.
// CHECK-LABEL: func.func @constants
// CHECK: %[[C:.*]] = arith.constant dense<{{\[\[}}5.000000e-01, -2.000000e+00, 2.000000e+00, -0.000000e+00]]>
// CHECK: return %[[C]]
func.func @constants() -> tensor<1x4xf32> {
  %x = arith.constant dense<[[0.5, -3.0, 3.0, -0.0]]> : tensor<1x4xf32>
  %w = arith.constant dense<[2.0, 2.0, -2.0, 0.0]> : tensor<4xf32>
  %y = sluice.clamp %x width %w nan propagate : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// -----

// Widths per row are read row by row, not per channel.
// CHECK-LABEL: func.func @constant_width_per_row
// CHECK: dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]>
func.func @constant_width_per_row() -> tensor<2x2xf32> {
  %x = arith.constant dense<9.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %y = sluice.clamp %x width %w nan propagate : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

// NaN in x, in w, and in both.
// CHECK-LABEL: func.func @nan_propagate
// CHECK: dense<0x7FC0> : tensor<1x3xbf16>
func.func @nan_propagate() -> tensor<1x3xbf16> {
  %x = arith.constant dense<[[0x7FC0, 1.0, 0xFFC0]]> : tensor<1x3xbf16>
  %w = arith.constant dense<[2.0, 0x7FC0, 0x7FC0]> : tensor<3xbf16>
  %y = sluice.clamp %x width %w nan propagate : (tensor<1x3xbf16>, tensor<3xbf16>) -> tensor<1x3xbf16>
  return %y : tensor<1x3xbf16>
}

// -----

// CHECK-LABEL: func.func @nan_ignore
// CHECK: dense<{{\[\[}}0.000000e+00, -1.000000e+00, 0.000000e+00]]> : tensor<1x3xbf16>
func.func @nan_ignore() -> tensor<1x3xbf16> {
  %x = arith.constant dense<[[0x7FC0, -1.0, 0xFFC0]]> : tensor<1x3xbf16>
  %w = arith.constant dense<[2.0, 0x7FC0, 0x7FC0]> : tensor<3xbf16>
  %y = sluice.clamp %x width %w nan ignore : (tensor<1x3xbf16>, tensor<3xbf16>) -> tensor<1x3xbf16>
  return %y : tensor<1x3xbf16>
}

// -----

// CHECK-LABEL: func.func @open_channels
// CHECK-SAME: %[[X:.*]]: tensor<?x2xf32>
// CHECK-NEXT: return %[[X]]
func.func @open_channels(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %w = arith.constant dense<[0x7F800000, 0xFF800000]> : tensor<2xf32>
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// A NaN x must become 0, so this is not the identity.
// CHECK-LABEL: func.func @no_fold_open_channels_that_silence_nan
// CHECK: sluice.clamp
func.func @no_fold_open_channels_that_silence_nan(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %w = arith.constant dense<0x7F800000> : tensor<2xf32>
  %y = sluice.clamp %x width %w nan ignore : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// CHECK-LABEL: func.func @no_fold_one_channel_is_not_open
// CHECK: sluice.clamp
func.func @no_fold_one_channel_is_not_open(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %w = arith.constant dense<[0x7F800000, 1.0]> : tensor<2xf32>
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Folding to the rows would lose what the result's type says.
// CHECK-LABEL: func.func @no_fold_result_says_more
// CHECK: sluice.clamp
func.func @no_fold_result_says_more(%x: tensor<?x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<0x7F800000> : tensor<2xf32>
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: func.func @twice_is_once
// CHECK: %[[Y:.*]] = sluice.clamp
// CHECK-NEXT: return %[[Y]]
func.func @twice_is_once(%x: tensor<?x2xf32>, %w: tensor<2xf32>) -> tensor<?x2xf32> {
  %y = sluice.clamp %x width %w nan ignore : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %z = sluice.clamp %y width %w nan ignore : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %z : tensor<?x2xf32>
}

// -----

// CHECK-LABEL: func.func @no_fold_other_width
// CHECK-COUNT-2: sluice.clamp
func.func @no_fold_other_width(%x: tensor<?x2xf32>, %w: tensor<2xf32>, %v: tensor<2xf32>) -> tensor<?x2xf32> {
  %y = sluice.clamp %x width %w nan ignore : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %z = sluice.clamp %y width %v nan ignore : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %z : tensor<?x2xf32>
}

// -----

// CHECK-LABEL: func.func @no_fold_other_nan_rule
// CHECK-COUNT-2: sluice.clamp
func.func @no_fold_other_nan_rule(%x: tensor<?x2xf32>, %w: tensor<2xf32>) -> tensor<?x2xf32> {
  %y = sluice.clamp %x width %w nan ignore : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %z = sluice.clamp %y width %w nan propagate : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %z : tensor<?x2xf32>
}

// -----

// A dead clamp on tensors has no effect; one that writes a buffer stays.
// CHECK-LABEL: func.func @effects
// CHECK-NOT: -> tensor
// CHECK: sluice.clamp {{.*}} into
func.func @effects(%x: tensor<?x2xf32>, %w: tensor<2xf32>, %a: memref<?x2xf32>, %b: memref<?x2xf32>) {
  %y = sluice.clamp %x width %w nan ignore : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  sluice.clamp %a width %w nan ignore into %b : (memref<?x2xf32>, tensor<2xf32>, memref<?x2xf32>) -> ()
  return
}
