// REQUIRES: target-nowhere
// RUN: sluice-check %s --target=nowhere --against=reference
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  return %x : tensor<1xf32>
}
