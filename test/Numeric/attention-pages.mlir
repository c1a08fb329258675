// Append, then attend: keys from before this step and of it, pages out of order with poison in every slot that nothing
// was written to. The pages themselves are compared too.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=9 --rows=1,1,1 --past=15,16,511 --rows=17 --past=250

sluice.kv @f32 layers 2 heads 2 key 16 value 24 page 16 : f32
sluice.kv @bf16 layers 1 heads 3 key 8 value 10 page 32 : bf16

func.func @pages_of_f32(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %kv: !sluice.pages<@f32>, %b: !sluice.batch)
    -> (tensor<?x6x24xf32>, !sluice.pages<@f32>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> !sluice.pages<@f32>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal {scale = 0.25 : f64}
    : (tensor<?x6x16xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> tensor<?x6x24xf32>
  return %y, %n : tensor<?x6x24xf32>, !sluice.pages<@f32>
}

func.func @pages_of_bf16(%q: tensor<?x3x8xf32>, %k: tensor<?x3x8xf32>, %v: tensor<?x3x10xf32>, %kv: !sluice.pages<@bf16>, %b: !sluice.batch)
    -> (tensor<?x3x10xbf16>, !sluice.pages<@bf16>) {
  %l = arith.constant 0 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x3x8xf32>, tensor<?x3x10xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> !sluice.pages<@bf16>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal {scale = 0.5 : f64}
    : (tensor<?x3x8xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> tensor<?x3x10xbf16>
  return %y, %n : tensor<?x3x10xbf16>, !sluice.pages<@bf16>
}
