// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16

// CHECK-LABEL: func.func @append
// CHECK: sluice.cache.append %{{.*}}, %{{.*}} to %{{.*}}[%{{.*}}] batch %{{.*}} :
func.func @append(%k: tensor<?x2x8xf32>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) -> !sluice.pages<@kv> {
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x8xf32>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return %r : !sluice.pages<@kv>
}

// CHECK-LABEL: func.func @in_place
// CHECK: sluice.cache.append
// CHECK-SAME: -> ()
func.func @in_place(%k: memref<?x2x8xf32>, %v: memref<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  sluice.cache.append %k, %v to %kv[%l] batch %b
    : (memref<?x2x8xf32>, memref<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> ()
  return
}

// CHECK-LABEL: func.func @pack
// CHECK: sluice.cache.pack %{{.*}}, %{{.*}} batch %{{.*}} into %{{.*}} :
func.func @pack(%k: memref<?x2x8xf32>, %v: memref<?x2x6xf32>, %b: !sluice.batch, %t: memref<?xi8>) {
  sluice.cache.pack %k, %v batch %b into %t : (memref<?x2x8xf32>, memref<?x2x6xf32>, !sluice.batch, memref<?xi8>)
  return
}
