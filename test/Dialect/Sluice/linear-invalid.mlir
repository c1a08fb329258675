// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_inputs(%x: tensor<?x7xf32>, %w: tensor<5x8xf32>) {
  // expected-error @below {{'sluice.linear' op expects dim K (inputs) to agree, but 'rows' has 7 and 'weight' has 8  [R1]}}
  %y = sluice.linear %x, %w : (tensor<?x7xf32>, tensor<5x8xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r1_outputs(%x: tensor<?x7xf32>, %w: tensor<5x7xf32>) {
  // expected-error @below {{'sluice.linear' op expects dim N (outputs) to agree, but 'weight' has 5 and 'result' has 6  [R1]}}
  %y = sluice.linear %x, %w : (tensor<?x7xf32>, tensor<5x7xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @r1_bias(%x: tensor<?x7xf32>, %w: tensor<5x7xf32>, %b: tensor<6xf32>) {
  // expected-error @below {{'sluice.linear' op expects dim N (outputs) to agree, but 'weight' has 5 and 'bias' has 6  [R1]}}
  %y = sluice.linear %x, %w bias %b : (tensor<?x7xf32>, tensor<5x7xf32>, tensor<6xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r1_residual(%x: tensor<2x7xf32>, %w: tensor<5x7xf32>, %r: tensor<3x5xf32>) {
  // expected-error @below {{'sluice.linear' op expects dim R (rows) to agree, but 'rows' has 2 and 'residual' has 3  [R1]}}
  %y = sluice.linear %x, %w residual %r : (tensor<2x7xf32>, tensor<5x7xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @r1_rank_of_weight(%x: tensor<?x7xf32>, %w: tensor<2x5x7xf32>) {
  // expected-error @below {{'sluice.linear' op expects 'weight' to have the dims [N, K], but it has 3 dims  [R1]}}
  %y = sluice.linear %x, %w : (tensor<?x7xf32>, tensor<2x5x7xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r2_rows_are_not_rounded(%x: tensor<?x7xf32>, %w: tensor<5x7xbf16>) {
  // expected-error @below {{'sluice.linear' op expects 'rows' of the weight's element type for a weight of 'bf16', but found 'f32'; round where the rows are made  [R2]}}
  %y = sluice.linear %x, %w : (tensor<?x7xf32>, tensor<5x7xbf16>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r2_f16_rows(%x: tensor<?x7xf16>, %w: tensor<5x7xf16>) {
  // expected-error @below {{'sluice.linear' op expects 'rows' of f32 for a weight of 'f16', but found 'f16'; round where the rows are made  [R2]}}
  %y = sluice.linear %x, %w : (tensor<?x7xf16>, tensor<5x7xf16>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r3_result(%x: tensor<?x7xbf16>, %w: tensor<5x7xbf16>) {
  // expected-error @below {{'sluice.linear' op expects a result of f32, but found 'bf16'  [R3]}}
  %y = sluice.linear %x, %w : (tensor<?x7xbf16>, tensor<5x7xbf16>) -> tensor<?x5xbf16>
  return
}

// -----

func.func @r3_residual(%x: tensor<?x7xbf16>, %w: tensor<5x7xbf16>, %r: tensor<?x5xbf16>) {
  // expected-error @below {{'sluice.linear' op expects 'residual' of f32, but found 'bf16'  [R3]}}
  %y = sluice.linear %x, %w residual %r : (tensor<?x7xbf16>, tensor<5x7xbf16>, tensor<?x5xbf16>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r4_dense_weight(%x: tensor<?x7xf32>, %w: tensor<5x7xf32>) {
  // expected-error @below {{'sluice.linear' op expects a weight with an encoding (#sluice.blocks) for 'inputs int8', but found 'tensor<5x7xf32>'  [R4]}}
  %y = sluice.linear %x, %w inputs int8 : (tensor<?x7xf32>, tensor<5x7xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r4_word(%x: tensor<?x7xf32>, %w: tensor<5x7xf32>) {
  // expected-error @below {{expects one of 'int8', but found 'int4'}}
  %y = sluice.linear %x, %w inputs int4 : (tensor<?x7xf32>, tensor<5x7xf32>) -> tensor<?x5xf32>
  return
}
