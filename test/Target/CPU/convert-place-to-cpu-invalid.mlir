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

// -----

sluice.param @w role weight layout panel : tensor<32x40xbf16> from ["w"] rows [32]
func.func @pairs_without_instruction(%x: memref<?x40xbf16>, %y: memref<?x32xf32>) attributes {sluice.export} {
  %w = sluice.param.use @w : tensor<32x40xbf16>
  place.team {
    place.phase "p" share columns {
      // expected-error @+1 {{'sluice.linear' op has bf16 rows, which take a machine with avx512bf16, but x86-64-v3 has it not}}
      sluice.linear %x, %w into %y : (memref<?x40xbf16>, tensor<32x40xbf16>, memref<?x32xf32>) -> ()
    }
  }
  return
}

// -----

func.func @keys_not_packed(%q: memref<?x2x8xf32>, %k: memref<?x1x8xf32>, %b: !sluice.batch, %o: memref<?x2x8xf32>)
    attributes {sluice.export} {
  place.team {
    place.phase "p" share heads {
      // expected-error @+1 {{'sluice.attention' op expects pages or tiles on the cpu; pack the keys first}}
      sluice.attention %q, %k, %k batch %b mask #sluice.all into %o {scale = 1.0}
        : (memref<?x2x8xf32>, memref<?x1x8xf32>, memref<?x1x8xf32>, !sluice.batch, memref<?x2x8xf32>) -> ()
    }
  }
  return
}

// -----

func.func @no_table(%i: memref<?xi32>, %y: memref<?x8xf32>) attributes {sluice.export} {
  place.team {
    place.phase "p" share one {
      // expected-error @+1 {{'place.submit' op names 'table', which is not a sluice.param}}
      place.submit @table[%i] into %y token 0 home "host" : memref<?xi32>, memref<?x8xf32>
    }
  }
  return
}

// -----

func.func @channels_apart(%x: memref<?x40x2xf32>, %y: memref<?x40xf32>) attributes {sluice.export} {
  %c0 = arith.constant 0 : index
  %r = memref.dim %x, %c0 : memref<?x40x2xf32>
  %v = memref.subview %x[0, 0, 0] [%r, 40, 1] [1, 1, 1] : memref<?x40x2xf32> to memref<?x40xf32, strided<[80, 2]>>
  place.team {
    place.phase "p" share rows {
      // expected-error @+1 {{'sluice.add' op expects 'lhs' to have unit inner stride on the cpu, but it is 'memref<?x40xf32, strided<[80, 2]>>'}}
      sluice.add %v, %y into %y : (memref<?x40xf32, strided<[80, 2]>>, memref<?x40xf32>, memref<?x40xf32>) -> ()
    }
  }
  return
}

// -----

// A schedule whose tiles the kernel would not take is refused, not ignored.
sluice.param @w role weight layout panel : tensor<40x24xf32> from ["w"] rows [40]
func.func @tiles_that_are_not_built(%x: memref<?x24xf32>, %y: memref<?x40xf32>) attributes {sluice.export} {
  place.team {
    place.phase "p" share columns {
      %w = sluice.param.use @w : tensor<40x24xf32>
      // expected-error-re @+1 {{expects the tiles that place-choose-schedules writes for x86-64-v3, #place.panels<{{.*}}>, but its schedule is #place.panels<rows = [5, 1]{{.*}}other tiles are not built}}
      sluice.linear %x, %w into %y {schedule = #place.panels<rows = [5, 1], panels = 3, stream = 1, kblock = 7, dot = fma>} : (memref<?x24xf32>, tensor<40x24xf32>, memref<?x40xf32>) -> ()
    }
  }
  return
}
