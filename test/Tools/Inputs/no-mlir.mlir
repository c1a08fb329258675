not mlir
