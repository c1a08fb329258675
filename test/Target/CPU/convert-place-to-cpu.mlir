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
    // CHECK: call @norm_l2_to_f32({{.*}}, %[[LO]], %[[HI]], {{.*}})
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

// -----

// A decoder's memory: the pages of pool 1, rows appended before they are attended to; the items of
// attention are rows times kv heads.

sluice.kv @other layers 1 heads 1 key 8 value 8 page 16 : f32
sluice.kv @kv layers 2 heads 2 key 24 value 40 page 32 : bf16

// CHECK-LABEL: func.func @sluice_fn_step
func.func @step(%q: memref<?x6x24xf32>, %k: memref<?x2x24xf32>, %v: memref<?x2x40xf32>, %b: !sluice.batch,
                %kv: !sluice.pages<@kv>, %o: memref<?x6x40xf32>) attributes {sluice.export} {
  %l = arith.constant 1 : index
  place.team {
    // CHECK-DAG: llvm.getelementptr %arg0[24]
    // CHECK-DAG: llvm.getelementptr %{{.*}}[16]
    // CHECK-DAG: llvm.getelementptr %{{.*}}[24]
    // CHECK: call @cache_append_bf16_24_40(
    place.phase "append" share rows {
      sluice.cache.append %k, %v to %kv[%l] batch %b
        : (memref<?x2x24xf32>, memref<?x2x40xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> ()
    }
    // CHECK: llvm.call
    place.barrier
    // CHECK: %[[ITEMS:.*]] = arith.muli %{{.*}}, %c2
    // CHECK: arith.muli %{{.*}}, %[[ITEMS]]
    // CHECK: call @attention_pages_causal_bf16_24x40_group3_to_f32(
    place.phase "attention" share heads {
      sluice.attention %q pages %kv[%l] batch %b mask #sluice.causal into %o {scale = 0.2}
        : (memref<?x6x24xf32>, !sluice.pages<@kv>, index, !sluice.batch, memref<?x6x40xf32>) -> ()
    }
  }
  return
}
// Sums stay in registers.
// CHECK: func.func private @attention_pages_causal_bf16_24x40_group3_to_f32
// CHECK: scf.for {{.*}} iter_args
// CHECK: cpu.reduction
