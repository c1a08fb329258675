// RUN: sluice-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{'sluice.param' op expects at least one source, but has none  [R1]}}
sluice.param @r1_no_source role weight : tensor<9x5xf32> from [] rows []

// -----

// expected-error @below {{'sluice.param' op expects one row count per source, but has 2 sources and 1 row counts  [R1]}}
sluice.param @r1_counts role weight : tensor<9x5xf32> from ["a", "b"] rows [9]

// -----

// expected-error @below {{'sluice.param' op expects a positive number of layers, but 'stack' is 0  [R2]}}
sluice.param @r2_no_layers stack 0 role weight : tensor<3x9x5xf32> from ["a.{}"] rows [9]

// -----

// expected-error @below {{'sluice.param' op expects dim L (layers) to lead the type, but 'stack' is 2 and the type is 'tensor<3x9x5xf32>'  [R2]}}
sluice.param @r2_other_layers stack 2 role weight : tensor<3x9x5xf32> from ["a.{}"] rows [9]

// -----

// expected-error @below {{'sluice.param' op expects at least one dim beside L, but the type is 'tensor<3xf32>'  [R2]}}
sluice.param @r2_only_layers stack 3 role weight : tensor<3xf32> from ["a.{}"] rows [1]

// -----

// expected-error @below {{'sluice.param' op expects the sources' rows to add up to 9, but they add up to 8  [R3]}}
sluice.param @r3_sum role weight : tensor<9x5xf32> from ["a", "b"] rows [5, 3]

// -----

// expected-error @below {{'sluice.param' op expects positive row counts, but one is 0  [R3]}}
sluice.param @r3_nothing role weight : tensor<9x5xf32> from ["a", "b"] rows [9, 0]

// -----

// expected-error @below {{'sluice.param' op expects row counts whose sum is a number of 64 bits  [R3]}}
sluice.param @r3_huge role weight : tensor<9x5xf32> from ["a", "b"] rows [9223372036854775807, 10]

// -----

// expected-error @below {{'sluice.param' op expects a static shape without zeros, but has 'tensor<?x5xf32>'  [R4]}}
sluice.param @r4_dynamic role weight : tensor<?x5xf32> from ["a"] rows [9]

// -----

// expected-error @below {{'sluice.param' op expects a static shape without zeros, but has 'tensor<9x0xf32>'  [R4]}}
sluice.param @r4_zero role weight : tensor<9x0xf32> from ["a"] rows [9]

// -----

// expected-error @below {{'sluice.param' op expects exactly one '{}' (the layer number) in the source name, but found 'a'  [R5]}}
sluice.param @r5_no_layer_number stack 3 role weight : tensor<3x9x5xf32> from ["a"] rows [9]

// -----

// expected-error @below {{'sluice.param' op expects no '{}' in the source name, but found 'a.{}'  [R5]}}
sluice.param @r5_layer_number role weight : tensor<9x5xf32> from ["a.{}"] rows [9]

// -----

// expected-error @below {{'sluice.param' op expects two dims (beside L) for layout 'panel', but the type is 'tensor<9xf32>'  [R6]}}
sluice.param @r6_panel role bias layout panel : tensor<9xf32> from ["a"] rows [9]

// -----

func.func @use_r1() {
  // expected-error @below {{'sluice.param.use' op expects 'nothing' to name a sluice.param, but there is none of that name  [R1]}}
  %w = sluice.param.use @nothing : tensor<9x5xf32>
  return
}

// -----

// expected-note @below {{the param is declared here}}
sluice.param @w stack 3 role weight : tensor<3x9x5xf32> from ["a.{}"] rows [9]
func.func @use_r2_whole_stack() {
  // expected-error @below {{'sluice.param.use' op expects a layer number: the param is stacked  [R2]}}
  %w = sluice.param.use @w : tensor<9x5xf32>
  return
}

// -----

// expected-note @below {{the param is declared here}}
sluice.param @w role weight : tensor<9x5xf32> from ["a"] rows [9]
func.func @use_r2_layer_of_one(%l: index) {
  // expected-error @below {{'sluice.param.use' op expects no layer number: the param is not stacked  [R2]}}
  %w = sluice.param.use @w[%l] : tensor<9x5xf32>
  return
}

// -----

// expected-note @below {{the param is declared here}}
sluice.param @w stack 3 role weight : tensor<3x9x5xf32> from ["a.{}"] rows [9]
func.func @use_r3(%l: index) {
  // expected-error @below {{'sluice.param.use' op expects the type 'tensor<9x5xf32>' of the param, but has 'tensor<3x9x5xf32>'  [R3]}}
  %w = sluice.param.use @w[%l] : tensor<3x9x5xf32>
  return
}

// -----

// expected-error @below {{'sluice.kv' op expects 'heads' to be positive, but it is 0  [R1]}}
sluice.kv @kv_r1 layers 3 heads 0 key 8 value 8 page 16 : f32

// -----

// expected-error @below {{'sluice.kv' op expects 'value' to be positive, but it is -8  [R1]}}
sluice.kv @kv_r1 layers 3 heads 1 key 8 value -8 page 16 : f32

// -----

// expected-error @below {{'sluice.kv' op expects 'page' to be a positive multiple of 16, but it is 24  [R2]}}
sluice.kv @kv_r2 layers 3 heads 2 key 8 value 8 page 24 : f32

// -----

// expected-error @below {{'sluice.kv' op expects pages of f32 or bf16, but found 'f16'  [R3]}}
sluice.kv @kv_r3 layers 3 heads 2 key 8 value 8 page 16 : f16

// -----

// expected-error @below {{'sluice.param' op expects two dims (beside L) of a transposed param, but the type is 'tensor<8xf32>'  [R6]}}
sluice.param @w role bias : tensor<8xf32> from ["w"] rows [8] transposed
