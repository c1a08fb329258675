// Stands for a numeric test: `true` takes the place of the tool, for what is tested is the table.
// RUN: true sluice-check %s --target=cpu --against=reference
// RUN: %if no-such-feature %{ true sluice-check %s --target=cuda --against=reference %}
func.func @f(%x: tensor<2x3xf32>, %w: tensor<3xf32>) -> tensor<2x3xf32> {
  %y = sluice.clamp %x width %w nan propagate : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
