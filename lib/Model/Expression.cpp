//===- Expression.cpp - arithmetic in descriptions -------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// One recursive-descent pass that evaluates as it parses. Depth is bounded, so a hostile text
// cannot overflow the stack. Both sides of `and` and `or` are always evaluated: a description's
// mistake shows whatever the configuration is.
//
//===----------------------------------------------------------------------===//
#include "Expression.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace llvm;

namespace sluice::model {

Value Value::ofBool(bool value) {
  Value result;
  result.kind = Bool;
  result.boolean = value;
  return result;
}
Value Value::ofInt(int64_t value) {
  Value result;
  result.kind = Int;
  result.integer = value;
  return result;
}
Value Value::ofFloat(double value) {
  Value result;
  result.kind = Float;
  result.number = value;
  return result;
}
Value Value::ofString(std::string value) {
  Value result;
  result.kind = String;
  result.text = std::move(value);
  return result;
}

bool Value::operator==(const Value &other) const {
  if (isNumber() && other.isNumber())
    return kind == Int && other.kind == Int ? integer == other.integer
                                            : asDouble() == other.asDouble();
  if (kind != other.kind)
    return false;
  switch (kind) {
  case None:
    return true;
  case Bool:
    return boolean == other.boolean;
  case String:
    return text == other.text;
  case List:
    return items == other.items;
  case Int:
  case Float:
    break;
  }
  llvm_unreachable("numbers are compared above");
}

std::string Value::describe() const {
  switch (kind) {
  case None:
    return "none";
  case Bool:
    return boolean ? "true" : "false";
  case Int:
    return std::to_string(integer);
  case Float:
    return floatText(number);
  case String:
    return "'" + text + "'";
  case List: {
    std::string list = "[";
    for (const Value &item : items)
      list += (list.size() > 1 ? ", " : "") + item.describe();
    return list + "]";
  }
  }
  llvm_unreachable("all kinds are listed");
}

std::string floatText(double value) {
  std::string text;
  for (int digits : {6, 9, 12, 15, 16, 17}) {
    text.clear();
    raw_string_ostream(text) << format("%.*g", digits, value);
    double back;
    if (!StringRef(text).getAsDouble(back) && back == value)
      break;
  }
  if (StringRef(text).find_first_of(".einf") == StringRef::npos)
    text += ".0";
  return text;
}

namespace {

constexpr unsigned maxExpressionDepth = 64;

class Evaluator {
public:
  Evaluator(StringRef text, Lookup lookup, ExpressionError &error)
      : text(text), lookup(lookup), error(error) {}

  std::optional<Value> run() {
    std::optional<Value> value = disjunction();
    if (value && !atEnd())
      return fail("expected the end of the expression");
    return value;
  }

private:
  std::nullopt_t fail(const Twine &message) {
    if (error.message.empty())
      error = {at, message.str()};
    return std::nullopt;
  }

  void skipSpace() {
    while (at < text.size() && isSpace(text[at]))
      ++at;
  }
  bool atEnd() {
    skipSpace();
    return at == text.size();
  }
  bool take(StringRef symbol) {
    skipSpace();
    StringRef rest = text.substr(at);
    if (!rest.starts_with(symbol))
      return false;
    // '/' must not take half of '//', '<' half of '<='.
    if ((symbol == "/" && rest.starts_with("//")) ||
        ((symbol == "<" || symbol == ">") && rest.size() > 1 && rest[1] == '='))
      return false;
    if (isAlpha(symbol[0]) && rest.size() > symbol.size() &&
        (isAlnum(rest[symbol.size()]) || rest[symbol.size()] == '_'))
      return false;
    at += symbol.size();
    return true;
  }

  std::optional<Value> disjunction() {
    std::optional<Value> left = conjunction();
    while (left && take("or"))
      left = logic(*left, conjunction(), [](bool a, bool b) { return a || b; });
    return left;
  }
  std::optional<Value> conjunction() {
    std::optional<Value> left = negation();
    while (left && take("and"))
      left = logic(*left, negation(), [](bool a, bool b) { return a && b; });
    return left;
  }
  std::optional<Value> logic(const Value &left, std::optional<Value> right,
                             function_ref<bool(bool, bool)> f) {
    if (!right)
      return right;
    if (left.kind != Value::Bool || right->kind != Value::Bool)
      return fail("expected true or false on both sides, but found " + left.describe() + " and " +
                  right->describe());
    return Value::ofBool(f(left.boolean, right->boolean));
  }
  std::optional<Value> negation() {
    bool inverted = false;
    while (take("not"))
      inverted = !inverted;
    std::optional<Value> value = comparison();
    if (!inverted || !value)
      return value;
    if (value->kind != Value::Bool)
      return fail("expected true or false after 'not', but found " + value->describe());
    return Value::ofBool(!value->boolean);
  }

