// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK: sluice.param @table role table : tensor<9x5xf32> from ["embed.weight"] rows [9]
sluice.param @table role table : tensor<9x5xf32> from ["embed.weight"] rows [9]

// CHECK: sluice.param @qk stack 2 role weight layout panel : tensor<2x7x5xbf16> from ["layers.{}.q", "layers.{}.k"] rows [4, 3]
sluice.param @qk stack 2 role weight layout panel : tensor<2x7x5xbf16> from ["layers.{}.q", "layers.{}.k"] rows [4, 3]

// CHECK: sluice.kv @kv layers 24 heads 2 key 64 value 48 page 16 : bf16
sluice.kv @kv layers 24 heads 2 key 64 value 48 page 16 : bf16

// CHECK-LABEL: func.func @uses
func.func @uses(%l: index) -> (tensor<9x5xf32>, tensor<7x5xbf16>) {
  // CHECK: sluice.param.use @table : tensor<9x5xf32>
  %t = sluice.param.use @table : tensor<9x5xf32>
  // CHECK: sluice.param.use @qk[%{{.*}}] : tensor<7x5xbf16>
  %q = sluice.param.use @qk[%l] : tensor<7x5xbf16>
  return %t, %q : tensor<9x5xf32>, tensor<7x5xbf16>
}

// CHECK: sluice.param @turned stack 2 role weight : tensor<2x12x4xf32> from ["h.{}.c_attn.weight"] rows [12] transposed
sluice.param @turned stack 2 role weight : tensor<2x12x4xf32> from ["h.{}.c_attn.weight"] rows [12] transposed
