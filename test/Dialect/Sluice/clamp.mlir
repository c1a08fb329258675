// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @per_channel
// CHECK: sluice.clamp %{{.*}} width %{{.*}} nan propagate : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x5xf32>
func.func @per_channel(%x: tensor<?x5xf32>, %w: tensor<5xf32>) -> tensor<?x5xf32> {
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @per_row
// CHECK: sluice.clamp %{{.*}} width %{{.*}} nan ignore : (tensor<3x5xbf16>, tensor<3x5xbf16>) -> tensor<3x5xbf16>
func.func @per_row(%x: tensor<3x5xbf16>, %w: tensor<3x5xbf16>) -> tensor<3x5xbf16> {
  %y = sluice.clamp %x width %w nan ignore : (tensor<3x5xbf16>, tensor<3x5xbf16>) -> tensor<3x5xbf16>
  return %y : tensor<3x5xbf16>
}

// Dynamic sizes agree with everything; the result may say more than the rows do.
// CHECK-LABEL: func.func @unknown_sizes
func.func @unknown_sizes(%x: tensor<?x?xf32>, %w: tensor<?xf32>) -> tensor<4x7xf32> {
  %y = sluice.clamp %x width %w nan ignore : (tensor<?x?xf32>, tensor<?xf32>) -> tensor<4x7xf32>
  return %y : tensor<4x7xf32>
}

// CHECK-LABEL: func.func @buffers
// CHECK: sluice.clamp %{{.*}} width %{{.*}} nan propagate into %{{.*}} :
func.func @buffers(%x: memref<?x5xf32, strided<[64, 1]>>, %w: tensor<5xf32>, %y: memref<?x5xf32>) {
  sluice.clamp %x width %w nan propagate into %y
    : (memref<?x5xf32, strided<[64, 1]>>, tensor<5xf32>, memref<?x5xf32>) -> ()
  return
}

// CHECK-LABEL: func.func @in_place
// CHECK: sluice.clamp %[[X:.*]] width %{{.*}} nan propagate into %[[X]] :
func.func @in_place(%x: memref<?x5xf32>, %w: memref<?x5xf32>) {
  sluice.clamp %x width %w nan propagate into %x : (memref<?x5xf32>, memref<?x5xf32>, memref<?x5xf32>) -> ()
  return
}
