// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

func.func @mean(%x: tensor<?x37xf32>, %b: !sluice.batch) -> tensor<?x37xf32> {
  %y = sluice.pool mean %x batch %b : (tensor<?x37xf32>, !sluice.batch) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

func.func @first(%x: tensor<?x5xf32> {check.values = "special"}, %b: !sluice.batch) -> tensor<?x5xf32> {
  %y = sluice.pool first %x batch %b : (tensor<?x5xf32>, !sluice.batch) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

func.func @last(%x: tensor<?x16xf32>, %b: !sluice.batch) -> tensor<?x16xf32> {
  %y = sluice.pool last %x batch %b : (tensor<?x16xf32>, !sluice.batch) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
