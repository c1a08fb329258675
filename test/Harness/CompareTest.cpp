// SPDX-License-Identifier: Apache-2.0
//
// The comparer: what it must find, and what it must let pass.

#include "sluice/Reference/Compare.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/MLIRContext.h"
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace sluice::reference;

namespace {
const double kInf = std::numeric_limits<double>::infinity(), kNaN = std::nan("");

struct Compare : testing::Test {
  mlir::MLIRContext context;
  mlir::Type f32 = mlir::Float32Type::get(&context), bf16 = mlir::BFloat16Type::get(&context);

  Tensor exact(std::vector<double> numbers) {
    Tensor tensor(f32, {static_cast<int64_t>(numbers.size())});
    tensor.numbers = numbers;
    return tensor;
  }
  Tensor bounded(std::vector<double> numbers, double slack) {
    Tensor tensor = Tensor::bounded(f32, {static_cast<int64_t>(numbers.size())});
    for (size_t i = 0; i < numbers.size(); ++i)
      tensor.put(static_cast<int64_t>(i), numbers[i], slack);
    return tensor;
  }
};
} // namespace

TEST_F(Compare, FindsTheWorstElement) {
  Report report = compare(bounded({1, 2, 3}, 0.1), exact({1.05, 2.5, 3.2}));
  EXPECT_EQ(report.wrong, 2);
  EXPECT_EQ(report.worst, 1);
  EXPECT_EQ(report.expected, 2);
  EXPECT_EQ(report.found, 2.5);
}

TEST_F(Compare, BoundIsSharp) {
  EXPECT_TRUE(compare(bounded({1}, 0.5), exact({1.5})).passed());
  EXPECT_FALSE(compare(bounded({1}, 0.5), exact({std::nextafter(1.5f, 2.0f)})).passed());
}

TEST_F(Compare, SpecialsMatchInKindAndSign) {
  for (Tensor expected : {exact({kNaN, kInf, -kInf}), bounded({kNaN, kInf, -kInf}, 1e30)}) {
    EXPECT_TRUE(compare(expected, exact({-kNaN, kInf, -kInf})).passed());
    EXPECT_EQ(compare(expected, exact({1, kInf, -kInf})).wrong, 1);
    EXPECT_EQ(compare(expected, exact({kNaN, -kInf, -kInf})).wrong, 1);
    EXPECT_EQ(compare(expected, exact({kNaN, 3e38, kNaN})).wrong, 2);
  }
  EXPECT_FALSE(compare(bounded({1}, 1e30), exact({kNaN})).passed());
  EXPECT_FALSE(compare(bounded({1}, 0.1), exact({kInf})).passed());
}

TEST_F(Compare, ZerosHaveASignOnlyWhereExact) {
  EXPECT_FALSE(compare(exact({0.0}), exact({-0.0})).passed());
  EXPECT_TRUE(compare(bounded({0.0}, 0), exact({-0.0})).passed());
}

TEST_F(Compare, RoundedResultsMayFlipOnlyNearATie) {
  // Neighbours of bf16 at 1: 1 and 1.0078125; the tie is 1.00390625.
  Tensor expected = Tensor::bounded(bf16, {2}), found(bf16, {2});
  expected.put(0, 1.0039, 1e-4);
  expected.put(1, 1.001, 1e-4);
  found.numbers = {1.0078125, 1.0078125};
  Report report = compare(expected, found);
  EXPECT_EQ(report.wrong, 1);
  EXPECT_EQ(report.worst, 1);
  EXPECT_EQ(report.ulp, 1);
}

TEST_F(Compare, ProgramsAreHeldToTheirRow) {
  Tensor expected = exact({1, -1, 1e-9, 1e-9});
  expected.shape = {2, 2};
  expected.accuracy = Accuracy::Program;
  auto found = [&](std::vector<double> numbers) {
    Tensor tensor = exact(numbers);
    tensor.shape = {2, 2};
    return tensor;
  };
  EXPECT_TRUE(compare(expected, found({1.00002, -1, 1e-9, 1e-9})).passed());
  EXPECT_FALSE(compare(expected, found({1.0002, -1, 1e-9, 1e-9})).passed());
  // A large row does not excuse a small one.
  EXPECT_FALSE(compare(expected, found({1, -1, 2e-9, 1e-9})).passed());
}

TEST_F(Compare, ShapesAndTypesMustAgree) {
  EXPECT_FALSE(compare(exact({1, 2}), exact({1})).passed());
  EXPECT_FALSE(compare(Tensor(f32, {1}), Tensor(bf16, {1})).passed());
}

TEST_F(Compare, PagesSeeAWriteToASlotThatIsNotTheirs) {
  Pages before(1, 1, 2, 2, 16, f32, 2);
  Pages after = before;
  EXPECT_TRUE(compare(before, after).passed());
  after.setKey(0, 1, 0, 15, 1, 4.0);
  EXPECT_EQ(compare(before, after).wrong, 1);
}

TEST_F(Compare, RoundingIsToNearestEven) {
  EXPECT_EQ(roundTo(bf16, 1.00390625), 1.0);
  EXPECT_EQ(roundTo(bf16, 1.01171875), 1.015625);
  EXPECT_EQ(roundTo(f32, 1e39), kInf);
  EXPECT_TRUE(std::signbit(roundTo(bf16, -0.0)));
  EXPECT_EQ(ulpOf(bf16, 1.0), 0.0078125);
  EXPECT_EQ(ulpOf(f32, 0.0), 0x1p-149);
}
