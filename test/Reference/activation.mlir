// RUN: sluice-check %s --target=reference

// Values from tables of the functions; -inf, 0 and inf in each.
func.func @smooth(
    %x: tensor<1x5xf32> {check.value = dense<[[1.0, -2.0, 0.0, 0xFF800000, 0x7F800000]]> : tensor<1x5xf32>})
    -> (tensor<1x5xf32> {check.expect = dense<[[0.731058579, -0.238405844, 0.0, 0.0, 0x7F800000]]> : tensor<1x5xf32>},
        tensor<1x5xf32> {check.expect = dense<[[0.841344746, -0.0455002639, 0.0, 0.0, 0x7F800000]]> : tensor<1x5xf32>},
        tensor<1x5xf32> {check.expect = dense<[[0.761594156, -0.964027580, 0.0, -1.0, 1.0]]> : tensor<1x5xf32>},
        tensor<1x5xf32> {check.expect = dense<[[0.731058579, 0.119202922, 0.5, 0.0, 1.0]]> : tensor<1x5xf32>}) {
  %0 = sluice.activation silu %x : (tensor<1x5xf32>) -> tensor<1x5xf32>
  %1 = sluice.activation gelu_erf %x : (tensor<1x5xf32>) -> tensor<1x5xf32>
  %2 = sluice.activation tanh %x : (tensor<1x5xf32>) -> tensor<1x5xf32>
  %3 = sluice.activation sigmoid %x : (tensor<1x5xf32>) -> tensor<1x5xf32>
  return %0, %1, %2, %3 : tensor<1x5xf32>, tensor<1x5xf32>, tensor<1x5xf32>, tensor<1x5xf32>
}

// gelu_tanh(1) = 0.841191990, not gelu_erf's 0.841344746; quick_gelu(1) = 0.845795766.
func.func @approximations_differ(%x: tensor<1x1xf32> {check.value = dense<1.0> : tensor<1x1xf32>})
    -> (tensor<1x1xf32> {check.expect = dense<0.841191990> : tensor<1x1xf32>},
        tensor<1x1xf32> {check.expect = dense<0.845795766> : tensor<1x1xf32>}) {
  %0 = sluice.activation gelu_tanh %x : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %1 = sluice.activation quick_gelu %x : (tensor<1x1xf32>) -> tensor<1x1xf32>
  return %0, %1 : tensor<1x1xf32>, tensor<1x1xf32>
}

// NaN stays NaN, in relu too.
func.func @rectified(%x: tensor<1x4xf32> {check.value = dense<[[-2.0, 3.0, 0x7FC00000, 0xFF800000]]> : tensor<1x4xf32>})
    -> (tensor<1x4xf32> {check.expect = dense<[[0.0, 3.0, 0x7FC00000, 0.0]]> : tensor<1x4xf32>},
        tensor<1x4xf32> {check.expect = dense<[[0.0, 9.0, 0x7FC00000, 0.0]]> : tensor<1x4xf32>}) {
  %0 = sluice.activation relu %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = sluice.activation relu2 %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %0, %1 : tensor<1x4xf32>, tensor<1x4xf32>
}

// The first half goes through f, the second half is the gate: relu(2) * 5, relu(-1) * 7. Rounded once, to bf16.
func.func @gated(%x: tensor<1x4xf32> {check.value = dense<[[2.0, -1.0, 5.0, 7.0]]> : tensor<1x4xf32>},
                 %z: tensor<1x2xf32> {check.value = dense<[[1.0, 1.01171875]]> : tensor<1x2xf32>})
    -> (tensor<1x2xf32> {check.expect = dense<[[10.0, 0.0]]> : tensor<1x2xf32>},
        tensor<1x1xbf16> {check.expect = dense<1.015625> : tensor<1x1xbf16>}) {
  %y = sluice.activation relu %x gated : (tensor<1x4xf32>) -> tensor<1x2xf32>
  %r = sluice.activation relu %z gated : (tensor<1x2xf32>) -> tensor<1x1xbf16>
  return %y, %r : tensor<1x2xf32>, tensor<1x1xbf16>
}

// One rounding: 16777216 + 1 is a tie.
func.func @add(%x: tensor<1x2xf32> {check.value = dense<[[16777216.0, 1.5]]> : tensor<1x2xf32>},
               %y: tensor<1x2xf32> {check.value = dense<[[1.0, -0.25]]> : tensor<1x2xf32>})
    -> (tensor<1x2xf32> {check.expect = dense<[[16777216.0, 1.25]]> : tensor<1x2xf32>}) {
  %z = sluice.add %x, %y : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %z : tensor<1x2xf32>
}

// A cap at 2: 2 tanh(x / 2); tanh 1 = 0.761594156. Then a multiplication.
func.func @soft_cap(%x: tensor<1x3xf32> {check.value = dense<[[2.0, -2.0, 1.0e9]]> : tensor<1x3xf32>})
    -> (tensor<1x3xf32> {check.expect = dense<[[1.523188312, -1.523188312, 2.0]]> : tensor<1x3xf32>}) {
  %y = sluice.activation tanh %x {input_scale = 0.5 : f64, output_scale = 2.0 : f64} : (tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}
func.func @times(%x: tensor<1x3xf32> {check.value = dense<[[2.0, -3.0, 0.0]]> : tensor<1x3xf32>})
    -> (tensor<1x3xf32> {check.expect = dense<[[7.0, -10.5, 0.0]]> : tensor<1x3xf32>}) {
  %y = sluice.activation identity %x {output_scale = 3.5 : f64} : (tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// Limit 2: of the gates only the upper side, of the others both, then 1 more.
func.func @limited(%x: tensor<1x8xf32> {check.value = dense<[[1.0, 3.0, -3.0, 2.0, 1.0, 5.0, -5.0, 0x7FC00000]]> : tensor<1x8xf32>})
    -> (tensor<1x4xf32> {check.expect = dense<[[2.0, 6.0, 3.0, 0x7FC00000]]> : tensor<1x4xf32>}) {
  %y = sluice.activation identity %x gated {limit = 2.0 : f64, up_offset = 1.0 : f64} : (tensor<1x8xf32>) -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}
