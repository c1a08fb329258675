// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_inputs(%x: tensor<?x2x3xf32>, %w: tensor<6x4xf32>) {
  // expected-error @below {{'sluice.heads.linear' op expects dim K (inputs of a head) to agree, but 'rows' has 3 and 'weight' has 4  [R1]}}
  %y = sluice.heads.linear plain %x, %w {first = 0 : i64} : (tensor<?x2x3xf32>, tensor<6x4xf32>) -> tensor<?x2x3xf32>
  return
}

// -----

func.func @r1_outputs(%x: tensor<?x2x3xf32>, %w: tensor<6x4xf32>) {
  // expected-error @below {{'sluice.heads.linear' op expects dim N (outputs of a head) to agree, but 'weight' has 4 and 'result' has 5  [R1]}}
  %y = sluice.heads.linear turned %x, %w {first = 0 : i64} : (tensor<?x2x3xf32>, tensor<6x4xf32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @r2_heads(%x: tensor<?x4x3xf32>, %w: tensor<6x4xf32>) {
  // expected-error @below {{'sluice.heads.linear' op expects M (outputs of the weight) to be a multiple of H (heads), but they are 6 and 4  [R2]}}
  %y = sluice.heads.linear turned %x, %w {first = 0 : i64} : (tensor<?x4x3xf32>, tensor<6x4xf32>) -> tensor<?x4x4xf32>
  return
}

// -----

func.func @r2_end(%x: tensor<?x2x3xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{'sluice.heads.linear' op expects the 3 rows from 'first' on to end within the 4 rows of the weight that a head has, but 'first' is 2  [R2]}}
  %y = sluice.heads.linear turned %x, %w {first = 2 : i64} : (tensor<?x2x3xf32>, tensor<8x4xf32>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @r2_first(%x: tensor<?x2x3xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{but 'first' is -1  [R2]}}
  %y = sluice.heads.linear turned %x, %w {first = -1 : i64} : (tensor<?x2x3xf32>, tensor<8x4xf32>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @r2_huge_first(%x: tensor<?x2x3xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{but 'first' is 9223372036854775807  [R2]}}
  %y = sluice.heads.linear turned %x, %w {first = 9223372036854775807 : i64} : (tensor<?x2x3xf32>, tensor<8x4xf32>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @r2_dynamic(%x: tensor<?x?x3xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{'sluice.heads.linear' op expects static sizes above 0 but for R (rows)  [R2]}}
  %y = sluice.heads.linear turned %x, %w {first = 0 : i64} : (tensor<?x?x3xf32>, tensor<8x4xf32>) -> tensor<?x?x4xf32>
  return
}

// -----

func.func @r3_rows(%x: tensor<?x2x3xbf16>, %w: tensor<6x4xbf16>) {
  // expected-error @below {{'sluice.heads.linear' op expects 'rows' of f32, but found 'bf16'  [R3]}}
  %y = sluice.heads.linear turned %x, %w {first = 0 : i64} : (tensor<?x2x3xbf16>, tensor<6x4xbf16>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @turn(%x: tensor<?x2x3xf32>, %w: tensor<6x4xf32>) {
  // expected-error @below {{expects one of 'plain', 'turned', but found 'sideways'}}
  %y = sluice.heads.linear sideways %x, %w {first = 0 : i64} : (tensor<?x2x3xf32>, tensor<6x4xf32>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @r1_one_piece(%x: tensor<?x2x3xf32>) {
  // expected-error @below {{'sluice.heads.join' op expects at least two pieces, but found 1  [R1]}}
  %y = sluice.heads.join %x : (tensor<?x2x3xf32>) -> tensor<?x2x3xf32>
  return
}

// -----

func.func @r2_heads_of_a_piece(%x: tensor<?x2x3xf32>, %z: tensor<?x4x3xf32>) {
  // expected-error @below {{'sluice.heads.join' op expects dim H (heads) to agree, but 'result' has 4 and 'piece 0' has 2  [R1]}}
  %y = sluice.heads.join %x, %z : (tensor<?x2x3xf32>, tensor<?x4x3xf32>) -> tensor<?x4x6xf32>
  return
}

// -----

func.func @r3_channels(%x: tensor<?x2x3xf32>, %z: tensor<?x1x3xf32>) {
  // expected-error @below {{'sluice.heads.join' op expects the pieces' channels to add up to D (channels) of the result, 7, but they are 6  [R3]}}
  %y = sluice.heads.join %x, %z : (tensor<?x2x3xf32>, tensor<?x1x3xf32>) -> tensor<?x2x7xf32>
  return
}

// -----

func.func @r4_types(%x: tensor<?x2x3xf32>, %z: tensor<?x1x3xbf16>) {
  // expected-error @below {{'sluice.heads.join' op expects pieces and result of one element type, but piece 1 is of 'bf16' and the result of 'f32'  [R4]}}
  %y = sluice.heads.join %x, %z : (tensor<?x2x3xf32>, tensor<?x1x3xbf16>) -> tensor<?x2x6xf32>
  return
}

// -----

// expected-error @below {{'sluice.kv' op expects 'value' to be at most 'key', whose first numbers it is, but they are 9 and 8  [R4]}}
sluice.kv @kv layers 3 heads 2 key 8 value 9 shared page 16 : bf16

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 shared page 16 : bf16
func.func @append_of_a_value(%k: tensor<?x2x8xf32>, %v: tensor<?x2x6xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects no 'value', because the values of 'kv' are the first numbers of its keys  [R4]}}
  %r = sluice.cache.append %k, %v to %kv[%l] batch %b
    : (tensor<?x2x8xf32>, tensor<?x2x6xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}

// -----

sluice.kv @kv layers 3 heads 2 key 8 value 6 page 16 : bf16
func.func @append_without_a_value(%k: tensor<?x2x8xf32>, %kv: !sluice.pages<@kv>, %l: index, %b: !sluice.batch) {
  // expected-error @below {{'sluice.cache.append' op expects a 'value', because the values of 'kv' are not shared with its keys  [R4]}}
  %r = sluice.cache.append %k to %kv[%l] batch %b
    : (tensor<?x2x8xf32>, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>
  return
}
