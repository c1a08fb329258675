// Channels under, at and over the 16 lanes; results of f32 and bf16; heads.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

sluice.param @w role scale : tensor<37xf32> from ["w"] rows [37]
sluice.param @b role bias : tensor<37xf32> from ["b"] rows [37]
sluice.param @h role scale : tensor<16xbf16> from ["h"] rows [16]

sluice.param @all_heads role scale : tensor<51xf32> from ["all_heads"] rows [51]
sluice.param @all_heads_bias role bias : tensor<51xbf16> from ["all_heads_bias"] rows [51]

func.func @rms(%x: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w : tensor<37xf32>
  %y = sluice.norm rms %x weight %w {eps = 1.0e-6 : f64} : (tensor<?x37xf32>, tensor<37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @layer(%x: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w : tensor<37xf32>
  %b = sluice.param.use @b : tensor<37xf32>
  %y = sluice.norm layer %x weight %w bias %b {eps = 1.0e-3 : f64} : (tensor<?x37xf32>, tensor<37xf32>, tensor<37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @layer_of_one_channel(%x: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %y = sluice.norm layer %x {eps = 1.0e-5 : f64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

func.func @l2(%x: tensor<?x384xf32>) -> tensor<?x384xf32> {
  %y = sluice.norm l2 %x {eps = 1.0e-12 : f64} : (tensor<?x384xf32>) -> tensor<?x384xf32>
  return %y : tensor<?x384xf32>
}

func.func @per_head_in_bf16(%x: tensor<?x3x16xf32>) -> tensor<?x3x16xbf16> {
  %w = sluice.param.use @h : tensor<16xbf16>
  %y = sluice.norm rms %x weight %w {eps = 1.0e-6 : f64} : (tensor<?x3x16xf32>, tensor<16xbf16>) -> tensor<?x3x16xbf16>
  return %y : tensor<?x3x16xbf16>
}

func.func @weights_as_differences_from_1(%x: tensor<?x37xf32>) -> tensor<?x37xbf16> {
  %w = sluice.param.use @b : tensor<37xf32>
  %y = sluice.norm rms %x weight %w {eps = 1.0e-6 : f64, offset = 1.0 : f64} : (tensor<?x37xf32>, tensor<37xf32>) -> tensor<?x37xbf16>
  return %y : tensor<?x37xbf16>
}

func.func @grouped(%x: tensor<?x3x17xf32>) -> tensor<?x3x17xf32> {
  %w = sluice.param.use @all_heads : tensor<51xf32>
  %b = sluice.param.use @all_heads_bias : tensor<51xbf16>
  %y = sluice.norm layer %x weight %w bias %b {eps = 1.0e-5 : f64, offset = -0.5 : f64} : (tensor<?x3x17xf32>, tensor<51xf32>, tensor<51xbf16>) -> tensor<?x3x17xf32>
  return %y : tensor<?x3x17xf32>
}
