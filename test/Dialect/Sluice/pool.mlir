// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @every_kind
func.func @every_kind(%x: tensor<?x5xf32>, %b: !sluice.batch) {
  // CHECK: sluice.pool mean %{{.*}} batch %{{.*}} : (tensor<?x5xf32>, !sluice.batch) -> tensor<?x5xf32>
  %0 = sluice.pool mean %x batch %b : (tensor<?x5xf32>, !sluice.batch) -> tensor<?x5xf32>
  // CHECK: sluice.pool first
  %1 = sluice.pool first %x batch %b : (tensor<?x5xf32>, !sluice.batch) -> tensor<?x5xf32>
  // CHECK: sluice.pool last
  %2 = sluice.pool last %x batch %b : (tensor<?x5xf32>, !sluice.batch) -> tensor<?x5xf32>
  return
}

// CHECK-LABEL: func.func @buffers
// CHECK: sluice.pool mean %{{.*}} batch %{{.*}} into %{{.*}} :
func.func @buffers(%x: memref<?x5xf32>, %b: !sluice.batch, %y: memref<?x5xf32>) {
  sluice.pool mean %x batch %b into %y : (memref<?x5xf32>, !sluice.batch, memref<?x5xf32>) -> ()
  return
}

// CHECK-LABEL: func.func @positions
// CHECK: sluice.batch.positions %{{.*}} : tensor<?xi32>
func.func @positions(%b: !sluice.batch) -> tensor<?xi32> {
  %p = sluice.batch.positions %b : tensor<?xi32>
  return %p : tensor<?xi32>
}
