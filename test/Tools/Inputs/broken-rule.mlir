func.func @odd_gate(%rows: tensor<?x7xf32>) -> tensor<?x3xf32> {
  %y = sluice.activation silu %rows gated : (tensor<?x7xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
