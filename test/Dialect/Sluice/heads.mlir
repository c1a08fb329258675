// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @linear
// CHECK: sluice.heads.linear turned %{{.*}}, %{{.*}} {first = 0 : i64} : (tensor<?x4x12xf32>, tensor<112x24xbf16>) -> tensor<?x4x24xf32>
// CHECK: sluice.heads.linear plain %{{.*}}, %{{.*}} {first = 12 : i64} : (tensor<?x4x24xf32>, tensor<112x24xbf16>) -> tensor<?x4x16xbf16>
func.func @linear(%q: tensor<?x4x12xf32>, %w: tensor<112x24xbf16>) -> tensor<?x4x16xbf16> {
  %z = sluice.heads.linear turned %q, %w {first = 0 : i64} : (tensor<?x4x12xf32>, tensor<112x24xbf16>) -> tensor<?x4x24xf32>
  %o = sluice.heads.linear plain %z, %w {first = 12 : i64} : (tensor<?x4x24xf32>, tensor<112x24xbf16>) -> tensor<?x4x16xbf16>
  return %o : tensor<?x4x16xbf16>
}

// CHECK-LABEL: func.func @buffer_form
// CHECK: sluice.heads.join %{{.*}}, %{{.*}} into %{{.*}} : (memref<?x4x12xf32>, memref<?x1x8xf32>, memref<?x4x20xf32>) -> ()
func.func @buffer_form(%x: memref<?x4x12xf32>, %y: memref<?x1x8xf32>, %z: memref<?x4x20xf32>) {
  sluice.heads.join %x, %y into %z : (memref<?x4x12xf32>, memref<?x1x8xf32>, memref<?x4x20xf32>) -> ()
  return
}

// CHECK: sluice.kv @latent layers 27 heads 1 key 576 value 512 shared page 16 : bf16
sluice.kv @latent layers 27 heads 1 key 576 value 512 shared page 16 : bf16
// CHECK-LABEL: func.func @append
// CHECK: sluice.cache.append %{{.*}} to %{{.*}}[%{{.*}}] batch %{{.*}} : (tensor<?x1x576xf32>, !sluice.pages<@latent>, index, !sluice.batch) -> !sluice.pages<@latent>
func.func @append(%k: tensor<?x1x576xf32>, %kv: !sluice.pages<@latent>, %l: index, %b: !sluice.batch) -> !sluice.pages<@latent> {
  %n = sluice.cache.append %k to %kv[%l] batch %b : (tensor<?x1x576xf32>, !sluice.pages<@latent>, index, !sluice.batch) -> !sluice.pages<@latent>
  return %n : !sluice.pages<@latent>
}
