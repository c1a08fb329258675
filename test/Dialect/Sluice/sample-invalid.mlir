// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @argmax_r1(%x: tensor<3x9xf32>) {
  // expected-error @below {{'sluice.sample.argmax' op expects dim A (asked rows) to agree, but 'logits' has 3 and 'result' has 4  [R1]}}
  %t = sluice.sample.argmax %x : (tensor<3x9xf32>) -> tensor<4xi32>
  return
}

// -----

func.func @argmax_r2_logits(%x: tensor<?x9xbf16>) {
  // expected-error @below {{'sluice.sample.argmax' op expects 'logits' of f32, but found 'bf16'  [R2]}}
  %t = sluice.sample.argmax %x : (tensor<?x9xbf16>) -> tensor<?xi32>
  return
}

// -----

func.func @argmax_tokens(%x: tensor<?x9xf32>) {
  // expected-error @below {{'sluice.sample.argmax' op expects tokens of i32, but found 'i64'  [R2]}}
  %t = sluice.sample.argmax %x : (tensor<?x9xf32>) -> tensor<?xi64>
  return
}

// -----

func.func @draw_r0(%x: tensor<?x9xf32>, %c: tensor<?xf32>, %s: tensor<?xi64>) {
  // expected-error @below {{'sluice.sample.draw' op expects 2 results in tensor form (or 'into' with memrefs), but has 1  [R0]}}
  %t = sluice.sample.draw %x temperature %c rng %s : (tensor<?x9xf32>, tensor<?xf32>, tensor<?xi64>) -> tensor<?xi32>
  return
}

// -----

func.func @draw_r1(%x: tensor<3x9xf32>, %c: tensor<4xf32>, %s: tensor<?xi64>) {
  // expected-error @below {{'sluice.sample.draw' op expects dim A (asked rows) to agree, but 'logits' has 3 and 'temperature' has 4  [R1]}}
  %t, %n = sluice.sample.draw %x temperature %c rng %s
    : (tensor<3x9xf32>, tensor<4xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)
  return
}

// -----

func.func @draw_r2_temperature(%x: tensor<?x9xf32>, %c: tensor<?xbf16>, %s: tensor<?xi64>) {
  // expected-error @below {{'sluice.sample.draw' op expects 'temperature' of f32, but found 'bf16'  [R2]}}
  %t, %n = sluice.sample.draw %x temperature %c rng %s
    : (tensor<?x9xf32>, tensor<?xbf16>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)
  return
}

// -----

func.func @draw_r2_state(%x: tensor<?x9xf32>, %c: tensor<?xf32>, %s: tensor<?xi64>) {
  // expected-error @below {{'sluice.sample.draw' op expects a new random state of i64, but found 'i32'  [R2]}}
  %t, %n = sluice.sample.draw %x temperature %c rng %s
    : (tensor<?x9xf32>, tensor<?xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi32>)
  return
}
