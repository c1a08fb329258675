// Row counts on both sides of every row class, odd K and N, N under and over one panel.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=8 --rows=0 --rows=2 --rows=3 --rows=4 --rows=6 --rows=7 --rows=12 --rows=13 --rows=50

sluice.param @w role weight : tensor<37x45xf32> from ["w"] rows [37]
sluice.param @b role bias : tensor<37xf32> from ["b"] rows [37]
sluice.param @narrow role weight : tensor<5x1xf32> from ["narrow"] rows [5]
sluice.param @joined role weight : tensor<48x31xf32> from ["q", "k"] rows [17, 31]
sluice.param @deep role weight : tensor<16x700xf32> from ["deep"] rows [16]

func.func @plain(%x: tensor<?x45xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w : tensor<37x45xf32>
  %y = sluice.linear %x, %w : (tensor<?x45xf32>, tensor<37x45xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @epilogue(%x: tensor<?x45xf32>, %r: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w : tensor<37x45xf32>
  %b = sluice.param.use @b : tensor<37xf32>
  %y = sluice.linear %x, %w bias %b activation gelu_erf residual %r
    : (tensor<?x45xf32>, tensor<37x45xf32>, tensor<37xf32>, tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @one_input(%x: tensor<?x1xf32>) -> tensor<?x5xf32> {
  %w = sluice.param.use @narrow : tensor<5x1xf32>
  %y = sluice.linear %x, %w : (tensor<?x1xf32>, tensor<5x1xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

func.func @joined_sources(%x: tensor<?x31xf32>) -> tensor<?x48xf32> {
  %w = sluice.param.use @joined : tensor<48x31xf32>
  %y = sluice.linear %x, %w : (tensor<?x31xf32>, tensor<48x31xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

func.func @many_inputs(%x: tensor<?x700xf32>) -> tensor<?x16xf32> {
  %w = sluice.param.use @deep : tensor<16x700xf32>
  %y = sluice.linear %x, %w : (tensor<?x700xf32>, tensor<16x700xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
