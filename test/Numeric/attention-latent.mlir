// Pages whose values are the first numbers of their keys: in f32 and bf16, sizes that end in the middle of a vector and
// of a pair, one query head and more than registers hold, one row and many, and a size whose panels do not all fit, where
// rows are taken one by one.
// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=5
// RUN: sluice-check %s --target=cpu --against=reference --seed=6 --rows=1,1,1 --past=15,16,511 --rows=40 --past=250 --rows=1,3 --past=777,270

sluice.kv @f32 layers 2 heads 1 key 40 value 32 shared page 16 : f32
sluice.kv @odd layers 1 heads 2 key 21 value 13 shared page 16 : bf16
sluice.kv @same layers 1 heads 1 key 17 value 17 shared page 32 : bf16
sluice.kv @large layers 1 heads 1 key 440 value 400 shared page 16 : bf16

func.func @in_f32(%q: tensor<?x5x40xf32>, %k: tensor<?x1x40xf32>, %kv: !sluice.pages<@f32>, %b: !sluice.batch)
    -> (tensor<?x5x32xf32>, !sluice.pages<@f32>) {
  %l = arith.constant 1 : index
  %n = sluice.cache.append %k to %kv[%l] batch %b : (tensor<?x1x40xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> !sluice.pages<@f32>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal {scale = 0.2 : f64}
    : (tensor<?x5x40xf32>, !sluice.pages<@f32>, index, !sluice.batch) -> tensor<?x5x32xf32>
  return %y, %n : tensor<?x5x32xf32>, !sluice.pages<@f32>
}

func.func @odd_sizes(%q: tensor<?x6x21xf32>, %k: tensor<?x2x21xf32>, %kv: !sluice.pages<@odd>, %b: !sluice.batch)
    -> (tensor<?x6x13xbf16>, tensor<?x6xf32>, !sluice.pages<@odd>) {
  %l = arith.constant 0 : index
  %n = sluice.cache.append %k to %kv[%l] batch %b : (tensor<?x2x21xf32>, !sluice.pages<@odd>, index, !sluice.batch) -> !sluice.pages<@odd>
  %y:2 = sluice.attention %q pages %n[%l] batch %b mask #sluice.and<#sluice.causal, #sluice.window<21>> {scale = 0.2 : f64}
    : (tensor<?x6x21xf32>, !sluice.pages<@odd>, index, !sluice.batch) -> (tensor<?x6x13xbf16>, tensor<?x6xf32>)
  return %y#0, %y#1, %n : tensor<?x6x13xbf16>, tensor<?x6xf32>, !sluice.pages<@odd>
}

func.func @values_are_keys(%q: tensor<?x16x17xf32>, %k: tensor<?x1x17xf32>, %kv: !sluice.pages<@same>, %b: !sluice.batch)
    -> (tensor<?x16x17xf32>, !sluice.pages<@same>) {
  %l = arith.constant 0 : index
  %n = sluice.cache.append %k to %kv[%l] batch %b : (tensor<?x1x17xf32>, !sluice.pages<@same>, index, !sluice.batch) -> !sluice.pages<@same>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.causal {scale = 0.2 : f64}
    : (tensor<?x16x17xf32>, !sluice.pages<@same>, index, !sluice.batch) -> tensor<?x16x17xf32>
  return %y, %n : tensor<?x16x17xf32>, !sluice.pages<@same>
}

func.func @row_by_row(%q: tensor<?x20x440xf32>, %k: tensor<?x1x440xf32>, %kv: !sluice.pages<@large>, %b: !sluice.batch)
    -> (tensor<?x20x400xf32>, !sluice.pages<@large>) {
  %l = arith.constant 0 : index
  %n = sluice.cache.append %k to %kv[%l] batch %b : (tensor<?x1x440xf32>, !sluice.pages<@large>, index, !sluice.batch) -> !sluice.pages<@large>
  %y = sluice.attention %q pages %n[%l] batch %b mask #sluice.and<#sluice.causal, #sluice.window<90>> {scale = 0.05 : f64}
    : (tensor<?x20x440xf32>, !sluice.pages<@large>, index, !sluice.batch) -> tensor<?x20x400xf32>
  return %y, %n : tensor<?x20x400xf32>, !sluice.pages<@large>
}
