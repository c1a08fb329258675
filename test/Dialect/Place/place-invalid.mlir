// RUN: sluice-opt %s -split-input-file -verify-diagnostics

func.func @buffer_r1_extent() {
  // expected-error @below {{'place.buffer' op expects one of "rows", "seqs", "asked", "bytes", "fixed", but found "heads"  [R1]}}
  %x = place.buffer "heads" size <row = 20, seq = 0, fixed = 0> : memref<?x5xf32>
  return
}

// -----

func.func @buffer_r1_two_dynamic_dims() {
  // expected-error @below {{'place.buffer' op expects a memref with a dynamic first dim only and unit inner stride, but has 'memref<?x?xf32>'  [R1]}}
  %x = place.buffer "rows" size <row = 20, seq = 0, fixed = 0> : memref<?x?xf32>
  return
}

// -----

func.func @buffer_r1_fixed() {
  // expected-error @below {{'place.buffer' op expects a memref with a static shape and unit inner stride, but has 'memref<?x5xf32>'  [R1]}}
  %x = place.buffer "fixed" size <row = 0, seq = 0, fixed = 64> : memref<?x5xf32>
  return
}

// -----

func.func @buffer_r2_bytes() {
  // expected-error @below {{'place.buffer' op expects one dim of i8 with "bytes" and only there, but "bytes" has the type 'memref<?xf32>'  [R2]}}
  %x = place.buffer "bytes" size <row = 20, seq = 0, fixed = 0> : memref<?xf32>
  return
}

// -----

func.func @team_r1_effects(%x: memref<?x5xf32>) {
  // expected-error @below {{'place.team' op expects phases, barriers, scf.for and ops without effects only  [R1]}}
  place.team {
    // expected-note @below {{but found this op}}
    sluice.add %x, %x into %x : (memref<?x5xf32>, memref<?x5xf32>, memref<?x5xf32>) -> ()
  }
  return
}

// -----

func.func @phase_r1_empty() {
  place.team {
    // expected-error @below {{'place.phase' op expects at least one op in the phase, but it is empty  [R1]}}
    place.phase "nothing" share rows {
    }
  }
  return
}

// -----

func.func @unknown_share(%x: memref<?x5xf32>) {
  place.team {
    // expected-error @below {{expects one of 'rows', 'columns', 'heads', 'seqs', 'asked', 'one', but found 'tokens'}}
    place.phase "a" share tokens {
      place.copy %x into %x : memref<?x5xf32>, memref<?x5xf32>
    }
  }
  return
}

// -----

func.func @submit_r1(%ids: memref<?xi32>, %x: memref<?x5xf32>) {
  place.team {
    place.phase "ask" share rows {
      // expected-error @below {{'place.submit' op expects to stand in a place.phase with share 'one'  [R1]}}
      place.submit @table[%ids] into %x token 0 home "host" : memref<?xi32>, memref<?x5xf32>
    }
  }
  return
}

// -----

func.func @submit_r2(%ids: memref<?xi32>, %x: memref<?x5xf32>) {
  place.team {
    place.phase "ask" share one {
      // expected-error @below {{'place.submit' op expects 'token' not to be negative, but it is -1  [R2]}}
      place.submit @table[%ids] into %x token -1 home "host" : memref<?xi32>, memref<?x5xf32>
    }
  }
  return
}

// -----

func.func @await_r1(%x: memref<?x5xf32>) {
  place.team {
    place.phase "wait" share rows {
      // expected-error @below {{'place.await' op expects to stand in a place.phase with share 'one'  [R1]}}
      place.await token 0 into %x : memref<?x5xf32>
    }
  }
  return
}

// -----

func.func @copy_r1(%x: memref<?x5xf32>, %y: memref<?x6xf32>) {
  // expected-error @below {{'place.copy' op expects 'from' and 'into' of one shape, but found 'memref<?x5xf32>' and 'memref<?x6xf32>'  [R1]}}
  place.copy %x into %y : memref<?x5xf32>, memref<?x6xf32>
  return
}

// -----

func.func @copy_r2(%x: memref<?x5xf32>, %y: memref<?x5xbf16>) {
  // expected-error @below {{'place.copy' op expects one element type, or f32 'into' for bf16 or f16, but found 'f32' and 'bf16'  [R2]}}
  place.copy %x into %y : memref<?x5xf32>, memref<?x5xbf16>
  return
}
