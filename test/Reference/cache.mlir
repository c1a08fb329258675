// RUN: sluice-check %s --target=reference

sluice.kv @kv layers 2 heads 1 key 1 value 1 page 16 : bf16

// What was appended is what is read, rounded to bf16 (1.00390625 is a tie and goes to 1; 1.01171875 to 1.015625), in the
// layer that it was put into: row 0 sees key 0 only, row 1 the mean of both.
func.func @rounds(
    %k: tensor<?x1x1xf32> {check.value = dense<0.0> : tensor<2x1x1xf32>},
    %v: tensor<?x1x1xf32> {check.value = dense<[[[1.00390625]], [[1.01171875]]]> : tensor<2x1x1xf32>},
    %o: tensor<?x1x1xf32> {check.value = dense<[[[-7.0]], [[-9.0]]]> : tensor<2x1x1xf32>},
    %kv: !sluice.pages<@kv>, %b: !sluice.batch {check.rows = array<i64: 2>})
    -> (tensor<?x1x1xf32> {check.expect = dense<[[[1.0]], [[1.0078125]]]> : tensor<2x1x1xf32>},
        tensor<?x1x1xf32> {check.expect = dense<[[[-7.0]], [[-8.0]]]> : tensor<2x1x1xf32>}, !sluice.pages<@kv>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = sluice.cache.append %k, %v to %kv[%c0] batch %b
    : (tensor<?x1x1xf32>, tensor<?x1x1xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  %n = sluice.cache.append %k, %o to %a[%c1] batch %b
    : (tensor<?x1x1xf32>, tensor<?x1x1xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  %y = sluice.attention %k pages %n[%c0] batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<?x1x1xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x1x1xf32>
  %z = sluice.attention %k pages %n[%c1] batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<?x1x1xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x1x1xf32>
  return %y, %z, %n : tensor<?x1x1xf32>, tensor<?x1x1xf32>, !sluice.pages<@kv>
}

// A page that is not in the pool of 2 ends the step.
func.func @page_outside_of_the_pool(
    %k: tensor<?x1x1xf32> {check.value = dense<0.0> : tensor<1x1x1xf32>},
    %kv: !sluice.pages<@kv> {check.page_count = 2 : i64},
    %b: !sluice.batch {check.rows = array<i64: 1>, check.pages = array<i64: 5>})
    -> !sluice.pages<@kv> attributes {check.trap = array<i64: 2, 5, 2>} {
  %c0 = arith.constant 0 : index
  %n = sluice.cache.append %k, %k to %kv[%c0] batch %b
    : (tensor<?x1x1xf32>, tensor<?x1x1xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return %n : !sluice.pages<@kv>
}
