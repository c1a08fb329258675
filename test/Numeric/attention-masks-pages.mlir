// Masks and scores over pages: keys from before this step and of it, in one row and in many.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=9 --rows=1,1,1 --past=15,16,511 --rows=40 --past=250 --rows=1,3 --past=777,270

sluice.kv @f32 layers 2 heads 2 key 16 value 24 page 16 : f32
sluice.kv @bf16 layers 2 heads 1 key 8 value 10 page 32 : bf16
sluice.param @slopes role bias : tensor<6xf32> from ["slopes"] rows [6]
sluice.param @sinks role bias : tensor<6xf32> from ["sinks"] rows [6]
sluice.param @relative role bias : tensor<6x21xf32> from ["relative"] rows [6]

func.func @window(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %kv: !sluice.pages<@f32>, %b: !sluice.batch)
    -> (tensor<?x6x24xf32>, !sluice.pages<@f32>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> !sluice.pages<@f32>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.and<#sluice.causal, #sluice.window<9>> {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> (tensor<?x6x24xf32>)
  return %y, %n : tensor<?x6x24xf32>, !sluice.pages<@f32>
}

func.func @window_in_bf16(%q: tensor<?x6x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x10xf32>, %kv: !sluice.pages<@bf16>, %b: !sluice.batch)
    -> (tensor<?x6x10xbf16>, tensor<?x6xf32>, !sluice.pages<@bf16>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x1x8xf32>, tensor<?x1x10xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> !sluice.pages<@bf16>
  %y:2 = sluice.attention %q pages %n[%l] batch %b mask #sluice.and<#sluice.causal, #sluice.window<130>> {scale = 0.3 : f64}
    : (tensor<?x6x8xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> (tensor<?x6x10xbf16>, tensor<?x6xf32>)
  return %y#0, %y#1, %n : tensor<?x6x10xbf16>, tensor<?x6xf32>, !sluice.pages<@bf16>
}

func.func @window_operand(%q: tensor<?x3x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x10xf32>, %kv: !sluice.pages<@bf16>, %b: !sluice.batch)
    -> (tensor<?x3x10xf32>, !sluice.pages<@bf16>) {
  %w = arith.constant 7 : index
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x1x8xf32>, tensor<?x1x10xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> !sluice.pages<@bf16>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal window %w {scale = 0.3 : f64}
    : (tensor<?x3x8xf32>, !sluice.pages<@bf16>, index, !sluice.batch, index) -> (tensor<?x3x10xf32>)
  return %y, %n : tensor<?x3x10xf32>, !sluice.pages<@bf16>
}

func.func @prefix(%q: tensor<?x4x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %kv: !sluice.pages<@f32>, %b: !sluice.batch)
    -> (tensor<?x4x24xf32>, !sluice.pages<@f32>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> !sluice.pages<@f32>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.or<#sluice.causal, #sluice.prefix<19>> {scale = 0.3 : f64}
    : (tensor<?x4x16xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> (tensor<?x4x24xf32>)
  return %y, %n : tensor<?x4x24xf32>, !sluice.pages<@f32>
}

func.func @tree(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %kv: !sluice.pages<@f32>, %b: !sluice.batch, %p: tensor<?xi32> {check.below = 40 : i64})
    -> (tensor<?x6x24xf32>, !sluice.pages<@f32>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> !sluice.pages<@f32>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.tree parents %p {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, !sluice.pages<@f32>, index, !sluice.batch, tensor<?xi32>) -> (tensor<?x6x24xf32>)
  return %y, %n : tensor<?x6x24xf32>, !sluice.pages<@f32>
}

func.func @tree_and_groups(%q: tensor<?x5x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x10xf32>, %kv: !sluice.pages<@bf16>, %b: !sluice.batch, %s: tensor<?xi32> {check.below = 3 : i64}, %p: tensor<?xi32> {check.below = 40 : i64})
    -> (tensor<?x5x10xf32>, tensor<?x5xf32>, !sluice.pages<@bf16>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x1x8xf32>, tensor<?x1x10xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> !sluice.pages<@bf16>
  %y:2 = sluice.attention %q pages %n[%l] batch %b mask #sluice.or<#sluice.tree, #sluice.segment> segments %s parents %p {scale = 0.3 : f64}
    : (tensor<?x5x8xf32>, !sluice.pages<@bf16>, index, !sluice.batch, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x5x10xf32>, tensor<?x5xf32>)
  return %y#0, %y#1, %n : tensor<?x5x10xf32>, tensor<?x5xf32>, !sluice.pages<@bf16>
}

func.func @window_of_a_tree(%q: tensor<?x20x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x10xf32>, %kv: !sluice.pages<@bf16>, %b: !sluice.batch, %p: tensor<?xi32> {check.below = 40 : i64})
    -> (tensor<?x20x10xf32>, !sluice.pages<@bf16>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x1x8xf32>, tensor<?x1x10xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> !sluice.pages<@bf16>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.and<#sluice.tree, #sluice.window<300>> parents %p {scale = 0.3 : f64}
    : (tensor<?x20x8xf32>, !sluice.pages<@bf16>, index, !sluice.batch, tensor<?xi32>) -> (tensor<?x20x10xf32>)
  return %y, %n : tensor<?x20x10xf32>, !sluice.pages<@bf16>
}

func.func @gpt_oss(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %kv: !sluice.pages<@f32>, %b: !sluice.batch)
    -> (tensor<?x6x24xf32>, tensor<?x6xf32>, !sluice.pages<@f32>) {
  %sinks = sluice.param.use @sinks : tensor<6xf32>
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> !sluice.pages<@f32>
  %y:2 = sluice.attention %q pages %n[%l] batch %b mask #sluice.and<#sluice.causal, #sluice.window<128>> sinks %sinks {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, !sluice.pages<@f32>, index, !sluice.batch, tensor<6xf32>) -> (tensor<?x6x24xf32>, tensor<?x6xf32>)
  return %y#0, %y#1, %n : tensor<?x6x24xf32>, tensor<?x6xf32>, !sluice.pages<@f32>
}

func.func @gemma2(%q: tensor<?x6x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x10xf32>, %kv: !sluice.pages<@bf16>, %b: !sluice.batch)
    -> (tensor<?x6x10xf32>, !sluice.pages<@bf16>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x1x8xf32>, tensor<?x1x10xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> !sluice.pages<@bf16>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.and<#sluice.causal, #sluice.window<33>> {scale = 0.3 : f64, softcap = 5.0 : f64}
    : (tensor<?x6x8xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> (tensor<?x6x10xf32>)
  return %y, %n : tensor<?x6x10xf32>, !sluice.pages<@bf16>
}

func.func @alibi(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %kv: !sluice.pages<@f32>, %b: !sluice.batch)
    -> (tensor<?x6x24xf32>, !sluice.pages<@f32>) {
  %slopes = sluice.param.use @slopes : tensor<6xf32>
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> !sluice.pages<@f32>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal slopes %slopes {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, !sluice.pages<@f32>, index, !sluice.batch, tensor<6xf32>) -> (tensor<?x6x24xf32>)
  return %y, %n : tensor<?x6x24xf32>, !sluice.pages<@f32>
}

func.func @with_relative(%q: tensor<?x6x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x10xf32>, %kv: !sluice.pages<@bf16>, %b: !sluice.batch)
    -> (tensor<?x6x10xf32>, tensor<?x6xf32>, !sluice.pages<@bf16>) {
  %relative = sluice.param.use @relative : tensor<6x21xf32>
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k, %v to %kv[%l] batch %b : (tensor<?x1x8xf32>, tensor<?x1x10xf32>, !sluice.pages<@bf16>, index, !sluice.batch) -> !sluice.pages<@bf16>
  %y:2 = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal bias %relative {scale = 0.3 : f64}
    : (tensor<?x6x8xf32>, !sluice.pages<@bf16>, index, !sluice.batch, tensor<6x21xf32>) -> (tensor<?x6x10xf32>, tensor<?x6xf32>)
  return %y#0, %y#1, %n : tensor<?x6x10xf32>, tensor<?x6xf32>, !sluice.pages<@bf16>
}
