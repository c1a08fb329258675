// RUN: sluice-check %s --target=reference

func.func @picks_and_widens(
    %t: tensor<3x2xbf16> {check.value = dense<[[1.0, 2.0], [3.0, 0x7FC0], [-0.0, 1.0078125]]> : tensor<3x2xbf16>},
    %i: tensor<?xi32> {check.value = dense<[2, 0, 2, 1]> : tensor<4xi32>})
    -> (tensor<?x2xf32> {check.expect = dense<[[-0.0, 1.0078125], [1.0, 2.0], [-0.0, 1.0078125], [3.0, 0x7FC00000]]> : tensor<4x2xf32>}) {
  %x = sluice.embed %t[%i] : (tensor<3x2xbf16>, tensor<?xi32>) -> tensor<?x2xf32>
  return %x : tensor<?x2xf32>
}

// A row of an id outside of the table is zero, the others are as ever; the first such id is the one that is reported.
func.func @outside(
    %t: tensor<2x1xf32> {check.value = dense<[[5.0], [6.0]]> : tensor<2x1xf32>},
    %i: tensor<4xi32> {check.value = dense<[1, -1, 2, 0]> : tensor<4xi32>})
    -> (tensor<4x1xf32> {check.expect = dense<[[6.0], [0.0], [0.0], [5.0]]> : tensor<4x1xf32>})
    attributes {check.trap = array<i64: 1, -1, 2>} {
  %x = sluice.embed %t[%i] : (tensor<2x1xf32>, tensor<4xi32>) -> tensor<4x1xf32>
  return %x : tensor<4x1xf32>
}

func.func @on_their_way(
    %t: tensor<3x2xf16> {check.value = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf16>},
    %i: tensor<2xi32> {check.value = dense<[2, 0]> : tensor<2xi32>})
    -> (tensor<2x2xf16> {check.expect = dense<[[5.0, 6.0], [1.0, 2.0]]> : tensor<2x2xf16>}) {
  %f = sluice.gather %t[%i] home "host" : (tensor<3x2xf16>, tensor<2xi32>) -> !sluice.future<tensor<2x2xf16>>
  %x = sluice.await %f : !sluice.future<tensor<2x2xf16>> -> tensor<2x2xf16>
  return %x : tensor<2x2xf16>
}

func.func @offset(
    %t: tensor<4x1xf32> {check.value = dense<[[10.0], [11.0], [12.0], [13.0]]> : tensor<4x1xf32>},
    %i: tensor<3xi32> {check.value = dense<[1, 0, 2]> : tensor<3xi32>, check.below = 3 : i64})
    -> (tensor<3x1xf32> {check.expect = dense<[[12.0], [11.0], [13.0]]> : tensor<3x1xf32>}) {
  %y = sluice.embed %t[%i] {offset = 1 : i64} : (tensor<4x1xf32>, tensor<3xi32>) -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}
