// RUN: sluice-opt %s --place-merge-phases | FileCheck %s

// Each row is normed and then gated by the same worker; what stands between is pure and moves up.
// CHECK-LABEL: func @same_rows
func.func @same_rows(%x: memref<?x24xf32>, %y: memref<?x24xf32>, %z: memref<?x12xf32>) {
  place.team {
    // CHECK: arith.constant
    // CHECK: place.phase "norm+activation" share rows
    // CHECK-NEXT: sluice.norm
    // CHECK-NEXT: sluice.activation
    // CHECK-NOT: place.phase
    place.phase "norm" share rows { sluice.norm rms %x into %y {eps = 1.0e-6 : f64} : (memref<?x24xf32>, memref<?x24xf32>) -> () }
    %c = arith.constant 3 : index
    place.phase "activation" share rows { sluice.activation silu %y gated into %z : (memref<?x24xf32>, memref<?x12xf32>) -> () }
  }
  return
}

// CHECK-LABEL: func @inside_a_loop
func.func @inside_a_loop(%x: memref<?x24xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  place.team {
    // The loop itself separates.
    // CHECK: place.phase "add" share rows
    // CHECK: scf.for
    // CHECK-NEXT: place.phase "add+norm" share rows
    place.phase "add" share rows { sluice.add %x, %x into %x : (memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>) -> () }
    scf.for %i = %c0 to %n step %c1 {
      place.phase "add" share rows { sluice.add %x, %x into %x : (memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>) -> () }
      place.phase "norm" share rows { sluice.norm rms %x into %x {eps = 1.0e-6 : f64} : (memref<?x24xf32>, memref<?x24xf32>) -> () }
    }
  }
  return
}
