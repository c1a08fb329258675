// RUN: sluice-check %s --target=reference

// Three sequences of 2, 0 and 1 rows: the empty one gives zeros, and none reads its neighbour.
func.func @ragged(
    %x: tensor<?x2xf32> {check.value = dense<[[1.0, 10.0], [2.0, -4.0], [7.0, 8.0]]> : tensor<3x2xf32>},
    %b: !sluice.batch {check.rows = array<i64: 2, 0, 1>})
    -> (tensor<?x2xf32> {check.expect = dense<[[1.5, 3.0], [0.0, 0.0], [7.0, 8.0]]> : tensor<3x2xf32>},
        tensor<?x2xf32> {check.expect = dense<[[1.0, 10.0], [0.0, 0.0], [7.0, 8.0]]> : tensor<3x2xf32>},
        tensor<?x2xf32> {check.expect = dense<[[2.0, -4.0], [0.0, 0.0], [7.0, 8.0]]> : tensor<3x2xf32>}) {
  %0 = sluice.pool mean %x batch %b : (tensor<?x2xf32>, !sluice.batch) -> tensor<?x2xf32>
  %1 = sluice.pool first %x batch %b : (tensor<?x2xf32>, !sluice.batch) -> tensor<?x2xf32>
  %2 = sluice.pool last %x batch %b : (tensor<?x2xf32>, !sluice.batch) -> tensor<?x2xf32>
  return %0, %1, %2 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
}

// Positions count cached keys, and are the caller's where it gives them.
func.func @positions(%b: !sluice.batch {check.rows = array<i64: 2, 0, 1>, check.past = array<i64: 5, 9, 0>})
    -> (tensor<?xi32> {check.expect = dense<[5, 6, 0]> : tensor<3xi32>}) {
  %p = sluice.batch.positions %b : tensor<?xi32>
  return %p : tensor<?xi32>
}
func.func @given_positions(%b: !sluice.batch {check.rows = array<i64: 2, 1>, check.positions = array<i64: 3, 8, 1>})
    -> (tensor<?xi32> {check.expect = dense<[3, 8, 1]> : tensor<3xi32>}) {
  %p = sluice.batch.positions %b : tensor<?xi32>
  return %p : tensor<?xi32>
}
