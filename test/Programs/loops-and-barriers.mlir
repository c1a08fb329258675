// What is dead before a loop shares memory with what is packed after it: the loop's barriers lie between them. (sluice-smith
// found that the plan and its check disagreed about loops that are known to run.)
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

sluice.param @p role table : tensor<32x48xf32> from ["p"] rows [32]
sluice.param @w role weight : tensor<32x48xf32> from ["w"] rows [32]
sluice.param @up stack 3 role weight : tensor<3x32x64xf32> from ["up.{}"] rows [32]
sluice.param @down stack 3 role weight : tensor<3x64x32xf32> from ["down.{}"] rows [64]

func.func @f(%x: tensor<?x48xf32>, %y: tensor<?x64xf32>, %b: !sluice.batch, %i: tensor<?xi32>)
    -> (tensor<?x32xf32>, tensor<?x64xf32>, tensor<?x4x12xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %p = sluice.param.use @p : tensor<32x48xf32>
  %e = sluice.embed %p[%i] : (tensor<32x48xf32>, tensor<?xi32>) -> tensor<?x48xf32>
  %s = sluice.norm rms %x {eps = 1.0e-5 : f64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %w = sluice.param.use @w : tensor<32x48xf32>
  %l = sluice.linear %s, %w : (tensor<?x48xf32>, tensor<32x48xf32>) -> tensor<?x32xf32>
  %n = tensor.dim %e, %c0 : tensor<?x48xf32>
  %h = tensor.expand_shape %e [[0], [1, 2]] output_shape [%n, 4, 12] : tensor<?x48xf32> into tensor<?x4x12xf32>
  %z = scf.for %k = %c0 to %c3 step %c1 iter_args(%r = %y) -> (tensor<?x64xf32>) {
    %u = sluice.param.use @up[%k] : tensor<32x64xf32>
    %a = sluice.linear %r, %u activation tanh : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
    %d = sluice.param.use @down[%k] : tensor<64x32xf32>
    %o = sluice.linear %a, %d : (tensor<?x32xf32>, tensor<64x32xf32>) -> tensor<?x64xf32>
    %q = arith.addf %r, %o : tensor<?x64xf32>
    scf.yield %q : tensor<?x64xf32>
  }
  %t = sluice.attention %h, %h, %h batch %b mask #sluice.causal {scale = 0.3 : f64}
    : (tensor<?x4x12xf32>, tensor<?x4x12xf32>, tensor<?x4x12xf32>, !sluice.batch) -> tensor<?x4x12xf32>
  return %l, %z, %t : tensor<?x32xf32>, tensor<?x64xf32>, tensor<?x4x12xf32>
}
