// RUN: sluice-check %s --target=reference

// Ties go to the smallest; zeros are equal; NaN is never the largest, and a row of nothing else gives 0.
func.func @argmax(%x: tensor<5x3xf32> {check.value = dense<[[1.0, 5.0, 5.0], [-0.0, 0.0, -1.0],
      [0x7FC00000, -3.0, 0xFF800000], [0x7FC00000, 0x7FC00000, 0x7FC00000], [0x7FC00000, 0xFF800000, 0xFF800000]]> : tensor<5x3xf32>})
    -> (tensor<5xi32> {check.expect = dense<[1, 0, 1, 0, 1]> : tensor<5xi32>}) {
  %t = sluice.sample.argmax %x : (tensor<5x3xf32>) -> tensor<5xi32>
  return %t : tensor<5xi32>
}

// Numbers from sample.py. A temperature that is not above 0 takes the largest and leaves the state alone; with rng 3 the
// draw is not the largest, and another temperature makes it another token.
func.func @draw(
    %x: tensor<5x3xf32> {check.value = dense<[[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]> : tensor<5x3xf32>},
    %c: tensor<5xf32> {check.value = dense<[1.0, 1.0, 100.0, 0.0, 0x7FC00000]> : tensor<5xf32>},
    %s: tensor<5xi64> {check.value = dense<[0, 3, 3, 3, -1]> : tensor<5xi64>})
    -> (tensor<5xi32> {check.expect = dense<[2, 1, 0, 2, 2]> : tensor<5xi32>},
        tensor<5xi64> {check.expect = dense<[-7046029254386353131, -7046029254386353128, -7046029254386353128, 3, -1]> : tensor<5xi64>}) {
  %t, %n = sluice.sample.draw %x temperature %c rng %s : (tensor<5x3xf32>, tensor<5xf32>, tensor<5xi64>) -> (tensor<5xi32>, tensor<5xi64>)
  return %t, %n : tensor<5xi32>, tensor<5xi64>
}

// Nothing can be drawn: the largest. An infinite temperature never draws -inf or NaN.
func.func @draw_edges(
    %x: tensor<3x3xf32> {check.value = dense<[[0x7FC00000, 0xFF800000, 0xFF800000], [0xFF800000, 3.0, 0x7FC00000], [0x7FC00000, 0xFF800000, -9.0]]> : tensor<3x3xf32>},
    %c: tensor<3xf32> {check.value = dense<[1.0, 0x7F800000, 0x7F800000]> : tensor<3xf32>},
    %s: tensor<3xi64> {check.value = dense<[0, 0, 0]> : tensor<3xi64>})
    -> (tensor<3xi32> {check.expect = dense<[1, 1, 2]> : tensor<3xi32>}, tensor<3xi64>) {
  %t, %n = sluice.sample.draw %x temperature %c rng %s : (tensor<3x3xf32>, tensor<3xf32>, tensor<3xi64>) -> (tensor<3xi32>, tensor<3xi64>)
  return %t, %n : tensor<3xi32>, tensor<3xi64>
}
