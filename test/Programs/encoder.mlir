// An encoder with an asynchronous table: request and await are phases with work between them; attention over tensors is
// attention over tiles; the result is made where the caller wants it.
// RUN: sluicec %s --from=tensor --to=placed -o - | FileCheck %s
// CHECK: func.func @embed
// CHECK: %[[TILES:.*]] = place.buffer "bytes" size <row = 192, seq = 3072, fixed = 3072>
// CHECK: place.phase "submit" share one
// CHECK: place.phase "embed+add" share rows
// CHECK: place.barrier
// CHECK: place.phase "await" share one
// CHECK: scf.for {{[^(]*}} {
// CHECK: place.phase "pack" share rows
// CHECK: sluice.cache.pack {{.*}} into %[[TILES]]
// CHECK: place.barrier
// CHECK: sluice.attention %{{.*}} tiles %[[TILES]]
// CHECK-NOT: place.copy
// CHECK: place.phase "pool+norm" share seqs

module attributes {sluice.name = "tiny", sluice.kind = "encoder", sluice.random_seed = 7 : i64} {
sluice.param @words role table : tensor<100x24xf32> from ["words"] rows [100]
sluice.param @positions role table : tensor<32x24xf32> from ["positions"] rows [32]
sluice.param @qkv stack 2 role weight : tensor<2x72x24xf32> from ["l.{}.q", "l.{}.k", "l.{}.v"] rows [24, 24, 24]
sluice.param @o stack 2 role weight : tensor<2x24x24xf32> from ["l.{}.o"] rows [24]
sluice.param @up stack 2 role weight : tensor<2x40x24xf32> from ["l.{}.up"] rows [40]
sluice.param @up_bias stack 2 role bias : tensor<2x40xf32> from ["l.{}.upb"] rows [40]
sluice.param @down stack 2 role weight : tensor<2x24x40xf32> from ["l.{}.down"] rows [24]
sluice.param @n stack 2 role scale : tensor<2x24xf32> from ["l.{}.norm"] rows [24]
sluice.param @far role table : tensor<50x24xf32> from ["far"] rows [50]
func.func @embed(%tok: tensor<?xi32> {sluice.name = "tokens"}, %b: !sluice.batch {sluice.name = "batch"}) -> (tensor<?x24xf32> {sluice.name = "embeddings"}) attributes {sluice.export} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %far = sluice.param.use @far : tensor<50x24xf32>
  %f = sluice.gather %far[%tok] home "host" : (tensor<50x24xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x24xf32>>
  %wt = sluice.param.use @words : tensor<100x24xf32>
  %pt = sluice.param.use @positions : tensor<32x24xf32>
  %pos = sluice.batch.positions %b : tensor<?xi32>
  %e0 = sluice.embed %wt[%tok] : (tensor<100x24xf32>, tensor<?xi32>) -> tensor<?x24xf32>
  %e1 = sluice.embed %pt[%pos] : (tensor<32x24xf32>, tensor<?xi32>) -> tensor<?x24xf32>
  %e2 = arith.addf %e0, %e1 : tensor<?x24xf32>
  %r = sluice.await %f : !sluice.future<tensor<?x24xf32>> -> tensor<?x24xf32>
  %x0 = arith.addf %r, %e2 : tensor<?x24xf32>
  %x1 = scf.for %l = %c0 to %c2 step %c1 iter_args(%x = %x0) -> (tensor<?x24xf32>) {
    %w = sluice.param.use @qkv[%l] : tensor<72x24xf32>
    %y = sluice.linear %x, %w : (tensor<?x24xf32>, tensor<72x24xf32>) -> tensor<?x72xf32>
    %d = tensor.dim %y, %c0 : tensor<?x72xf32>
    %qs = tensor.extract_slice %y[0, 0][%d, 24][1, 1] : tensor<?x72xf32> to tensor<?x24xf32>
    %q = tensor.expand_shape %qs [[0], [1, 2]] output_shape [%d, 3, 8] : tensor<?x24xf32> into tensor<?x3x8xf32>
    %ks = tensor.extract_slice %y[0, 24][%d, 24][1, 1] : tensor<?x72xf32> to tensor<?x24xf32>
    %k = tensor.expand_shape %ks [[0], [1, 2]] output_shape [%d, 3, 8] : tensor<?x24xf32> into tensor<?x3x8xf32>
    %vs = tensor.extract_slice %y[0, 48][%d, 24][1, 1] : tensor<?x72xf32> to tensor<?x24xf32>
    %v = tensor.expand_shape %vs [[0], [1, 2]] output_shape [%d, 3, 8] : tensor<?x24xf32> into tensor<?x3x8xf32>
    %a = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0.125 : f64} : (tensor<?x3x8xf32>, tensor<?x3x8xf32>, tensor<?x3x8xf32>, !sluice.batch) -> tensor<?x3x8xf32>
    %ac = tensor.collapse_shape %a [[0], [1, 2]] : tensor<?x3x8xf32> into tensor<?x24xf32>
    %wo = sluice.param.use @o[%l] : tensor<24x24xf32>
    %o = sluice.linear %ac, %wo : (tensor<?x24xf32>, tensor<24x24xf32>) -> tensor<?x24xf32>
    %s = arith.addf %o, %x : tensor<?x24xf32>
    %n = sluice.param.use @n[%l] : tensor<24xf32>
    %h = sluice.norm layer %s weight %n {eps = 1.0e-6 : f64} : (tensor<?x24xf32>, tensor<24xf32>) -> tensor<?x24xf32>
    %wu = sluice.param.use @up[%l] : tensor<40x24xf32>
    %bu = sluice.param.use @up_bias[%l] : tensor<40xf32>
    %u = sluice.linear %h, %wu bias %bu : (tensor<?x24xf32>, tensor<40x24xf32>, tensor<40xf32>) -> tensor<?x40xf32>
    %g = sluice.activation gelu_erf %u : (tensor<?x40xf32>) -> tensor<?x40xf32>
    %wd = sluice.param.use @down[%l] : tensor<24x40xf32>
    %dn = sluice.linear %g, %wd : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
    %t = arith.addf %h, %dn : tensor<?x24xf32>
    %xn = sluice.norm layer %t weight %n {eps = 1.0e-6 : f64} : (tensor<?x24xf32>, tensor<24xf32>) -> tensor<?x24xf32>
    scf.yield %xn : tensor<?x24xf32>
  }
  %p = sluice.pool mean %x1 batch %b : (tensor<?x24xf32>, !sluice.batch) -> tensor<?x24xf32>
  %z = sluice.norm l2 %p {eps = 1.0e-12 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  return %z : tensor<?x24xf32>
}
}
