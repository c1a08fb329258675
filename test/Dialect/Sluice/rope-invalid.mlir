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

// -----

func.func @r3_theta_of_yarn(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects 'theta' above 1 with #sluice.rope_yarn, which divides by its logarithm, but it is 1.000000e+00  [R3]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64, scaling = #sluice.rope_yarn<factor = 2.0, fast = 32.0, slow = 1.0, original = 4096, corners = whole>} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r5_amplitude(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects 'amplitude' to be finite and positive, but it is -1.000000e+00  [R5]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64, amplitude = -1.0 : f64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r6_two_channels(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects more than two rotated channels, because #sluice.rope_ntk divides by their number less 2, but there are 2  [R6]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64, dims = 2 : i64, scaling = #sluice.rope_ntk<factor = 2.0>} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r6_too_few_divisors(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.rope' op expects a divisor for each of the 4 pairs in 'long_factors', but it has 3  [R6]}}
  %y = sluice.rope halves %q at %p batch %b {theta = 1.0 : f64, scaling = #sluice.rope_longrope<short_factors = [1.0, 1.0, 1.0, 1.0], long_factors = [1.0, 2.0, 3.0], original = 9>} : (tensor<?x3x8xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r7_no_batch(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{'sluice.rope' op expects 'batch', because #sluice.rope_dynamic<factor = 2.000000e+00, original = 9> depends on the length of a sequence  [R7]}}
  %y = sluice.rope halves %q at %p {theta = 1.0 : f64, scaling = #sluice.rope_dynamic<factor = 2.0, original = 9>} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
  return
}

// -----

func.func @r7_needless_batch(%q: tensor<?x3x8xf32>, %p: tensor<?xi32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.rope' op expects no 'batch', because no scaling depends on the length of a sequence  [R7]}}
  %y = sluice.rope halves %q at %p batch %b {theta = 1.0 : f64} : (tensor<?x3x8xf32>, tensor<?xi32>, !sluice.batch) -> tensor<?x3x8xf32>
  return
}

// -----

// expected-error @below {{expects 'factor' to be finite and positive, but it is 0.000000e+00}}
func.func private @linear() attributes {s = #sluice.rope_linear<factor = 0.0>}

// -----

// expected-error @below {{expects 'low' below 'high', but they are 4.000000e+00 and 1.000000e+00}}
func.func private @llama3() attributes {s = #sluice.rope_llama3<factor = 8.0, low = 4.0, high = 1.0, original = 9>}

// -----

// expected-error @below {{expects 'fast' to be at least 'slow', but they are 1.000000e+00 and 2.000000e+00}}
func.func private @yarn() attributes {s = #sluice.rope_yarn<factor = 8.0, fast = 1.0, slow = 2.0, original = 9, corners = whole>}

// -----

// expected-error @below {{expects 'original' to be from 1 to 2147483647, but it is 0}}
func.func private @dynamic() attributes {s = #sluice.rope_dynamic<factor = 8.0, original = 0>}

// -----

// expected-error @below {{expects finite and positive numbers in 'short_factors', but found -1.000000e+00}}
func.func private @longrope() attributes {s = #sluice.rope_longrope<short_factors = [-1.0], long_factors = [1.0], original = 9>}
