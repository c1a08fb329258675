// Every scaling of the frequencies, amplitudes, and sequences on both sides of `original`.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

func.func @linear(%x: tensor<?x3x22xf32>, %p: tensor<?xi32>) -> tensor<?x3x22xf32> {
  %y = sluice.rope halves %x at %p {theta = 1.0e4 : f64, scaling = #sluice.rope_linear<factor = 3.5>} : (tensor<?x3x22xf32>, tensor<?xi32>) -> tensor<?x3x22xf32>
  return %y : tensor<?x3x22xf32>
}

func.func @ntk(%x: tensor<?x1x40xf32>, %p: tensor<?xi32>) -> tensor<?x1x40xf32> {
  %y = sluice.rope neighbours %x at %p {theta = 1.0e4 : f64, dims = 34 : i64, scaling = #sluice.rope_ntk<factor = 4.0>} : (tensor<?x1x40xf32>, tensor<?xi32>) -> tensor<?x1x40xf32>
  return %y : tensor<?x1x40xf32>
}

func.func @llama3(%x: tensor<?x2x64xf32>, %p: tensor<?xi32>) -> tensor<?x2x64xf32> {
  %y = sluice.rope halves %x at %p {theta = 5.0e5 : f64, scaling = #sluice.rope_llama3<factor = 8.0, low = 1.0, high = 4.0, original = 8192>} : (tensor<?x2x64xf32>, tensor<?xi32>) -> tensor<?x2x64xf32>
  return %y : tensor<?x2x64xf32>
}

func.func @yarn(%x: tensor<?x2x64xf32>, %p: tensor<?xi32>) -> tensor<?x2x64xf32> {
  %y = sluice.rope halves %x at %p {theta = 1.0e4 : f64, amplitude = 1.25 : f64, scaling = #sluice.rope_yarn<factor = 40.0, fast = 32.0, slow = 1.0, original = 4096, corners = whole>} : (tensor<?x2x64xf32>, tensor<?xi32>) -> tensor<?x2x64xf32>
  return %y : tensor<?x2x64xf32>
}

func.func @yarn_with_exact_corners(%x: tensor<?x2x64xf32>, %p: tensor<?xi32>) -> tensor<?x2x64xf32> {
  %y = sluice.rope neighbours %x at %p {theta = 1.5e5 : f64, amplitude = 1.3465735902799727 : f64, scaling = #sluice.rope_yarn<factor = 32.0, fast = 32.0, slow = 1.0, original = 4096, corners = exact>} : (tensor<?x2x64xf32>, tensor<?xi32>) -> tensor<?x2x64xf32>
  return %y : tensor<?x2x64xf32>
}

// Sequences are 1 to some rows long; 4 is within them.
func.func @dynamic(%x: tensor<?x2x26xf32>, %b: !sluice.batch) -> tensor<?x2x26xf32> {
  %p = sluice.batch.positions %b : tensor<?xi32>
  %y = sluice.rope halves %x at %p batch %b {theta = 1.0e4 : f64, scaling = #sluice.rope_dynamic<factor = 2.0, original = 4>} : (tensor<?x2x26xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x2x26xf32>
  return %y : tensor<?x2x26xf32>
}

func.func @dynamic_of_a_part(%x: tensor<?x2x50xf32>, %b: !sluice.batch) -> tensor<?x2x50xf32> {
  %p = sluice.batch.positions %b : tensor<?xi32>
  %y = sluice.rope neighbours %x at %p batch %b {theta = 1.0e4 : f64, dims = 38 : i64, amplitude = 0.5 : f64, scaling = #sluice.rope_dynamic<factor = 6.5, original = 3>} : (tensor<?x2x50xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x2x50xf32>
  return %y : tensor<?x2x50xf32>
}

func.func @longrope(%x: tensor<?x3x10xf32>, %b: !sluice.batch) -> tensor<?x3x10xf32> {
  %p = sluice.batch.positions %b : tensor<?xi32>
  %y = sluice.rope halves %x at %p batch %b {theta = 1.0e4 : f64, dims = 8 : i64, amplitude = 1.19 : f64, scaling = #sluice.rope_longrope<short_factors = [1.0, 1.1, 1.25, 1.5], long_factors = [1.0, 2.5, 7.0, 31.5], original = 4>} : (tensor<?x3x10xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x3x10xf32>
  return %y : tensor<?x3x10xf32>
}
