// Ragged batches over tensors: groups of heads, D that is not E, sequences beyond one cut of 256 keys.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=9 --rows=16,17 --rows=256 --rows=1,259

func.func @all(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch) -> tensor<?x6x24xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0.25 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @causal(%q: tensor<?x3x7xf32>, %k: tensor<?x3x7xf32>, %v: tensor<?x3x5xf32>, %b: !sluice.batch) -> tensor<?x3x5xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal {scale = 0.75 : f64}
    : (tensor<?x3x7xf32>, tensor<?x3x7xf32>, tensor<?x3x5xf32>, !sluice.batch) -> tensor<?x3x5xf32>
  return %y : tensor<?x3x5xf32>
}

func.func @in_bf16(%q: tensor<?x2x32xf32>, %k: tensor<?x1x32xf32>, %v: tensor<?x1x32xf32>, %b: !sluice.batch) -> tensor<?x2x32xbf16> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0.125 : f64}
    : (tensor<?x2x32xf32>, tensor<?x1x32xf32>, tensor<?x1x32xf32>, !sluice.batch) -> tensor<?x2x32xbf16>
  return %y : tensor<?x2x32xbf16>
}
