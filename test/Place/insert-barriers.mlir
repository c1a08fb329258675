// RUN: sluice-opt %s --place-insert-barriers | FileCheck %s
// Twice is once.
// RUN: sluice-opt %s --place-insert-barriers --place-insert-barriers | FileCheck %s

// Write then read needs a barrier, two reads do not.
// CHECK-LABEL: func @straight
func.func @straight(%x: memref<?x24xf32>, %y: memref<?x24xf32>, %z: memref<?x24xf32>) {
  place.team {
    // CHECK: place.phase "a"
    // CHECK-NOT: place.barrier
    // CHECK: place.phase "b"
    // CHECK: place.barrier
    // CHECK-NEXT: place.phase "c"
    // CHECK-NOT: place.barrier
    // CHECK: return
    place.phase "a" share rows { sluice.add %x, %x into %y : (memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>) -> () }
    place.phase "b" share rows { sluice.add %x, %x into %z : (memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>) -> () }
    place.phase "c" share seqs { sluice.add %y, %y into %z : (memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>) -> () }
  }
  return
}

// Reading before writing needs one too, through views as well.
// CHECK-LABEL: func @read_then_write
func.func @read_then_write(%x: memref<4x24xf32>, %y: memref<4x12xf32>) {
  place.team {
    // CHECK: place.phase "a"
    // CHECK: place.barrier
    // CHECK-NEXT: place.phase "b"
    %v = memref.subview %x[0, 12] [4, 12] [1, 1] : memref<4x24xf32> to memref<4x12xf32, strided<[24, 1], offset: 12>>
    place.phase "a" share rows { sluice.add %v, %v into %y : (memref<4x12xf32, strided<[24, 1], offset: 12>>, memref<4x12xf32, strided<[24, 1], offset: 12>>, memref<4x12xf32>) -> () }
    place.phase "b" share rows { sluice.norm rms %x into %x {eps = 1.0e-6 : f64} : (memref<4x24xf32>, memref<4x24xf32>) -> () }
  }
  return
}

// The end of one round and the beginning of the next conflict: a barrier at the top of the body serves both ways in.
// CHECK-LABEL: func @back_edge
func.func @back_edge(%x: memref<?x24xf32>, %y: memref<?x24xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  place.team {
    // CHECK: scf.for
    // CHECK-NEXT: place.barrier
    // CHECK-NEXT: place.phase "a"
    // CHECK: place.barrier
    // CHECK-NEXT: place.phase "b"
    // CHECK-NOT: place.barrier
    // CHECK: return
    scf.for %i = %c0 to %n step %c1 {
      place.phase "a" share rows { sluice.add %x, %x into %y : (memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>) -> () }
      place.phase "b" share rows { sluice.add %y, %y into %x : (memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>) -> () }
    }
  }
  return
}

// Pages are memory: an append and the attention that reads it.
// CHECK-LABEL: func @pages
sluice.kv @kv layers 1 heads 1 key 8 value 8 page 16 : f32
func.func @pages(%k: memref<?x1x8xf32>, %q: memref<?x1x8xf32>, %o: memref<?x1x8xf32>, %kv: !sluice.pages<@kv>, %b: !sluice.batch) {
  %c0 = arith.constant 0 : index
  place.team {
    // CHECK: place.phase "append"
    // CHECK: place.barrier
    // CHECK-NEXT: place.phase "attention"
    place.phase "append" share rows { sluice.cache.append %k, %k to %kv[%c0] batch %b : (memref<?x1x8xf32>, memref<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> () }
    place.phase "attention" share heads {
      sluice.attention %q pages %kv[%c0] batch %b mask #sluice.causal into %o {scale = 1.0 : f64} : (memref<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch, memref<?x1x8xf32>) -> ()
    }
  }
  return
}
