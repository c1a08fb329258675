// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// REQUIRES: target-cpu
module attributes {sluice.kind = "op", sluice.name = "clamp"} {
  sluice.param @w role bias : tensor<21xf32> from ["w"] rows [21]

  func.func @per_channel(%x: tensor<?x21xf32>) -> tensor<?x21xf32> {
    %w = sluice.param.use @w : tensor<21xf32>
    %y = sluice.clamp %x width %w nan propagate : (tensor<?x21xf32>, tensor<21xf32>) -> tensor<?x21xf32>
    return %y : tensor<?x21xf32>
  }

  func.func @per_row(%x: tensor<?x5xf32> {check.values = "special"}, %w: tensor<?x5xf32> {check.values = "special"}) -> tensor<?x5xf32> {
    %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<?x5xf32>) -> tensor<?x5xf32>
    return %y : tensor<?x5xf32>
  }

  func.func @nan_ignore(%x: tensor<?x37xf32> {check.values = "special"}, %w: tensor<?x37xf32> {check.values = "special"}) -> tensor<?x37xf32> {
    %y = sluice.clamp %x width %w nan ignore : (tensor<?x37xf32>, tensor<?x37xf32>) -> tensor<?x37xf32>
    return %y : tensor<?x37xf32>
  }

  func.func @ties(%x: tensor<?x16xf32> {check.values = "ties"}, %w: tensor<?x16xf32> {check.values = "ties"}) -> tensor<?x16xf32> {
    %y = sluice.clamp %x width %w nan propagate : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
    return %y : tensor<?x16xf32>
  }
}
