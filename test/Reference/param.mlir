// RUN: sluice-check %s --target=reference
//
// Generated values are those of python/sluice/random_weights.py, which shares no code with the oracle (seed 11). A layer
// of a stacked param fills its number into the source names; joined sources follow one another by rows.

module attributes {sluice.kind = "op", sluice.random_seed = 11 : i64} {
sluice.param @joined stack 2 role weight : tensor<2x3x3xf32> from ["layers.{}.b", "layers.{}.c"] rows [1, 2]
sluice.param @scale role scale : tensor<4xf32> from ["norm"] rows [4]
sluice.param @shift role bias : tensor<3xf32> from ["bias"] rows [3]

func.func @one_layer_of_a_joined_stack() -> (tensor<3x3xf32> {check.expect = dense<[[0x3F8C365A, 0xBF8F8CF7, 0xBF8A8720], [0xBEFA97E4, 0x3F6A80F0, 0xBF5FC22C], [0xBE2B1A4A, 0xBF48DC6F, 0xBEA6324D]]> : tensor<3x3xf32>}) {
  %c1 = arith.constant 1 : index
  %w = sluice.param.use @joined[%c1] : tensor<3x3xf32>
  return %w : tensor<3x3xf32>
}

func.func @scale_stays_near_one() -> (tensor<4xf32> {check.expect = dense<[0x3F925451, 0x3F9303E8, 0x3F60FD39, 0x3F5639AB]> : tensor<4xf32>}) {
  %w = sluice.param.use @scale : tensor<4xf32>
  return %w : tensor<4xf32>
}

func.func @bias_stays_near_zero() -> (tensor<3xf32> {check.expect = dense<[0xBE29264A, 0x3E471E03, 0x3D9C141D]> : tensor<3xf32>}) {
  %w = sluice.param.use @shift : tensor<3xf32>
  return %w : tensor<3xf32>
}
}
