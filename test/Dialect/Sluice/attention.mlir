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

// CHECK-LABEL: func.func @masks
// CHECK: mask #sluice.and<#sluice.causal, #sluice.window<128>, #sluice.or<#sluice.segment, #sluice.tree, #sluice.prefix<4>>> segments %{{.*}} parents %{{.*}} {
// CHECK: mask #sluice.or<#sluice.prefixes, #sluice.ahead<3>> window %{{.*}} prefixes %{{.*}} {
func.func @masks(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %w: index,
    %s: tensor<?xi32>, %p: tensor<?xi32>, %f: tensor<?xi32>) -> (tensor<?x6x5xf32>, tensor<?x6x5xf32>) {
  %y = sluice.attention %q, %k, %v batch %b
    mask #sluice.and<#sluice.causal, #sluice.window<128>, #sluice.or<#sluice.segment, #sluice.tree, #sluice.prefix<4>>>
    segments %s parents %p {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<?xi32>, tensor<?xi32>) -> tensor<?x6x5xf32>
  %z = sluice.attention %q, %k, %v batch %b mask #sluice.or<#sluice.prefixes, #sluice.ahead<3>> window %w prefixes %f {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, index, tensor<?xi32>) -> tensor<?x6x5xf32>
  return %y, %z : tensor<?x6x5xf32>, tensor<?x6x5xf32>
}

// CHECK-LABEL: func.func @scores
// CHECK: slopes %{{.*}} bias %{{.*}} sinks %{{.*}} {scale = 1.000000e+00 : f64, softcap = 3.000000e+01 : f64} : {{.*}} -> (tensor<?x6x5xf32>, tensor<?x6xf32>)
// CHECK: bias %{{.*}} into %{{.*}}, %{{.*}} {
func.func @scores(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %s: tensor<6xf32>,
    %r: tensor<6x9xf32>, %t: tensor<6x16x20xf32>, %mq: memref<?x6x8xf32>, %mt: memref<?xi8>, %my: memref<?x6x5xf32>,
    %ml: memref<?x6xf32>) -> (tensor<?x6x5xf32>, tensor<?x6xf32>) {
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.causal slopes %s bias %r sinks %s {scale = 1.0 : f64, softcap = 30.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<6xf32>, tensor<6x9xf32>, tensor<6xf32>)
    -> (tensor<?x6x5xf32>, tensor<?x6xf32>)
  sluice.attention %mq tiles %mt batch %b mask #sluice.causal bias %t into %my, %ml {scale = 1.0 : f64, kv_heads = 2 : i64, value_size = 5 : i64}
    : (memref<?x6x8xf32>, memref<?xi8>, !sluice.batch, tensor<6x16x20xf32>, memref<?x6x5xf32>, memref<?x6xf32>) -> ()
  return %y#0, %y#1 : tensor<?x6x5xf32>, tensor<?x6xf32>
}
