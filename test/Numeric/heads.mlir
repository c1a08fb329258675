// Each head by its own part of a weight, both ways round, and pieces of heads side by side: sizes that end in the middle
// of a vector, more heads than workers and fewer, rows of one step and of many.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=3
// RUN: sluice-check %s --target=cpu --against=reference --seed=4 --rows=1 --rows=33,1,2 --rows=0,5

sluice.param @f32 role weight : tensor<95x24xf32> from ["f32"] rows [95]
sluice.param @bf16 role weight : tensor<112x40xbf16> from ["bf16"] rows [112]
sluice.param @f16 role weight : tensor<34x17xf16> from ["f16"] rows [34]
sluice.param @wide role weight : tensor<76x100xbf16> from ["wide"] rows [76]

func.func @turned_f32(%x: tensor<?x5x7xf32>, %b: !sluice.batch) -> tensor<?x5x24xf32> {
  %w = sluice.param.use @f32 : tensor<95x24xf32>
  %y = sluice.heads.linear turned %x, %w {first = 3 : i64} : (tensor<?x5x7xf32>, tensor<95x24xf32>) -> tensor<?x5x24xf32>
  return %y : tensor<?x5x24xf32>
}

func.func @plain_f32(%x: tensor<?x5x24xf32>, %b: !sluice.batch) -> tensor<?x5x9xf32> {
  %w = sluice.param.use @f32 : tensor<95x24xf32>
  %y = sluice.heads.linear plain %x, %w {first = 10 : i64} : (tensor<?x5x24xf32>, tensor<95x24xf32>) -> tensor<?x5x9xf32>
  return %y : tensor<?x5x9xf32>
}

func.func @turned_bf16(%x: tensor<?x4x12xf32>, %b: !sluice.batch) -> tensor<?x4x40xf32> {
  %w = sluice.param.use @bf16 : tensor<112x40xbf16>
  %y = sluice.heads.linear turned %x, %w {first = 0 : i64} : (tensor<?x4x12xf32>, tensor<112x40xbf16>) -> tensor<?x4x40xf32>
  return %y : tensor<?x4x40xf32>
}

func.func @plain_bf16(%x: tensor<?x4x40xf32>, %b: !sluice.batch) -> tensor<?x4x16xbf16> {
  %w = sluice.param.use @bf16 : tensor<112x40xbf16>
  %y = sluice.heads.linear plain %x, %w {first = 12 : i64} : (tensor<?x4x40xf32>, tensor<112x40xbf16>) -> tensor<?x4x16xbf16>
  return %y : tensor<?x4x16xbf16>
}

func.func @one_head_f16(%x: tensor<?x1x34xf32>, %b: !sluice.batch) -> tensor<?x1x17xf32> {
  %w = sluice.param.use @f16 : tensor<34x17xf16>
  %y = sluice.heads.linear turned %x, %w {first = 0 : i64} : (tensor<?x1x34xf32>, tensor<34x17xf16>) -> tensor<?x1x17xf32>
  return %y : tensor<?x1x17xf32>
}

func.func @wide_plain(%x: tensor<?x2x100xf32>, %b: !sluice.batch) -> tensor<?x2x37xf32> {
  %w = sluice.param.use @wide : tensor<76x100xbf16>
  %y = sluice.heads.linear plain %x, %w {first = 1 : i64} : (tensor<?x2x100xf32>, tensor<76x100xbf16>) -> tensor<?x2x37xf32>
  return %y : tensor<?x2x37xf32>
}

func.func @wide_turned(%x: tensor<?x2x20xf32>, %b: !sluice.batch) -> tensor<?x2x100xf32> {
  %w = sluice.param.use @wide : tensor<76x100xbf16>
  %y = sluice.heads.linear turned %x, %w {first = 18 : i64} : (tensor<?x2x20xf32>, tensor<76x100xbf16>) -> tensor<?x2x100xf32>
  return %y : tensor<?x2x100xf32>
}

func.func @join(%x: tensor<?x3x18xf32>, %y: tensor<?x1x5xf32>, %b: !sluice.batch) -> tensor<?x3x23xf32> {
  %z = sluice.heads.join %x, %y : (tensor<?x3x18xf32>, tensor<?x1x5xf32>) -> tensor<?x3x23xf32>
  return %z : tensor<?x3x23xf32>
}

// Pieces may be parts of rows; three of them, none with as many numbers as a vector.
func.func @join_views(%x: tensor<?x3x8xf32>, %b: !sluice.batch) -> tensor<?x3x11xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x3x8xf32>
  %p = tensor.extract_slice %x[0, 0, 5] [%n, 3, 3] [1, 1, 1] : tensor<?x3x8xf32> to tensor<?x3x3xf32>
  %q = tensor.extract_slice %x[0, 1, 0] [%n, 1, 5] [1, 1, 1] : tensor<?x3x8xf32> to tensor<?x1x5xf32>
  %z = sluice.heads.join %p, %q, %p : (tensor<?x3x3xf32>, tensor<?x1x5xf32>, tensor<?x3x3xf32>) -> tensor<?x3x11xf32>
  return %z : tensor<?x3x11xf32>
}
