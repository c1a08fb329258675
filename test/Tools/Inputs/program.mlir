// SPDX-License-Identifier: Apache-2.0
// What sluice-smith printed once: a program for reducing.
module {
  sluice.param @p0 role weight : tensor<72x32xf32> from ["p0"] rows [72]
  sluice.param @p1 role bias : tensor<72xf32> from ["p1"] rows [72]
  func.func @f(%arg0: tensor<?x32xf32>, %arg1: !sluice.batch, %arg2: tensor<?xi32> {sluice.name = "ask"}) -> (tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?x72xf32>) {
    %0 = sluice.embed %arg0[%arg2] : (tensor<?x32xf32>, tensor<?xi32>) -> tensor<?x32xf32>
    %1 = sluice.norm rms %arg0 {eps = 1.000000e-05 : f64} : (tensor<?x32xf32>) -> tensor<?x32xf32>
    %2 = sluice.activation gelu_tanh %0 gated : (tensor<?x32xf32>) -> tensor<?x16xf32>
    %3 = sluice.activation identity %0 gated {up_offset = -5.131000e-01 : f64} : (tensor<?x32xf32>) -> tensor<?x16xf32>
    %4 = sluice.norm l2 %2 {eps = 1.000000e-03 : f64} : (tensor<?x16xf32>) -> tensor<?x16xf32>
    %5 = sluice.clamp %1 width %1 nan ignore : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
    %6 = sluice.param.use @p0 : tensor<72x32xf32>
    %7 = sluice.param.use @p1 : tensor<72xf32>
    %8 = sluice.linear %1, %6 bias %7 : (tensor<?x32xf32>, tensor<72x32xf32>, tensor<72xf32>) -> tensor<?x72xf32>
    return %3, %4, %5, %8 : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?x72xf32>
  }
}