  std::optional<Value> comparison() {
    std::optional<Value> left = sum();
    if (!left)
      return left;
    for (StringRef symbol : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (!take(symbol))
        continue;
      std::optional<Value> right = sum();
      if (!right)
        return right;
      if (symbol == "==")
        return Value::ofBool(*left == *right);
      if (symbol == "!=")
        return Value::ofBool(!(*left == *right));
      if (!left->isNumber() || !right->isNumber())
        return fail("expected numbers around '" + symbol + "', but found " + left->describe() +
                    " and " + right->describe());
      bool both = left->kind == Value::Int && right->kind == Value::Int;
      bool less = both ? left->integer < right->integer : left->asDouble() < right->asDouble();
      bool greater = both ? left->integer > right->integer : left->asDouble() > right->asDouble();
      return Value::ofBool(symbol == "<"    ? less
                           : symbol == ">"  ? greater
                           : symbol == "<=" ? !greater
                                            : !less);
    }
    return left;
  }

  std::optional<Value> sum() {
    std::optional<Value> left = product();
    while (left) {
      if (take("+"))
        left = arithmetic('+', *left, product());
      else if (take("-"))
        left = arithmetic('-', *left, product());
      else
        break;
    }
    return left;
  }
  std::optional<Value> product() {
    std::optional<Value> left = prefix();
    while (left) {
      if (take("*"))
        left = arithmetic('*', *left, prefix());
      else if (take("//"))
        left = arithmetic('f', *left, prefix());
      else if (take("/"))
        left = arithmetic('/', *left, prefix());
      else if (take("%"))
        left = arithmetic('%', *left, prefix());
      else
        break;
    }
    return left;
  }

  std::optional<Value> arithmetic(char symbol, const Value &left, std::optional<Value> right) {
    if (!right)
      return right;
    if (!left.isNumber() || !right->isNumber())
      return fail("expected numbers, but found " + left.describe() + " and " + right->describe());
    if (left.kind == Value::Int && right->kind == Value::Int)
      return integers(symbol, left.integer, right->integer);
    double a = left.asDouble(), b = right->asDouble(), result;
    switch (symbol) {
    case '+':
      result = a + b;
      break;
    case '-':
      result = a - b;
      break;
    case '*':
      result = a * b;
      break;
    case '/':
      result = a / b;
      break;
    default:
      return fail("'//' and '%' are for whole numbers, but found " + left.describe() + " and " +
                  right->describe());
    }
    if (!std::isfinite(result))
      return fail("the result is not a finite number");
    return Value::ofFloat(result);
  }

  std::optional<Value> integers(char symbol, int64_t a, int64_t b) {
    int64_t result = 0;
    bool overflow = false;
    switch (symbol) {
    case '+':
      overflow = AddOverflow(a, b, result);
      break;
    case '-':
      overflow = SubOverflow(a, b, result);
      break;
    case '*':
      overflow = MulOverflow(a, b, result);
      break;
    default:
      if (b == 0)
        return fail("division by zero");
      if (b == -1) { // the one quotient that can overflow
        if (symbol == '%')
          return Value::ofInt(0);
        overflow = SubOverflow<int64_t>(0, a, result);
        break;
      }
      result = a / b;
      if (symbol == '/' && a % b != 0)
        return fail(Twine(a) + " is not a multiple of " + Twine(b));
      bool roundsUp = a % b != 0 && (a < 0) != (b < 0);
      if (symbol == 'f')
        result -= roundsUp;
      if (symbol == '%')
        result = roundsUp ? a % b + b : a % b;
    }
    if (overflow)
      return fail("the result does not fit into 64 bits");
    return Value::ofInt(result);
  }

  std::optional<Value> prefix() {
    bool negative = false;
    while (take("-"))
      negative = !negative;
    std::optional<Value> value = primary();
    if (!negative || !value)
      return value;
    return arithmetic('-', value->kind == Value::Float ? Value::ofFloat(0) : Value::ofInt(0),
                      value);
  }

  StringRef word() {
    size_t start = at;
    while (at < text.size() && (isAlnum(text[at]) || text[at] == '_' || text[at] == '.'))
      ++at;
    return text.slice(start, at);
  }

  std::optional<Value> primary() {
    skipSpace();
    if (at == text.size())
      return fail("expected a value");
    size_t start = at;
    char c = text[at];
    if (c == '(') {
      if (++depth > maxExpressionDepth)
        return fail("expected at most " + Twine(maxExpressionDepth) + " nested parentheses");
      ++at;
      std::optional<Value> value = disjunction();
      if (value && !take(")"))
        return fail("expected ')'");
      --depth;
      return value;
    }
    if (c == '\'') {
      size_t end = text.find('\'', at + 1);
      if (end == StringRef::npos)
        return fail("expected a closing quote");
      at = end + 1;
      return Value::ofString(text.slice(start + 1, end).str());
    }
    if (isDigit(c))
      return number();
    bool isKey = c == '$';
    if (isKey)
      ++at;
    StringRef name = word();
    if (name.empty())
      return fail("expected a value");
    if (!isKey) {
      if (name == "true" || name == "false")
        return Value::ofBool(name == "true");
      if (name == "none")
        return Value();
      if (argumentCount(name))
        return call(name);
    }
    std::optional<Value> value = lookup(name, isKey);
    if (!value) {
      at = start;
      return fail(isKey ? "no key '$" + name + "' is declared under 'config'"
                        : "no axis '" + name + "' is declared under 'axes'");
    }
    return value;
  }

