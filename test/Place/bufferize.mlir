// RUN: sluice-opt %s --place-bufferize --canonicalize | FileCheck %s

sluice.param @w role weight layout panel : tensor<24x40xf32> from ["w"] rows [24]
sluice.param @v role weight layout panel : tensor<20x24xbf16> from ["v"] rows [20]
sluice.param @sq role weight layout panel : tensor<1024x1024xf32> from ["sq"] rows [1024]

// A residual is added in place, a norm is made in place, and the result where the caller wants it.
// CHECK-LABEL: func @in_place
// CHECK-SAME: %[[H:[^ :]+]]: memref<?x40xf32> {{.*}}, %[[X:[^ :]+]]: memref<?x24xf32> {{.*}}, %[[OUT:[^ :]+]]: memref<?x24xf32> {{.*}}sluice.out
func.func @in_place(%h: tensor<?x40xf32>, %x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  // CHECK-NOT: place.buffer
  // CHECK: place.phase "norm" share rows
  // CHECK-NEXT: sluice.norm rms %[[X]] into %[[OUT]]
  // CHECK: place.phase "w" share columns
  // CHECK-NEXT: sluice.linear %[[H]], %{{.*}} residual %[[OUT]] into %[[OUT]]
  // CHECK: sluice.norm layer %[[OUT]] into %[[OUT]]
  // CHECK-NOT: place.copy
  %w = sluice.param.use @w : tensor<24x40xf32>
  %n = sluice.norm rms %x {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  %y = sluice.linear %h, %w residual %n : (tensor<?x40xf32>, tensor<24x40xf32>, tensor<?x24xf32>) -> tensor<?x24xf32>
  %z = sluice.norm layer %y {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  return %z : tensor<?x24xf32>
}

// A value that is needed later is not written over; arguments never are.
// CHECK-LABEL: func @needed_later
// CHECK-SAME: %[[X:[^ :]+]]: memref<?x24xf32> {{.*}}, %[[OUT:[^ :]+]]: memref<?x24xf32>
func.func @needed_later(%x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  // CHECK: %[[A:.*]] = place.buffer "rows"
  // CHECK: sluice.norm rms %[[X]] into %[[A:.*]] {
  // CHECK: sluice.norm layer %[[A]] into %[[B:.*]] {
  // CHECK: sluice.add %[[A]], %[[B]] into %[[OUT]]
  %a = sluice.norm rms %x {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  %b = sluice.norm layer %a {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  %c = arith.addf %a, %b : tensor<?x24xf32>
  return %c : tensor<?x24xf32>
}

// What a loop carries stays in one buffer.
// CHECK-LABEL: func @loop
// CHECK-SAME: %[[X:[^ :]+]]: memref<?x24xf32> {{.*}}, %[[OUT:[^ :]+]]: memref<?x24xf32>
func.func @loop(%x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %i = sluice.norm rms %x {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  // CHECK: sluice.norm rms %[[X]] into %[[OUT]]
  // CHECK: scf.for
  // CHECK: sluice.norm layer %[[OUT]] into %[[H:.*]] {
  // CHECK: sluice.add %[[OUT]], %[[H]] into %[[OUT]]
  // CHECK-NOT: place.copy
  %o = scf.for %l = %c0 to %c5 step %c1 iter_args(%y = %i) -> (tensor<?x24xf32>) {
    %h = sluice.norm layer %y {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
    %s = arith.addf %y, %h : tensor<?x24xf32>
    scf.yield %s : tensor<?x24xf32>
  }
  return %o : tensor<?x24xf32>
}

// An argument is not a loop's to write: it is copied first.
// CHECK-LABEL: func @loop_from_argument
// CHECK-SAME: %[[X:[^ :]+]]: memref<?x24xf32> {{.*}}, %[[OUT:[^ :]+]]: memref<?x24xf32>
func.func @loop_from_argument(%x: tensor<?x24xf32>) -> tensor<?x24xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // CHECK: place.copy %[[X]] into %[[OUT]]
  // CHECK: scf.for
  %o = scf.for %l = %c0 to %c5 step %c1 iter_args(%y = %x) -> (tensor<?x24xf32>) {
    %h = sluice.norm layer %y {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
    scf.yield %h : tensor<?x24xf32>
  }
  return %o : tensor<?x24xf32>
}

// CHECK-LABEL: func @result_twice
// CHECK-SAME: %[[A:[^ :]+]]: memref<?x24xf32> {place.extent = "rows", sluice.out}, %[[B:[^ :]+]]: memref<?x24xf32> {place.extent = "rows", sluice.out}
func.func @result_twice(%x: tensor<?x24xf32>) -> (tensor<?x24xf32>, tensor<?x24xf32>) {
  // CHECK: sluice.norm rms %{{.*}} into %[[A]]
  // CHECK: place.copy %[[A]] into %[[B]]
  %a = sluice.norm rms %x {eps = 1.0e-6 : f64} : (tensor<?x24xf32>) -> tensor<?x24xf32>
  return %a, %a : tensor<?x24xf32>, tensor<?x24xf32>
}

// bf16 rows that arrive in memory are widened once for the fma dot.
// CHECK-LABEL: func @widened_rows
func.func @widened_rows(%x: tensor<?x24xbf16>) -> tensor<?x20xf32> {
  // CHECK: %[[WIDE:.*]] = place.buffer "rows" {{.*}} memref<?x24xf32
  // CHECK: place.copy %{{.*}} into %[[WIDE]] : memref<?x24xbf16>
  // CHECK: sluice.linear %[[WIDE]]
  %v = sluice.param.use @v : tensor<20x24xbf16>
  %y = sluice.linear %x, %v {schedule = #place.panels<rows = [1], panels = 1, stream = 1, kblock = 0, dot = fma>}
    : (tensor<?x24xbf16>, tensor<20x24xbf16>) -> tensor<?x20xf32>
  return %y : tensor<?x20xf32>
}

// Rows of 4096 bytes would all fall into one set of the cache while a linear layer reads them.
// CHECK-LABEL: func @padded_rows
// CHECK-SAME: %[[OUT:[^ :]+]]: memref<?x1024xf32> {place.extent = "rows", sluice.out}
func.func @padded_rows(%x: tensor<?x1024xf32>) -> tensor<?x1024xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %w = sluice.param.use @sq : tensor<1024x1024xf32>
  %i = sluice.norm rms %x {eps = 1.0e-6 : f64} : (tensor<?x1024xf32>) -> tensor<?x1024xf32>
  // CHECK: %[[Y:.*]] = place.buffer "rows" size <row = 4160, seq = 0, fixed = 0> : memref<?x1024xf32, strided<[1040, 1]>>
  // CHECK: place.copy %[[Y]] into %[[OUT]]
  %o = scf.for %l = %c0 to %c5 step %c1 iter_args(%y = %i) -> (tensor<?x1024xf32>) {
    %z = sluice.linear %y, %w : (tensor<?x1024xf32>, tensor<1024x1024xf32>) -> tensor<?x1024xf32>
    %s = sluice.norm layer %z {eps = 1.0e-6 : f64} : (tensor<?x1024xf32>) -> tensor<?x1024xf32>
    scf.yield %s : tensor<?x1024xf32>
  }
  return %o : tensor<?x1024xf32>
}

// What `?` counts follows from the ops.
// CHECK-LABEL: func @extents
// CHECK-SAME: memref<?xi32> {place.bound = "rows", place.extent = "asked", sluice.name = "ask"}
// CHECK-SAME: memref<?x24xf32> {place.extent = "asked", sluice.out}
// CHECK-SAME: memref<?x24xf32> {place.extent = "seqs", sluice.out}
func.func @extents(%x: tensor<?x24xf32>, %ask: tensor<?xi32> {sluice.name = "ask"}, %b: !sluice.batch) -> (tensor<?x24xf32>, tensor<?x24xf32>) {
  // CHECK: place.phase "embed" share asked
  // CHECK: place.phase "pool" share seqs
  %a = sluice.embed %x[%ask] : (tensor<?x24xf32>, tensor<?xi32>) -> tensor<?x24xf32>
  %p = sluice.pool mean %x batch %b : (tensor<?x24xf32>, !sluice.batch) -> tensor<?x24xf32>
  return %a, %p : tensor<?x24xf32>, tensor<?x24xf32>
}

// CHECK: memref.global "private" constant @[[$GLOBAL:.*]] : memref<5xf32> = dense<[1.0{{.*}}]>
// CHECK-LABEL: func @constant_and_static_shape
func.func @constant_and_static_shape(%x: tensor<3x5xf32>) -> tensor<3x5xf32> {
  // CHECK: %[[W:.*]] = memref.get_global @[[$GLOBAL]]
  // CHECK: sluice.clamp %{{.*}} width %[[W]]
  %w = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 0.0]> : tensor<5xf32>
  %y = sluice.clamp %x width %w nan propagate : (tensor<3x5xf32>, tensor<5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}
