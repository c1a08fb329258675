// Encodings of weights: each rule with its message, and who refuses codes.
// RUN: sluice-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{expects codes of i8, i4 or f4E2M1FN, but found 'i16'  [R1]}}
func.func private @r1_element(tensor<5x64xf32, #sluice.blocks<element = i16, rows = 1, columns = 32, scale = bf16>>)

// -----

// expected-error @below {{expects codes of i8, i4 or f4E2M1FN, but found 'f8E4M3FN'  [R1]}}
func.func private @r1_other_encodings(tensor<5x64xf32, #sluice.blocks<element = f8E4M3FN, rows = 128, columns = 128, scale = f32>>)

// -----

// expected-error @below {{expects scales of bf16 for codes of 'i8', but found 'f16'  [R1]}}
func.func private @r1_scale(tensor<5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = f16>>)

// -----

// expected-error @below {{expects blocks of one output for codes of 'i8', but 'rows' is 2  [R1]}}
func.func private @r1_rows(tensor<5x64xf32, #sluice.blocks<element = i8, rows = 2, columns = 32, scale = bf16>>)

// -----

// expected-error @below {{expects 'columns' to be a power of two from 32 to 1024, but it is 48  [R2]}}
func.func private @r2_columns(tensor<5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 48, scale = bf16>>)

// -----

// expected-error @below {{expects 'columns' to be a power of two from 32 to 1024, but it is 2048  [R2]}}
func.func private @r2_wide(tensor<5x64xf32, #sluice.blocks<element = i4, rows = 1, columns = 2048, scale = bf16>>)

// -----

// expected-error @below {{expects a weight of two dims (beside L and E) for codes, but it has 1  [R3]}}
func.func private @r3_rank(tensor<64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>)

// -----

// expected-error @below {{expects a weight of f32, bf16 or f16 for codes, but found 'i32'  [R3]}}
func.func private @r3_type(tensor<5x64xi32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>)

// -----

// expected-error @below {{'sluice.param' op expects layout 'panel' for codes, but it is 'rows'  [R7]}}
sluice.param @w role weight layout rows : tensor<5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>
  from ["w"] rows [5]

// -----

// expected-error @below {{'sluice.param' op expects two dims (beside L) for codes, but the type is 'tensor<2x5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>'  [R7]}}
sluice.param @w role weight : tensor<2x5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>
  from ["w"] rows [2]

// -----

// A norm's weight is dense.
sluice.param @w role scale : tensor<5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>> from ["w"] rows [5]
func.func @norm(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = sluice.param.use @w : tensor<5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>
  // expected-error @below {{must be dense}}
  %y = "sluice.norm"(%x, %w) <{kind = #sluice<norm_kind rms>, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 0, 0>}>
    : (tensor<?x64xf32>, tensor<5x64xf32, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// A decoded row is f32.
func.func @embed(%t: tensor<5x64xbf16, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>, %i: tensor<?xi32>) {
  // expected-error @below {{'sluice.embed' op expects a result of f32, but found 'bf16'  [R2]}}
  %y = sluice.embed %t[%i] : (tensor<5x64xbf16, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>, tensor<?xi32>) -> tensor<?x64xbf16>
  return
}
