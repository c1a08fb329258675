// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

sluice.param @f32 role table : tensor<29x37xf32> from ["f32"] rows [29]
sluice.param @bf16 role table : tensor<11x5xbf16> from ["bf16"] rows [11]

func.func @from_f32(%i: tensor<?xi32>) -> tensor<?x37xf32> {
  %t = sluice.param.use @f32 : tensor<29x37xf32>
  %x = sluice.embed %t[%i] : (tensor<29x37xf32>, tensor<?xi32>) -> tensor<?x37xf32>
  return %x : tensor<?x37xf32>
}

func.func @widened(%i: tensor<?xi32>) -> tensor<?x5xf32> {
  %t = sluice.param.use @bf16 : tensor<11x5xbf16>
  %x = sluice.embed %t[%i] : (tensor<11x5xbf16>, tensor<?xi32>) -> tensor<?x5xf32>
  return %x : tensor<?x5xf32>
}

// The first id outside of the table is reported.
func.func @outside(%i: tensor<3xi32> {check.value = dense<[4, 11, -2]> : tensor<3xi32>}) -> tensor<3x5xf32> {
  %t = sluice.param.use @bf16 : tensor<11x5xbf16>
  %x = sluice.embed %t[%i] : (tensor<11x5xbf16>, tensor<3xi32>) -> tensor<3x5xf32>
  return %x : tensor<3x5xf32>
}

// Rows 3 on; the last id that is there is 7.
func.func @with_an_offset(%i: tensor<4xi32> {check.value = dense<[0, 7, 8, 3]> : tensor<4xi32>}) -> tensor<4x5xf32> {
  %t = sluice.param.use @bf16 : tensor<11x5xbf16>
  %x = sluice.embed %t[%i] {offset = 3 : i64} : (tensor<11x5xbf16>, tensor<4xi32>) -> tensor<4x5xf32>
  return %x : tensor<4x5xf32>
}

// A table of codes that no linear layer reads lies in panels too.
sluice.param @codes role table : tensor<29x45xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>> from ["codes"] rows [29]
func.func @from_codes(%i: tensor<?xi32>) -> tensor<?x45xf32> {
  %t = sluice.param.use @codes : tensor<29x45xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>
  %x = sluice.embed %t[%i] : (tensor<29x45xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>, tensor<?xi32>) -> tensor<?x45xf32>
  return %x : tensor<?x45xf32>
}
