// The numeric tests are worth what they can find: a changed number, a pinned number that is wrong, and a file that pins
// nothing must all be refused.

// RUN: sluice-check %s --target=reference --function=right | FileCheck %s --check-prefix=RIGHT
// RIGHT: 1 case, 4 numbers, all agree (reference against pinned)

// A wrong number, wherever it is.
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=right --corrupt=y:0 >%t.out 2>%t.err
// RUN: FileCheck %s --check-prefix=CORRUPT <%t.out
// CORRUPT: @right --function=right --seed=7
// CORRUPT-NEXT: 'y': 1 of 4 numbers differ; worst at [0, 0]: expected 1, found 2 (8.39e+06 ulp), NMSE
// CORRUPT: 1 case, 4 numbers, 1 differ

// The last line replays it.
// RUN: tail -n 1 %t.err | FileCheck %s --check-prefix=REPLAY
// REPLAY: replay: sluice-check {{.*}}check-can-fail.mlir --target=reference --function=right --seed=7 --corrupt=y:0{{$}}
// RUN: tail -n 1 %t.err | sed 's/^replay: //' >%t.sh
// RUN: %python %S/Inputs/exit-code.py 5 sh %t.sh

// By number, the last element, and one that is NaN.
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=right --corrupt=0:3

// The oracle's own result against itself: nothing but the corruption can be found.
// RUN: sluice-check %s --target=reference --against=reference --function=generated
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --against=reference --function=generated --corrupt=result0:1 --rows=2,3
// An index that no result has is not silently ignored.
// RUN: %python %S/Inputs/exit-code.py 2 sluice-check %s --target=reference --function=right --corrupt=y:4
// RUN: %python %S/Inputs/exit-code.py 2 sluice-check %s --target=reference --function=right --corrupt=z:0
// RUN: %python %S/Inputs/exit-code.py 1 sluice-check %s --target=reference --function=right --corrupt=y

// What the file says is believed over what is computed.
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=wrong_number
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=wrong_by_one_ulp
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=wrong_sign_of_zero
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=wrong_nan
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=wrong_shape | FileCheck %s --check-prefix=SHAPE
// SHAPE: 'result0': expects [1, 1] of f32, but found [1, 2] of f32
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=trap_that_does_not_come | FileCheck %s --check-prefix=TRAP
// TRAP: expected trap 1 (7 is not in [0, 3)), found no trap
// RUN: %python %S/Inputs/exit-code.py 5 sluice-check %s --target=reference --function=trap_that_is_not_expected | FileCheck %s --check-prefix=NOTRAP
// NOTRAP: expected no trap, found trap 1 (3 is not in [0, 3))

// Nothing checked is not success.
// RUN: %python %S/Inputs/exit-code.py 2 sluice-check %s --target=reference --function=pins_nothing 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: expects a public function 'pins_nothing' with check.expect or check.trap, but there is none, so nothing was checked
// RUN: %python %S/Inputs/exit-code.py 2 sluice-check %s --target=reference --function=no_such_function

func.func @right(%x: tensor<2x2xf32> {check.value = dense<[[1.0, 2.0], [3.0, 0x7FC00000]]> : tensor<2x2xf32>})
    -> (tensor<2x2xf32> {sluice.name = "y", check.expect = dense<[[1.0, 2.0], [3.0, 0x7FC00000]]> : tensor<2x2xf32>}) {
  return %x : tensor<2x2xf32>
}

func.func @generated(%x: tensor<?x3xf32>, %w: tensor<3xf32>) -> tensor<?x3xf32> {
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

func.func @wrong_number(%x: tensor<2xf32> {check.value = dense<[1.0, 2.0]> : tensor<2xf32>})
    -> (tensor<2xf32> {check.expect = dense<[1.0, 2.5]> : tensor<2xf32>}) {
  return %x : tensor<2xf32>
}

func.func @wrong_by_one_ulp(%x: tensor<1xf32> {check.value = dense<0x3F800000> : tensor<1xf32>})
    -> (tensor<1xf32> {check.expect = dense<0x3F800001> : tensor<1xf32>}) {
  return %x : tensor<1xf32>
}

func.func @wrong_sign_of_zero(%x: tensor<1xf32> {check.value = dense<-0.0> : tensor<1xf32>})
    -> (tensor<1xf32> {check.expect = dense<0.0> : tensor<1xf32>}) {
  return %x : tensor<1xf32>
}

func.func @wrong_nan(%x: tensor<1xf32> {check.value = dense<0x7F800000> : tensor<1xf32>})
    -> (tensor<1xf32> {check.expect = dense<0x7FC00000> : tensor<1xf32>}) {
  return %x : tensor<1xf32>
}

func.func @wrong_shape(%x: tensor<1x?xf32> {check.value = dense<1.0> : tensor<1x2xf32>})
    -> (tensor<1x?xf32> {check.expect = dense<1.0> : tensor<1x1xf32>}) {
  return %x : tensor<1x?xf32>
}

func.func @trap_that_does_not_come(%ids: tensor<1xi32> {check.value = dense<2> : tensor<1xi32>})
    -> tensor<1x1xf32> attributes {check.trap = array<i64: 1, 7, 3>} {
  %t = arith.constant dense<1.0> : tensor<3x1xf32>
  %x = sluice.embed %t[%ids] : (tensor<3x1xf32>, tensor<1xi32>) -> tensor<1x1xf32>
  return %x : tensor<1x1xf32>
}

func.func @trap_that_is_not_expected(%ids: tensor<1xi32> {check.value = dense<3> : tensor<1xi32>})
    -> (tensor<1x1xf32> {check.expect = dense<0.0> : tensor<1x1xf32>}) {
  %t = arith.constant dense<1.0> : tensor<3x1xf32>
  %x = sluice.embed %t[%ids] : (tensor<3x1xf32>, tensor<1xi32>) -> tensor<1x1xf32>
  return %x : tensor<1x1xf32>
}

func.func @pins_nothing(%x: tensor<1xf32>) -> tensor<1xf32> {
  return %x : tensor<1xf32>
}
