// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=3
// RUN: sluice-check %s --target=cpu --against=reference --seed=4
//
// Sizes are odd, experts have many rows, one or none, and every worker has some panels of each.

module attributes {sluice.kind = "op", sluice.random_seed = 5 : i64} {
sluice.param @up experts 5 role weight : tensor<5x37x29xf32> from ["up.{}"] rows [37]
sluice.param @up_bias experts 5 role bias : tensor<5x37xf32> from ["up_bias"] rows [37]
sluice.param @down stack 2 experts 5 role weight : tensor<2x5x21x37xf32> from ["l.{}.down"] rows [21] transposed layers [1, 3]
sluice.param @narrow experts 7 role weight : tensor<7x50x33xbf16> from ["narrow"] rows [50] alternating
sluice.param @half experts 3 role weight : tensor<3x18x40xf16> from ["half.{}"] rows [18]
sluice.param @coded experts 3 role weight : tensor<3x34x96xf32, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>
  from ["coded.{}"] rows [34]
sluice.param @selection role bias : tensor<24xf32> from ["selection"] rows [24]

func.func @mixtral(%z: tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
  %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return %i, %w : tensor<?x2xi32>, tensor<?x2xf32>
}

func.func @special(%z: tensor<?x19xf32> {check.values = "special"}) -> (tensor<?x3xi32>, tensor<?x3xf32>) {
  %i, %w = sluice.route softmax %z top 3 weigh score {scale = 1.5 : f64} : (tensor<?x19xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  return %i, %w : tensor<?x3xi32>, tensor<?x3xf32>
}

func.func @gpt_oss(%z: tensor<?x33xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>) {
  %i, %w = sluice.route raw %z top 4 weigh softmax : (tensor<?x33xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  return %i, %w : tensor<?x4xi32>, tensor<?x4xf32>
}

func.func @all_of_them(%z: tensor<?x3xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>) {
  %i, %w = sluice.route sigmoid %z top 3 weigh sum : (tensor<?x3xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  return %i, %w : tensor<?x3xi32>, tensor<?x3xf32>
}

func.func @groups_by_best(%z: tensor<?x24xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>) {
  %i, %w = sluice.route softmax %z top 4 weigh score {groups = 8 : i64, top_groups = 3 : i64, scale = 16.0 : f64}
    : (tensor<?x24xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  return %i, %w : tensor<?x4xi32>, tensor<?x4xf32>
}

func.func @deepseek_v3(%z: tensor<?x24xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>) {
  %b = sluice.param.use @selection : tensor<24xf32>
  %i, %w = sluice.route sigmoid %z top 5 weigh sum bias %b
    {groups = 4 : i64, top_groups = 2 : i64, group_score = #sluice<group_score top_two>, scale = 2.5 : f64}
    : (tensor<?x24xf32>, tensor<24xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>)
  return %i, %w : tensor<?x5xi32>, tensor<?x5xf32>
}

func.func @top_two_without_bias(%z: tensor<?x20xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>) {
  %i, %w = sluice.route sqrt_softplus %z top 3 weigh sum
    {groups = 4 : i64, top_groups = 1 : i64, group_score = #sluice<group_score top_two>}
    : (tensor<?x20xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  return %i, %w : tensor<?x3xi32>, tensor<?x3xf32>
}

func.func @switch(%z: tensor<?x4xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>) {
  %i, %w = sluice.route softmax %z top 1 weigh score {capacity_factor = 0.75 : f64, batch_dependent}
    : (tensor<?x4xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>)
  return %i, %w : tensor<?x1xi32>, tensor<?x1xf32>
}

func.func @experts_choose(%z: tensor<?x5xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>) {
  %i, %w = sluice.route softmax %z top 5 weigh score {chooser = #sluice<route_chooser experts>, capacity_factor = 2.0 : f64, batch_dependent}
    : (tensor<?x5xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>)
  return %i, %w : tensor<?x5xi32>, tensor<?x5xf32>
}

func.func @shared_rows(%x: tensor<?x29xf32>, %z: tensor<?x5xf32>) -> tensor<?x2x37xf32> {
  %i, %g = sluice.route softmax %z top 2 weigh sum : (tensor<?x5xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %w = sluice.param.use @up : tensor<5x37x29xf32>
  %b = sluice.param.use @up_bias : tensor<5x37xf32>
  %h = sluice.route.experts %x, %w by %i bias %b : (tensor<?x29xf32>, tensor<5x37x29xf32>, tensor<?x2xi32>, tensor<5x37xf32>) -> tensor<?x2x37xf32>
  return %h : tensor<?x2x37xf32>
}

func.func @own_rows(%h: tensor<?x3x37xf32>, %z: tensor<?x5xf32>) -> tensor<?x3x21xf32> {
  %i, %g = sluice.route raw %z top 3 weigh softmax : (tensor<?x5xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  %l = arith.constant 1 : index
  %w = sluice.param.use @down[%l] : tensor<5x21x37xf32>
  %y = sluice.route.experts %h, %w by %i : (tensor<?x3x37xf32>, tensor<5x21x37xf32>, tensor<?x3xi32>) -> tensor<?x3x21xf32>
  return %y : tensor<?x3x21xf32>
}

// Choices that nobody takes are zeros.
func.func @dropped(%x: tensor<?x29xf32>, %z: tensor<?x5xf32>) -> tensor<?x1x37xf32> {
  %i, %g = sluice.route softmax %z top 1 weigh score {capacity = 1 : i64, batch_dependent} : (tensor<?x5xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>)
  %w = sluice.param.use @up : tensor<5x37x29xf32>
  %h = sluice.route.experts %x, %w by %i : (tensor<?x29xf32>, tensor<5x37x29xf32>, tensor<?x1xi32>) -> tensor<?x1x37xf32>
  return %h : tensor<?x1x37xf32>
}

func.func @bf16(%x: tensor<?x33xbf16>, %z: tensor<?x7xf32>) -> tensor<?x2x50xf32> {
  %i, %g = sluice.route softmax %z top 2 weigh sum : (tensor<?x7xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %w = sluice.param.use @narrow : tensor<7x50x33xbf16>
  %h = sluice.route.experts %x, %w by %i : (tensor<?x33xbf16>, tensor<7x50x33xbf16>, tensor<?x2xi32>) -> tensor<?x2x50xf32>
  return %h : tensor<?x2x50xf32>
}

func.func @f16(%x: tensor<?x40xf32>, %z: tensor<?x3xf32>) -> tensor<?x2x18xf32> {
  %i, %g = sluice.route softmax %z top 2 weigh sum : (tensor<?x3xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %w = sluice.param.use @half : tensor<3x18x40xf16>
  %h = sluice.route.experts %x, %w by %i : (tensor<?x40xf32>, tensor<3x18x40xf16>, tensor<?x2xi32>) -> tensor<?x2x18xf32>
  return %h : tensor<?x2x18xf32>
}

func.func @codes(%x: tensor<?x96xf32>, %z: tensor<?x3xf32>) -> (tensor<?x2x34xf32>, tensor<?x2x34xf32>) {
  %i, %g = sluice.route softmax %z top 2 weigh sum : (tensor<?x3xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %w = sluice.param.use @coded : tensor<3x34x96xf32, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>
  %h = sluice.route.experts %x, %w by %i : (tensor<?x96xf32>, tensor<3x34x96xf32, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>, tensor<?x2xi32>) -> tensor<?x2x34xf32>
  %y = sluice.route.experts %x, %w inputs int8 by %i : (tensor<?x96xf32>, tensor<3x34x96xf32, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>, tensor<?x2xi32>) -> tensor<?x2x34xf32>
  return %h, %y : tensor<?x2x34xf32>, tensor<?x2x34xf32>
}

func.func @parts_of_rows(%x: tensor<?x3x42xf32>) -> (tensor<?x3x21xf32>, tensor<?x3x42xbf16>) {
  %y = sluice.activation silu %x gated {limit = 1.5 : f64, up_offset = 1.0 : f64} : (tensor<?x3x42xf32>) -> tensor<?x3x21xf32>
  %z = sluice.activation gelu_tanh %x : (tensor<?x3x42xf32>) -> tensor<?x3x42xbf16>
  return %y, %z : tensor<?x3x21xf32>, tensor<?x3x42xbf16>
}

func.func @combine(%x: tensor<?x3x37xf32>, %w: tensor<?x3xf32>, %r: tensor<?x37xf32>) -> (tensor<?x37xf32>, tensor<?x37xf32>) {
  %y = sluice.route.combine %x weights %w : (tensor<?x3x37xf32>, tensor<?x3xf32>) -> tensor<?x37xf32>
  %z = sluice.route.combine %x weights %w residual %r : (tensor<?x3x37xf32>, tensor<?x3xf32>, tensor<?x37xf32>) -> tensor<?x37xf32>
  return %y, %z : tensor<?x37xf32>, tensor<?x37xf32>
}
}
