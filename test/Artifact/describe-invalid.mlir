// RUN: sluice-opt %s --artifact-describe -split-input-file -verify-diagnostics

// expected-error @+1 {{expects an exported function (sluice.export) to make an artefact of, but there is none}}
module {}

// -----

// expected-error @+1 {{expects 'place.arena'; run place-plan-memory}}
func.func @no_arena() attributes {sluice.export} {
  return
}

// -----

// expected-error @+1 {{expects argument 0 to have 'sluice.name', a number type that programs can give}}
func.func @no_extent(%x: memref<?x4xf32> {sluice.name = "x"}) attributes {sluice.export, place.arena = #place.extent<row = 0, seq = 0, fixed = 0>} {
  return
}