  std::optional<Value> number() {
    size_t start = at;
    auto digits = [&] {
      while (at < text.size() && isDigit(text[at]))
        ++at;
    };
    digits();
    if (text[start] == '0' && at > start + 1) {
      at = start;
      return fail("numbers have no leading zeros");
    }
    bool isFloat = false;
    if (at < text.size() && text[at] == '.') {
      isFloat = true;
      ++at;
      digits();
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
      isFloat = true;
      ++at;
      if (at < text.size() && (text[at] == '+' || text[at] == '-'))
        ++at;
      digits();
    }
    StringRef found = text.slice(start, at);
    if (at < text.size() && (isAlnum(text[at]) || text[at] == '_' || text[at] == '.')) {
      at = start;
      return fail("expected a number");
    }
    int64_t integer;
    double value;
    if (!isFloat && !found.getAsInteger(10, integer))
      return Value::ofInt(integer);
    if (isFloat && isDigit(found.back()) && !found.getAsDouble(value) && std::isfinite(value))
      return Value::ofFloat(value);
    at = start;
    return fail("number '" + found + "' is malformed or out of range");
  }

  /// 0 when there is no such function.
  static unsigned argumentCount(StringRef name) {
    return StringSwitch<unsigned>(name)
        .Cases({"sqrt", "ln", "floor", "length"}, 1)
        .Cases({"min", "max", "pow", "contains"}, 2)
        .Cases({"choose", "item"}, 3)
        .Default(0);
  }

  std::optional<Value> call(StringRef name) {
    if (++depth > maxExpressionDepth)
      return fail("expected fewer nested calls");
    if (!take("("))
      return fail("expected '(' after '" + name + "'");
    SmallVector<Value, 3> arguments;
    for (unsigned i = 0, count = argumentCount(name); i != count; ++i) {
      if (i && !take(","))
        return fail("expected " + Twine(count) + " arguments of '" + name + "'");
      std::optional<Value> one = disjunction();
      if (!one)
        return one;
      arguments.push_back(std::move(*one));
    }
    if (!take(")"))
      return fail("expected ')'");
    --depth;
    return apply(name, arguments);
  }

  std::optional<Value> apply(StringRef name, ArrayRef<Value> arguments) {
    const Value &first = arguments[0];
    if (name == "choose") {
      if (first.kind != Value::Bool)
        return fail("expected true or false to choose by, but found " + first.describe());
      return first.boolean ? arguments[1] : arguments[2];
    }
    if (name == "item")
      return item(first, arguments[1], arguments[2]);
    if (name == "length" || name == "contains") {
      if (first.kind != Value::List && first.kind != Value::None)
        return fail("expected a list, but found " + first.describe());
      return name == "length" ? Value::ofInt(first.items.size())
                              : Value::ofBool(is_contained(first.items, arguments[1]));
    }
    for (const Value &one : arguments)
      if (!one.isNumber())
        return fail("expected numbers in '" + name + "', but found " + one.describe());
    if (name == "min" || name == "max")
      return (first.asDouble() < arguments[1].asDouble()) == (name == "min") ? first : arguments[1];
    double x = first.asDouble();
    if (name == "sqrt" && x < 0)
      return fail("square root of the negative number " + first.describe());
    if (name == "ln" && x <= 0)
      return fail("logarithm of " + first.describe() + ", which is not positive");
    if (name == "floor") {
      double down = std::floor(x);
      if (!(std::fabs(down) < 0x1p62))
        return fail("the result does not fit into 64 bits");
      return Value::ofInt(int64_t(down));
    }
    double result = name == "sqrt" ? std::sqrt(x)
                    : name == "ln" ? std::log(x)
                                   : std::pow(x, arguments[1].asDouble());
    if (!std::isfinite(result))
      return fail("the result is not a finite number");
    return Value::ofFloat(result);
  }

  std::optional<Value> item(const Value &list, const Value &number, const Value &otherwise) {
    if (list.kind == Value::None)
      return otherwise;
    if (list.kind != Value::List || number.kind != Value::Int)
      return fail("expected a list and a whole number, but found " + list.describe() + " and " +
                  number.describe());
    if (number.integer < 0 || uint64_t(number.integer) >= list.items.size())
      return fail("expected a number below " + Twine(list.items.size()) +
                  ", the length of the list, but found " + number.describe());
    return list.items[number.integer];
  }

  StringRef text;
  Lookup lookup;
  ExpressionError &error;
  size_t at = 0;
  unsigned depth = 0;
};

} // namespace

std::optional<Value> evaluate(StringRef text, Lookup lookup, ExpressionError &error) {
  return Evaluator(text, lookup, error).run();
}

} // namespace sluice::model
