// RUN: sluice-opt %s -split-input-file -verify-diagnostics

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r1_key_size(%k: tensor<?x2x7xf32>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects dim D (head size) to agree, but 'key' has 7 and 'pages' has 8  [R1]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x7xf32>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r1_heads(%k: tensor<?x3x8xf32>, %v: tensor<?x3x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects dim G (kv heads) to agree, but 'key' has 3 and 'pages' has 2  [R1]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x3x8xf32>, tensor<?x3x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r1_value_size(%k: tensor<?x2x8xf32>, %v: tensor<?x2x8xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects dim E (value size) to agree, but 'value' has 8 and 'pages' has 6  [R1]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r2_bf16_keys(%k: tensor<?x2x8xbf16>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects keys and values of f32, but found 'bf16'  [R2]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x8xbf16>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}

// -----

func.func @r3_no_such_pages(%k: tensor<?x2x8xf32>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects 'pages' to name a sluice.kv, but there is no 'kv'  [R3]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x8xf32>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
sluice.kv @other layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r3_result_of_other_pages(%k: tensor<?x2x8xf32>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects a result of the pages' type '!sluice.pages<@kv>', but found '!sluice.pages<@other>'  [R3]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x8xf32>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@other>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r3_result_in_buffer_form(%k: memref<?x2x8xf32>, %v: memref<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects no result in buffer form  [R3]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (memref<?x2x8xf32>, memref<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r3_no_result_in_tensor_form(%k: tensor<?x2x8xf32>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects the new pages as result in tensor form  [R3]}}
  sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x8xf32>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> ()
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @r3_both_forms(%k: memref<?x2x8xf32>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects 'key' and 'value' both as tensors or both as memrefs, but found 'memref<?x2x8xf32>' and 'tensor<?x2x6xf32>'  [R3]}}
  sluice.cache.append %k, %v to %kv[%l] batch %b
    : (memref<?x2x8xf32>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> ()
  return
}

// -----

func.func @pack_r1(%k: memref<?x2x8xf32>, %v: memref<?x3x6xf32>, %b: !sluice.batch, %t: memref<?xi8>) {
  // expected-error @below {{'sluice.cache.pack' op expects dim G (kv heads) to agree, but 'key' has 2 and 'value' has 3  [R1]}}
  sluice.cache.pack %k, %v batch %b into %t : (memref<?x2x8xf32>, memref<?x3x6xf32>, !sluice.batch, memref<?xi8>)
  return
}

// -----

func.func @pack_r2_no_bytes(%k: memref<?x2x8xf32>, %v: memref<?x2x6xf32>, %b: !sluice.batch, %t: memref<?xf32>) {
  // expected-error @below {{'sluice.cache.pack' op expects keys and values of f32 and bytes to write into, but found 'f32', 'f32' and 'f32'  [R2]}}
  sluice.cache.pack %k, %v batch %b into %t : (memref<?x2x8xf32>, memref<?x2x6xf32>, !sluice.batch, memref<?xf32>)
  return
}

// -----

func.func @pack_r2_tensors(%k: tensor<?x2x8xf32>, %v: memref<?x2x6xf32>, %b: !sluice.batch, %t: memref<?xi8>) {
  // expected-error @below {{'sluice.cache.pack' op expects memrefs, but an operand is a 'tensor<?x2x8xf32>'  [R2]}}
  sluice.cache.pack %k, %v batch %b into %t : (tensor<?x2x8xf32>, memref<?x2x6xf32>, !sluice.batch, memref<?xi8>)
  return
}
