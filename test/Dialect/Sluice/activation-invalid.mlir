// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_channels(%x: tensor<?x6xf32>) {
  // expected-error @below {{'sluice.activation' op expects dim C (channels) to agree, but 'rows' has 6 and 'result' has 3  [R1]}}
  %y = sluice.activation relu %x : (tensor<?x6xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @r1_gated_channels(%x: tensor<?x6xf32>) {
  // expected-error @below {{'sluice.activation' op expects dim F (gated channels) to agree, but 'result' has 6 and 'half of rows' has 3  [R1]}}
  %y = sluice.activation relu %x gated : (tensor<?x6xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @r2_odd(%x: tensor<?x5xf32>) {
  // expected-error @below {{'sluice.activation' op expects an even number of channels to gate, but 'rows' has 5  [R2]}}
  %y = sluice.activation relu %x gated : (tensor<?x5xf32>) -> tensor<?x2xf32>
  return
}

// -----

func.func @r3_rows(%x: tensor<?x5xbf16>) {
  // expected-error @below {{'sluice.activation' op expects 'rows' of f32, but found 'bf16'  [R3]}}
  %y = sluice.activation relu %x : (tensor<?x5xbf16>) -> tensor<?x5xbf16>
  return
}

// -----

func.func @r3_result(%x: tensor<?x5xf32>) {
  // expected-error @below {{'sluice.activation' op expects a result of f32, bf16 or f16, but found 'f64'  [R3]}}
  %y = sluice.activation relu %x : (tensor<?x5xf32>) -> tensor<?x5xf64>
  return
}

// -----

func.func @unknown_function(%x: tensor<?x5xf32>) {
  // expected-error @below {{expects one of 'silu', 'gelu_erf', 'gelu_tanh', 'quick_gelu', 'relu', 'relu2', 'tanh', 'sigmoid', 'identity', but found 'gelu'}}
  %y = sluice.activation gelu %x : (tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @add_r1(%x: tensor<?x5xf32>, %y: tensor<?x6xf32>) {
  // expected-error @below {{'sluice.add' op expects dim C (channels) to agree, but 'lhs' has 5 and 'rhs' has 6  [R1]}}
  %z = sluice.add %x, %y : (tensor<?x5xf32>, tensor<?x6xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @add_r2(%x: tensor<?x5xf32>, %y: tensor<?x5xbf16>) {
  // expected-error @below {{'sluice.add' op expects f32 only, but found 'bf16'  [R2]}}
  %z = sluice.add %x, %y : (tensor<?x5xf32>, tensor<?x5xbf16>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r4_limit_of_nothing(%x: tensor<?x6xf32>) {
  // expected-error @below {{'sluice.activation' op expects 'gated' with 'limit'  [R4]}}
  %y = sluice.activation silu %x {limit = 7.0 : f64} : (tensor<?x6xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @r4_offset_of_nothing(%x: tensor<?x6xf32>) {
  // expected-error @below {{'sluice.activation' op expects 'gated' with 'up_offset'  [R4]}}
  %y = sluice.activation silu %x {up_offset = 1.0 : f64} : (tensor<?x6xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @r4_limit(%x: tensor<?x6xf32>) {
  // expected-error @below {{'sluice.activation' op expects 'limit' to be positive, but it is 0.000000e+00  [R4]}}
  %y = sluice.activation silu %x gated {limit = 0.0 : f64} : (tensor<?x6xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @r5_scale(%x: tensor<?x6xf32>) {
  // expected-error @below {{'sluice.activation' op expects 'output_scale' to be finite and not zero, but it is 0.000000e+00  [R5]}}
  %y = sluice.activation tanh %x {output_scale = 0.0 : f64} : (tensor<?x6xf32>) -> tensor<?x6xf32>
  return
}
