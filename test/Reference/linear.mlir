// RUN: sluice-check %s --target=reference

// K = 3, N = 2: swapping rows, weight or their dims gives other numbers.
func.func @sum_of_products(
    %x: tensor<?x3xf32> {check.value = dense<[[1.0, 2.0, 3.0], [-1.0, 0.0, 0.5]]> : tensor<2x3xf32>},
    %w: tensor<2x3xf32> {check.value = dense<[[4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]> : tensor<2x3xf32>})
    -> (tensor<?x2xf32> {check.expect = dense<[[32.0, 50.0], [-1.0, -2.5]]> : tensor<2x2xf32>}) {
  %y = sluice.linear %x, %w : (tensor<?x3xf32>, tensor<2x3xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// The order is sum, bias, activation, residual: relu(1 - 3) + 10, relu(2 + 1) - 1.
func.func @order_of_the_epilogue(
    %x: tensor<1x1xf32> {check.value = dense<1.0> : tensor<1x1xf32>},
    %w: tensor<2x1xf32> {check.value = dense<[[1.0], [2.0]]> : tensor<2x1xf32>},
    %b: tensor<2xf32> {check.value = dense<[-3.0, 1.0]> : tensor<2xf32>},
    %r: tensor<1x2xf32> {check.value = dense<[[10.0, -1.0]]> : tensor<1x2xf32>})
    -> (tensor<1x2xf32> {check.expect = dense<[[10.0, 2.0]]> : tensor<1x2xf32>}) {
  %y = sluice.linear %x, %w bias %b activation relu residual %r
    : (tensor<1x1xf32>, tensor<2x1xf32>, tensor<2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// The result is f32, not bf16: 1.0078125^2 = 1.01568603515625.
func.func @bf16_products_are_not_rounded(
    %x: tensor<1x1xbf16> {check.value = dense<1.0078125> : tensor<1x1xbf16>},
    %w: tensor<1x1xbf16> {check.value = dense<1.0078125> : tensor<1x1xbf16>})
    -> (tensor<1x1xf32> {check.expect = dense<1.01568603515625> : tensor<1x1xf32>}) {
  %y = sluice.linear %x, %w : (tensor<1x1xbf16>, tensor<1x1xbf16>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// inf * 0 is NaN; inf and -inf meet as NaN; an overflow of the result is inf.
func.func @specials(
    %x: tensor<1x2xf32> {check.value = dense<[[0x7F800000, 1.0e38]]> : tensor<1x2xf32>},
    %w: tensor<3x2xf32> {check.value = dense<[[0.0, 1.0], [-1.0, 1.0], [1.0, 1.0]]> : tensor<3x2xf32>})
    -> (tensor<1x3xf32> {check.expect = dense<[[0x7FC00000, 0xFF800000, 0x7F800000]]> : tensor<1x3xf32>}) {
  %y = sluice.linear %x, %w : (tensor<1x2xf32>, tensor<3x2xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

func.func @no_rows(
    %x: tensor<?x3xf32> {check.value = dense<> : tensor<0x3xf32>},
    %w: tensor<2x3xf32> {check.value = dense<1.0> : tensor<2x3xf32>})
    -> (tensor<?x2xf32> {check.expect = dense<> : tensor<0x2xf32>}) {
  %y = sluice.linear %x, %w : (tensor<?x3xf32>, tensor<2x3xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
