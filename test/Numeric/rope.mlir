// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

func.func @halves(%x: tensor<?x3x64xf32>, %p: tensor<?xi32>) -> tensor<?x3x64xf32> {
  %y = sluice.rope halves %x at %p {theta = 1.0e4 : f64} : (tensor<?x3x64xf32>, tensor<?xi32>) -> tensor<?x3x64xf32>
  return %y : tensor<?x3x64xf32>
}

func.func @neighbours_of_a_part(%x: tensor<?x2x21xf32>, %p: tensor<?xi32>) -> tensor<?x2x21xf32> {
  %y = sluice.rope neighbours %x at %p {theta = 1.0e6 : f64, dims = 10 : i64} : (tensor<?x2x21xf32>, tensor<?xi32>) -> tensor<?x2x21xf32>
  return %y : tensor<?x2x21xf32>
}

func.func @halves_of_a_part(%x: tensor<?x1x23xf32>, %p: tensor<?xi32>) -> tensor<?x1x23xf32> {
  %y = sluice.rope halves %x at %p {theta = 5.0e5 : f64, dims = 18 : i64} : (tensor<?x1x23xf32>, tensor<?xi32>) -> tensor<?x1x23xf32>
  return %y : tensor<?x1x23xf32>
}

func.func @positions_of_the_batch(%x: tensor<?x2x8xf32>, %b: !sluice.batch) -> tensor<?x2x8xf32> {
  %p = sluice.batch.positions %b : tensor<?xi32>
  %y = sluice.rope halves %x at %p {theta = 1.0e4 : f64} : (tensor<?x2x8xf32>, tensor<?xi32>) -> tensor<?x2x8xf32>
  return %y : tensor<?x2x8xf32>
}
