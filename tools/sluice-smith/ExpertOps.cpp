// SPDX-License-Identifier: Apache-2.0
//
// Random layers of experts, and heads that each have a part of a weight.

#include "Program.h"

#include <algorithm>

using namespace sluice::smith;

/// A whole layer: a router whose logits are an argument (choices that depend on what is computed
/// may be near a tie), one or two matrices for each expert, and their sum.
bool Program::writeExperts() {
  std::optional<Value> found = any([](const Value &value) {
    return !value.heads && value.element != "f16" && value.space == Space::Rows;
  });
  if (!found || depth)
    return false;
  Value x = found->element == "f32" ? tamed(*found) : *found;
  int64_t experts = random.between(1, 9), top = random.between(1, std::min<int64_t>(experts, 4));
  Value logits;
  logits.width = experts;
  logits = argument(logits);
  std::string ids = fresh("chosen"), weights = fresh("share");
  std::string chosen = "tensor<?x" + std::to_string(top) + "xi32>",
              shares = "tensor<?x" + std::to_string(top) + "xf32>";
  std::string score = random.word({"softmax", "sigmoid", "sqrt_softplus", "raw"}).str();
  std::string weigh = score == "raw" ? "softmax" : random.word({"score", "sum"}).str();
  std::string attributes =
      random.once(3) ? " {scale = " + number(random.real(0.5, 3)) + " : f64}" : "";
  line(ids + ", " + weights + " = sluice.route " + score + " " + logits.name + " top " +
       std::to_string(top) + " weigh " + weigh + attributes + " : (" + logits.type() + ") -> (" +
       chosen + ", " + shares + ")");
  // The results of each choice are a dimension of heads, to the types here.
  auto layer = [&](const Value &rows, int64_t width) {
    Value y = made(rows);
    y.heads = top;
    y.width = width;
    y.element = "f32";
    y.size = 1.2 * rows.size;
    std::string encoding, text;
    if (random.once(3))
      encoding = "#sluice.blocks<element = " + random.word({"i8", "i4"}).str() +
                 ", rows = 1, columns = 32, scale = bf16>";
    std::string w = param({width, rows.width}, rows.element, "weight", encoding, experts);
    std::string types = rows.type() + ", " +
                        tensorType({experts, width, rows.width}, rows.element, encoding) + ", " +
                        chosen;
    std::string coded = !encoding.empty() && random.once(2) ? " inputs int8" : "";
    if (random.once(2)) {
      text += " bias " + param({width}, "f32", "bias", "", experts);
      types += ", " + tensorType({experts, width}, "f32");
    }
    line(y.name + " = sluice.route.experts " + rows.name + ", " + w + coded + " by " + ids + text +
         " : (" + types + ") -> " + y.type());
    return y;
  };
  int64_t inner = uneven ? random.between(leastWidth, 40) : 8 * random.between(1, 6);
  Value y = layer(x, inner);
  if (random.once(2)) {
    Value a = made(y);
    a.element = random.word({"f32", "bf16"}).str();
    line(a.name + " = sluice.activation " + random.word({"silu", "gelu_tanh", "relu"}).str() + " " +
         y.name + " : (" + y.type() + ") -> " + a.type());
    y = layer(a, random.once(2) ? x.width : inner);
  }
  Value sum = made(y);
  sum.heads = 0;
  sum.size = 3 * y.size;
  std::string text, types = y.type() + ", " + shares;
  if (random.once(2))
    if (std::optional<Value> residual = any([&](const Value &value) {
          return !value.heads && value.element == "f32" && value.width == sum.width &&
                 value.space == Space::Rows;
        })) {
      text = " residual " + residual->name;
      types += ", " + residual->type();
      sum.size += residual->size;
    }
  line(sum.name + " = sluice.route.combine " + y.name + " weights " + weights + text + " : (" +
       types + ") -> " + sum.type());
  add(sum);
  return true;
}

static bool hasHeads(const Value &value) {
  return value.heads && value.element == "f32" && value.space == Space::Rows;
}

bool Program::writeHeadsLinear() {
  std::optional<Value> x = any(hasHeads);
  if (!x)
    return false;
  Value y = made(*x);
  y.width = random.between(leastWidth, 40);
  y.size = 1.2 * x->size;
  bool turned = random.once(2);
  // Rows of a head's block that are used, and some that are not.
  int64_t used = turned ? x->width : y.width, first = random.between(0, 5),
          block = first + used + random.between(0, 5);
  std::vector<int64_t> shape = {x->heads * block, turned ? y.width : x->width};
  std::string element = random.word({"f32", "bf16", "f16"}).str();
  batch();
  std::string w = param(shape, element, "weight");
  line(y.name + " = sluice.heads.linear " + (turned ? "turned " : "plain ") + x->name + ", " + w +
       " {first = " + std::to_string(first) + " : i64} : (" + x->type() + ", " +
       tensorType(shape, element) + ") -> " + y.type());
  add(y);
  return true;
}

bool Program::writeHeadsJoin() {
  std::optional<Value> a = any(hasHeads);
  if (!a)
    return false;
  std::optional<Value> b = any([&](const Value &value) {
    return hasHeads(value) && (value.heads == a->heads || value.heads == 1);
  });
  Value y = made(*a);
  y.width = a->width + b->width;
  y.size = std::max(a->size, b->size);
  line(y.name + " = sluice.heads.join " + a->name + ", " + b->name + " : (" + a->type() + ", " +
       b->type() + ") -> " + y.type());
  add(y);
  return true;
}
