// SPDX-License-Identifier: Apache-2.0
// RUN: sluice-opt %s -split-input-file -convert-place-to-cpu=cpu=x86-64-v3 -canonicalize -cse -check-target-stage | FileCheck %s

// Buffers are offsets in the arena, weights one load and a stride per layer, a barrier an indirect
// call; every phase gets this worker's part of the rows.

sluice.param @first role scale layout rows : tensor<40xf32> from ["first"] rows [40]
sluice.param @w stack 2 role scale layout rows : tensor<2x40xbf16> from ["w.{}"] rows [40]

// CHECK: llvm.mlir.global external constant @sluice_abi_version(1 : i32)
// CHECK-LABEL: func.func @sluice_fn_f(%arg0: !llvm.ptr, %arg1: i32, %arg2: i32)
func.func @f(%x: memref<?x40xf32>, %b: !sluice.batch, %y: memref<?x40xf32>)
    attributes {sluice.export, place.arena = #place.extent<row = 256, seq = 8, fixed = 64>} {
  %h = place.buffer "rows" size <row = 192, seq = 0, fixed = 0> at <row = 64, seq = 8, fixed = 64> : memref<?x40xf32, strided<[48, 1]>>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  place.team {
    // CHECK-DAG: %[[BATCH:.*]] = llvm.load %arg0 : !llvm.ptr -> !llvm.ptr
    // CHECK-DAG: %[[R32:.*]] = llvm.load %[[BATCH]] : !llvm.ptr -> i32
    // CHECK-DAG: llvm.getelementptr %arg0[64]
    // CHECK-DAG: llvm.getelementptr %arg0[8]
    // CHECK-DAG: llvm.getelementptr %arg0[16]
    // CHECK-DAG: llvm.getelementptr %arg0[48]
    // CHECK-DAG: %[[R:.*]] = arith.index_cast %[[R32]] : i32 to index
    // CHECK-DAG: %[[ME:.*]] = arith.index_cast %arg1 : i32 to index
    // CHECK-DAG: %[[NW:.*]] = arith.index_cast %arg2 : i32 to index
    // CHECK: %[[A:.*]] = arith.muli %[[ME]], %[[R]]
    // CHECK: %[[LO:.*]] = arith.divui %[[A]], %[[NW]]
    // CHECK: %[[HI:.*]] = arith.divui
    // CHECK: call @norm_l2_to_f32({{.*}}, %[[LO]], %[[HI]])
    place.phase "norm" share rows {
      sluice.norm l2 %x into %h {eps = 1.0e-6} : (memref<?x40xf32>, memref<?x40xf32, strided<[48, 1]>>) -> ()
    }
    // CHECK: llvm.call %{{.*}}(%{{.*}}, %arg1) : !llvm.ptr, (!llvm.ptr, i32) -> ()
    place.barrier
    // CHECK: scf.for %[[L:.*]] = %c0 to %c2 step %c1
    scf.for %l = %c0 to %c2 step %c1 {
      // A layer's block is 80 bytes, rounded up to 128.
      // CHECK: %[[AT:.*]] = arith.muli %[[L]], %c128
      // CHECK: call @norm_rms_w_bf16_to_f32.bf16(
      // CHECK: llvm.call
      %w = sluice.param.use @w[%l] : tensor<40xbf16>
      place.phase "norm" share rows {
        sluice.norm rms %h weight %w into %y {eps = 1.0e-6, round = bf16}
          : (memref<?x40xf32, strided<[48, 1]>>, tensor<40xbf16>, memref<?x40xf32>) -> ()
      }
      place.barrier
    }
  }
  return
}
// CHECK: func.func private @norm_l2_to_f32
// CHECK: func.func private @norm_rms_w_bf16_to_f32.bf16
// CHECK-NOT: sluice.param
// CHECK-NOT: place.

// -----

// A variant is written once, however many ops call it; where there is no batch the rows are the
// first argument's; `one` gives everything to worker 0.

// CHECK-LABEL: func.func @sluice_fn_twice
func.func @twice(%x: memref<?x8xf32>, %y: memref<?x24xf32>, %z: memref<?x8xf32>) attributes {sluice.export} {
  %c0 = arith.constant 0 : index
  %r = memref.dim %x, %c0 : memref<?x8xf32>
  %v = memref.subview %y[0, 16] [%r, 8] [1, 1] : memref<?x24xf32> to memref<?x8xf32, strided<[24, 1], offset: 16>>
  place.team {
    // CHECK: call @add(
    place.phase "a" share rows {
      sluice.add %x, %x into %v : (memref<?x8xf32>, memref<?x8xf32>, memref<?x8xf32, strided<[24, 1], offset: 16>>) -> ()
    }
    // CHECK: llvm.call
    place.barrier
    // CHECK: %[[END:.*]] = arith.select
    // CHECK: call @add({{.*}}, %c0, %[[END]])
    place.phase "b" share one {
      sluice.add %v, %x into %z : (memref<?x8xf32, strided<[24, 1], offset: 16>>, memref<?x8xf32>, memref<?x8xf32>) -> ()
    }
  }
  return
}
// CHECK: func.func private @add
// CHECK-NOT: func.func private @add

// -----

// What a trap record names: places of ops, once each.

// CHECK: module attributes {sluice.locations = ["model.yaml:3:7"]}
sluice.param @t role table layout rows : tensor<9x8xf32> from ["t"] rows [9]
func.func @g(%i: memref<?xi32>, %y: memref<?x8xf32>, %z: memref<?x8xf32>) attributes {sluice.export} {
  %t = sluice.param.use @t : tensor<9x8xf32>
  place.team {
    place.phase "a" share rows {
      sluice.embed %t[%i] into %y : (tensor<9x8xf32>, memref<?xi32>, memref<?x8xf32>) -> () loc("model.yaml":3:7)
      sluice.embed %t[%i] into %z : (tensor<9x8xf32>, memref<?xi32>, memref<?x8xf32>) -> () loc("model.yaml":3:7)
    }
  }
  return
}
// CHECK: func.func private @trap
// CHECK: llvm.cmpxchg
