// What changes scores and sums, alone and together, over tensors: soft-cap, slopes, biases, sinks, the logarithm of the sum.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=9 --rows=33,1,2 --rows=300 --rows=3,129

sluice.param @slopes role bias : tensor<6xf32> from ["slopes"] rows [6]
sluice.param @sinks role bias : tensor<6xf32> from ["sinks"] rows [6]
sluice.param @relative role bias : tensor<6x21xf32> from ["relative"] rows [6]
sluice.param @pairs role bias : tensor<6x300x310xf32> from ["pairs"] rows [6]

func.func @softcap(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch)
    -> tensor<?x6x24xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal {scale = 0.3 : f64, softcap = 2.0 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @softcap_of_few(%q: tensor<?x6x8xf32>, %k: tensor<?x6x8xf32>, %v: tensor<?x6x8xf32>, %b: !sluice.batch)
    -> (tensor<?x6x8xf32>, tensor<?x6xf32>) {
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 4.0 : f64, softcap = 30.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x6x8xf32>, tensor<?x6x8xf32>, !sluice.batch) -> (tensor<?x6x8xf32>, tensor<?x6xf32>)
  return %y#0, %y#1 : tensor<?x6x8xf32>, tensor<?x6xf32>
}

func.func @alibi(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch)
    -> tensor<?x6x24xf32> {
  %slopes = sluice.param.use @slopes : tensor<6xf32>
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal slopes %slopes {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch, tensor<6xf32>) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @alibi_both_ways(%q: tensor<?x6x16xf32>, %k: tensor<?x3x16xf32>, %v: tensor<?x3x7xf32>, %b: !sluice.batch)
    -> (tensor<?x6x7xf32>, tensor<?x6xf32>) {
  %slopes = sluice.param.use @slopes : tensor<6xf32>
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.all slopes %slopes {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x3x16xf32>, tensor<?x3x7xf32>, !sluice.batch, tensor<6xf32>) -> (tensor<?x6x7xf32>, tensor<?x6xf32>)
  return %y#0, %y#1 : tensor<?x6x7xf32>, tensor<?x6xf32>
}

func.func @with_relative(%q: tensor<?x6x16xf32>, %k: tensor<?x1x16xf32>, %v: tensor<?x1x24xf32>, %b: !sluice.batch)
    -> tensor<?x6x24xf32> {
  %relative = sluice.param.use @relative : tensor<6x21xf32>
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all bias %relative {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x1x16xf32>, tensor<?x1x24xf32>, !sluice.batch, tensor<6x21xf32>) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @with_pairs(%q: tensor<?x6x16xf32>, %k: tensor<?x6x16xf32>, %v: tensor<?x6x24xf32>, %b: !sluice.batch)
    -> tensor<?x6x24xf32> {
  %pairs = sluice.param.use @pairs : tensor<6x300x310xf32>
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all bias %pairs {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x6x16xf32>, tensor<?x6x24xf32>, !sluice.batch, tensor<6x300x310xf32>) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @with_sinks(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch)
    -> (tensor<?x6x24xf32>, tensor<?x6xf32>) {
  %sinks = sluice.param.use @sinks : tensor<6xf32>
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.causal, #sluice.window<9>> sinks %sinks {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch, tensor<6xf32>) -> (tensor<?x6x24xf32>, tensor<?x6xf32>)
  return %y#0, %y#1 : tensor<?x6x24xf32>, tensor<?x6xf32>
}

func.func @sinks_and_nothing(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x8xf32>, %b: !sluice.batch)
    -> (tensor<?x6x8xf32>, tensor<?x6xf32>) {
  %sinks = sluice.param.use @sinks : tensor<6xf32>
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.prefix<4>, #sluice.window<9>> sinks %sinks {scale = 0.3 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, !sluice.batch, tensor<6xf32>) -> (tensor<?x6x8xf32>, tensor<?x6xf32>)
  return %y#0, %y#1 : tensor<?x6x8xf32>, tensor<?x6xf32>
}

func.func @all_at_once(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch)
    -> (tensor<?x6x24xbf16>, tensor<?x6xf32>) {
  %slopes = sluice.param.use @slopes : tensor<6xf32>
  %relative = sluice.param.use @relative : tensor<6x21xf32>
  %sinks = sluice.param.use @sinks : tensor<6xf32>
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.causal, #sluice.window<100>> slopes %slopes bias %relative sinks %sinks {scale = 0.3 : f64, softcap = 5.0 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch, tensor<6xf32>, tensor<6x21xf32>, tensor<6xf32>) -> (tensor<?x6x24xbf16>, tensor<?x6xf32>)
  return %y#0, %y#1 : tensor<?x6x24xbf16>, tensor<?x6xf32>
}

func.func @constants(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch)
    -> tensor<?x6x24xf32> {
  %c = arith.constant dense<[0.5, 0.25, -0.125, 0.0, 1.5, 0.75]> : tensor<6xf32>
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal slopes %c sinks %c {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch, tensor<6xf32>, tensor<6xf32>) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

// Keys that are their own values.
func.func @shared(%q: tensor<?x6x16xf32>, %k: tensor<?x1x16xf32>, %b: !sluice.batch) -> tensor<?x6x16xf32> {
  %y = sluice.attention %q, %k, %k batch %b mask #sluice.causal {scale = 0.25 : f64}
    : (tensor<?x6x16xf32>, tensor<?x1x16xf32>, tensor<?x1x16xf32>, !sluice.batch) -> tensor<?x6x16xf32>
  return %y : tensor<?x6x16xf32>
}
