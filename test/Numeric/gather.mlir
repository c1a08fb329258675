// Rows that come late: they are poison until they are awaited.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

sluice.param @far role table : tensor<29x37xf32> from ["far"] rows [29]

func.func @awaited(%i: tensor<?xi32>, %y: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %t = sluice.param.use @far : tensor<29x37xf32>
  %f = sluice.gather %t[%i] home "host" : (tensor<29x37xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x37xf32>>
  %h = sluice.add %y, %y : (tensor<?x37xf32>, tensor<?x37xf32>) -> tensor<?x37xf32>
  %x = sluice.await %f : !sluice.future<tensor<?x37xf32>> -> tensor<?x37xf32>
  %z = sluice.add %x, %h : (tensor<?x37xf32>, tensor<?x37xf32>) -> tensor<?x37xf32>
  return %z : tensor<?x37xf32>
}
