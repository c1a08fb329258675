// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_head_size(%q: tensor<?x6x8xf32>, %k: tensor<?x2x7xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects dim D (head size) to agree, but 'query' has 8 and 'key' has 7  [R1]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x7xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r1_value_size(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects dim E (value size) to agree, but 'result' has 8 and 'value' has 5  [R1]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x8xf32>
  return
}

// -----

func.func @r1_kv_heads(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x3x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects dim G (kv heads) to agree, but 'key' has 2 and 'value' has 3  [R1]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x3x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : f32
func.func @r1_size_of_pages(%q: tensor<?x6x8xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects dim E (value size) to agree, but 'result' has 8 and 'pages' has 6  [R1]}}
  %y = sluice.attention %q pages %kv[%l] batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x6x8xf32>
  return
}

// -----

func.func @r2_heads_not_a_multiple(%q: tensor<?x6x8xf32>, %k: tensor<?x4x8xf32>, %v: tensor<?x4x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects H (heads) to be a multiple of G (kv heads), but they are 6 and 4  [R2]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x4x8xf32>, tensor<?x4x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r3_no_keys(%q: tensor<?x6x8xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects exactly one source of keys: 'key' and 'value', 'pages' with a layer, or 'tiles'  [R3]}}
  %y = sluice.attention %q batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 5 page 16 : f32
func.func @r3_two_sources(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects exactly one source of keys: 'key' and 'value', 'pages' with a layer, or 'tiles'  [R3]}}
  %y = sluice.attention %q, %k, %v pages %kv[%l] batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r3_tiles_of_unknown_heads(%q: memref<?x6x8xf32>, %t: memref<?xi8>, %b: !sluice.batch, %y: memref<?x6x5xf32>) {
  // expected-error @below {{'sluice.attention' op expects 'kv_heads' and 'value_size' with 'tiles'  [R3]}}
  sluice.attention %q tiles %t batch %b mask #sluice.all into %y {scale = 1.0 : f64}
    : (memref<?x6x8xf32>, memref<?xi8>, !sluice.batch, memref<?x6x5xf32>) -> ()
  return
}

// -----

func.func @r4_query(%q: tensor<?x6x8xbf16>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'query' of f32, but found 'bf16'  [R4]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xbf16>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r4_key_and_value(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xbf16>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'key' and 'value' of one element type, but found 'f32' and 'bf16'  [R4]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xbf16>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r4_result(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects a result of f32, bf16 or f16, but found 'f64'  [R4]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf64>
  return
}

// -----

func.func @r5_scale(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'scale' to be finite  [R5]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 0x7FF8000000000000 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r6_no_such_pages(%q: tensor<?x6x8xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'pages' to name a sluice.kv, but there is no 'kv'  [R6]}}
  %y = sluice.attention %q pages %kv[%l] batch %b mask #sluice.causal {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> tensor<?x6x8xf32>
  return
}

// -----

func.func @r1_heads_of_sinks(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %s: tensor<5xf32>) {
  // expected-error @below {{'sluice.attention' op expects dim H (heads) to agree, but 'query' has 6 and 'sinks' has 5  [R1]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all sinks %s {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<5xf32>) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r1_heads_of_lse(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects dim H (heads) to agree, but 'query' has 6 and 'lse' has 5  [R1]}}
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> (tensor<?x6x5xf32>, tensor<?x5xf32>)
  return
}

// -----

func.func @r1_bias(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %s: tensor<6xf32>) {
  // expected-error @below {{'sluice.attention' op expects 'bias' to have the dims [H, I, J], but it has 1 dim  [R1]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all bias %s {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<6xf32>) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r4_lse(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'lse' of f32, but found 'bf16'  [R4]}}
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> (tensor<?x6x5xf32>, tensor<?x6xbf16>)
  return
}

// -----

func.func @r5_softcap(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'softcap' to be finite and above 0  [R5]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64, softcap = 0.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r5_softcap(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'softcap' to be finite and above 0  [R5]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64, softcap = -1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r5_softcap(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'softcap' to be finite and above 0  [R5]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all {scale = 1.0 : f64, softcap = 0x7FF0000000000000 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r7_no_segments(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'segments', because #sluice.segment in its mask reads it  [R7]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.or<#sluice.causal, #sluice.segment> {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r7_segments_for_nothing(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %s: tensor<?xi32>) {
  // expected-error @below {{'sluice.attention' op expects no 'segments', because no part of its mask is #sluice.segment  [R7]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all segments %s {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<?xi32>) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r7_no_parents(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'parents', because #sluice.tree in its mask reads it  [R7]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.tree {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r7_no_prefixes(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch) {
  // expected-error @below {{'sluice.attention' op expects 'prefixes', because #sluice.prefixes in its mask reads it  [R7]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.prefixes {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r8_slopes(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %s: tensor<6xbf16>) {
  // expected-error @below {{'sluice.attention' op expects 'slopes' of f32, but found 'bf16'  [R8]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all slopes %s {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<6xbf16>) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r8_even_distances(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %s: tensor<6x4xf32>) {
  // expected-error @below {{'sluice.attention' op expects an odd number of distances in 'bias', the middle one for a row's own key, but found 4  [R8]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all bias %s {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<6x4xf32>) -> tensor<?x6x5xf32>
  return
}

// -----

func.func @r8_dynamic_bias(%q: tensor<?x6x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x2x5xf32>, %b: !sluice.batch, %s: tensor<?x5xf32>) {
  // expected-error @below {{'sluice.attention' op expects 'bias' to have static sizes above 0, but it is 'tensor<?x5xf32>'  [R8]}}
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.all bias %s {scale = 1.0 : f64}
    : (tensor<?x6x8xf32>, tensor<?x2x8xf32>, tensor<?x2x5xf32>, !sluice.batch, tensor<?x5xf32>) -> tensor<?x6x5xf32>
  return
}

// -----

// expected-error @below {{expects 'window' of 1 to 2147483647 keys, but found 0}}
func.func private @mask() attributes {mask = #sluice.window<0>}

// -----

// expected-error @below {{expects 'ahead' of 0 to 2147483647 keys, but found -1}}
func.func private @mask() attributes {mask = #sluice.ahead<-1>}

// -----

// expected-error @below {{expects 'prefix' of 0 to 2147483647 keys, but found 4294967296}}
func.func private @mask() attributes {mask = #sluice.prefix<4294967296>}

// -----

// expected-error @below {{expects 'and' of at least two masks, but found 1}}
func.func private @mask() attributes {mask = #sluice.and<#sluice.causal>}

// -----

// expected-error @below {{expects 'or' of masks, such as #sluice.causal, but found 7 : i64}}
func.func private @mask() attributes {mask = #sluice.or<#sluice.causal, 7 : i64>}
