// RUN: sluice-opt %s | sluice-opt | FileCheck %s

sluice.param @up stack 3 experts 8 role weight : tensor<3x8x96x64xbf16>
  from ["l.{}.experts.{}.w1", "l.{}.experts.{}.w3"] rows [48, 48] layers [0, 2, 3]
// CHECK: sluice.param @up stack 3 experts 8 role weight : tensor<3x8x96x64xbf16> from ["l.{}.experts.{}.w1", "l.{}.experts.{}.w3"] rows [48, 48] layers [0, 2, 3]
sluice.param @fused experts 8 role weight : tensor<8x96x64xbf16> from ["gate_up"] rows [96] transposed alternating
// CHECK: sluice.param @fused experts 8 role weight : tensor<8x96x64xbf16> from ["gate_up"] rows [96] transposed alternating

// CHECK-LABEL: func.func @layer
func.func @layer(%x: tensor<?x64xbf16>, %z: tensor<?x8xf32>, %l: index) -> tensor<?x96xf32> {
  // CHECK: sluice.route softmax %{{.*}} top 2 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %i, %w = sluice.route softmax %z top 2 weigh sum : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %m = sluice.param.use @up[%l] : tensor<8x96x64xbf16>
  // CHECK: sluice.route.experts %{{.*}}, %{{.*}} by %{{.*}} : (tensor<?x64xbf16>, tensor<8x96x64xbf16>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
  %h = sluice.route.experts %x, %m by %i : (tensor<?x64xbf16>, tensor<8x96x64xbf16>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
  // CHECK: sluice.route.combine %{{.*}} weights %{{.*}} : (tensor<?x2x96xf32>, tensor<?x2xf32>) -> tensor<?x96xf32>
  %y = sluice.route.combine %h weights %w : (tensor<?x2x96xf32>, tensor<?x2xf32>) -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// CHECK-LABEL: func.func @variants
func.func @variants(%z: tensor<?x16xf32>, %b: tensor<16xf32>) {
  // CHECK: sluice.route sigmoid %{{.*}} top 3 weigh sum bias %{{.*}} {group_score = #sluice<group_score top_two>, groups = 4 : i64, scale = 2.500000e+00 : f64, top_groups = 2 : i64}
  %i, %w = sluice.route sigmoid %z top 3 weigh sum bias %b
    {groups = 4 : i64, top_groups = 2 : i64, group_score = #sluice<group_score top_two>, scale = 2.5 : f64}
    : (tensor<?x16xf32>, tensor<16xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  // CHECK: sluice.route raw %{{.*}} top 4 weigh softmax
  %j, %v = sluice.route raw %z top 4 weigh softmax : (tensor<?x16xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  // CHECK: sluice.route softmax %{{.*}} top 1 weigh score {batch_dependent, capacity_factor = 1.250000e+00 : f64}
  %k, %u = sluice.route softmax %z top 1 weigh score {capacity_factor = 1.25 : f64, batch_dependent}
    : (tensor<?x16xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>)
  // CHECK: sluice.route softmax %{{.*}} top 16 weigh score {batch_dependent, capacity = 2 : i64, chooser = #sluice<route_chooser experts>}
  %l, %t = sluice.route softmax %z top 16 weigh score {chooser = #sluice<route_chooser experts>, capacity = 2 : i64, batch_dependent}
    : (tensor<?x16xf32>) -> (tensor<?x16xi32>, tensor<?x16xf32>)
  return
}

// CHECK-LABEL: func.func @buffers
func.func @buffers(%x: memref<?x64xf32>, %w: tensor<8x96x64xbf16>, %i: memref<?x2xi32>, %order: memref<?x2x2xi32>,
                   %start: memref<9xi32>, %h: memref<?x2x96xf32>) {
  // CHECK: sluice.route.group %{{.*}} into %{{.*}}, %{{.*}} : (memref<?x2xi32>, memref<?x2x2xi32>, memref<9xi32>) -> ()
  sluice.route.group %i into %order, %start : (memref<?x2xi32>, memref<?x2x2xi32>, memref<9xi32>) -> ()
  // CHECK: sluice.route.experts %{{.*}}, %{{.*}} by %{{.*}} groups %{{.*}}, %{{.*}} into %{{.*}}
  sluice.route.experts %x, %w by %i groups %order, %start into %h
    : (memref<?x64xf32>, tensor<8x96x64xbf16>, memref<?x2xi32>, memref<?x2x2xi32>, memref<9xi32>, memref<?x2x96xf32>) -> ()
  return
}
