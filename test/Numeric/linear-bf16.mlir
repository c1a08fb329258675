// bf16 and f16 weights: odd K ends in half a pair.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=8 --rows=2 --rows=3 --rows=6 --rows=13 --rows=29

sluice.param @w role weight : tensor<37x45xbf16> from ["w"] rows [37]
sluice.param @b role bias : tensor<37xbf16> from ["b"] rows [37]
sluice.param @even role weight : tensor<64x96xbf16> from ["even"] rows [64]
sluice.param @half role weight : tensor<21x33xf16> from ["half"] rows [21]

func.func @odd(%x: tensor<?x45xbf16>, %r: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w : tensor<37x45xbf16>
  %b = sluice.param.use @b : tensor<37xbf16>
  %y = sluice.linear %x, %w bias %b residual %r
    : (tensor<?x45xbf16>, tensor<37x45xbf16>, tensor<37xbf16>, tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @even_sizes(%x: tensor<?x96xbf16>) -> tensor<?x64xf32> {
  %w = sluice.param.use @even : tensor<64x96xbf16>
  %y = sluice.linear %x, %w : (tensor<?x96xbf16>, tensor<64x96xbf16>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

func.func @f16_weight(%x: tensor<?x33xf32>) -> tensor<?x21xf32> {
  %w = sluice.param.use @half : tensor<21x33xf16>
  %y = sluice.linear %x, %w : (tensor<?x33xf32>, tensor<21x33xf16>) -> tensor<?x21xf32>
  return %y : tensor<?x21xf32>
}
