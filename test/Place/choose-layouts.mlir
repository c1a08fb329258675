// RUN: sluice-opt %s --place-choose-layouts=cpu=x86-64-v3 | FileCheck %s

// CHECK: sluice.param @weight role weight layout panel
sluice.param @weight role weight : tensor<20x24xbf16> from ["w"] rows [20]
// CHECK: sluice.param @scale role scale layout rows
sluice.param @scale role scale : tensor<24xf32> from ["n"] rows [24]
// CHECK: sluice.param @table role table layout rows
sluice.param @table role table : tensor<50x24xf32> from ["t"] rows [50]
// One copy of a tied table serves both.
// CHECK: sluice.param @tied role table layout panel
sluice.param @tied role table : tensor<60x24xbf16> from ["e"] rows [60]
// A layout that is written already stays.
// CHECK: sluice.param @written role table layout rows
sluice.param @written role table layout rows : tensor<7x24xf32> from ["x"] rows [7]

func.func @uses(%ids: tensor<?xi32>) -> (tensor<?x20xf32>, tensor<?x60xf32>, tensor<?x24xbf16>) {
  %t = sluice.param.use @table : tensor<50x24xf32>
  %e = sluice.param.use @tied : tensor<60x24xbf16>
  %w = sluice.param.use @weight : tensor<20x24xbf16>
  %n = sluice.param.use @scale : tensor<24xf32>
  %x = sluice.embed %t[%ids] : (tensor<50x24xf32>, tensor<?xi32>) -> tensor<?x24xf32>
  %y = sluice.embed %e[%ids] : (tensor<60x24xbf16>, tensor<?xi32>) -> tensor<?x24xf32>
  // Only linear layers read these rows: kept widened where bf16 is multiplied by fma.
  // CHECK: sluice.norm rms %{{.*}} weight {{.*}}round = bf16
  %h = sluice.norm rms %x weight %n {eps = 1.0e-6 : f64} : (tensor<?x24xf32>, tensor<24xf32>) -> tensor<?x24xbf16>
  // These leave the function as bf16.
  // CHECK: sluice.norm rms
  // CHECK-NOT: round
  // CHECK-SAME: tensor<?x24xbf16>
  %g = sluice.norm rms %y {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xbf16>
  %o = sluice.linear %h, %w : (tensor<?x24xbf16>, tensor<20x24xbf16>) -> tensor<?x20xf32>
  %p = sluice.linear %g, %e : (tensor<?x24xbf16>, tensor<60x24xbf16>) -> tensor<?x60xf32>
  return %o, %p, %g : tensor<?x20xf32>, tensor<?x60xf32>, tensor<?x24xbf16>
}
