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
