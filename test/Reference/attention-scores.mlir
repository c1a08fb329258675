// RUN: sluice-check %s --target=reference

// Scores 0.5 * 2 * (0, 4) are 0 and 4; a cap of 2 makes 2 tanh(2) = 1.928 of 4, so the second weight is
// e^1.928 / (1 + e^1.928) = 0.8730340 (without the cap 0.982).
func.func @softcap(
    %q: tensor<2x1x1xf32> {check.value = dense<2.0> : tensor<2x1x1xf32>},
    %k: tensor<2x1x1xf32> {check.value = dense<[[[0.0]], [[4.0]]]> : tensor<2x1x1xf32>},
    %v: tensor<2x1x1xf32> {check.value = dense<[[[0.0]], [[1.0]]]> : tensor<2x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<2x1x1xf32> {check.expect = dense<0.8730340> : tensor<2x1x1xf32>}) {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0.5 : f64, softcap = 2.0 : f64}
    : (tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, !sluice.batch) -> tensor<2x1x1xf32>
  return %y : tensor<2x1x1xf32>
}

// ALiBi: slopes 2^(-8/H (h + 1)) would be 1/16 and 1/256 for H = 2; here 1/2 and 1/4. Zero queries leave the biases
// -slope * (2, 1, 0) of row 2: 1 / (e^-1 + e^-0.5 + 1) = 0.5064804 and 1 / (e^-0.5 + e^-0.25 + 1) = 0.41922895.
func.func @alibi(
    %q: tensor<3x2x1xf32> {check.value = dense<0.0> : tensor<3x2x1xf32>},
    %k: tensor<3x1x1xf32> {check.value = dense<1.0> : tensor<3x1x1xf32>},
    %v: tensor<3x1x1xf32> {check.value = dense<[[[0.0]], [[0.0]], [[1.0]]]> : tensor<3x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 3>})
    -> (tensor<3x2x1xf32> {check.expect = dense<[[[0.0], [0.0]], [[0.0], [0.0]], [[0.5064804], [0.41922895]]]> : tensor<3x2x1xf32>}) {
  %s = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal slopes %s {scale = 1.0 : f64}
    : (tensor<3x2x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>, !sluice.batch, tensor<2xf32>) -> tensor<3x2x1xf32>
  return %y : tensor<3x2x1xf32>
}

// Relative bias: distances -1, 0, 1 and beyond have log 2, 0, log 3. Row 0 weighs its keys 1 : 3 : 3, row 1 2 : 1 : 3,
// row 2 2 : 2 : 1; the values are 7, 14, 28 over the sums 7, 6, 5.
func.func @relative(
    %q: tensor<3x1x1xf32> {check.value = dense<0.0> : tensor<3x1x1xf32>},
    %v: tensor<3x1x1xf32> {check.value = dense<[[[1.0]], [[2.0]], [[4.0]]]> : tensor<3x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 3>})
    -> (tensor<3x1x1xf32> {check.expect = dense<[[[2.7142857]], [[2.6666667]], [[2.0]]]> : tensor<3x1x1xf32>}) {
  %s = arith.constant dense<[[0.6931472, 0.0, 1.0986123]]> : tensor<1x3xf32>
  %y = sluice.attention %q, %v, %v batch %b mask #sluice.all bias %s {scale = 1.0 : f64}
    : (tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>, !sluice.batch, tensor<1x3xf32>) -> tensor<3x1x1xf32>
  return %y : tensor<3x1x1xf32>
}

// A bias for each pair: row 0 weighs its keys 2 : 1, row 1 1 : 3; the second row and column are read where they stand.
func.func @pairs(
    %q: tensor<2x1x1xf32> {check.value = dense<0.0> : tensor<2x1x1xf32>},
    %v: tensor<2x1x1xf32> {check.value = dense<[[[0.0]], [[12.0]]]> : tensor<2x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<2x1x1xf32> {check.expect = dense<[[[4.0]], [[9.0]]]> : tensor<2x1x1xf32>}) {
  %s = arith.constant dense<[[[0.6931472, 0.0, 9.0], [0.0, 1.0986123, 9.0]]]> : tensor<1x2x3xf32>
  %y = sluice.attention %q, %v, %v batch %b mask #sluice.all bias %s {scale = 1.0 : f64}
    : (tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, !sluice.batch, tensor<1x2x3xf32>) -> tensor<2x1x1xf32>
  return %y : tensor<2x1x1xf32>
}

// Sinks: with log 3 in the denominator two keys of weight 1 get 1/5 each, and the logarithm of the sum is log 5. They
// are not scaled. The second head has none (-inf): 1/2, log 2.
func.func @sinks(
    %q: tensor<2x2x1xf32> {check.value = dense<0.0> : tensor<2x2x1xf32>},
    %k: tensor<2x1x1xf32> {check.value = dense<1.0> : tensor<2x1x1xf32>},
    %v: tensor<2x1x1xf32> {check.value = dense<[[[0.0]], [[1.0]]]> : tensor<2x1x1xf32>},
    %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<2x2x1xf32> {check.expect = dense<[[[0.2], [0.5]], [[0.2], [0.5]]]> : tensor<2x2x1xf32>},
        tensor<2x2xf32> {check.expect = dense<[[1.6094379, 0.6931472], [1.6094379, 0.6931472]]> : tensor<2x2xf32>}) {
  %s = arith.constant dense<[1.0986123, 0xFF800000]> : tensor<2xf32>
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.all sinks %s {scale = 0.5 : f64}
    : (tensor<2x2x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, !sluice.batch, tensor<2xf32>)
    -> (tensor<2x2x1xf32>, tensor<2x2xf32>)
  return %y#0, %y#1 : tensor<2x2x1xf32>, tensor<2x2xf32>
}
