// Every mask and their combinations, over tensors: rows that see nothing, windows shorter than a tile, a cut and the
// sequence, and what the compiled code skips.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7
// RUN: sluice-check %s --target=cpu --against=reference --seed=9 --rows=33,1,2 --rows=300 --rows=3,530

func.func @window(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch)
    -> tensor<?x6x24xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.causal, #sluice.window<5>> {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @window_of_more_than_a_tile(%q: tensor<?x3x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x40xf32>, %b: !sluice.batch)
    -> (tensor<?x3x40xf32>, tensor<?x3xf32>) {
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.causal, #sluice.window<37>> {scale = 0.3 : f64}
    : (tensor<?x3x8xf32>, tensor<?x1x8xf32>, tensor<?x1x40xf32>, !sluice.batch) -> (tensor<?x3x40xf32>, tensor<?x3xf32>)
  return %y#0, %y#1 : tensor<?x3x40xf32>, tensor<?x3xf32>
}

func.func @window_of_a_cut(%q: tensor<?x4x20xf32>, %k: tensor<?x4x20xf32>, %v: tensor<?x4x7xf32>, %b: !sluice.batch)
    -> tensor<?x4x7xbf16> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.causal, #sluice.window<256>> {scale = 0.3 : f64}
    : (tensor<?x4x20xf32>, tensor<?x4x20xf32>, tensor<?x4x7xf32>, !sluice.batch) -> tensor<?x4x7xbf16>
  return %y : tensor<?x4x7xbf16>
}

func.func @window_operand(%q: tensor<?x6x12xf32>, %k: tensor<?x3x12xf32>, %v: tensor<?x3x16xf32>, %b: !sluice.batch)
    -> tensor<?x6x16xf32> {
  %w = arith.constant 7 : index
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal window %w {scale = 0.3 : f64}
    : (tensor<?x6x12xf32>, tensor<?x3x12xf32>, tensor<?x3x16xf32>, !sluice.batch, index) -> tensor<?x6x16xf32>
  return %y : tensor<?x6x16xf32>
}

func.func @local(%q: tensor<?x5x16xf32>, %k: tensor<?x1x16xf32>, %v: tensor<?x1x16xf32>, %b: !sluice.batch)
    -> tensor<?x5x16xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.window<20>, #sluice.ahead<13>> {scale = 0.3 : f64}
    : (tensor<?x5x16xf32>, tensor<?x1x16xf32>, tensor<?x1x16xf32>, !sluice.batch) -> tensor<?x5x16xf32>
  return %y : tensor<?x5x16xf32>
}

func.func @prefix(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch)
    -> tensor<?x6x24xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.or<#sluice.causal, #sluice.prefix<19>> {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @prefixes(%q: tensor<?x2x5xf32>, %k: tensor<?x2x5xf32>, %v: tensor<?x2x3xf32>, %b: !sluice.batch, %f: tensor<?xi32> {check.below = 50 : i64, check.dim = "seqs"})
    -> tensor<?x2x3xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.or<#sluice.causal, #sluice.prefixes> prefixes %f {scale = 0.3 : f64}
    : (tensor<?x2x5xf32>, tensor<?x2x5xf32>, tensor<?x2x3xf32>, !sluice.batch, tensor<?xi32>) -> tensor<?x2x3xf32>
  return %y : tensor<?x2x3xf32>
}

func.func @first_keys_only(%q: tensor<?x3x16xf32>, %k: tensor<?x3x16xf32>, %v: tensor<?x3x16xf32>, %b: !sluice.batch)
    -> (tensor<?x3x16xf32>, tensor<?x3xf32>) {
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.prefix<20>, #sluice.window<30>> {scale = 0.3 : f64}
    : (tensor<?x3x16xf32>, tensor<?x3x16xf32>, tensor<?x3x16xf32>, !sluice.batch) -> (tensor<?x3x16xf32>, tensor<?x3xf32>)
  return %y#0, %y#1 : tensor<?x3x16xf32>, tensor<?x3xf32>
}

func.func @segment(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x24xf32>, %b: !sluice.batch, %s: tensor<?xi32> {check.below = 3 : i64})
    -> tensor<?x6x24xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.segment segments %s {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x24xf32>, !sluice.batch, tensor<?xi32>) -> tensor<?x6x24xf32>
  return %y : tensor<?x6x24xf32>
}

func.func @document(%q: tensor<?x4x24xf32>, %k: tensor<?x2x24xf32>, %v: tensor<?x2x16xf32>, %b: !sluice.batch, %s: tensor<?xi32> {check.below = 3 : i64})
    -> (tensor<?x4x16xf32>, tensor<?x4xf32>) {
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.causal, #sluice.segment> segments %s {scale = 0.3 : f64}
    : (tensor<?x4x24xf32>, tensor<?x2x24xf32>, tensor<?x2x16xf32>, !sluice.batch, tensor<?xi32>) -> (tensor<?x4x16xf32>, tensor<?x4xf32>)
  return %y#0, %y#1 : tensor<?x4x16xf32>, tensor<?x4xf32>
}

func.func @tree(%q: tensor<?x6x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x2x16xf32>, %b: !sluice.batch, %p: tensor<?xi32> {check.below = 40 : i64})
    -> tensor<?x6x16xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.tree parents %p {scale = 0.3 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x16xf32>, !sluice.batch, tensor<?xi32>) -> tensor<?x6x16xf32>
  return %y : tensor<?x6x16xf32>
}

func.func @tree_or_segment(%q: tensor<?x3x9xf32>, %k: tensor<?x1x9xf32>, %v: tensor<?x1x11xf32>, %b: !sluice.batch, %s: tensor<?xi32> {check.below = 3 : i64}, %p: tensor<?xi32> {check.below = 40 : i64})
    -> tensor<?x3x11xf32> {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.ahead<9>, #sluice.or<#sluice.tree, #sluice.segment>> segments %s parents %p {scale = 0.3 : f64}
    : (tensor<?x3x9xf32>, tensor<?x1x9xf32>, tensor<?x1x11xf32>, !sluice.batch, tensor<?xi32>, tensor<?xi32>) -> tensor<?x3x11xf32>
  return %y : tensor<?x3x11xf32>
}

func.func @nothing(%q: tensor<?x2x8xf32>, %k: tensor<?x1x8xf32>, %v: tensor<?x1x8xf32>, %b: !sluice.batch)
    -> (tensor<?x2x8xf32>, tensor<?x2xf32>) {
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.and<#sluice.prefix<0>, #sluice.causal> {scale = 0.3 : f64}
    : (tensor<?x2x8xf32>, tensor<?x1x8xf32>, tensor<?x1x8xf32>, !sluice.batch) -> (tensor<?x2x8xf32>, tensor<?x2xf32>)
  return %y#0, %y#1 : tensor<?x2x8xf32>, tensor<?x2xf32>
}
