// RUN: sluice-opt %s --check-tensor-stage -split-input-file -verify-diagnostics

// expected-error @+1 {{expects the module's name as the string attribute 'sluice.name'}}
module attributes {sluice.kind = "op"} {}

// -----

// expected-error @+1 {{expects 'sluice.kind' to be "decoder", "encoder" or "op", but found "model"}}
module attributes {sluice.name = "m", sluice.kind = "model"} {}

// -----

// expected-error @+1 {{expects 'sluice.weights' (a directory) or 'sluice.random_seed' to say where the params come from, but there is neither}}
module attributes {sluice.name = "m", sluice.kind = "op"} {
  // expected-note @+1 {{the first param is declared here}}
  sluice.param @w role weight : tensor<8x4xf32> from ["w"] rows [8]
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op"} {
  // expected-error @+1 {{expects every argument of an exported function to have a 'sluice.name', but argument 0 has none}}
  func.func @unnamed(%x: tensor<?x4xf32>) attributes {sluice.export} {
    return
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op"} {
  // expected-error @+1 {{expects only the first dim of 'x' to be dynamic, but it is a 'tensor<?x?xf32>'}}
  func.func @two_dynamic_dims(%x: tensor<?x?xf32> {sluice.name = "x"}) attributes {sluice.export} {
    return
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "decoder", sluice.limits = {vocab = 9 : i64, max_positions = 64 : i64}} {
  // expected-error @+1 {{expects the argument 'kv', which every 'step' has, but there is none of that name}}
  func.func @step(%t: tensor<?xi32> {sluice.name = "tokens"}, %b: !sluice.batch {sluice.name = "batch"}) attributes {sluice.export} {
    return
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op"} {
  func.func @buffers(%x: memref<?x4xf32>) {
    // expected-error @+1 {{expects tensor form at the tensor stage, but writes into a memref}}
    sluice.add %x, %x into %x : (memref<?x4xf32>, memref<?x4xf32>, memref<?x4xf32>) -> ()
    return
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op"} {
  func.func @illegal_dialect() {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{is not legal at the tensor stage, which has sluice, arith, math, tensor, linalg, func, scf.for and scf.if}}
    scf.parallel (%i) = (%c1) to (%c1) step (%c1) {
    }
    return
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op", sluice.random_seed = 1 : i64} {
  sluice.param @far role table : tensor<9x4xf32> from ["far"] rows [9]
  func.func @request_awaited_twice(%ids: tensor<?xi32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
    %t = sluice.param.use @far : tensor<9x4xf32>
    // expected-error @+1 {{expects exactly one use of the result}}
    %f = sluice.gather %t[%ids] home "host" : (tensor<9x4xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x4xf32>>
    %a = sluice.await %f : !sluice.future<tensor<?x4xf32>> -> tensor<?x4xf32>
    %b = sluice.await %f : !sluice.future<tensor<?x4xf32>> -> tensor<?x4xf32>
    return %a, %b : tensor<?x4xf32>, tensor<?x4xf32>
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op"} {
  sluice.kv @kv layers 2 heads 1 key 8 value 8 page 16 : f32
  func.func @pages_consumed_twice(%k: tensor<?x1x8xf32>, %b: !sluice.batch,
      // expected-error @+1 {{expects pages to be consumed once, but they are consumed 2 times}}
      %kv: !sluice.pages<@kv>) -> (!sluice.pages<@kv>, !sluice.pages<@kv>) {
    %c0 = arith.constant 0 : index
    // expected-note @+1 {{the first to consume them}}
    %a = sluice.cache.append %k, %k to %kv[%c0] batch %b : (tensor<?x1x8xf32>, tensor<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
    %c = sluice.cache.append %k, %k to %kv[%c0] batch %b : (tensor<?x1x8xf32>, tensor<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
    return %a, %c : !sluice.pages<@kv>, !sluice.pages<@kv>
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op"} {
  sluice.kv @kv layers 2 heads 1 key 8 value 8 page 16 : f32
  func.func @old_pages_read(%k: tensor<?x1x8xf32>, %b: !sluice.batch, %kv: !sluice.pages<@kv>) -> (tensor<?x1x8xf32>, !sluice.pages<@kv>) {
    %c0 = arith.constant 0 : index
    // expected-note @+1 {{they are consumed here}}
    %new = sluice.cache.append %k, %k to %kv[%c0] batch %b : (tensor<?x1x8xf32>, tensor<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
    // expected-error @+1 {{expects to read pages before they are consumed, but they are old here}}
    %r = sluice.attention %k pages %kv[%c0] batch %b mask #sluice.causal {scale = 1.0 : f64} : (tensor<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x1x8xf32>
    return %r, %new : tensor<?x1x8xf32>, !sluice.pages<@kv>
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op"} {
  sluice.kv @kv layers 2 heads 1 key 8 value 8 page 16 : f32
  func.func @future_keys_of_pages(%q: tensor<?x1x8xf32>, %b: !sluice.batch, %kv: !sluice.pages<@kv>) -> (tensor<?x1x8xf32>, !sluice.pages<@kv>) {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{expects a mask that hides later keys with pages, such as #sluice.causal}}
    %r = sluice.attention %q pages %kv[%c0] batch %b mask #sluice.all {scale = 1.0 : f64} : (tensor<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x1x8xf32>
    return %r, %kv : tensor<?x1x8xf32>, !sluice.pages<@kv>
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op", sluice.random_seed = 1 : i64} {
  // expected-note @+1 {{the layers are declared here}}
  sluice.param @n stack 2 role scale : tensor<2x4xf32> from ["n.{}"] rows [4]
  func.func @layer_past_the_stack(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %y = scf.for %l = %c0 to %c3 step %c1 iter_args(%z = %x) -> (tensor<?x4xf32>) {
      // expected-error @+1 {{expects a layer number provably in [0, 2), but it goes from 0 to 2}}
      %w = sluice.param.use @n[%l] : tensor<4xf32>
      %h = sluice.norm rms %z weight %w {eps = 1.0e-6 : f64} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
      scf.yield %h : tensor<?x4xf32>
    }
    return %y : tensor<?x4xf32>
  }
}

// -----

module attributes {sluice.name = "m", sluice.kind = "op", sluice.random_seed = 1 : i64} {
  // expected-note @+1 {{the layers are declared here}}
  sluice.param @n stack 2 role scale : tensor<2x4xf32> from ["n.{}"] rows [4]
  func.func @unknown_layer(%x: tensor<?x4xf32>, %l: index) -> tensor<4xf32> {
    // expected-error @+1 {{expects a layer number provably in [0, 2), but it is neither a constant}}
    %w = sluice.param.use @n[%l] : tensor<4xf32>
    return %w : tensor<4xf32>
  }
}

// -----

// expected-error @+1 {{expects 'sluice.limits' of a decoder to say 'max_positions', but it does not}}
module attributes {sluice.name = "m", sluice.kind = "decoder", sluice.limits = {vocab = 9 : i64}} {}

// -----

module attributes {sluice.name = "m", sluice.kind = "decoder", sluice.limits = {vocab = 9 : i64, max_positions = 64 : i64}} {
func.func private @route(%z: tensor<?x4xf32>) -> tensor<?x4xi32> {
  // expected-error @below {{'sluice.route' op expects rows to choose in a decoder: when experts choose, a row's experts depend on rows that come after it}}
  %i, %w = sluice.route softmax %z top 4 weigh score {chooser = #sluice<route_chooser experts>, capacity = 2 : i64, batch_dependent}
    : (tensor<?x4xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  return %i : tensor<?x4xi32>
}
}
