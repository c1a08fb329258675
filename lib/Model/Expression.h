//===- Expression.h - arithmetic in descriptions ---------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Values of descriptions and the small language that computes them:
//
//   or and not  == != < <= > >=  + -  * / // %  unary -  ( )
//   min(a, b)  max(a, b)  pow(a, b)  sqrt(a)  ln(a)  floor(a)  length(list)  contains(list, a)
//   choose(condition, then, otherwise)  item(list, number, otherwise)
//   numbers, 'text', true, false, none, $key (of config.json), name (of an axis)
//
// All arguments are evaluated, whatever they are chosen by. item() gives |otherwise| when the list
// is none; none has length 0 and contains nothing.
//
// Integers are 64 bits and checked: what overflows is an error, and so is `/` that leaves a
// remainder (`//` rounds down). A number with a leading zero is an error, because YAML tools
// disagree about what it means.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_EXPRESSION_H
#define SLUICE_LIB_MODEL_EXPRESSION_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>

namespace sluice::model {

struct Value {
  enum Kind { None, Bool, Int, Float, String, List };

  Kind kind = None;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<Value> items;

  static Value ofBool(bool value);
  static Value ofInt(int64_t value);
  static Value ofFloat(double value);
  static Value ofString(std::string value);

  bool isNumber() const { return kind == Int || kind == Float; }
  double asDouble() const { return kind == Int ? double(integer) : number; }
  /// Equal by meaning: 1 and 1.0 are.
  bool operator==(const Value &other) const;
  /// "7", "'text'", "none": for messages.
  std::string describe() const;
};

/// Finds the value of a name; |isKey| when it was written with a '$'. Nullopt when there is none.
using Lookup = llvm::function_ref<std::optional<Value>(llvm::StringRef name, bool isKey)>;

/// Why an expression has no value, and where in its text.
struct ExpressionError {
  size_t offset = 0;
  std::string message;
};

/// Evaluates |text|. On failure fills |error|.
std::optional<Value> evaluate(llvm::StringRef text, Lookup lookup, ExpressionError &error);

/// The shortest decimal text that reads back as |value|, always with a '.' or an exponent.
std::string floatText(double value);

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_EXPRESSION_H
