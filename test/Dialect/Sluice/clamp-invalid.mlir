// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r0_tensor_form_with_a_memref(%x: tensor<?x5xf32>, %w: memref<?x5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects tensors only in tensor form, but an operand is a 'memref<?x5xf32>'; name the destination with 'into'  [R0]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, memref<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r0_no_output(%x: tensor<?x5xf32>, %w: tensor<5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects 1 result in tensor form (or 'into' with memrefs), but has 0  [R0]}}
  sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<5xf32>) -> ()
  return
}

// -----

func.func @r0_both_forms(%x: memref<?x5xf32>, %w: tensor<5xf32>, %y: memref<?x5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects no result in buffer form, but has 1  [R0]}}
  %z = sluice.clamp %x width %w nan propagate into %y
    : (memref<?x5xf32>, tensor<5xf32>, memref<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r0_two_destinations(%x: memref<?x5xf32>, %w: tensor<5xf32>, %y: memref<?x5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects 1 destination after 'into', but has 2  [R0]}}
  sluice.clamp %x width %w nan propagate into %y, %y
    : (memref<?x5xf32>, tensor<5xf32>, memref<?x5xf32>, memref<?x5xf32>) -> ()
  return
}

// -----

func.func @r0_rows_are_no_weight(%x: tensor<?x5xf32>, %w: tensor<5xf32>, %y: memref<?x5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects memrefs in buffer form (weights apart, whose sizes are static), but an operand is a 'tensor<?x5xf32>'  [R0]}}
  sluice.clamp %x width %w nan propagate into %y : (tensor<?x5xf32>, tensor<5xf32>, memref<?x5xf32>) -> ()
  return
}

// -----

func.func @r1_channels(%x: tensor<?x5xf32>, %w: tensor<6xf32>) {
  // expected-error @below {{'sluice.clamp' op expects dim C (channels) to agree, but 'rows' has 5 and 'width' has 6  [R1]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<6xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r1_rows_of_width(%x: tensor<3x5xf32>, %w: tensor<4x5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects dim R (rows) to agree, but 'rows' has 3 and 'width' has 4  [R1]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<3x5xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @r1_result(%x: tensor<?x5xf32>, %w: tensor<5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects dim C (channels) to agree, but 'rows' has 5 and 'result' has 7  [R1]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x7xf32>
  return
}

// -----

func.func @r1_rank_of_rows(%x: tensor<5xf32>, %w: tensor<5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects 'rows' to have the dims [R, C], but it has 1 dim  [R1]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @r1_rank_of_width(%x: tensor<?x5xf32>, %w: tensor<2x?x5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects 'width' to have the dims [R, C], but it has 3 dims  [R1]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<2x?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @r2_f16(%x: tensor<?x5xf16>, %w: tensor<5xf16>) {
  // expected-error @below {{'sluice.clamp' op expects f32 or bf16, but found 'f16'  [R2]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf16>, tensor<5xf16>) -> tensor<?x5xf16>
  return
}

// -----

func.func @r2_width_of_another_type(%x: tensor<?x5xbf16>, %w: tensor<5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects one element type, but found 'bf16' and 'f32'  [R2]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xbf16>, tensor<5xf32>) -> tensor<?x5xbf16>
  return
}

// -----

func.func @r2_result_of_another_type(%x: tensor<?x5xf32>, %w: tensor<5xf32>) {
  // expected-error @below {{'sluice.clamp' op expects one element type, but found 'f32' and 'bf16'  [R2]}}
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x5xbf16>
  return
}

// -----

func.func @unknown_nan_rule(%x: tensor<?x5xf32>, %w: tensor<5xf32>) {
  // expected-error @below {{expects one of 'propagate', 'ignore', but found 'quiet'}}
  %y = sluice.clamp %x width %w nan quiet : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x5xf32>
  return
}
