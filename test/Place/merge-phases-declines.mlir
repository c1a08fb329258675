// RUN: sluice-opt %s --place-merge-phases | FileCheck %s

// Rows that another worker may still be writing.
// CHECK-LABEL: func @gather_across_rows
func.func @gather_across_rows(%x: memref<?x24xf32>, %y: memref<?x24xf32>, %z: memref<?x24xf32>, %ids: memref<?xi32>) {
  place.team {
    // CHECK: place.phase "norm" share rows
    // CHECK: place.phase "embed" share rows
    place.phase "norm" share rows { sluice.norm rms %x into %y {eps = 1.0e-6 : f64} : (memref<?x24xf32>, memref<?x24xf32>) -> () }
    place.phase "embed" share rows { sluice.embed %y[%ids] into %z : (memref<?x24xf32>, memref<?xi32>, memref<?x24xf32>) -> () }
  }
  return
}

// A worker's rows and its sequences are not the same rows.
// CHECK-LABEL: func @other_items
func.func @other_items(%x: memref<?x24xf32>, %y: memref<?x24xf32>, %b: !sluice.batch) {
  place.team {
    // CHECK: place.phase "norm" share rows
    // CHECK: place.phase "pool" share seqs
    place.phase "norm" share rows { sluice.norm rms %x into %x {eps = 1.0e-6 : f64} : (memref<?x24xf32>, memref<?x24xf32>) -> () }
    place.phase "pool" share seqs { sluice.pool mean %x batch %b into %y : (memref<?x24xf32>, !sluice.batch, memref<?x24xf32>) -> () }
  }
  return
}

// Rows of static shapes are counted: 3 items are not divided as 4 are.
// CHECK-LABEL: func @other_count
func.func @other_count(%x: memref<3x8xf32>, %y: memref<4x8xf32>) {
  place.team {
    // CHECK: place.phase "a" share rows
    // CHECK: place.phase "b" share rows
    place.phase "a" share rows { sluice.add %x, %x into %x : (memref<3x8xf32>, memref<3x8xf32>, memref<3x8xf32>) -> () }
    place.phase "b" share rows { sluice.add %y, %y into %y : (memref<4x8xf32>, memref<4x8xf32>, memref<4x8xf32>) -> () }
  }
  return
}

// A panel's outputs are no rows.
// CHECK-LABEL: func @columns
sluice.param @w role weight layout panel : tensor<24x24xf32> from ["w"] rows [24]
func.func @columns(%x: memref<?x24xf32>, %y: memref<?x24xf32>, %z: memref<?x24xf32>) {
  place.team {
    // CHECK: place.phase "a" share columns
    // CHECK: place.phase "b" share columns
    %w = sluice.param.use @w : tensor<24x24xf32>
    place.phase "a" share columns { sluice.linear %x, %w into %y : (memref<?x24xf32>, tensor<24x24xf32>, memref<?x24xf32>) -> () }
    place.phase "b" share columns { sluice.linear %x, %w into %z : (memref<?x24xf32>, tensor<24x24xf32>, memref<?x24xf32>) -> () }
  }
  return
}
