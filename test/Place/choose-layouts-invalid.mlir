// RUN: sluice-opt %s --place-choose-layouts -split-input-file -verify-diagnostics

sluice.param @far role table : tensor<50x24xf32> from ["t"] rows [50]
func.func @two_homes(%ids: tensor<?xi32>, %x: tensor<?x24xf32>) -> (tensor<?x24xf32>, tensor<?x50xf32>) {
  %t = sluice.param.use @far : tensor<50x24xf32>
  // expected-error @+1 {{expects a table that no linear layer reads: 'far' would have to lie in two homes}}
  %f = sluice.gather %t[%ids] home "host" : (tensor<50x24xf32>, tensor<?xi32>) -> !sluice.future<tensor<?x24xf32>>
  %r = sluice.await %f : !sluice.future<tensor<?x24xf32>> -> tensor<?x24xf32>
  // expected-note @+1 {{this layer reads it here}}
  %y = sluice.linear %x, %t : (tensor<?x24xf32>, tensor<50x24xf32>) -> tensor<?x50xf32>
  return %r, %y : tensor<?x24xf32>, tensor<?x50xf32>
}
