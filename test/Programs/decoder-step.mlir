// A decoder's step: stacked weights, a loop over layers, pages, asked rows, a tied table. Nothing is left in tensor form after
// placing, nothing is copied, and what the loop carries stays in one buffer.
// RUN: sluicec %s --from=tensor --to=placed -o - | FileCheck %s
// RUN: rm -rf %t.sluice && sluicec %s --from=tensor -o %t.sluice
// RUN: sluice-run %t.sluice --tokens 1,2,3 --max-new 5 --ignore-eos --format=json | FileCheck %s --check-prefix=TOKENS
// TOKENS: {"tokens": [{{[0-9]+, [0-9]+, [0-9]+, [0-9]+, [0-9]+}}]
// CHECK-NOT: tensor.
// CHECK: func.func @step
// CHECK-SAME: place.arena
// CHECK: %[[X:.*]] = place.buffer "rows" {{.*}} at
// CHECK: place.team
// CHECK: sluice.embed {{.*}} into %[[X]]
// CHECK: scf.for {{[^(]*}} {
// CHECK: place.barrier
// CHECK-NOT: place.copy
// CHECK: sluice.add %[[X]], %{{.*}} into %[[X]]
// CHECK: place.phase "embed" share asked

module attributes {sluice.name = "tiny", sluice.kind = "decoder", sluice.random_seed = 7 : i64,
                   sluice.limits = {vocab = 100 : i64, max_positions = 64 : i64}} {
sluice.param @qkv stack 2 role weight : tensor<2x40x24xf32> from ["l.{}.q", "l.{}.k", "l.{}.v"] rows [24, 8, 8]
sluice.param @embed role table layout panel : tensor<100x24xf32> from ["embed"] rows [100]
sluice.param @n role scale : tensor<24xf32> from ["norm"] rows [24]
sluice.kv @kv layers 2 heads 1 key 8 value 8 page 16 : f32
func.func @step(%tok: tensor<?xi32> {sluice.name = "tokens"}, %b: !sluice.batch {sluice.name = "batch"}, %kv0: !sluice.pages<@kv> {sluice.name = "kv"}, %ask: tensor<?xi32> {sluice.name="ask"}) -> (tensor<?x100xf32> {sluice.name="logits"}, !sluice.pages<@kv> {sluice.name="kv"}) attributes {sluice.export} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %e = sluice.param.use @embed : tensor<100x24xf32>
  %n = sluice.param.use @n : tensor<24xf32>
  %pos = sluice.batch.positions %b : tensor<?xi32>
  %x0 = sluice.embed %e[%tok] : (tensor<100x24xf32>, tensor<?xi32>) -> tensor<?x24xf32>
  %x1, %kv1 = scf.for %l = %c0 to %c2 step %c1 iter_args(%x = %x0, %kv = %kv0) -> (tensor<?x24xf32>, !sluice.pages<@kv>) {
    %h = sluice.norm rms %x weight %n {eps = 1.0e-6 : f64} : (tensor<?x24xf32>, tensor<24xf32>) -> tensor<?x24xf32>
    %w = sluice.param.use @qkv[%l] : tensor<40x24xf32>
    %y = sluice.linear %h, %w activation silu : (tensor<?x24xf32>, tensor<40x24xf32>) -> tensor<?x40xf32>
    %d = tensor.dim %y, %c0 : tensor<?x40xf32>
    %qs = tensor.extract_slice %y[0, 0][%d, 24][1, 1] : tensor<?x40xf32> to tensor<?x24xf32>
    %q = tensor.expand_shape %qs [[0], [1, 2]] output_shape [%d, 3, 8] : tensor<?x24xf32> into tensor<?x3x8xf32>
    %ks = tensor.extract_slice %y[0, 24][%d, 8][1, 1] : tensor<?x40xf32> to tensor<?x8xf32>
    %k = tensor.expand_shape %ks [[0], [1, 2]] output_shape [%d, 1, 8] : tensor<?x8xf32> into tensor<?x1x8xf32>
    %vs = tensor.extract_slice %y[0, 32][%d, 8][1, 1] : tensor<?x40xf32> to tensor<?x8xf32>
    %v = tensor.expand_shape %vs [[0], [1, 2]] output_shape [%d, 1, 8] : tensor<?x8xf32> into tensor<?x1x8xf32>
    %qr = sluice.rope halves %q at %pos {theta = 1.0e4 : f64} : (tensor<?x3x8xf32>, tensor<?xi32>) -> tensor<?x3x8xf32>
    %kr = sluice.rope halves %k at %pos {theta = 1.0e4 : f64} : (tensor<?x1x8xf32>, tensor<?xi32>) -> tensor<?x1x8xf32>
    %kvn = sluice.cache.append %kr, %v to %kv[%l] batch %b : (tensor<?x1x8xf32>, tensor<?x1x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
    %a = sluice.attention %qr pages %kvn[%l] batch %b mask #sluice.causal {scale = 0.125 : f64} : (tensor<?x3x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x3x8xf32>
    %ac = tensor.collapse_shape %a [[0], [1, 2]] : tensor<?x3x8xf32> into tensor<?x24xf32>
    %xn = arith.addf %x, %ac : tensor<?x24xf32>
    scf.yield %xn, %kvn : tensor<?x24xf32>, !sluice.pages<@kv>
  }
  %xa = sluice.embed %x1[%ask] : (tensor<?x24xf32>, tensor<?xi32>) -> tensor<?x24xf32>
  %lg = sluice.linear %xa, %e : (tensor<?x24xf32>, tensor<100x24xf32>) -> tensor<?x100xf32>
  return %lg, %kv1 : tensor<?x100xf32>, !sluice.pages<@kv>
}
func.func @sample(%logits: tensor<?x100xf32> {sluice.name = "logits"}, %t: tensor<?xf32> {sluice.name = "temperature"}, %r: tensor<?xi64> {sluice.name = "rng"})
    -> (tensor<?xi32> {sluice.name = "tokens"}, tensor<?xi64> {sluice.name = "rng"}) attributes {sluice.export} {
  %a, %b = sluice.sample.draw %logits temperature %t rng %r : (tensor<?x100xf32>, tensor<?xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)
  return %a, %b : tensor<?xi32>, tensor<?xi64>
}
}
