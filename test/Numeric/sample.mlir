// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

func.func @argmax(%x: tensor<?x37xf32> {check.values = "special", check.dim = "asked"}) -> tensor<?xi32> {
  %t = sluice.sample.argmax %x : (tensor<?x37xf32>) -> tensor<?xi32>
  return %t : tensor<?xi32>
}

func.func @ties(%x: tensor<?x100xf32> {check.values = "ties", check.dim = "asked"}) -> tensor<?xi32> {
  %t = sluice.sample.argmax %x : (tensor<?x100xf32>) -> tensor<?xi32>
  return %t : tensor<?xi32>
}

func.func @draw(%x: tensor<?x53xf32> {check.dim = "asked"}, %c: tensor<?xf32> {check.dim = "asked"}, %s: tensor<?xi64> {check.dim = "asked"})
    -> (tensor<?xi32>, tensor<?xi64>) {
  %t, %n = sluice.sample.draw %x temperature %c rng %s
    : (tensor<?x53xf32>, tensor<?xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)
  return %t, %n : tensor<?xi32>, tensor<?xi64>
}
