// RUN: sluice-opt %s --place-plan-memory | FileCheck %s

// %a is dead after the barrier, %c begins there: one slot. %b is alive all along.
// CHECK-LABEL: func @reuse
// CHECK-SAME: place.arena = #place.extent<row = 192, seq = 0, fixed = 0>
func.func @reuse(%x: memref<?x16xf32>) {
  // CHECK: "rows" {{.*}} at <row = 128, seq = 0, fixed = 0>
  // CHECK: "rows" {{.*}} at <row = 0, seq = 0, fixed = 0>
  // CHECK: "rows" {{.*}} at <row = 128, seq = 0, fixed = 0>
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %b = place.buffer "rows" size <row = 128, seq = 0, fixed = 0> : memref<?x16xf32, strided<[32, 1]>>
  %c = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team {
    place.phase "1" share rows { sluice.add %x, %x into %a : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    place.barrier
    place.phase "2" share rows { sluice.add %a, %x into %b : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32, strided<[32, 1]>>) -> () }
    place.barrier
    place.phase "3" share rows { sluice.add %b, %x into %c : (memref<?x16xf32, strided<[32, 1]>>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    place.barrier
    place.phase "4" share rows { sluice.add %b, %c into %x : (memref<?x16xf32, strided<[32, 1]>>, memref<?x16xf32>, memref<?x16xf32>) -> () }
  }
  return
}

// Without a barrier between them one worker may read %a while another writes %b.
// CHECK-LABEL: func @no_barrier
// CHECK-SAME: place.arena = #place.extent<row = 128, seq = 0, fixed = 0>
func.func @no_barrier(%x: memref<?x16xf32>, %y: memref<?x16xf32>) {
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %b = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team {
    place.phase "1" share rows { sluice.add %x, %x into %a : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    place.phase "2" share rows { sluice.add %x, %x into %b : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
  }
  return
}

// %a goes around the loop, so %t, made anew in each round, cannot share with it; nor can what comes before the loop.
// CHECK-LABEL: func @loop
// CHECK-SAME: place.arena = #place.extent<row = 128, seq = 0, fixed = 0>
func.func @loop(%x: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %t = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team {
    place.phase "1" share rows { sluice.add %x, %x into %a : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    scf.for %i = %c0 to %n step %c1 {
      place.barrier
      place.phase "2" share rows { sluice.add %a, %a into %t : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
      place.barrier
      place.phase "3" share rows { sluice.add %t, %a into %a : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    }
  }
  return
}

// No barrier at the loop's seam: the end of a round runs into the beginning of the next.
// CHECK-LABEL: func @open_seam
// CHECK-SAME: place.arena = #place.extent<row = 128, seq = 0, fixed = 0>
func.func @open_seam(%x: memref<?x16xf32>, %y: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %t = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team {
    scf.for %i = %c0 to %n step %c1 {
      place.phase "1" share rows { sluice.add %x, %x into %s : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
      place.barrier
      place.phase "2" share rows { sluice.add %y, %y into %t : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    }
  }
  return
}

// A loop that is known to run has its barrier between %a and %b; one that may not run at all has none on the way past it.
// CHECK-LABEL: func @loop_between
// CHECK-SAME: place.arena = #place.extent<row = 128, seq = 0, fixed = 0>
func.func @loop_between(%x: memref<?x16xf32>, %y: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %t = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %b = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team {
    place.phase "1" share rows { sluice.add %x, %x into %a : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    scf.for %i = %c0 to %c1 step %c1 {
      place.phase "2" share rows { sluice.add %x, %x into %t : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
      place.barrier
      place.phase "3" share rows { sluice.add %t, %x into %y : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    }
    place.phase "4" share rows { sluice.add %x, %x into %b : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
  }
  return
}

// CHECK-LABEL: func @loop_that_may_not_run
// CHECK-SAME: place.arena = #place.extent<row = 192, seq = 0, fixed = 0>
func.func @loop_that_may_not_run(%x: memref<?x16xf32>, %y: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %t = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %b = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team {
    place.phase "1" share rows { sluice.add %x, %x into %a : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    scf.for %i = %c0 to %n step %c1 {
      place.phase "2" share rows { sluice.add %x, %x into %t : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
      place.barrier
      place.phase "3" share rows { sluice.add %t, %x into %y : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    }
    place.phase "4" share rows { sluice.add %x, %x into %b : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
  }
  return
}

// Rows, sequences and fixed sizes are counted apart.
// CHECK-LABEL: func @extents
// CHECK-SAME: place.arena = #place.extent<row = 64, seq = 64, fixed = 128>
func.func @extents(%x: memref<?x16xf32>, %y: memref<?x16xf32>, %z: memref<2x16xf32>, %b: !sluice.batch) {
  %r = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  %s = place.buffer "seqs" size <row = 0, seq = 64, fixed = 0> : memref<?x16xf32>
  %f = place.buffer "fixed" size <row = 0, seq = 0, fixed = 128> : memref<2x16xf32>
  place.team {
    place.phase "1" share rows { sluice.add %x, %x into %r : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    place.phase "2" share rows { sluice.add %z, %z into %f : (memref<2x16xf32>, memref<2x16xf32>, memref<2x16xf32>) -> () }
    place.barrier
    place.phase "3" share seqs { sluice.pool mean %r batch %b into %s : (memref<?x16xf32>, !sluice.batch, memref<?x16xf32>) -> () }
  }
  return
}
