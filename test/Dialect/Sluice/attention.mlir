// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16

// CHECK-LABEL: func.func @tensors
// CHECK: sluice.attention %{{.*}}, %{{.*}}, %{{.*}} batch %{{.*}} mask #sluice.all {scale = 2.500000e-01 : f64} :
func.func @tensors(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) -> tensor<?x6x5xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0.25 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return %y : tensor<?x6x5xf32>
}

// CHECK-LABEL: func.func @pages
// CHECK: sluice.attention %{{.*}} pages %{{.*}}[%{{.*}}] batch %{{.*}} mask #sluice.causal {scale = 1.000000e+00 : f64} :
func.func @pages(%q: tensor<?x6x8xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) -> tensor<?x6x6xbf16> {
  %y = sluice.attention %q pages %kv[%l] batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x6x6xbf16>
  return %y : tensor<?x6x6xbf16>
}

// CHECK-LABEL: func.func @tiles
// CHECK: sluice.attention %{{.*}} tiles %{{.*}} batch %{{.*}} mask #sluice.all into %{{.*}} {kv_heads = 2 : i64, scale = 1.000000e+00 : f64, value_size = 5 : i64} :
func.func @tiles(%q: memref<?x6x8xf32>, %t: memref<?xi8>, %b: !sluice.batch, %y: memref<?x6x5xf32>) {
  sluice.attention %q tiles %t batch %b mask #sluice.all into %y {scale = 1.0 : f64, kv_heads = 2 : i64, value_size = 5 : i64}
    : (memref<?x6x8xf32>, memref<?xi8>, !sluice.batch, memref<?x6x5xf32>) -> ()
  return
}
