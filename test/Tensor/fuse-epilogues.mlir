// RUN: sluice-opt %s --tensor-fuse-epilogues | FileCheck %s

sluice.param @w role weight : tensor<24x40xf32> from ["w"] rows [24]
sluice.param @b role bias : tensor<24xf32> from ["b"] rows [24]

// Activation first, then the sum: the order in which a linear layer defines its epilogue.
// CHECK-LABEL: func @activation_and_residual
// CHECK-SAME: %[[H:.*]]: tensor<?x40xf32>, %[[X:.*]]: tensor<?x24xf32>
func.func @activation_and_residual(%h: tensor<?x40xf32>, %x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  %w = sluice.param.use @w : tensor<24x40xf32>
  %b = sluice.param.use @b : tensor<24xf32>
  %sum = sluice.linear %h, %w bias %b : (tensor<?x40xf32>, tensor<24x40xf32>, tensor<24xf32>) -> tensor<?x24xf32>
  %act = sluice.activation gelu_erf %sum : (tensor<?x24xf32>) -> tensor<?x24xf32>
  %out = arith.addf %x, %act : tensor<?x24xf32>
  // CHECK: %[[OUT:.*]] = sluice.linear %[[H]], %{{.*}} bias %{{.*}} activation gelu_erf residual %[[X]]
  // CHECK-NOT: sluice.activation
  // CHECK-NOT: arith.addf
  // CHECK: return %[[OUT]]
  return %out : tensor<?x24xf32>
}

// The residual may be made after the layer: the fused layer stands where the sum stood.
// CHECK-LABEL: func @residual_made_later
func.func @residual_made_later(%h: tensor<?x40xf32>, %x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  %w = sluice.param.use @w : tensor<24x40xf32>
  %sum = sluice.linear %h, %w : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
  // CHECK: %[[N:.*]] = sluice.norm
  // CHECK-NEXT: sluice.linear %{{.*}}, %{{.*}} residual %[[N]]
  %n = sluice.norm rms %x {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  %out = arith.addf %sum, %n : tensor<?x24xf32>
  return %out : tensor<?x24xf32>
}

// Of two layers one becomes the residual of the other.
// CHECK-LABEL: func @sum_of_two_layers
func.func @sum_of_two_layers(%h: tensor<?x40xf32>, %g: tensor<?x40xf32>) -> tensor<?x24xf32> {
  %w = sluice.param.use @w : tensor<24x40xf32>
  // CHECK: %[[B:.*]] = sluice.linear
  // CHECK: sluice.linear %{{.*}}, %{{.*}} residual %[[B]]
  // CHECK-NOT: arith.addf
  %a = sluice.linear %h, %w : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
  %b = sluice.linear %g, %w : (tensor<?x40xf32>, tensor<24x40xf32>) -> tensor<?x24xf32>
  %out = arith.addf %a, %b : tensor<?x24xf32>
  return %out : tensor<?x24xf32>
}
