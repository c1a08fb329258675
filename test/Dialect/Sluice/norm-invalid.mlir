// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r0_round_on_tensors(%x: tensor<?x7xf32>) {
  // expected-error @below {{'sluice.norm' op expects 'round' to be the result's element type in tensor form, but found 'bf16' and 'f32'  [R0]}}
  %y = sluice.norm rms %x {eps = 0.0 : f64, round = bf16} : (tensor<?x7xf32>) -> tensor<?x7xf32>
  return
}

// -----

func.func @r0_round_to_f32(%x: memref<?x7xf32>) {
  // expected-error @below {{'sluice.norm' op expects 'round' to be bf16 or f16, but found 'f32'  [R0]}}
  sluice.norm rms %x into %x {eps = 0.0 : f64, round = f32} : (memref<?x7xf32>, memref<?x7xf32>) -> ()
  return
}

// -----

func.func @r0_round_into_bf16(%x: memref<?x7xf32>, %y: memref<?x7xbf16>) {
  // expected-error @below {{'sluice.norm' op expects a destination of f32 with 'round', but found 'bf16'  [R0]}}
  sluice.norm rms %x into %y {eps = 0.0 : f64, round = bf16} : (memref<?x7xf32>, memref<?x7xbf16>) -> ()
  return
}

// -----

func.func @r1_rank(%x: tensor<7xf32>) {
  // expected-error @below {{'sluice.norm' op expects 'rows' to have the dims [R, C] or [R, H, C], but it has 1 dim  [R1]}}
  %y = sluice.norm rms %x {eps = 0.0 : f64} : (tensor<7xf32>) -> tensor<7xf32>
  return
}

// -----

func.func @r1_weight(%x: tensor<?x3x7xf32>, %w: tensor<3xf32>) {
  // expected-error @below {{'sluice.norm' op expects dim C (channels) to agree, but 'rows' has 7 and 'weight' has 3  [R1]}}
  %y = sluice.norm rms %x weight %w {eps = 0.0 : f64} : (tensor<?x3x7xf32>, tensor<3xf32>) -> tensor<?x3x7xf32>
  return
}

// -----

func.func @r1_heads(%x: tensor<?x3x7xf32>) {
  // expected-error @below {{'sluice.norm' op expects dim H (heads) to agree, but 'rows' has 3 and 'result' has 4  [R1]}}
  %y = sluice.norm rms %x {eps = 0.0 : f64} : (tensor<?x3x7xf32>) -> tensor<?x4x7xf32>
  return
}

// -----

func.func @r2_l2_with_weight(%x: tensor<?x7xf32>, %w: tensor<7xf32>) {
  // expected-error @below {{'sluice.norm' op expects neither weight nor bias with 'l2'  [R2]}}
  %y = sluice.norm l2 %x weight %w {eps = 0.0 : f64} : (tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  return
}

// -----

func.func @r3_bias_alone(%x: tensor<?x7xf32>, %b: tensor<7xf32>) {
  // expected-error @below {{'sluice.norm' op expects a weight where there is a bias  [R3]}}
  %y = sluice.norm layer %x bias %b {eps = 0.0 : f64} : (tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  return
}

// -----

func.func @r4_negative_eps(%x: tensor<?x7xf32>) {
  // expected-error @below {{'sluice.norm' op expects 'eps' to be finite and not negative, but it is -1.000000e+00  [R4]}}
  %y = sluice.norm rms %x {eps = -1.0 : f64} : (tensor<?x7xf32>) -> tensor<?x7xf32>
  return
}

// -----

func.func @r4_infinite_eps(%x: tensor<?x7xf32>) {
  // expected-error @below {{'sluice.norm' op expects 'eps' to be finite and not negative, but it is INF  [R4]}}
  %y = sluice.norm rms %x {eps = 0x7FF0000000000000 : f64} : (tensor<?x7xf32>) -> tensor<?x7xf32>
  return
}

// -----

func.func @r5_rows(%x: tensor<?x7xbf16>) {
  // expected-error @below {{'sluice.norm' op expects 'rows' of f32, but found 'bf16'  [R5]}}
  %y = sluice.norm rms %x {eps = 0.0 : f64} : (tensor<?x7xbf16>) -> tensor<?x7xbf16>
  return
}

// -----

func.func @r5_result(%x: tensor<?x7xf32>) {
  // expected-error @below {{'sluice.norm' op expects a result of f32, bf16 or f16, but found 'i32'  [R5]}}
  %y = sluice.norm rms %x {eps = 0.0 : f64} : (tensor<?x7xf32>) -> tensor<?x7xi32>
  return
}

// -----

func.func @r6_offset_of_nothing(%x: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.norm' op expects a weight where there is an 'offset'  [R6]}}
  %y = sluice.norm rms %x {eps = 1.0e-6 : f64, offset = 1.0 : f64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @r1_weight_of_no_head(%x: tensor<?x3x8xf32>, %w: tensor<16xf32>) {
  // expected-error @below {{'sluice.norm' op expects dim C (channels) to agree, but 'rows' has 8 and 'weight' has 16  [R1]}}
  %y = sluice.norm rms %x weight %w {eps = 1.0e-6 : f64} : (tensor<?x3x8xf32>, tensor<16xf32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r1_bias_of_one_head(%x: tensor<?x3x8xf32>, %w: tensor<24xf32>, %b: tensor<8xf32>) {
  // expected-error @below {{'sluice.norm' op expects dim G (channels of all heads) to agree, but 'weight' has 24 and 'bias' has 8  [R1]}}
  %y = sluice.norm rms %x weight %w bias %b {eps = 1.0e-6 : f64} : (tensor<?x3x8xf32>, tensor<24xf32>, tensor<8xf32>) -> tensor<?x3x8xf32>
  return
}
