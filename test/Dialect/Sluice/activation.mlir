// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @every_function
func.func @every_function(%x: tensor<?x6xf32>) {
  // CHECK: sluice.activation silu %{{.*}} : (tensor<?x6xf32>) -> tensor<?x6xf32>
  %0 = sluice.activation silu %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation gelu_erf
  %1 = sluice.activation gelu_erf %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation gelu_tanh
  %2 = sluice.activation gelu_tanh %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation quick_gelu
  %3 = sluice.activation quick_gelu %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation relu %
  %4 = sluice.activation relu %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation relu2 %
  %5 = sluice.activation relu2 %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation tanh
  %6 = sluice.activation tanh %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation sigmoid
  %7 = sluice.activation sigmoid %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  // CHECK: sluice.activation identity
  %8 = sluice.activation identity %x : (tensor<?x6xf32>) -> tensor<?x6xf32>
  return
}

// CHECK-LABEL: func.func @gated
// CHECK: sluice.activation silu %{{.*}} gated : (tensor<?x6xf32>) -> tensor<?x3xbf16>
func.func @gated(%x: tensor<?x6xf32>) -> tensor<?x3xbf16> {
  %y = sluice.activation silu %x gated : (tensor<?x6xf32>) -> tensor<?x3xbf16>
  return %y : tensor<?x3xbf16>
}

// CHECK-LABEL: func.func @buffers
// CHECK: sluice.activation relu %[[X:.*]] gated into %{{.*}} {round = bf16} :
// CHECK: sluice.add %[[X]], %[[X]] into %[[X]] :
func.func @buffers(%x: memref<?x6xf32>, %y: memref<?x3xf32>) {
  sluice.activation relu %x gated into %y {round = bf16} : (memref<?x6xf32>, memref<?x3xf32>) -> ()
  sluice.add %x, %x into %x : (memref<?x6xf32>, memref<?x6xf32>, memref<?x6xf32>) -> ()
  return
}

// CHECK-LABEL: func.func @scaled_within_limits
// CHECK: sluice.activation silu %{{.*}} gated {input_scale = 2.000000e+00 : f64, limit = 7.000000e+00 : f64, output_scale = 5.000000e-01 : f64, up_offset = 1.000000e+00 : f64} :
func.func @scaled_within_limits(%x: tensor<?x6xf32>) -> tensor<?x3xf32> {
  %y = sluice.activation silu %x gated {input_scale = 2.0 : f64, output_scale = 0.5 : f64, limit = 7.0 : f64, up_offset = 1.0 : f64} : (tensor<?x6xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
