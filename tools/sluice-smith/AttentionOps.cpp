// SPDX-License-Identifier: Apache-2.0
//
// Random attention: over tensors and over pages, with every mask, bias and sink.

#include "Program.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cmath>

using namespace sluice::smith;

/// With pages no mask shows everything: a row would depend on how its sequence is cut into steps.
/// In a loop none reads a length per sequence: nobody says what the argument counts if the loop's
/// result does not depend on it.
std::string Program::randomMask(int64_t levels, bool paged) {
  switch (random.between(0, levels > 0 ? 10 : 7)) {
  case 0:
    return paged ? "#sluice.causal" : "#sluice.all";
  case 1:
    return "#sluice.causal";
  case 2:
    return "#sluice.window<" + std::to_string(random.between(1, 40)) + ">";
  case 3:
    return "#sluice.ahead<" + std::to_string(random.between(0, 12)) + ">";
  case 4:
    return "#sluice.prefix<" + std::to_string(random.between(1, 30)) + ">";
  case 5:
    return depth ? "#sluice.prefix<3>" : "#sluice.prefixes";
  case 6:
    return "#sluice.segment";
  case 7:
    return "#sluice.tree";
  default: {
    std::string text =
        random.word({"#sluice.and<", "#sluice.or<"}).str() + randomMask(levels - 1, paged);
    for (int64_t more = random.between(1, 2); more; --more)
      text += ", " + randomMask(levels - 1, paged);
    return text + ">";
  }
  }
}

/// Window, what the mask reads, biases and sinks, in the order of the op's text.
Program::Extras Program::attentionExtras(const Value &query, const std::string &mask, bool paged) {
  Extras extras;
  auto operand = [&](const char *word, const std::string &name, const std::string &type) {
    extras.operands += std::string(" ") + word + " " + name;
    extras.types += ", " + type;
  };
  auto reads = [&](const char *part) { return mask.find(part) != std::string::npos; };
  if (random.once(5))
    operand("window", index(random.between(-1, 40)), "index");
  if (reads("segment"))
    operand("segments", integerArgument(random.between(1, 4)), "tensor<?xi32>");
  if (reads("tree"))
    operand("parents", integerArgument(40), "tensor<?xi32>");
  if (reads("prefixes"))
    operand("prefixes", integerArgument(30, Space::Seqs), "tensor<?xi32>");
  if (random.once(5))
    operand("slopes", param({query.heads}, "f32", "bias"), tensorType({query.heads}, "f32"));
  else if (random.once(5)) {
    int64_t width = 2 * random.between(0, 20) + 1;
    operand("bias", param({query.heads, width}, "f32", "bias"),
            tensorType({query.heads, width}, "f32"));
  }
  if (random.once(4))
    operand("sinks", param({query.heads}, "f32", "bias"), tensorType({query.heads}, "f32"));
  double scale = random.real(0.3, 1.2) / std::sqrt(static_cast<double>(query.width)) /
                 std::max(query.size, 1.0);
  extras.attributes = "scale = " + number(scale) + " : f64";
  if (random.once(4))
    extras.attributes += ", softcap = " + number(random.real(1, 20)) + " : f64";
  return extras;
}

static bool hasHeads(const Value &value) {
  return value.heads && value.element == "f32" && value.space == Space::Rows;
}

bool Program::writeAttention() {
  std::optional<Value> q = any(hasHeads);
  if (!q)
    return writeHeads();
  std::optional<Value> k = any([&](const Value &value) {
    return hasHeads(value) && value.width == q->width && q->heads % value.heads == 0;
  });
  std::optional<Value> v =
      any([&](const Value &value) { return hasHeads(value) && value.heads == k->heads; });
  if (!k || !v)
    return false;
  if (random.once(6))
    v = k; // one tensor as both
  std::string mask = randomMask(2, false);
  Extras extras = attentionExtras(*q, mask, false);
  Value y = made(*q), lse;
  y.width = v->width;
  y.size = v->size;
  if (random.once(4))
    y.element = "bf16";
  bool hasLse = q->heads >= leastWidth && random.once(4);
  lse.width = q->heads;
  lse.name = fresh("lse");
  std::string types =
      q->type() + ", " + k->type() + ", " + v->type() + ", !sluice.batch" + extras.types;
  line(y.name + (hasLse ? ", " + lse.name : "") + " = sluice.attention " + q->name + ", " +
       k->name + ", " + v->name + " batch " + batch() + " mask " + mask + extras.operands + " {" +
       extras.attributes + "} : (" + types + ") -> " +
       (hasLse ? "(" + y.type() + ", " + lse.type() + ")" : y.type()));
  if (hasLse && !depth) {
    // No op can take it: a row that sees nothing has -inf there.
    returned.push_back(lse.name);
    returnedTypes.push_back(lse.type());
  }
  add(y);
  return true;
}

