// RUN: sluice-opt %s --tensor-fuse-epilogues --remarks-filter-missed=tensor-fuse-epilogues --remark-policy=all \
// RUN:   --remark-format=emitRemark -verify-diagnostics | FileCheck %s

sluice.param @w role weight : tensor<24x40xf32> from ["w"] rows [24]

// The sum would be made twice.
// CHECK-LABEL: func @two_users
func.func @two_users(%h: tensor<?x40xf32>, %x: tensor<?x24xf32>) -> (tensor<?x24xf32>, tensor<?x24xf32>) {
  %w = sluice.param.use @w : tensor<24x40xf32>
  %sum = sluice.linear %h, %w : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
  // CHECK: arith.addf
  // expected-remark @+1 {{the linear layer has other users}}
  %out = arith.addf %x, %sum : tensor<?x24xf32>
  return %sum, %out : tensor<?x24xf32>, tensor<?x24xf32>
}

// A linear layer gives f32.
// CHECK-LABEL: func @rounding_activation
func.func @rounding_activation(%h: tensor<?x40xf32>) -> tensor<?x24xbf16> {
  %w = sluice.param.use @w : tensor<24x40xf32>
  %sum = sluice.linear %h, %w : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
  // CHECK: sluice.activation silu
  // expected-remark @+1 {{the activation rounds its result, a linear layer gives f32}}
  %act = sluice.activation silu %sum : (tensor<?x24xf32>) -> tensor<?x24xbf16>
  return %act : tensor<?x24xbf16>
}

// CHECK-LABEL: func @gated_activation
func.func @gated_activation(%h: tensor<?x40xf32>) -> tensor<?x12xf32> {
  %w = sluice.param.use @w : tensor<24x40xf32>
  %sum = sluice.linear %h, %w : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
  // CHECK: sluice.activation silu %{{.*}} gated
  // expected-remark @+1 {{a gated activation needs two outputs at a time}}
  %act = sluice.activation silu %sum gated : (tensor<?x24xf32>) -> tensor<?x12xf32>
  return %act : tensor<?x12xf32>
}

// An activation of the sum is not an activation before the sum.
// CHECK-LABEL: func @activation_after_residual
func.func @activation_after_residual(%h: tensor<?x40xf32>, %x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  %w = sluice.param.use @w : tensor<24x40xf32>
  %sum = sluice.linear %h, %w residual %x : (tensor<?x40xf32>, tensor<24x40xf32>, tensor<?x24xf32>) -> tensor<?x24xf32>
  // CHECK: sluice.activation relu
  // expected-remark @+1 {{the linear layer has a residual already}}
  %act = sluice.activation relu %sum : (tensor<?x24xf32>) -> tensor<?x24xf32>
  return %act : tensor<?x24xf32>
}

// Fusing would run the layer in every round.
// CHECK-LABEL: func @layer_outside_of_the_loop
func.func @layer_outside_of_the_loop(%h: tensor<?x40xf32>, %x: tensor<?x24xf32>, %n: index) -> tensor<?x24xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %w = sluice.param.use @w : tensor<24x40xf32>
  %sum = sluice.linear %h, %w : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
  // CHECK: scf.for
  // CHECK: arith.addf
  %out = scf.for %i = %c0 to %n step %c1 iter_args(%y = %x) -> (tensor<?x24xf32>) {
    // expected-remark @+1 {{the linear layer stands outside of the loop}}
    %z = arith.addf %y, %sum : tensor<?x24xf32>
    scf.yield %z : tensor<?x24xf32>
  }
  return %out : tensor<?x24xf32>
}
