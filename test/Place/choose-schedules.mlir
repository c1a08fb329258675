// RUN: sluice-opt %s --place-choose-schedules=cpu=sapphirerapids | FileCheck %s --check-prefixes=CHECK,V4
// RUN: sluice-opt %s --place-choose-schedules=cpu=x86-64-v3 | FileCheck %s --check-prefixes=CHECK,V3

sluice.param @wide role weight : tensor<300x24xf32> from ["w"] rows [300]
sluice.param @narrow role weight : tensor<5x24xf32> from ["v"] rows [5]
sluice.param @deep role weight : tensor<300x100000xf32> from ["d"] rows [300]

// CHECK-LABEL: func @layers
func.func @layers(%x: tensor<?x24xf32>, %d: tensor<?x100000xf32>) -> (tensor<?x300xf32>, tensor<?x5xf32>, tensor<?x300xf32>, tensor<?x5xf32>) {
  %w = sluice.param.use @wide : tensor<300x24xf32>
  %v = sluice.param.use @narrow : tensor<5x24xf32>
  %e = sluice.param.use @deep : tensor<300x100000xf32>
  // The register file decides how many rows and panels a tile has.
  // V4: schedule = #place.panels<rows = [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], panels = 2,
  // V3: schedule = #place.panels<rows = [6, 5, 4, 3, 2, 1], panels = 1,
  // CHECK-SAME: kblock = 0, dot = fma
  %a = sluice.linear %x, %w : (tensor<?x24xf32>, tensor<300x24xf32>) -> tensor<?x300xf32>
  // There is one panel only.
  // CHECK: panels = 1, stream = 1
  %b = sluice.linear %x, %v : (tensor<?x24xf32>, tensor<5x24xf32>) -> tensor<?x5xf32>
  // Too many inputs for one pass over the rows.
  // CHECK: kblock = {{[1-9]}}
  %c = sluice.linear %d, %e : (tensor<?x100000xf32>, tensor<300x100000xf32>) -> tensor<?x300xf32>
  // A schedule that is written already stays.
  // CHECK: rows = [1], panels = 1, stream = 7
  %f = sluice.linear %x, %v {schedule = #place.panels<rows = [1], panels = 1, stream = 7, kblock = 0, dot = fma>}
    : (tensor<?x24xf32>, tensor<5x24xf32>) -> tensor<?x5xf32>
  return %a, %b, %c, %f : tensor<?x300xf32>, tensor<?x5xf32>, tensor<?x300xf32>, tensor<?x5xf32>
}
