// RUN: sluice-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK: sluice.linear %{{.*}}, %{{.*}} : (tensor<?x7xf32>, tensor<5x7xf32>) -> tensor<?x5xf32>
func.func @plain(%x: tensor<?x7xf32>, %w: tensor<5x7xf32>) -> tensor<?x5xf32> {
  %y = sluice.linear %x, %w : (tensor<?x7xf32>, tensor<5x7xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @whole_epilogue
// CHECK: sluice.linear %{{.*}}, %{{.*}} bias %{{.*}} activation gelu_erf residual %{{.*}} :
func.func @whole_epilogue(%x: tensor<?x7xbf16>, %w: tensor<5x7xbf16>, %b: tensor<5xbf16>, %r: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %y = sluice.linear %x, %w bias %b activation gelu_erf residual %r
    : (tensor<?x7xbf16>, tensor<5x7xbf16>, tensor<5xbf16>, tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// An f16 weight stays f16 in memory and takes f32 rows.
// CHECK-LABEL: func.func @f16_weight
func.func @f16_weight(%x: tensor<?x7xf32>, %w: tensor<5x7xf16>) -> tensor<?x5xf32> {
  %y = sluice.linear %x, %w : (tensor<?x7xf32>, tensor<5x7xf16>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// In buffer form bf16 rows may lie widened in memory, and the residual may be the destination.
// CHECK-LABEL: func.func @buffers
// CHECK: sluice.linear %{{.*}}, %{{.*}} residual %[[Y:.*]] into %[[Y]] {schedule = #place.panels<
func.func @buffers(%x: memref<?x7xf32>, %w: tensor<5x7xbf16>, %y: memref<?x5xf32>) {
  sluice.linear %x, %w residual %y into %y {schedule = #place.panels<rows = [4, 1], panels = 2, stream = 4, kblock = 0, dot = fma>}
    : (memref<?x7xf32>, tensor<5x7xbf16>, memref<?x5xf32>, memref<?x5xf32>) -> ()
  return
}

// Codes with scales: the weight's type says it.
// CHECK-LABEL: func.func @codes
// CHECK: sluice.linear %{{.*}}, %{{.*}} : (tensor<?x40xbf16>, tensor<5x40xbf16, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>) -> tensor<?x5xf32>
// CHECK: sluice.linear %{{.*}}, %{{.*}} inputs int8 bias %{{.*}} :
func.func @codes(%x: tensor<?x40xbf16>, %w: tensor<5x40xbf16, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>,
                 %b: tensor<5xbf16>) -> (tensor<?x5xf32>, tensor<?x5xf32>) {
  %y = sluice.linear %x, %w
    : (tensor<?x40xbf16>, tensor<5x40xbf16, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>) -> tensor<?x5xf32>
  %z = sluice.linear %x, %w inputs int8 bias %b
    : (tensor<?x40xbf16>, tensor<5x40xbf16, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>, tensor<5xbf16>) -> tensor<?x5xf32>
  return %y, %z : tensor<?x5xf32>, tensor<?x5xf32>
}
