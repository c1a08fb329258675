// Weights of codes: inputs under, over and off a group, outputs off a panel, rows as they are and as codes.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=8 --rows=0 --rows=2 --rows=3 --rows=5 --rows=6 --rows=8 --rows=9 --rows=13 --rows=25 --rows=101

#i8 = #sluice.blocks<element = i8, rows = 1, columns = 128, scale = bf16>
#i8small = #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>
#i4 = #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>
#i4wide = #sluice.blocks<element = i4, rows = 1, columns = 1024, scale = bf16>

sluice.param @b role bias : tensor<37xf32> from ["b"] rows [37]
sluice.param @w8 role weight : tensor<37x300xf32, #i8> from ["w8"] rows [37]
sluice.param @w4 role weight : tensor<37x45xf32, #i4> from ["w4"] rows [37]
sluice.param @joined role weight : tensor<48x64xbf16, #i4> from ["q", "k"] rows [17, 31]
sluice.param @half role weight : tensor<21x33xf16, #i8small> from ["half"] rows [21]
sluice.param @layers stack 3 role weight : tensor<3x40x96xbf16, #i8small> from ["l.{}"] rows [40]
sluice.param @deep role weight : tensor<16x2500xf32, #i4wide> from ["deep"] rows [16]
sluice.param @deeper role weight : tensor<16x4500xf32, #i8> from ["deeper"] rows [16]
sluice.param @wide role weight : tensor<1100x40xf32, #i8small> from ["wide"] rows [1100]

func.func @epilogue8(%x: tensor<?x300xf32>, %r: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w8 : tensor<37x300xf32, #i8>
  %b = sluice.param.use @b : tensor<37xf32>
  %y = sluice.linear %x, %w bias %b activation gelu_erf residual %r
    : (tensor<?x300xf32>, tensor<37x300xf32, #i8>, tensor<37xf32>, tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @epilogue8_coded(%x: tensor<?x300xf32>, %r: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w8 : tensor<37x300xf32, #i8>
  %b = sluice.param.use @b : tensor<37xf32>
  %y = sluice.linear %x, %w inputs int8 bias %b activation gelu_erf residual %r
    : (tensor<?x300xf32>, tensor<37x300xf32, #i8>, tensor<37xf32>, tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @plain4(%x: tensor<?x45xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w4 : tensor<37x45xf32, #i4>
  %y = sluice.linear %x, %w : (tensor<?x45xf32>, tensor<37x45xf32, #i4>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @plain4_coded(%x: tensor<?x45xf32>) -> tensor<?x37xf32> {
  %w = sluice.param.use @w4 : tensor<37x45xf32, #i4>
  %y = sluice.linear %x, %w inputs int8 : (tensor<?x45xf32>, tensor<37x45xf32, #i4>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @joined_bf16(%x: tensor<?x64xbf16>) -> (tensor<?x48xf32>, tensor<?x48xf32>) {
  %w = sluice.param.use @joined : tensor<48x64xbf16, #i4>
  %y = sluice.linear %x, %w : (tensor<?x64xbf16>, tensor<48x64xbf16, #i4>) -> tensor<?x48xf32>
  %z = sluice.linear %x, %w inputs int8 : (tensor<?x64xbf16>, tensor<48x64xbf16, #i4>) -> tensor<?x48xf32>
  return %y, %z : tensor<?x48xf32>, tensor<?x48xf32>
}

func.func @from_f16(%x: tensor<?x33xf32>) -> (tensor<?x21xf32>, tensor<?x21xf32>) {
  %w = sluice.param.use @half : tensor<21x33xf16, #i8small>
  %y = sluice.linear %x, %w : (tensor<?x33xf32>, tensor<21x33xf16, #i8small>) -> tensor<?x21xf32>
  %z = sluice.linear %x, %w inputs int8 : (tensor<?x33xf32>, tensor<21x33xf16, #i8small>) -> tensor<?x21xf32>
  return %y, %z : tensor<?x21xf32>, tensor<?x21xf32>
}

func.func @third_layer(%x: tensor<?x96xbf16>) -> tensor<?x40xf32> {
  %l = arith.constant 2 : index
  %w = sluice.param.use @layers[%l] : tensor<40x96xbf16, #i8small>
  %y = sluice.linear %x, %w : (tensor<?x96xbf16>, tensor<40x96xbf16, #i8small>) -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}

// More inputs than the scratch for many rows holds.
func.func @many_inputs(%x: tensor<?x2500xf32>, %v: tensor<?x4500xf32>)
    -> (tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>) {
  %w = sluice.param.use @deep : tensor<16x2500xf32, #i4wide>
  %d = sluice.param.use @deeper : tensor<16x4500xf32, #i8>
  %y = sluice.linear %x, %w : (tensor<?x2500xf32>, tensor<16x2500xf32, #i4wide>) -> tensor<?x16xf32>
  %z = sluice.linear %x, %w inputs int8 : (tensor<?x2500xf32>, tensor<16x2500xf32, #i4wide>) -> tensor<?x16xf32>
  %a = sluice.linear %v, %d : (tensor<?x4500xf32>, tensor<16x4500xf32, #i8>) -> tensor<?x16xf32>
  %b = sluice.linear %v, %d inputs int8 : (tensor<?x4500xf32>, tensor<16x4500xf32, #i8>) -> tensor<?x16xf32>
  return %y, %z, %a, %b : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>
}

// More panels than a block of them.
func.func @many_outputs(%x: tensor<?x40xf32>) -> (tensor<?x1100xf32>, tensor<?x1100xf32>) {
  %w = sluice.param.use @wide : tensor<1100x40xf32, #i8small>
  %y = sluice.linear %x, %w : (tensor<?x40xf32>, tensor<1100x40xf32, #i8small>) -> tensor<?x1100xf32>
  %z = sluice.linear %x, %w inputs int8 : (tensor<?x40xf32>, tensor<1100x40xf32, #i8small>) -> tensor<?x1100xf32>
  return %y, %z : tensor<?x1100xf32>, tensor<?x1100xf32>
}

// A table that a layer shares: rows are decoded where they are gathered.
func.func @tied(%ids: tensor<?xi32>, %x: tensor<?x45xf32>) -> (tensor<?x45xf32>, tensor<?x37xf32>) {
  %w = sluice.param.use @w4 : tensor<37x45xf32, #i4>
  %e = sluice.embed %w[%ids] : (tensor<37x45xf32, #i4>, tensor<?xi32>) -> tensor<?x45xf32>
  %y = sluice.linear %x, %w : (tensor<?x45xf32>, tensor<37x45xf32, #i4>) -> tensor<?x37xf32>
  return %e, %y : tensor<?x45xf32>, tensor<?x37xf32>
}
func.func @tied8(%ids: tensor<?xi32>, %x: tensor<?x300xf32>) -> (tensor<?x300xf32>, tensor<?x37xf32>) {
  %w = sluice.param.use @w8 : tensor<37x300xf32, #i8>
  %e = sluice.embed %w[%ids] : (tensor<37x300xf32, #i8>, tensor<?xi32>) -> tensor<?x300xf32>
  %y = sluice.linear %x, %w : (tensor<?x300xf32>, tensor<37x300xf32, #i8>) -> tensor<?x37xf32>
  return %e, %y : tensor<?x300xf32>, tensor<?x37xf32>
}
