// RUN: sluice-opt %s --check-placed-stage -split-input-file -verify-diagnostics

// expected-error @+1 {{expects a layout at the placed stage; run place-choose-layouts}}
sluice.param @w role weight : tensor<8x4xf32> from ["w"] rows [8]

// -----

func.func @tensor_form(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{expects buffer form at the placed stage, but gives a tensor}}
  %y = sluice.norm rms %x {eps = 1.0e-6 : f64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{expects exactly one place.team at the placed stage, but has 0}}
func.func @no_team() attributes {sluice.export} {
  return
}

// -----

func.func @outside_of_phases(%x: memref<?x16xf32>) {
  // expected-error @+1 {{expects to stand in a place.phase, which says who does it}}
  sluice.add %x, %x into %x : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> ()
  return
}

// -----

func.func @no_address() attributes {place.arena = #place.extent<row = 64, seq = 0, fixed = 0>} {
  // expected-error @+1 {{expects an address ('at'); run place-plan-memory}}
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team { }
  return
}

// -----

func.func @crooked_address() attributes {place.arena = #place.extent<row = 80, seq = 0, fixed = 0>} {
  // expected-error @+1 {{expects an address at multiples of 64 bytes (4 for 'row'), but it is #place.extent<row = 2, seq = 0, fixed = 0>}}
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> at <row = 2, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team { }
  return
}

// -----

func.func @past_the_arena() attributes {place.arena = #place.extent<row = 64, seq = 0, fixed = 0>} {
  // expected-error @+1 {{expects to end inside the arena}}
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> at <row = 4, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team { }
  return
}

// -----

func.func @race(%x: memref<?x16xf32>, %y: memref<?x16xf32>) attributes {place.arena = #place.extent<row = 0, seq = 0, fixed = 0>} {
  place.team {
    // expected-note @+1 {{touched here, with no barrier in between on some path}}
    place.phase "a" share rows { sluice.add %x, %x into %y : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    // expected-error @+1 {{expects a barrier between its phase "b" and one that touches the same memory, when one of the two writes}}
    place.phase "b" share rows { sluice.add %y, %y into %x : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
  }
  return
}

// -----

func.func @race_over_the_back_edge(%x: memref<?x16xf32>, %y: memref<?x16xf32>, %n: index) attributes {place.arena = #place.extent<row = 0, seq = 0, fixed = 0>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  place.team {
    scf.for %i = %c0 to %n step %c1 {
      // expected-error @+1 {{expects a barrier between its phase "a"}}
      place.phase "a" share rows { sluice.add %x, %x into %y : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
      place.barrier
      // expected-note @+1 {{touched here}}
      place.phase "b" share rows { sluice.add %y, %y into %x : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    }
  }
  return
}

// -----

// Two buffers, one address: a memory plan that is wrong is found by address.
func.func @race_by_address(%x: memref<?x16xf32>) attributes {place.arena = #place.extent<row = 64, seq = 0, fixed = 0>} {
  %a = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> at <row = 0, seq = 0, fixed = 0> : memref<?x16xf32>
  %b = place.buffer "rows" size <row = 64, seq = 0, fixed = 0> at <row = 0, seq = 0, fixed = 0> : memref<?x16xf32>
  place.team {
    // expected-note @+1 {{touched here}}
    place.phase "a" share rows { sluice.add %x, %x into %a : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
    // expected-error @+1 {{expects a barrier between its phase "b"}}
    place.phase "b" share rows { sluice.add %x, %x into %b : (memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>) -> () }
  }
  return
}

// -----

sluice.param @w role weight layout panel : tensor<16x16xf32> from ["w"] rows [16]
func.func @r2_chain_in_columns(%x: memref<?x16xf32>, %y: memref<?x16xf32>, %z: memref<?x16xf32>) attributes {place.arena = #place.extent<row = 0, seq = 0, fixed = 0>} {
  place.team {
    %w = sluice.param.use @w : tensor<16x16xf32>
    place.phase "two" share columns {
      // expected-note @+1 {{this op touches it too}}
      sluice.linear %x, %w into %y {schedule = #place.panels<rows = [1], panels = 1, stream = 1, kblock = 0, dot = fma>} : (memref<?x16xf32>, tensor<16x16xf32>, memref<?x16xf32>) -> ()
      // expected-error @+1 {{touched item by item, with a share that divides rows, when one of the two writes  [R2]}}
      sluice.linear %y, %w into %z {schedule = #place.panels<rows = [1], panels = 1, stream = 1, kblock = 0, dot = fma>} : (memref<?x16xf32>, tensor<16x16xf32>, memref<?x16xf32>) -> ()
    }
  }
  return
}

// -----

sluice.param @w role weight layout panel : tensor<16x16xbf16> from ["w"] rows [16]
func.func @rows_of_another_dot(%x: memref<?x16xf32>, %y: memref<?x16xf32>) attributes {place.arena = #place.extent<row = 0, seq = 0, fixed = 0>} {
  place.team {
    %w = sluice.param.use @w : tensor<16x16xbf16>
    place.phase "w" share columns {
      // expected-error @+1 {{expects rows kept as bf16 for 'dot = dpbf16', but they are 'f32'}}
      sluice.linear %x, %w into %y {schedule = #place.panels<rows = [1], panels = 1, stream = 1, kblock = 0, dot = dpbf16>} : (memref<?x16xf32>, tensor<16x16xbf16>, memref<?x16xf32>) -> ()
    }
  }
  return
}
