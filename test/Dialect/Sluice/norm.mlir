// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @rms
// CHECK: sluice.norm rms %{{.*}} weight %{{.*}} {eps = 9.9999999999999995E-7 : f64} :
func.func @rms(%x: tensor<?x7xf32>, %w: tensor<7xbf16>) -> tensor<?x7xbf16> {
  %y = sluice.norm rms %x weight %w {eps = 1.0e-6 : f64} : (tensor<?x7xf32>, tensor<7xbf16>) -> tensor<?x7xbf16>
  return %y : tensor<?x7xbf16>
}

// CHECK-LABEL: func.func @layer
// CHECK: sluice.norm layer %{{.*}} weight %{{.*}} bias %{{.*}} {eps = 1.000000e-05 : f64} :
func.func @layer(%x: tensor<?x7xf32>, %w: tensor<7xf32>, %b: tensor<7xf32>) -> tensor<?x7xf32> {
  %y = sluice.norm layer %x weight %w bias %b {eps = 1.0e-5 : f64} : (tensor<?x7xf32>, tensor<7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  return %y : tensor<?x7xf32>
}

// CHECK-LABEL: func.func @per_head
// CHECK: sluice.norm l2 %{{.*}} {eps = 0.000000e+00 : f64} : (tensor<?x3x7xf32>) -> tensor<?x3x7xf32>
func.func @per_head(%x: tensor<?x3x7xf32>) -> tensor<?x3x7xf32> {
  %y = sluice.norm l2 %x {eps = 0.0 : f64} : (tensor<?x3x7xf32>) -> tensor<?x3x7xf32>
  return %y : tensor<?x3x7xf32>
}

// CHECK-LABEL: func.func @buffers
// CHECK: sluice.norm rms %{{.*}} into %{{.*}} {eps = 0.000000e+00 : f64, round = bf16} :
func.func @buffers(%x: memref<?x7xf32>, %y: memref<?x7xf32>) {
  sluice.norm rms %x into %y {eps = 0.0 : f64, round = bf16} : (memref<?x7xf32>, memref<?x7xf32>) -> ()
  return
}
