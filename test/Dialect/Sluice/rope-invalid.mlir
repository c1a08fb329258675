// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_positions(%q: tensor<2x3x8xf32>, %p: tensor<5xi32>) {
  // expected-error @below {{'sluice.rope' op expects dim R (rows) to agree, but 'rows' has 2 and 'positions' has 5  [R1]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64} : (tensor<2x3x8xf32>, tensor<5xi32>) -> tensor<2x3x8xf32>
  return
}

// -----

func.func @r1_rank(%q: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects 'rows' to have the dims [R, H, D], but it has 2 dims  [R1]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @r2_odd_head(%q: tensor<?x3x7xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects an even number of rotated channels of at most D (head size) = 7, but it is 7  [R2]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64} : (tensor<?x3x7xf32>, tensor<?xi32>) -> tensor<?x3x7xf32>
  return
}

// -----

func.func @r2_more_than_the_head(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects an even number of rotated channels of at most D (head size) = 8, but it is 10  [R2]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64, dims = 10 : i64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r2_none(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects an even number of rotated channels of at most D (head size) = 8, but it is 0  [R2]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64, dims = 0 : i64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r2_unknown_head(%q: tensor<?x3x?xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects a static dim D (head size)  [R2]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64} : (tensor<?x3x?xf32>, tensor<?xi32>) -> tensor<?x3x?xf32>
  return
}

// -----

func.func @r3_theta(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects 'theta' to be finite and positive, but it is 0.000000e+00  [R3]}}
  %y = sluice.rope halves %q at %p {theta = 0.0 : f64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r4_bf16(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects rows and result of f32, but found 'f32' and 'bf16'  [R4]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xbf16>
  return
}
