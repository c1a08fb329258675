//===- ExpressionTest.cpp - arithmetic in descriptions ---------------------===//
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//
#include "lib/Model/Expression.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace sluice::model;

namespace {

std::string result(llvm::StringRef text) {
  ExpressionError error;
  auto value = evaluate(
      text,
      [](llvm::StringRef name, bool isKey) -> std::optional<Value> {
        if (isKey && name == "heads")
          return Value::ofInt(12);
        if (isKey && name == "act")
          return Value::ofString("gelu");
        if (isKey && name == "bias")
          return Value::ofBool(true);
        if (isKey && name == "types") {
          Value list;
          list.kind = Value::List;
          list.items = {Value::ofString("a"), Value::ofString("b")};
          return list;
        }
        if (!isKey && name == "hidden")
          return Value::ofInt(384);
        return std::nullopt;
      },
      error);
  return value ? value->describe()
               : "error at " + std::to_string(error.offset) + ": " + error.message;
}

TEST(Expression, Values) {
  EXPECT_EQ(result("7"), "7");
  EXPECT_EQ(result(" 1 + 2 * 3 "), "7");
  EXPECT_EQ(result("(1 + 2) * 3"), "9");
  EXPECT_EQ(result("hidden / $heads"), "32");
  EXPECT_EQ(result("10 - 2 - 3"), "5");
  EXPECT_EQ(result("-7 // 2"), "-4");
  EXPECT_EQ(result("-7 % 2"), "1");
  EXPECT_EQ(result("7 // -2"), "-4");
  EXPECT_EQ(result("--3"), "3");
  EXPECT_EQ(result("1 / sqrt(16)"), "0.25");
  EXPECT_EQ(result("1e-12"), "1e-12");
  EXPECT_EQ(result("1.5 + 1"), "2.5");
  EXPECT_EQ(result("min(3, 4) + max(1, 2)"), "5");
  EXPECT_EQ(result("'a b'"), "'a b'");
  EXPECT_EQ(result("none"), "none");
}

TEST(Expression, Functions) {
  EXPECT_EQ(result("pow(2, 10)"), "1024.0");
  EXPECT_EQ(result("ln(1)"), "0.0");
  EXPECT_EQ(result("floor(7.9) + floor(-0.5)"), "6");
  EXPECT_EQ(result("floor(96 * 0.25)"), "24");
  EXPECT_EQ(result("choose($bias, 'yes', 7)"), "'yes'");
  EXPECT_EQ(result("choose(not $bias, 'yes', none)"), "none");
  EXPECT_EQ(result("item($types, 1, 'x')"), "'b'");
  EXPECT_EQ(result("item(none, 1, 'x')"), "'x'");
  EXPECT_EQ(result("length($types) + length(none)"), "2");
  EXPECT_EQ(result("contains($types, 'b') and not contains($types, 'c')"), "true");
  EXPECT_EQ(result("contains(none, 1)"), "false");
  EXPECT_EQ(result("item($types, 2, 'x')"),
            "error at 20: expected a number below 2, the length of the list, but found 2");
  EXPECT_EQ(result("item($types, -1, 'x')"),
            "error at 21: expected a number below 2, the length of the list, but found -1");
  EXPECT_EQ(result("choose(1, 2, 3)"),
            "error at 15: expected true or false to choose by, but found 1");
  EXPECT_EQ(result("choose(true, 2)"), "error at 14: expected 3 arguments of 'choose'");
  EXPECT_EQ(result("ln(0)"), "error at 5: logarithm of 0, which is not positive");
  EXPECT_EQ(result("pow(10, 400)"), "error at 12: the result is not a finite number");
  EXPECT_EQ(result("floor(1e300)"), "error at 12: the result does not fit into 64 bits");
  EXPECT_EQ(result("length(3)"), "error at 9: expected a list, but found 3");
}

TEST(Expression, Conditions) {
  EXPECT_EQ(result("not $bias"), "false");
  EXPECT_EQ(result("not not $bias"), "true");
  EXPECT_EQ(result("$act == 'gelu' and hidden % $heads == 0"), "true");
  EXPECT_EQ(result("$act != 'gelu' or hidden < 1"), "false");
  EXPECT_EQ(result("1 == 1.0"), "true");
  EXPECT_EQ(result("1 <= 1"), "true");
  EXPECT_EQ(result("2 >= 3"), "false");
  EXPECT_EQ(result("none == 'x'"), "false");
}

TEST(Expression, Errors) {
  EXPECT_EQ(result(""), "error at 0: expected a value");
  EXPECT_EQ(result("1 +"), "error at 3: expected a value");
  EXPECT_EQ(result("1 2"), "error at 2: expected the end of the expression");
  EXPECT_EQ(result("010"), "error at 0: numbers have no leading zeros");
  EXPECT_EQ(result("1_000"), "error at 0: expected a number");
  EXPECT_EQ(result("1e"), "error at 0: number '1e' is malformed or out of range");
  EXPECT_EQ(result("1e999"), "error at 0: number '1e999' is malformed or out of range");
  EXPECT_EQ(result("9223372036854775808"),
            "error at 0: number '9223372036854775808' is malformed or out of range");
  EXPECT_EQ(result("9223372036854775807 + 1"), "error at 23: the result does not fit into 64 bits");
  EXPECT_EQ(result("(-9223372036854775807 - 1) / -1"),
            "error at 31: the result does not fit into 64 bits");
  EXPECT_EQ(result("(-9223372036854775807 - 1) % -1"), "0");
  EXPECT_EQ(result("5 / 2"), "error at 5: 5 is not a multiple of 2");
  EXPECT_EQ(result("5 % 0"), "error at 5: division by zero");
  EXPECT_EQ(result("1.0 / 0.0"), "error at 9: the result is not a finite number");
  EXPECT_EQ(result("$width"), "error at 0: no key '$width' is declared under 'config'");
  EXPECT_EQ(result("1 + width"), "error at 4: no axis 'width' is declared under 'axes'");
  EXPECT_EQ(result("'a"), "error at 0: expected a closing quote");
  EXPECT_EQ(result("(1"), "error at 2: expected ')'");
  EXPECT_EQ(result("$act + 1"), "error at 8: expected numbers, but found 'gelu' and 1");
  EXPECT_EQ(result("1 and true"),
            "error at 10: expected true or false on both sides, but found 1 and true");
  EXPECT_EQ(result("sqrt(-1)"), "error at 8: square root of the negative number -1");
}

TEST(Expression, FloatsReadBack) {
  for (double value :
       {1.0, 0.1, 1e-12, 1e300, 0.17677669529663687, 5e-324, 1.0 / 3, 123456789.0, 1e22}) {
    ExpressionError error;
    std::string text = floatText(value);
    auto back = evaluate(text, [](llvm::StringRef, bool) { return std::optional<Value>(); }, error);
    ASSERT_TRUE(back) << text << ": " << error.message;
    EXPECT_EQ(back->kind, Value::Float) << text;
    EXPECT_EQ(back->number, value) << text;
  }
}

} // namespace
