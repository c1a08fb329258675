// SPDX-License-Identifier: Apache-2.0
//
// Random ops of every family but attention.

#include "Program.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cmath>

using namespace sluice::smith;

static bool isPlain(const Value &value) { return !value.heads && value.element == "f32"; }

/// A width that vectors divide, or in uneven programs any.
static int64_t width(Random &random, bool uneven, int64_t most = 72) {
  return uneven ? random.between(leastWidth, most) : 8 * random.between(1, most / 8);
}

static const char *const functions[] = {"silu",  "gelu_erf", "gelu_tanh", "quick_gelu", "relu",
                                        "relu2", "tanh",     "sigmoid",   "identity"};

bool Program::writeLinear() {
  std::optional<Value> found =
      any([](const Value &value) { return !value.heads && value.element != "f16"; });
  if (!found)
    return false;
  Value x = found->element == "f32" ? tamed(*found) : *found, y = made(x);
  y.width = width(random, uneven);
  y.element = "f32";
  y.size = 1.2 * x.size;
  // f16 weights take f32 rows too; otherwise rows and weights are alike.
  std::string element = x.element == "f32" && random.once(5) ? "f16" : x.element, encoding;
  if (random.once(3)) {
    int64_t columns = random.pick(std::vector<int64_t>{32, 64, 128});
    encoding = "#sluice.blocks<element = " + random.word({"i8", "i4"}).str() +
               ", rows = 1, columns = " + std::to_string(columns) + ", scale = bf16>";
  }
  std::string w = param({y.width, x.width}, element, "weight", encoding);
  std::string types = x.type() + ", " + tensorType({y.width, x.width}, element, encoding), text;
  if (!encoding.empty() && random.once(2))
    text += " inputs int8";
  if (random.once(2)) {
    text += " bias " + param({y.width}, "f32", "bias");
    types += ", " + tensorType({y.width}, "f32");
  }
  if (random.once(3)) {
    std::string function = functions[random.between(0, 8)];
    text += " activation " + function;
    y.size = function == "relu2" ? y.size * y.size * 2 : y.size;
  }
  if (random.once(3))
    if (std::optional<Value> residual = any([&](const Value &value) {
          return isPlain(value) && value.width == y.width && value.space == y.space;
        })) {
      text += " residual " + residual->name;
      types += ", " + residual->type();
      y.size += residual->size;
    }
  line(y.name + " = sluice.linear " + x.name + ", " + w + text + " : (" + types + ") -> " +
       y.type());
  add(y);
  return true;
}

bool Program::writeNorm() {
  std::optional<Value> x = any([](const Value &value) { return value.element == "f32"; });
  if (!x)
    return false;
  Value y = made(*x);
  // The difference of two equal means is all rounding: rows of layer norms are long enough.
  std::string kind = random.word({"rms", "rms", "layer", "l2"}).str();
  if (kind == "layer" && x->width < 8)
    kind = "rms";
  y.size = kind == "l2" ? 1 / std::sqrt(static_cast<double>(x->width)) : 1;
  if (kind != "l2" && random.once(3))
    y.element = random.word({"bf16", "bf16", "f16"}).str();
  std::string text, types = x->type(),
                    attributes = "eps = " + number(random.once(4) ? 1e-3 : 1e-5) + " : f64";
  if (kind != "l2" && random.once(2)) {
    int64_t count = x->heads && random.once(2) ? x->heads * x->width : x->width;
    std::string element = random.word({"f32", "bf16"}).str();
    bool offset = random.once(4);
    text += " weight " + param({count}, element, offset ? "bias" : "scale");
    types += ", " + tensorType({count}, element);
    if (random.once(2)) {
      text += " bias " + param({count}, element, "bias");
      types += ", " + tensorType({count}, element);
    }
    if (offset)
      attributes += ", offset = 1.000e+00 : f64";
  }
  line(y.name + " = sluice.norm " + kind + " " + x->name + text + " {" + attributes + "} : (" +
       types + ") -> " + y.type());
  add(y);
  return true;
}

