// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @r1_rows(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects dim C (choices) to agree, but 'ids' has 2 and 'weights' has 3  [R1]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x3xf32>)
  return
}

// -----

func.func @r1_bias(%z: tensor<?x8xf32>, %b: tensor<7xf32>) {
  // expected-error @below {{'sluice.route' op expects dim E (experts) to agree, but 'logits' has 8 and 'bias' has 7  [R1]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum bias %b : (tensor<?x8xf32>, tensor<7xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r1_dynamic(%z: tensor<?x?xf32>) {
  // expected-error @below {{'sluice.route' op expects static numbers of experts and of choices  [R1]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x?xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r1_many(%z: tensor<?x5000xf32>) {
  // expected-error @below {{'sluice.route' op expects from 1 to 4096 experts, but there are 5000  [R1]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x5000xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r2_logits(%z: tensor<?x8xbf16>) {
  // expected-error @below {{'sluice.route' op expects 'logits' of f32, but found 'bf16'  [R2]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x8xbf16>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r2_weights(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'weights' of f32, but found 'bf16'  [R2]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xbf16>)
  return
}

// -----

func.func @r3_none(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'top' from 1 to the 8 experts, but it is 0  [R3]}}
  %i, %w = sluice.route softmax %z top 0 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r3_more_than_experts(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'top' from 1 to the 8 experts, but it is 9  [R3]}}
  %i, %w = sluice.route softmax %z top 9 weigh sum : (tensor<?x8xf32>) -> (tensor<?x9xi32>, tensor<?x9xf32>)
  return
}

// -----