bool Program::writePagedAttention() {
  if (pagesName.empty())
    return false;
  std::optional<Value> found = any([](const Value &value) {
    return !value.heads && value.element == "f32" && value.space == Space::Rows;
  });
  if (!found)
    return false;
  Value x = tamed(*found);
  // Queries, keys and values are made as a decoder makes them: by one joined layer, cut in three.
  int64_t groups = random.between(1, 3), heads = groups * pageHeads;
  int64_t widths[] = {heads * pageKey, pageHeads * pageKey, pageHeads * pageValue};
  Value joined = made(x);
  joined.width = widths[0] + widths[1] + widths[2];
  joined.size = 1.2 * x.size;
  std::string w = param({joined.width, x.width}, "f32", "weight");
  line(joined.name + " = sluice.linear " + x.name + ", " + w + " : (" + x.type() + ", " +
       tensorType({joined.width, x.width}, "f32") + ") -> " + joined.type());
  std::string zero = index(0), rows = fresh("n");
  line(rows + " = tensor.dim " + joined.name + ", " + zero + " : " + joined.type());
  Value parts[3];
  int64_t at = 0, counts[] = {heads, pageHeads, pageHeads};
  for (int64_t i = 0; i < 3; ++i) {
    Value flat = made(joined);
    flat.width = widths[i];
    line(flat.name + " = tensor.extract_slice " + joined.name + "[0, " + llvm::Twine(at) + "] [" +
         rows + ", " + llvm::Twine(flat.width) + "] [1, 1] : " + joined.type() + " to " +
         flat.type());
    at += flat.width;
    parts[i] = made(joined);
    parts[i].heads = counts[i];
    parts[i].width = widths[i] / counts[i];
    line(parts[i].name + " = tensor.expand_shape " + flat.name + " [[0], [1, 2]] output_shape [" +
         rows + ", " + llvm::Twine(counts[i]) + ", " + llvm::Twine(parts[i].width) +
         "] : " + flat.type() + " into " + parts[i].type());
  }
  if (random.once(2)) {
    std::string positions = this->positions();
    std::string pairing = random.word({"halves", "neighbours"}).str();
    for (int64_t i = 0; i < 2; ++i) {
      Value turned = made(parts[i]);
      line(turned.name + " = sluice.rope " + pairing + " " + parts[i].name + " at " + positions +
           " {theta = 1.000e+04 : f64} : (" + turned.type() + ", tensor<?xi32>) -> " +
           turned.type());
      parts[i] = turned;
    }
  }
  // In a loop a layer of the memory for each layer, as long as there are enough.
  bool own = !layerName.empty() && layers <= pageLayers;
  std::string layer = own ? layerName : index(random.between(0, pageLayers - 1));
  std::string next = fresh("kv");
  line(next + " = sluice.cache.append " + parts[1].name + ", " + parts[2].name + " to " +
       pagesName + "[" + layer + "] batch " + batch() + " : (" + parts[1].type() + ", " +
       parts[2].type() + ", " + pagesType + ", index, !sluice.batch) -> " + pagesType);
  pagesName = next;
  std::string mask = random.once(2) ? "#sluice.causal" : randomMask(2, true);
  Extras extras = attentionExtras(parts[0], mask, true);
  Value y = made(parts[0]);
  y.width = pageValue;
  y.size = parts[2].size;
  if (random.once(4))
    y.element = "bf16";
  line(y.name + " = sluice.attention " + parts[0].name + " pages " + pagesName + "[" + layer +
       "] batch " + batch() + " mask " + mask + extras.operands + " {" + extras.attributes +
       "} : (" + parts[0].type() + ", " + pagesType + ", index, !sluice.batch" + extras.types +
       ") -> " + y.type());
  add(y);
  return true;
}