bool Program::writeActivation() {
  std::optional<Value> found = any(isPlain);
  if (!found)
    return false;
  Value x = tamed(*found), y = made(x);
  std::string function = functions[random.between(0, 8)], text, attributes;
  auto attribute = [&](const char *name, double value) {
    attributes +=
        (attributes.empty() ? "" : ", ") + std::string(name) + " = " + number(value) + " : f64";
  };
  if (x.width % 2 == 0 && x.width >= 2 * leastWidth && random.once(2)) {
    text = " gated";
    y.width = x.width / 2;
    y.size = x.size * x.size;
    if (random.once(3))
      attribute("limit", random.real(0.5, 7));
    if (random.once(3))
      attribute("up_offset", random.real(-1, 1));
  }
  if (function == "relu2")
    y.size *= 2 * x.size;
  if (random.once(4)) {
    double scale = random.real(0.25, 2);
    attribute("input_scale", scale);
    y.size *= scale;
  }
  if (random.once(4)) {
    double scale = random.real(0.5, 3);
    attribute("output_scale", random.once(2) ? scale : -scale);
    y.size *= scale;
  }
  if (random.once(3))
    y.element = random.word({"bf16", "bf16", "f16"}).str();
  line(y.name + " = sluice.activation " + function + " " + x.name + text +
       (attributes.empty() ? "" : " {" + attributes + "}") + " : (" + x.type() + ") -> " +
       y.type());
  add(y);
  return true;
}

bool Program::writeAdd() {
  std::optional<Value> a = any(isPlain);
  if (!a)
    return false;
  std::optional<Value> b = any([&](const Value &value) {
    return isPlain(value) && value.width == a->width && value.space == a->space;
  });
  Value y = made(*a);
  y.size = a->size + b->size;
  if (random.once(3))
    line(y.name + " = sluice.add " + a->name + ", " + b->name + " : (" + a->type() + ", " +
         b->type() + ") -> " + y.type());
  else
    line(y.name + " = arith.addf " + a->name + ", " + b->name + " : " + y.type());
  add(y);
  return true;
}

bool Program::writeClamp() {
  std::optional<Value> x =
      any([](const Value &value) { return !value.heads && value.element != "f16"; });
  if (!x)
    return false;
  Value y = made(*x);
  std::string w, type;
  std::optional<Value> other = any([&](const Value &value) {
    return !value.heads && value.element == x->element && value.width == x->width &&
           value.space == x->space;
  });
  if (random.once(2)) {
    w = other->name;
    type = other->type();
  } else {
    w = param({x->width}, x->element, random.word({"bias", "scale"}));
    type = tensorType({x->width}, x->element);
  }
  line(y.name + " = sluice.clamp " + x->name + " width " + w + " nan " +
       random.word({"propagate", "ignore"}).str() + " : (" + x->type() + ", " + type + ") -> " +
       y.type());
  y.size = std::min(y.size, 1.0);
  add(y);
  return true;
}

std::string Program::ropeScaling(int64_t dims) {
  std::string factor = number(random.real(1.1, 16)),
              original = std::to_string(random.pick(std::vector<int64_t>{8, 30, 256, 4096}));
  switch (random.between(0, dims > 2 ? 7 : 3)) {
  case 0:
    return "#sluice.rope_linear<factor = " + factor + ">";
  case 1:
    return "#sluice.rope_llama3<factor = " + factor +
           ", low = 1.0, high = " + number(random.real(1.5, 8)) + ", original = " + original + ">";
  case 2:
    return "#sluice.rope_yarn<factor = " + factor +
           ", fast = 32.0, slow = 1.0, original = " + original +
           ", corners = " + random.word({"whole", "exact"}).str() + ">";
  case 4:
    return "#sluice.rope_ntk<factor = " + factor + ">";
  case 5:
    return "#sluice.rope_dynamic<factor = " + factor + ", original = " + original + ">";
  case 6: {
    std::string lists[2];
    for (std::string &list : lists)
      for (int64_t i = 0; i < dims / 2; ++i)
        list += (i ? ", " : "") + number(random.real(0.8, 12));
    return "#sluice.rope_longrope<short_factors = [" + lists[0] + "], long_factors = [" + lists[1] +
           "], original = " + original + ">";
  }
  default:
    return "";
  }
}

