// A write past the end of a result or into an argument is found although every number is right.
// REQUIRES: target-cpu

// RUN: sluice-check %s --target=cpu --against=reference
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=cpu --against=reference --break=redzone | FileCheck %s --check-prefix=RED
// RED: 'result0': 0 bytes after its end were written
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=cpu --against=reference --break=input | FileCheck %s --check-prefix=INPUT
// INPUT: 'argument0': it is read-only, but its byte 0 was written
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=cpu --against=reference --corrupt=result0:1 --rows=3
// RUN: %python %S/Inputs/exit-code.py 1 sluice-check %s --target=reference --against=reference --break=redzone

func.func @f(%x: tensor<?x5xf32>, %w: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x5xf32>, tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}