func.func @r3_other(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'top' to be dim C (choices) of the results, 2, but it is 3  [R3]}}
  %i, %w = sluice.route softmax %z top 3 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r4_twice(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'weigh softmax' with raw scores and with no others, but found 'weigh softmax' and scores of 'sigmoid'  [R4]}}
  %i, %w = sluice.route sigmoid %z top 2 weigh softmax : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r4_raw(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'weigh softmax' with raw scores and with no others, but found 'weigh sum' and scores of 'raw'  [R4]}}
  %i, %w = sluice.route raw %z top 2 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r5_divide(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'groups' to divide the 8 experts, but it is 3  [R5]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {groups = 3 : i64, top_groups = 1 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r5_zero(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'groups' to divide the 8 experts, but it is 0  [R5]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {groups = 0 : i64, top_groups = 1 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r5_missing(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'top_groups' with 'groups'  [R5]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {groups = 4 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r5_alone(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'groups' with 'top_groups'  [R5]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {top_groups = 4 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r5_score_alone(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'groups' with 'group_score'  [R5]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {group_score = #sluice<group_score max>} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r5_too_many(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'top_groups' from 1 to the 4 groups, but it is 5  [R5]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {groups = 4 : i64, top_groups = 5 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r5_too_few_experts(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 1 groups of 2 experts to have the 3 that a row chooses  [R5]}}
  %i, %w = sluice.route softmax %z top 3 weigh sum {groups = 4 : i64, top_groups = 1 : i64} : (tensor<?x8xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  return
}

// -----

func.func @r5_pairs(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects groups of two experts or more for 'group_score = top_two', but they have 1  [R5]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {groups = 8 : i64, top_groups = 4 : i64, group_score = #sluice<group_score top_two>} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r6_zero(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'scale' to be finite and positive, but it is 0.000000e+00  [R6]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {scale = 0.0 : f64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r7_below_one(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'capacity' to be at least 1, but it is 0  [R7]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {capacity = 0 : i64, batch_dependent} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r7_factor(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'capacity_factor' to be finite and positive, but it is -1.000000e+00  [R7]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {capacity_factor = -1.0 : f64, batch_dependent} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r7_both(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects only one of 'capacity' and 'capacity_factor'  [R7]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {capacity = 2 : i64, capacity_factor = 1.0 : f64, batch_dependent} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r8_missing(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'batch_dependent', because with a capacity a row's experts depend on the other rows of the step  [R8]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {capacity = 2 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r8_without(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects no 'batch_dependent' without a capacity  [R8]}}
  %i, %w = sluice.route softmax %z top 2 weigh sum {batch_dependent} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r9_capacity(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects a capacity when experts choose: how many rows each takes  [R9]}}
  %i, %w = sluice.route softmax %z top 8 weigh score {chooser = #sluice<route_chooser experts>} : (tensor<?x8xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
  return
}

// -----

func.func @r9_top(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'top' to be the 8 experts when experts choose, but it is 2  [R9]}}
  %i, %w = sluice.route softmax %z top 2 weigh score {chooser = #sluice<route_chooser experts>, capacity = 2 : i64, batch_dependent} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @r9_weigh(%z: tensor<?x8xf32>) {
  // expected-error @below {{'sluice.route' op expects 'weigh score' when experts choose, but found 'weigh sum'  [R9]}}
  %i, %w = sluice.route softmax %z top 8 weigh sum {chooser = #sluice<route_chooser experts>, capacity = 2 : i64, batch_dependent} : (tensor<?x8xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
  return
}

// -----

func.func @r9_bias(%z: tensor<?x8xf32>, %b: tensor<8xf32>) {
  // expected-error @below {{'sluice.route' op expects no bias when experts choose  [R9]}}
  %i, %w = sluice.route softmax %z top 8 weigh score bias %b {chooser = #sluice<route_chooser experts>, capacity = 2 : i64, batch_dependent} : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
  return
}

// -----

func.func @experts_r1_inputs(%x: tensor<?x65xf32>, %w: tensor<8x96x64xf32>, %i: tensor<?x2xi32>) {
  // expected-error @below {{'sluice.route.experts' op expects dim K (inputs) to agree, but 'rows' has 65 and 'weight' has 64  [R1]}}
  %y = sluice.route.experts %x, %w by %i : (tensor<?x65xf32>, tensor<8x96x64xf32>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
  return
}

// -----

func.func @experts_r1_choices(%x: tensor<?x3x64xf32>, %w: tensor<8x96x64xf32>, %i: tensor<?x2xi32>) {
  // expected-error @below {{'sluice.route.experts' op expects dim C (choices) to agree, but 'rows' has 3 and 'ids' has 2  [R1]}}
  %y = sluice.route.experts %x, %w by %i : (tensor<?x3x64xf32>, tensor<8x96x64xf32>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
  return
}

// -----

func.func @experts_r1_bias(%x: tensor<?x64xf32>, %w: tensor<8x96x64xf32>, %i: tensor<?x2xi32>, %b: tensor<7x96xf32>) {
  // expected-error @below {{'sluice.route.experts' op expects dim E (experts) to agree, but 'weight' has 8 and 'bias' has 7  [R1]}}
  %y = sluice.route.experts %x, %w by %i bias %b : (tensor<?x64xf32>, tensor<8x96x64xf32>, tensor<?x2xi32>, tensor<7x96xf32>) -> tensor<?x2x96xf32>
  return
}

// -----

func.func @experts_r2_rows(%x: tensor<?x64xf32>, %w: tensor<8x96x64xbf16>, %i: tensor<?x2xi32>) {
  // expected-error @below {{'sluice.route.experts' op expects 'rows' of 'bf16' for a weight of 'bf16', but found 'f32'; round where the rows are made  [R2]}}
  %y = sluice.route.experts %x, %w by %i : (tensor<?x64xf32>, tensor<8x96x64xbf16>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
  return
}

// -----

func.func @experts_r3_result(%x: tensor<?x64xf32>, %w: tensor<8x96x64xf32>, %i: tensor<?x2xi32>) {
  // expected-error @below {{'sluice.route.experts' op expects 'result' of f32, but found 'bf16'  [R3]}}
  %y = sluice.route.experts %x, %w by %i : (tensor<?x64xf32>, tensor<8x96x64xf32>, tensor<?x2xi32>) -> tensor<?x2x96xbf16>
  return
}

// -----

func.func @experts_r4_inputs(%x: tensor<?x64xf32>, %w: tensor<8x96x64xf32>, %i: tensor<?x2xi32>) {
  // expected-error @below {{'sluice.route.experts' op expects a weight with an encoding (#sluice.blocks) for 'inputs int8', but found 'tensor<8x96x64xf32>'  [R4]}}
  %y = sluice.route.experts %x, %w inputs int8 by %i : (tensor<?x64xf32>, tensor<8x96x64xf32>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
  return
}

// -----

func.func @experts_r5_no_groups(%x: memref<?x64xf32>, %w: tensor<8x96x64xf32>, %i: memref<?x2xi32>, %y: memref<?x2x96xf32>) {
  // expected-error @below {{'sluice.route.experts' op expects two memrefs after 'groups' in buffer form, but has 0  [R5]}}
  sluice.route.experts %x, %w by %i into %y : (memref<?x64xf32>, tensor<8x96x64xf32>, memref<?x2xi32>, memref<?x2x96xf32>) -> ()
  return
}

// -----

func.func @experts_r5_start(%x: memref<?x64xf32>, %w: tensor<8x96x64xf32>, %i: memref<?x2xi32>, %o: memref<?x2x2xi32>, %s: memref<8xi32>, %y: memref<?x2x96xf32>) {
  // expected-error @below {{'sluice.route.experts' op expects dim S (experts and the end) to agree, but 'start' has 8 and 'weight' has 9  [R5]}}
  sluice.route.experts %x, %w by %i groups %o, %s into %y
    : (memref<?x64xf32>, tensor<8x96x64xf32>, memref<?x2xi32>, memref<?x2x2xi32>, memref<8xi32>, memref<?x2x96xf32>) -> ()
  return
}

// -----

func.func @combine_r1(%x: tensor<?x2x96xf32>, %w: tensor<?x3xf32>) {
  // expected-error @below {{'sluice.route.combine' op expects dim C (choices) to agree, but 'rows' has 2 and 'weights' has 3  [R1]}}
  %y = sluice.route.combine %x weights %w : (tensor<?x2x96xf32>, tensor<?x3xf32>) -> tensor<?x96xf32>
  return
}

// -----

func.func @combine_r2(%x: tensor<?x2x96xbf16>, %w: tensor<?x2xf32>) {
  // expected-error @below {{'sluice.route.combine' op expects 'rows' of f32, but found 'bf16'  [R2]}}
  %y = sluice.route.combine %x weights %w : (tensor<?x2x96xbf16>, tensor<?x2xf32>) -> tensor<?x96xf32>
  return
}

// -----

func.func @group_r1(%i: tensor<?x2xi32>) {
  // expected-error @below {{'sluice.route.group' op has no tensor form: sluice.route.experts takes ids there  [R1]}}
  %o, %s = sluice.route.group %i : (tensor<?x2xi32>) -> (tensor<?x2x2xi32>, tensor<9xi32>)
  return
}

// -----

func.func @group_r2(%i: memref<?x2xi32>, %o: memref<?x2x2xi64>, %s: memref<9xi32>) {
  // expected-error @below {{'sluice.route.group' op expects 'order' of i32, but found 'i64'  [R2]}}
  sluice.route.group %i into %o, %s : (memref<?x2xi32>, memref<?x2x2xi64>, memref<9xi32>) -> ()
  return
}

// -----

func.func @group_r3(%i: memref<?x2xi32>, %o: memref<?x2x2xi32, strided<[8, 2, 1]>>, %s: memref<9xi32>) {
  // expected-error @below {{'sluice.route.group' op expects 'order' to be dense, but found 'memref<?x2x2xi32, strided<[8, 2, 1]>>'  [R3]}}
  sluice.route.group %i into %o, %s : (memref<?x2xi32>, memref<?x2x2xi32, strided<[8, 2, 1]>>, memref<9xi32>) -> ()
  return
}

// -----

// expected-error @below {{'sluice.param' op expects dim E (experts) to lead the type (after L), but 'experts' is 4 and the type is 'tensor<2x3x8x8xf32>'  [R2]}}
sluice.param @r2 stack 2 experts 4 role weight : tensor<2x3x8x8xf32> from ["l.{}.e.{}"] rows [8]

// -----

// expected-error @below {{'sluice.param' op expects exactly one '{}' (the layer number), and perhaps one for the expert, in the source name, but found 'l.{}.{}.{}'  [R5]}}
sluice.param @r5 stack 2 experts 3 role weight : tensor<2x3x8x8xf32> from ["l.{}.{}.{}"] rows [8]

// -----

// expected-error @below {{'sluice.param' op expects 'layers' to be 2 ascending numbers, one for each layer of the stack  [R8]}}
sluice.param @r8 stack 2 role weight : tensor<2x8x8xf32> from ["l.{}"] rows [8] layers [3, 1]

// -----

// expected-error @below {{'sluice.param' op expects sources with an even number of rows for 'alternating', but 'w' has 7  [R9]}}
sluice.param @r9 role weight : tensor<7x8xf32> from ["w"] rows [7] alternating
