// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @widened
// CHECK: sluice.embed %{{.*}}[%{{.*}}] : (tensor<9x5xbf16>, tensor<?xi32>) -> tensor<?x5xf32>
func.func @widened(%t: tensor<9x5xbf16>, %i: tensor<?xi32>) -> tensor<?x5xf32> {
  %x = sluice.embed %t[%i] : (tensor<9x5xbf16>, tensor<?xi32>) -> tensor<?x5xf32>
  return %x : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @on_its_way
// CHECK: %[[F:.*]] = sluice.gather %{{.*}}[%{{.*}}] home "host" : (tensor<9x5xf16>, tensor<?xi32>) -> !sluice.future<tensor<?x5xf16>>
// CHECK: sluice.await %[[F]] :
func.func @on_its_way(%t: tensor<9x5xf16>, %i: tensor<?xi32>) -> tensor<?x5xf16> {
  %f = sluice.gather %t[%i] home "host" : (tensor<9x5xf16>, tensor<?xi32>) -> !sluice.future<tensor<?x5xf16>>
  %x = sluice.await %f : !sluice.future<tensor<?x5xf16>> -> tensor<?x5xf16>
  return %x : tensor<?x5xf16>
}

// CHECK-LABEL: func.func @buffers
// CHECK: sluice.embed %{{.*}}[%{{.*}}] into %{{.*}} :
func.func @buffers(%t: memref<?x5xf32>, %i: memref<?xi32>, %x: memref<?x5xf32>) {
  sluice.embed %t[%i] into %x : (memref<?x5xf32>, memref<?xi32>, memref<?x5xf32>) -> ()
  return
}
