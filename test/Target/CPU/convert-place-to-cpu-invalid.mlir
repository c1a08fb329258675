// SPDX-License-Identifier: Apache-2.0
// RUN: sluice-opt %s -split-input-file -convert-place-to-cpu=cpu=x86-64-v3 -verify-diagnostics

func.func @no_address(%x: memref<?x40xf32>) attributes {sluice.export} {
  // expected-error @+1 {{'place.buffer' op has no address; run place-plan-memory first}}
  %h = place.buffer "rows" size <row = 160, seq = 0, fixed = 0> : memref<?x40xf32>
  place.team {
    place.phase "p" share rows {
      place.copy %x into %h : memref<?x40xf32>, memref<?x40xf32>
    }
  }
  return
}

// -----

func.func @wrong_share(%x: memref<?x40xf32>, %b: !sluice.batch, %y: memref<?x40xf32>) attributes {sluice.export} {
  place.team {
    place.phase "p" share rows {
      // expected-error @+1 {{'sluice.pool' op expects its phase to share 'seqs' or 'one' on the cpu, but phase "p" shares 'rows'}}
      sluice.pool mean %x batch %b into %y : (memref<?x40xf32>, !sluice.batch, memref<?x40xf32>) -> ()
    }
  }
  return
}

// -----

sluice.param @w role weight layout rows : tensor<32x40xf32> from ["w"] rows [32]
func.func @weight_not_packed(%x: memref<?x40xf32>, %y: memref<?x32xf32>) attributes {sluice.export} {
  %w = sluice.param.use @w : tensor<32x40xf32>
  place.team {
    place.phase "p" share columns {
      // expected-error @+1 {{'sluice.linear' op expects a weight in layout 'panel' on the cpu, but it is in layout 'rows'}}
      sluice.linear %x, %w into %y : (memref<?x40xf32>, tensor<32x40xf32>, memref<?x32xf32>) -> ()
    }
  }
  return
}

// -----

func.func @no_kernel(%x: memref<?x40xf32>) attributes {sluice.export} {
  place.team {
    place.phase "p" share rows {
      // expected-error @+1 {{'memref.copy' op has no kernel on the cpu}}
      memref.copy %x, %x : memref<?x40xf32> to memref<?x40xf32>
    }
  }
  return
}

// -----

// expected-error @+1 {{'func.func' op is not exported; expected exported functions only at the placed stage}}
func.func @helper() {
  return
}

// -----

// expected-error @+1 {{'func.func' op expects memrefs, a batch and pages as arguments at the placed stage, but argument 0 is 'tensor<?xf32>'}}
func.func @tensor_argument(%x: tensor<?xf32>) attributes {sluice.export} {
  return
}
