// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @argmax
// CHECK: sluice.sample.argmax %{{.*}} : (tensor<?x9xf32>) -> tensor<?xi32>
func.func @argmax(%x: tensor<?x9xf32>) -> tensor<?xi32> {
  %t = sluice.sample.argmax %x : (tensor<?x9xf32>) -> tensor<?xi32>
  return %t : tensor<?xi32>
}

// CHECK-LABEL: func.func @draw
// CHECK: %{{.*}}:2 = sluice.sample.draw %{{.*}} temperature %{{.*}} rng %{{.*}} : (tensor<?x9xf32>, tensor<?xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)
func.func @draw(%x: tensor<?x9xf32>, %c: tensor<?xf32>, %s: tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>) {
  %t, %n = sluice.sample.draw %x temperature %c rng %s
    : (tensor<?x9xf32>, tensor<?xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)
  return %t, %n : tensor<?xi32>, tensor<?xi64>
}

// CHECK-LABEL: func.func @buffers
// CHECK: sluice.sample.draw %{{.*}} temperature %{{.*}} rng %[[S:.*]] into %{{.*}}, %[[S]] :
func.func @buffers(%x: memref<?x9xf32>, %c: memref<?xf32>, %s: memref<?xi64>, %t: memref<?xi32>) {
  sluice.sample.draw %x temperature %c rng %s into %t, %s
    : (memref<?x9xf32>, memref<?xf32>, memref<?xi64>, memref<?xi32>, memref<?xi64>) -> ()
  return
}
