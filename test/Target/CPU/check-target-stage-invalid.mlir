// SPDX-License-Identifier: Apache-2.0
// RUN: sluice-opt %s -split-input-file -check-target-stage -verify-diagnostics

// expected-error @+1 {{'sluice.kv' op is left at the target stage of the cpu; expected func, scf, vector, memref, arith, math and llvm only}}
sluice.kv @kv layers 1 heads 1 key 4 value 4 page 16 : f32

// -----

func.func private @elsewhere()
func.func @f() {
  // expected-error @+1 {{'func.call' op calls 'elsewhere', which the module does not define; compiled code calls only itself and what the call record names}}
  call @elsewhere() : () -> ()
  return
}

// -----

func.func @f(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // expected-error @+1 {{'memref.alloca' op is inside a loop}}
    %a = memref.alloca() : memref<16xf32>
  }
  return
}
