// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_channels(%x: tensor<?x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.pool' op expects dim C (channels) to agree, but 'rows' has 5 and 'result' has 6  [R1]}}
  %y = sluice.pool mean %x batch %b : (tensor<?x5xf32>, !sluice.batch) -> tensor<?x6xf32>
  return
}

// -----

func.func @r2_bf16(%x: tensor<?x5xbf16>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.pool' op expects rows and result of f32, but found 'bf16' and 'f32'  [R2]}}
  %y = sluice.pool mean %x batch %b : (tensor<?x5xbf16>, !sluice.batch) -> tensor<?x5xf32>
  return
}

// -----

func.func @unknown_kind(%x: tensor<?x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{expects one of 'mean', 'first', 'last', but found 'max'}}
  %y = sluice.pool max %x batch %b : (tensor<?x5xf32>, !sluice.batch) -> tensor<?x5xf32>
  return
}
