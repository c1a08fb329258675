// RUN: sluice-check %s --target=reference

// Two heads with three rows of the weight each. `turned` from row 1 on: head 0 has rows 1 and 2 (its outputs are the two
// columns), head 1 rows 4 and 5.
func.func @turned(
    %x: tensor<?x2x2xf32> {check.value = dense<[[[1.0, 10.0], [100.0, -1.0]]]> : tensor<1x2x2xf32>},
    %w: tensor<6x2xf32> {check.value = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]> : tensor<6x2xf32>})
    -> (tensor<?x2x2xf32> {check.expect = dense<[[[53.0, 64.0], [889.0, 988.0]]]> : tensor<1x2x2xf32>}) {
  %y = sluice.heads.linear turned %x, %w {first = 1 : i64} : (tensor<?x2x2xf32>, tensor<6x2xf32>) -> tensor<?x2x2xf32>
  return %y : tensor<?x2x2xf32>
}

// `plain` from row 2 on: one output of each head, of rows 2 and 5.
func.func @plain(
    %x: tensor<?x2x2xf32> {check.value = dense<[[[1.0, 10.0], [100.0, -1.0]]]> : tensor<1x2x2xf32>},
    %w: tensor<6x2xf32> {check.value = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]> : tensor<6x2xf32>})
    -> (tensor<?x2x1xf32> {check.expect = dense<[[[65.0], [1088.0]]]> : tensor<1x2x1xf32>}) {
  %y = sluice.heads.linear plain %x, %w {first = 2 : i64} : (tensor<?x2x2xf32>, tensor<6x2xf32>) -> tensor<?x2x1xf32>
  return %y : tensor<?x2x1xf32>
}

// The sum is rounded once, to the result's type: 1 + 2^-8 + 2^-24 is above the tie of bf16.
func.func @rounds_once(
    %x: tensor<1x1x3xf32> {check.value = dense<[[[1.0, 0.00390625, 5.9604644775390625e-08]]]> : tensor<1x1x3xf32>},
    %w: tensor<1x3xf32> {check.value = dense<1.0> : tensor<1x3xf32>})
    -> (tensor<1x1x1xbf16> {check.expect = dense<1.0078125> : tensor<1x1x1xbf16>}) {
  %y = sluice.heads.linear plain %x, %w {first = 0 : i64} : (tensor<1x1x3xf32>, tensor<1x3xf32>) -> tensor<1x1x1xbf16>
  return %y : tensor<1x1x1xbf16>
}

// A piece with one head goes to all heads.
func.func @join(
    %x: tensor<1x2x1xf32> {check.value = dense<[[[1.0], [2.0]]]> : tensor<1x2x1xf32>},
    %y: tensor<1x1x2xf32> {check.value = dense<[[[3.0, 4.0]]]> : tensor<1x1x2xf32>})
    -> (tensor<1x2x4xf32> {check.expect = dense<[[[1.0, 3.0, 4.0, 1.0], [2.0, 3.0, 4.0, 2.0]]]> : tensor<1x2x4xf32>}) {
  %z = sluice.heads.join %x, %y, %x : (tensor<1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x2x1xf32>) -> tensor<1x2x4xf32>
  return %z : tensor<1x2x4xf32>
}

// Values are the first numbers of keys: with zero queries the results are means of them, [1, 2] and then of [1, 2], [5, 4].
sluice.kv @latent layers 1 heads 1 key 3 value 2 shared page 16 : f32
func.func @shared(
    %q: tensor<?x2x3xf32> {check.value = dense<0.0> : tensor<2x2x3xf32>},
    %k: tensor<?x1x3xf32> {check.value = dense<[[[1.0, 2.0, 9.0]], [[5.0, 4.0, 9.0]]]> : tensor<2x1x3xf32>},
    %kv: !sluice.pages<@latent>, %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<?x2x2xf32> {check.expect = dense<[[[1.0, 2.0], [1.0, 2.0]], [[3.0, 3.0], [3.0, 3.0]]]> : tensor<2x2x2xf32>}, !sluice.pages<@latent>) {
  %l = arith.constant 0 : index
  %n = sluice.cache.append %k to %kv[%l] batch %b : (tensor<?x1x3xf32>, !sluice.pages<@latent>, index, !sluice.batch) -> !sluice.pages<@latent>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<?x2x3xf32>, !sluice.pages<@latent>, index, !sluice.batch) -> tensor<?x2x2xf32>
  return %y, %n : tensor<?x2x2xf32>, !sluice.pages<@latent>
}
