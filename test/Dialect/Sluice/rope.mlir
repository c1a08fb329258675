// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @whole_head
// CHECK: sluice.rope halves %{{.*}} at %{{.*}} {theta = 1.000000e+06 : f64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
func.func @whole_head(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) -> tensor<?x3x8xf32> {
  %y = sluice.rope halves %q at %p {theta = 1.0e6 : f64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return %y : tensor<?x3x8xf32>
}

// CHECK-LABEL: func.func @part_of_a_head
// CHECK: sluice.rope neighbours %{{.*}} at %{{.*}} {dims = 4 : i64, theta = 1.000000e+04 : f64} :
func.func @part_of_a_head(%q: tensor<?x3x7xf32>, %p: tensor<?xi32>) -> tensor<?x3x7xf32> {
  %y = sluice.rope neighbours %q at %p {theta = 1.0e4 : f64, dims = 4 : i64} : (tensor<?x3x7xf32>, tensor<?xi32>) -> tensor<?x3x7xf32>
  return %y : tensor<?x3x7xf32>
}

// CHECK-LABEL: func.func @in_place
// CHECK: sluice.rope halves %[[Q:.*]] at %{{.*}} into %[[Q]]
func.func @in_place(%q: memref<?x3x8xf32>, %p: memref<?xi32>) {
  sluice.rope halves %q at %p into %q {theta = 1.0e4 : f64} : (memref<?x3x8xf32>, memref<?xi32>, memref<?x3x8xf32>) -> ()
  return
}

// CHECK-LABEL: func.func @scaled
func.func @scaled(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>, %b: !sluice.batch) {
  // CHECK: {scaling = #sluice.rope_linear<factor = 4.000000e+00>, theta =
  %0 = sluice.rope halves %q at %p {theta = 1.0e4 : f64, scaling = #sluice.rope_linear<factor = 4.0>} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  // CHECK: #sluice.rope_ntk<factor = 2.500000e+00>
  %1 = sluice.rope halves %q at %p {theta = 1.0e4 : f64, scaling = #sluice.rope_ntk<factor = 2.5>} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  // CHECK: #sluice.rope_llama3<factor = 8.000000e+00, low = 1.000000e+00, high = 4.000000e+00, original = 8192>
  %2 = sluice.rope halves %q at %p {theta = 5.0e5 : f64, scaling = #sluice.rope_llama3<factor = 8.0, low = 1.0, high = 4.0, original = 8192>} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  // CHECK: amplitude = 1.250000e+00 : f64, scaling = #sluice.rope_yarn<factor = 3.200000e+01, fast = 3.200000e+01, slow = 1.000000e+00, original = 4096, corners = exact>
  %3 = sluice.rope halves %q at %p {theta = 1.5e5 : f64, amplitude = 1.25 : f64, scaling = #sluice.rope_yarn<factor = 32.0, fast = 32.0, slow = 1.0, original = 4096, corners = exact>} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  // CHECK: sluice.rope halves %{{.*}} at %{{.*}} batch %{{.*}} {scaling = #sluice.rope_dynamic<factor = 2.000000e+00, original = 2048>
  %4 = sluice.rope halves %q at %p batch %b {theta = 1.0e4 : f64, scaling = #sluice.rope_dynamic<factor = 2.0, original = 2048>} : (tensor<?x3x8xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x3x8xf32>
  // CHECK: #sluice.rope_longrope<short_factors = [1.000000e+00, 1.500000e+00], long_factors = [1.000000e+00, 8.000000e+00], original = 4096>
  %5 = sluice.rope neighbours %q at %p batch %b {theta = 1.0e4 : f64, dims = 4 : i64, scaling = #sluice.rope_longrope<short_factors = [1.0, 1.5], long_factors = [1.0, 8.0], original = 4096>} : (tensor<?x3x8xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x3x8xf32>
  return
}