bool Program::writeRope() {
  std::optional<Value> x = any([](const Value &value) {
    return value.heads && value.width > 1 && value.element == "f32" && value.space == Space::Rows;
  });
  if (!x)
    return false;
  Value y = made(*x);
  int64_t dims = x->width / 2 * 2;
  std::string attributes = "theta = " + number(random.pick(std::vector<double>{1e4, 5e5, 100}));
  attributes += " : f64";
  if (dims != x->width || random.once(3)) {
    dims = random.once(2) ? dims : 2 * random.between(1, dims / 2);
    attributes += ", dims = " + std::to_string(dims) + " : i64";
  }
  std::string scaling = ropeScaling(dims), at = positions(), text, types;
  if (!scaling.empty())
    attributes += ", scaling = " + scaling;
  if (random.once(4)) {
    double amplitude = random.real(0.7, 1.5);
    attributes += ", amplitude = " + number(amplitude) + " : f64";
    y.size *= amplitude;
  }
  if (llvm::StringRef(scaling).starts_with("#sluice.rope_dynamic") ||
      llvm::StringRef(scaling).starts_with("#sluice.rope_longrope")) {
    text = " batch " + batch();
    types = ", !sluice.batch";
  }
  line(y.name + " = sluice.rope " + random.word({"halves", "neighbours"}).str() + " " + x->name +
       " at " + at + text + " {" + attributes + "} : (" + x->type() + ", tensor<?xi32>" + types +
       ") -> " + y.type());
  add(y);
  return true;
}

bool Program::writeEmbed() {
  if (depth)
    return false;
  Value y;
  y.width = width(random, uneven);
  int64_t rows = random.between(2, 60), offset = random.once(4) ? random.between(1, rows - 1) : 0;
  std::string element = random.word({"f32", "bf16", "f16"}).str(), encoding;
  if (random.once(4))
    encoding = "#sluice.blocks<element = " + random.word({"i8", "i4"}).str() +
               ", rows = 1, columns = 32, scale = bf16>";
  y.name = fresh();
  // Learned positions are read by number of row, so the table must be as long as the batch.
  std::string ids = integerArgument(rows - offset);
  std::string table = param({rows, y.width}, element, "table", encoding);
  if (encoding.empty() && random.once(4))
    y.element = element;
  line(y.name + " = sluice.embed " + table + "[" + ids + "]" +
       (offset ? " {offset = " + std::to_string(offset) + " : i64}" : "") + " : (" +
       tensorType({rows, y.width}, element, encoding) + ", tensor<?xi32>) -> " + y.type());
  add(y);
  return true;
}

bool Program::writeGather() {
  if (depth)
    return false;
  Value y;
  y.width = width(random, uneven);
  y.name = fresh();
  int64_t rows = random.between(2, 60);
  std::string future = fresh("f"), ids = integerArgument(rows),
              table = param({rows, y.width}, "f32", "table");
  std::string type = tensorType({rows, y.width}, "f32");
  line(future + " = sluice.gather " + table + "[" + ids + "] home \"host\" : (" + type +
       ", tensor<?xi32>) -> !sluice.future<" + y.type() + ">");
  // What comes between runs while the rows travel.
  if (random.once(2))
    writeLinear();
  line(y.name + " = sluice.await " + future + " : !sluice.future<" + y.type() + "> -> " + y.type());
  add(y);
  return true;
}

