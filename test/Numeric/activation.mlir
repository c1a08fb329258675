// Every function on numbers and on NaN, infinities, zeros, denormals and extremes.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

func.func @silu(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation silu %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @gelu_erf(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation gelu_erf %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @gelu_tanh(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation gelu_tanh %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @quick_gelu(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation quick_gelu %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @relu(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation relu %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @relu2(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation relu2 %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @tanh(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation tanh %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @sigmoid(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation sigmoid %x : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @gated(%x: tensor<?x42xf32>) -> tensor<?x21xf32> {
  %y = sluice.activation silu %x gated : (tensor<?x42xf32>) -> tensor<?x21xf32>
  return %y : tensor<?x21xf32>
}

func.func @gated_in_bf16(%x: tensor<?x66xf32>) -> tensor<?x33xbf16> {
  %y = sluice.activation gelu_tanh %x gated : (tensor<?x66xf32>) -> tensor<?x33xbf16>
  return %y : tensor<?x33xbf16>
}

func.func @identity_scaled(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation identity %x {output_scale = 7.483314773547883 : f64} : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @soft_cap(%x: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
  %y = sluice.activation tanh %x {input_scale = 0.4 : f64, output_scale = 2.5 : f64} : (tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @gated_within_limits(%x: tensor<?x42xf32>) -> tensor<?x21xf32> {
  %y = sluice.activation quick_gelu %x gated {limit = 0.75 : f64, up_offset = 1.0 : f64} : (tensor<?x42xf32>) -> tensor<?x21xf32>
  return %y : tensor<?x21xf32>
}

func.func @gated_and_scaled_in_bf16(%x: tensor<?x66xf32>) -> tensor<?x33xbf16> {
  %y = sluice.activation silu %x gated {input_scale = 1.5 : f64, output_scale = -0.5 : f64, limit = 1.25 : f64} : (tensor<?x66xf32>) -> tensor<?x33xbf16>
  return %y : tensor<?x33xbf16>
}

func.func @sum(%x: tensor<?x21xf32>, %y: tensor<?x21xf32>) -> tensor<?x21xf32> {
  %z = arith.addf %x, %y : tensor<?x21xf32>
  return %z : tensor<?x21xf32>
}

func.func @sum_of_rows(%x: tensor<?x21xf32> {check.values = "special"}, %y: tensor<?x21xf32> {check.values = "special"}) -> tensor<?x21xf32> {
  %z = sluice.add %x, %y : (tensor<?x21xf32>, tensor<?x21xf32>) -> tensor<?x21xf32>
  return %z : tensor<?x21xf32>
}

// An offset that is no f32 number counts as the f32 number next to it: where it cancels the gate the difference shows.
func.func @offset_that_cancels(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %y = sluice.activation identity %x gated {input_scale = 5.653e-01 : f64, up_offset = 5.816e-01 : f64} : (tensor<?x64xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
