// Whole programs that keep to the contract pass, unchanged.
// RUN: sluice-opt %root/test/Programs/decoder-step.mlir --check-tensor-stage | FileCheck %s --check-prefix=DECODER
// RUN: sluice-opt %root/test/Programs/encoder.mlir --check-tensor-stage | FileCheck %s --check-prefix=ENCODER
// DECODER: sluice.cache.append
// ENCODER: sluice.gather
