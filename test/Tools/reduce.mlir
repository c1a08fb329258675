// A file is shrunk to the op that a script looks for.
// RUN: sluice-reduce %s --reduction-tree='traversal-mode=0 test=%S/Inputs/has-relu.sh' | FileCheck %s

// CHECK: func.func @kept
// CHECK-NOT: tanh
// CHECK: sluice.activation relu
// CHECK-NOT: func.func @dropped
func.func @kept(%rows: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %a = sluice.activation tanh %rows : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %b = sluice.activation relu %rows : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %b : tensor<?x4xf32>
}

func.func @dropped(%rows: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %rows : tensor<?x4xf32>
}
