// RUN: sluice-opt %s --place-bufferize -split-input-file -verify-diagnostics

func.func @no_buffer_form(%x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  // expected-error @+1 {{has no buffer form, so the function cannot be placed}}
  %y = math.exp %x : tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}

// -----

func.func @weight_argument(%x: tensor<?x24xf32>, %w: tensor<20x24xf32>) -> tensor<?x20xf32> {
  // expected-error @+1 {{has no buffer form, so the function cannot be placed: its weights have to be params of the model}}
  %y = sluice.linear %x, %w : (tensor<?x24xf32>, tensor<20x24xf32>) -> tensor<?x20xf32>
  return %y : tensor<?x20xf32>
}

// -----

func.func @swap(%x: tensor<?x24xf32>, %y: tensor<?x24xf32>, %n: index) -> (tensor<?x24xf32>, tensor<?x24xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{it hands a carried tensor on as another one}}
  %a, %b = scf.for %i = %c0 to %n step %c1 iter_args(%s = %x, %t = %y) -> (tensor<?x24xf32>, tensor<?x24xf32>) {
    scf.yield %t, %s : tensor<?x24xf32>, tensor<?x24xf32>
  }
  return %a, %b : tensor<?x24xf32>, tensor<?x24xf32>
}

// -----

func.func @some_rows(%x: tensor<?x24xf32>, %n: index) -> tensor<?x24xf32> {
  // expected-error @+1 {{a slice has to take all rows}}
  %y = tensor.extract_slice %x[0, 0] [%n, 24] [1, 1] : tensor<?x24xf32> to tensor<?x24xf32>
  %z = sluice.norm rms %y {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  return %z : tensor<?x24xf32>
}

// -----

func.func @rows_and_sequences(%x: tensor<?x24xf32>, %b: !sluice.batch) -> tensor<?x24xf32> {
  %p = sluice.pool mean %x batch %b : (tensor<?x24xf32>, !sluice.batch) -> tensor<?x24xf32>
  // expected-error @+1 {{expects a tensor of rows, but its leading dim counts seqs}}
  %q = sluice.pool mean %p batch %b : (tensor<?x24xf32>, !sluice.batch) -> tensor<?x24xf32>
  return %q : tensor<?x24xf32>
}
