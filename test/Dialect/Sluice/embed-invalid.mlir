// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_channels(%t: tensor<9x5xf32>, %i: tensor<?xi32>) {
  // expected-error @below {{'sluice.embed' op expects dim C (channels) to agree, but 'table' has 5 and 'result' has 6  [R1]}}
  %x = sluice.embed %t[%i] : (tensor<9x5xf32>, tensor<?xi32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @r1_rows(%t: tensor<9x5xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{'sluice.embed' op expects dim R (rows) to agree, but 'ids' has 4 and 'result' has 3  [R1]}}
  %x = sluice.embed %t[%i] : (tensor<9x5xf32>, tensor<4xi32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @r2_narrowed(%t: tensor<9x5xf32>, %i: tensor<?xi32>) {
  // expected-error @below {{'sluice.embed' op expects a result of f32 or of the table's 'f32', but found 'bf16'  [R2]}}
  %x = sluice.embed %t[%i] : (tensor<9x5xf32>, tensor<?xi32>) -> tensor<?x5xbf16>
  return
}

// -----

func.func @gather_r1(%t: tensor<9x5xf32>, %i: tensor<?xi32>) {
  // expected-error @below {{'sluice.gather' op expects dim C (channels) to agree, but 'table' has 5 and 'result' has 6  [R1]}}
  %f = sluice.gather %t[%i] home "host" : (tensor<9x5xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x6xf32>>
  %x = sluice.await %f : !sluice.future<tensor<?x6xf32>> -> tensor<?x6xf32>
  return
}

// -----

func.func @gather_r2(%t: tensor<9x5xbf16>, %i: tensor<?xi32>) {
  // expected-error @below {{'sluice.gather' op expects a value of the table's 'bf16', but found 'f32'  [R2]}}
  %f = sluice.gather %t[%i] home "host" : (tensor<9x5xbf16>, tensor<?xi32>) -> !sluice.future<tensor<?x5xf32>>
  %x = sluice.await %f : !sluice.future<tensor<?x5xf32>> -> tensor<?x5xf32>
  return
}

// -----

func.func @gather_r3_never_awaited(%t: tensor<9x5xf32>, %i: tensor<?xi32>) {
  // expected-error @below {{'sluice.gather' op expects exactly one use of the result, a sluice.await  [R3]}}
  %f = sluice.gather %t[%i] home "host" : (tensor<9x5xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x5xf32>>
  return
}

// -----

func.func @await_r1(%t: tensor<9x5xf32>, %i: tensor<?xi32>) {
  %f = sluice.gather %t[%i] home "host" : (tensor<9x5xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x5xf32>>
  // expected-error @below {{'sluice.await' op expects the future's type 'tensor<?x5xf32>', but found 'tensor<?x5xbf16>'  [R1]}}
  %x = sluice.await %f : !sluice.future<tensor<?x5xf32>> -> tensor<?x5xbf16>
  return
}

// -----

func.func @r3_offset(%t: tensor<9x4xf32>, %i: tensor<?xi32>) {
  // expected-error @below {{'sluice.embed' op expects 'offset' in [0, V (table rows)), but it is 9  [R3]}}
  %y = sluice.embed %t[%i] {offset = 9 : i64} : (tensor<9x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return
}
