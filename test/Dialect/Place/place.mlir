// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

sluice.param @table role table : tensor<9x5xf32> from ["table"] rows [9]

// CHECK-LABEL: func.func @step
// CHECK-SAME: place.arena = #place.extent<row = 64, seq = 4, fixed = 128>
func.func @step(%ids: memref<?xi32>, %w: tensor<5xf32>, %out: memref<?x5xf32>)
    attributes {place.arena = #place.extent<row = 64, seq = 4, fixed = 128>} {
  // CHECK: place.buffer "rows" size <row = 20, seq = 0, fixed = 0> at <row = 64, seq = 0, fixed = 0> : memref<?x5xf32>
  %x = place.buffer "rows" size <row = 20, seq = 0, fixed = 0> at <row = 64, seq = 0, fixed = 0> : memref<?x5xf32>
  // CHECK: place.buffer "bytes" size <row = 0, seq = 0, fixed = 128> : memref<?xi8>
  %t = place.buffer "bytes" size <row = 0, seq = 0, fixed = 128> : memref<?xi8>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  // CHECK: place.team {
  place.team {
    // CHECK: place.phase "ask" share one {
    place.phase "ask" share one {
      // CHECK: place.submit @table[%{{.*}}] into %{{.*}} token 0 home "host" :
      place.submit @table[%ids] into %x token 0 home "host" : memref<?xi32>, memref<?x5xf32>
    }
    place.phase "wait" share one {
      // CHECK: place.await token 0 into
      place.await token 0 into %x : memref<?x5xf32>
    }
    // CHECK: place.barrier
    place.barrier
    scf.for %l = %c0 to %c3 step %c1 {
      // CHECK: place.phase "limit" share rows {
      place.phase "limit" share rows {
        sluice.clamp %x width %w nan propagate into %x : (memref<?x5xf32>, tensor<5xf32>, memref<?x5xf32>) -> ()
      }
      place.barrier
    }
    place.phase "out" share asked {
      // CHECK: place.copy %{{.*}} into %{{.*}} :
      place.copy %x into %out : memref<?x5xf32>, memref<?x5xf32>
    }
  }
  return
}