bool Program::writePool() {
  std::optional<Value> x =
      any([](const Value &value) { return isPlain(value) && value.space == Space::Rows; });
  if (!x || depth)
    return false;
  Value y = made(*x);
  y.space = Space::Seqs;
  line(y.name + " = sluice.pool " + random.word({"mean", "first", "last"}).str() + " " + x->name +
       " batch " + batch() + " : (" + x->type() + ", !sluice.batch) -> " + y.type());
  add(y);
  return true;
}

/// Some of the rows, by number.
bool Program::writeAsked() {
  std::optional<Value> x =
      any([](const Value &value) { return isPlain(value) && value.space == Space::Rows; });
  if (!x || depth || arguments.find("\"ask\"") != std::string::npos)
    return false;
  batch();
  Value y = made(*x);
  y.space = Space::Asked;
  std::string ask = fresh("ask");
  arguments += ",\n    " + ask + ": tensor<?xi32> {sluice.name = \"ask\"}";
  line(y.name + " = sluice.embed " + x->name + "[" + ask + "] : (" + x->type() +
       ", tensor<?xi32>) -> " + y.type());
  add(y);
  return true;
}

/// Tokens of logits that are an argument: what is computed may be near a tie.
bool Program::writeSample() {
  if (depth || returned.size() > 1)
    return false;
  Value logits;
  logits.space = Space::Asked; // a target divides samples by asked rows
  batch();
  logits.width = random.between(1, 120);
  logits = argument(logits, random.once(3) ? "check.values = \"ties\"" : "");
  std::string dim = " {check.dim = \"asked\"}";
  std::string token = fresh("t");
  returned.push_back(token);
  returnedTypes.push_back("tensor<?xi32>");
  if (random.once(2)) {
    line(token + " = sluice.sample.argmax " + logits.name + " : (" + logits.type() +
         ") -> tensor<?xi32>");
    return true;
  }
  std::string heat = fresh("heat"), rng = fresh("rng"), next = fresh("next");
  arguments +=
      ",\n    " + heat + ": tensor<?xf32>" + dim + ",\n    " + rng + ": tensor<?xi64>" + dim;
  line(token + ", " + next + " = sluice.sample.draw " + logits.name + " temperature " + heat +
       " rng " + rng + " : (" + logits.type() +
       ", tensor<?xf32>, tensor<?xi64>) -> (tensor<?xi32>, tensor<?xi64>)");
  returned.push_back(next);
  returnedTypes.push_back("tensor<?xi64>");
  return true;
}

/// A part of the columns, as heads.
bool Program::writeHeads() {
  std::optional<Value> x =
      any([](const Value &value) { return isPlain(value) && value.space == Space::Rows; });
  if (!x)
    return false;
  int64_t heads = random.between(1, std::min<int64_t>(x->width / leastWidth, 6));
  int64_t most = x->width / heads;
  Value y = made(*x), part = made(*x);
  y.heads = heads;
  y.width = random.once(2) ? most : random.between(leastWidth, most);
  part.width = y.heads * y.width;
  std::string zero = index(0), rows = fresh("n");
  line(rows + " = tensor.dim " + x->name + ", " + zero + " : " + x->type());
  int64_t at = random.between(0, x->width - part.width);
  if (part.width == x->width)
    part = *x;
  else
    line(part.name + " = tensor.extract_slice " + x->name + "[0, " + llvm::Twine(at) + "] [" +
         rows + ", " + llvm::Twine(part.width) + "] [1, 1] : " + x->type() + " to " + part.type());
  line(y.name + " = tensor.expand_shape " + part.name + " [[0], [1, 2]] output_shape [" + rows +
       ", " + llvm::Twine(heads) + ", " + llvm::Twine(y.width) + "] : " + part.type() + " into " +
       y.type());
  add(y);
  return true;
}

bool Program::writeJoin() {
  std::optional<Value> x = any([](const Value &value) { return value.heads > 0; });
  if (!x)
    return false;
  Value y = made(*x);
  y.width = x->numbers();
  y.heads = 0;
  line(y.name + " = tensor.collapse_shape " + x->name + " [[0], [1, 2]] : " + x->type() + " into " +
       y.type());
  add(y);
  return true;
}
