// SPDX-License-Identifier: Apache-2.0
//
// What a program is made of beside its ops: arguments, params, memories, loops, results.

#include "Program.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace sluice::smith;

uint64_t Random::next() {
  state += 0x9E3779B97F4A7C15;
  uint64_t z = state;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

int64_t Random::between(int64_t least, int64_t most) {
  return least + static_cast<int64_t>(next() % static_cast<uint64_t>(most - least + 1));
}

double Random::real(double least, double most) {
  return least + (most - least) * static_cast<double>(next() >> 40) / (1 << 24);
}

/// Few digits, so that a person can read it and every parser rounds it the same way.
std::string sluice::smith::number(double value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << llvm::format("%.3e", value);
  return text;
}

std::string sluice::smith::tensorType(llvm::ArrayRef<int64_t> shape, llvm::StringRef element,
                                      llvm::StringRef encoding) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += (size < 0 ? "?" : std::to_string(size)) + "x";
  text += element;
  if (!encoding.empty())
    text += ", " + encoding.str();
  return text + ">";
}

std::string Value::type() const {
  if (heads)
    return tensorType({-1, heads, width}, element);
  return tensorType({-1, width}, element);
}

void Program::line(const llvm::Twine &text) {
  body += std::string(2 + 2 * depth, ' ') + text.str() + "\n";
}

std::string Program::fresh(llvm::StringRef stem) {
  return "%" + stem.str() + std::to_string(names++);
}

std::vector<Value> Program::matching(llvm::function_ref<bool(const Value &)> good) const {
  std::vector<Value> found;
  std::copy_if(values.begin(), values.end(), std::back_inserter(found), good);
  return found;
}

/// Rather a late one: programs should be deep.
std::optional<Value> Program::any(llvm::function_ref<bool(const Value &)> good) {
  std::vector<Value> found = matching(good);
  if (found.empty())
    return std::nullopt;
  return random.once(2) ? found.back() : random.pick(found);
}

Value Program::made(const Value &base, llvm::StringRef stem) {
  Value value = base;
  value.name = fresh(stem);
  return value;
}

static std::string spaceAttribute(Space space) {
  if (space == Space::Rows)
    return "";
  return space == Space::Seqs ? "check.dim = \"seqs\"" : "check.dim = \"asked\"";
}

static void appendArgument(std::string &arguments, const std::string &name, const std::string &type,
                           const std::string &attributes) {
  arguments += (arguments.empty() ? "" : ",\n    ") + name + ": " + type;
  if (!attributes.empty())
    arguments += " {" + attributes + "}";
}

Value Program::argument(Value value, const llvm::Twine &attributes) {
  value.name = fresh("arg");
  std::string all = attributes.str(), dim = spaceAttribute(value.space);
  all += (!all.empty() && !dim.empty() ? ", " : "") + dim;
  appendArgument(arguments, value.name, value.type(), all);
  return value;
}

std::string Program::integerArgument(int64_t below, Space space) {
  std::string name = fresh("ids"), dim = spaceAttribute(space);
  appendArgument(arguments, name, "tensor<?xi32>",
                 "check.below = " + std::to_string(below) + " : i64" +
                     (dim.empty() ? "" : ", " + dim));
  return name;
}

std::string Program::batch() {
  if (batchName.empty()) {
    batchName = fresh("batch");
    appendArgument(arguments, batchName, "!sluice.batch", "");
  }
  return batchName;
}

std::string Program::positions() {
  if (random.once(3))
    return integerArgument(random.once(2) ? 5000 : 40);
  std::string name = fresh("at");
  line(name + " = sluice.batch.positions " + batch() + " : tensor<?xi32>");
  return name;
}

std::string Program::index(int64_t number) {
  std::string name = fresh("c");
  line(name + " = arith.constant " + llvm::Twine(number) + " : index");
  return name;
}

std::string Program::param(std::vector<int64_t> shape, llvm::StringRef element,
                           llvm::StringRef role, const std::string &encoding, int64_t experts) {
  std::string symbol = "@p" + std::to_string(paramCount++), use = fresh("w");
  std::vector<int64_t> whole = shape;
  if (experts)
    whole.insert(whole.begin(), experts);
  std::string layerType = tensorType(whole, element, encoding);
  // In a loop each layer has its own numbers, or all of them the same.
  bool stacked = !layerName.empty() && !random.once(4);
  if (stacked)
    whole.insert(whole.begin(), layers);
  std::string source =
      "\"" + symbol.substr(1) + (stacked ? ".{}" : "") + (experts && random.once(2) ? ".{}" : "");
  std::string sources = source + "\"", rows = std::to_string(shape[0]);
  if (shape[0] > 1 && random.once(4)) { // two tensors of the checkpoint, joined
    int64_t first = random.between(1, shape[0] - 1);
    sources = source + ".a\", " + source + ".b\"";
    rows = std::to_string(first) + ", " + std::to_string(shape[0] - first);
  }
  params += "sluice.param " + symbol + (stacked ? " stack " + std::to_string(layers) : "") +
            (experts ? " experts " + std::to_string(experts) : "") + " role " + role.str() + " : " +
            tensorType(whole, element, encoding) + " from [" + sources + "] rows [" + rows + "]" +
            (shape.size() == 2 && encoding.empty() && random.once(5) ? " transposed" : "") + "\n";
  line(use + " = sluice.param.use " + symbol + (stacked ? "[" + layerName + "]" : "") + " : " +
       layerType);
  return use;
}

Value Program::tamed(const Value &value) {
  if (value.size > 0.1 && value.size < 8)
    return value;
  Value result = made(value);
  result.size = 1;
  line(result.name + " = sluice.norm rms " + value.name + " {eps = 1.000e-05 : f64} : (" +
       value.type() + ") -> " + result.type());
  add(result);
  return result;
}

/// Layers that are alike: rows go in, rows of the same type come out, and pages go through.
bool Program::writeLoop() {
  std::optional<Value> start = any([](const Value &value) {
    return !value.heads && value.element == "f32" && value.space == Space::Rows;
  });
  if (depth || !start)
    return false;
  Value x = tamed(*start);
  layers = random.between(1, 3);
  std::string zero = index(0), end = index(layers), step = index(1);
  Value inner = made(x), result = made(x);
  std::string pagesBefore = pagesName, pagesInside = pagesName.empty() ? "" : fresh("kv"),
              pagesAfter = pagesName.empty() ? "" : fresh("kv");
  layerName = fresh("l");
  bool paged = !pagesName.empty();
  line(result.name + (paged ? ", " + pagesAfter : "") + " = scf.for " + layerName + " = " + zero +
       " to " + end + " step " + step + " iter_args(" + inner.name + " = " + x.name +
       (paged ? ", " + pagesInside + " = " + pagesBefore : "") + ") -> (" + x.type() +
       (paged ? ", " + pagesType : "") + ") {");
  ++depth;
  std::vector<Value> outside = std::move(values);
  values = {inner};
  pagesName = pagesInside;
  writeBody(random.between(1, 4));
  // Back to the width of the stream, and added to it.
  std::optional<Value> last = any([](const Value &value) {
    return !value.heads && value.element == "f32" && value.space == Space::Rows;
  });
  Value from = tamed(*last), projected = made(inner), sum = made(inner);
  std::string w = param({inner.width, from.width}, "f32", "weight");
  line(projected.name + " = sluice.linear " + from.name + ", " + w + " : (" + from.type() + ", " +
       tensorType({inner.width, from.width}, "f32") + ") -> " + projected.type());
  line(sum.name + " = arith.addf " + inner.name + ", " + projected.name + " : " + sum.type());
  line("scf.yield " + sum.name + (paged ? ", " + pagesName : "") + " : " + sum.type() +
       (paged ? ", " + pagesType : ""));
  --depth;
  line("}");
  pagesName = pagesAfter;
  layerName.clear();
  values = std::move(outside);
  result.size = x.size + static_cast<double>(layers) * 1.2 * from.size;
  add(result);
  return true;
}

void Program::writeBody(int64_t ops) {
  static const std::vector<Writer> writers = {
      &Program::writeLinear,      &Program::writeLinear,         &Program::writeLinear,
      &Program::writeNorm,        &Program::writeNorm,           &Program::writeActivation,
      &Program::writeAdd,         &Program::writeClamp,          &Program::writeRope,
      &Program::writeEmbed,       &Program::writeGather,         &Program::writePool,
      &Program::writeAsked,       &Program::writeSample,         &Program::writeHeads,
      &Program::writeJoin,        &Program::writeAttention,      &Program::writeAttention,
      &Program::writeAttention,   &Program::writePagedAttention, &Program::writePagedAttention,
      &Program::writeLoop,        &Program::writeExperts,        &Program::writeExperts,
      &Program::writeHeadsLinear, &Program::writeHeadsJoin};
  for (int64_t made = 0, tries = 0; made < ops && tries < 20 * ops; ++tries)
    made += (this->*random.pick(writers))();
}

Program::Program(uint64_t seed) : random(seed) {
  uneven = random.once(3);
  Value x;
  x.width = uneven ? random.between(leastWidth, 67) : 8 * random.between(1, 9);
  // Beside the rows that everything grows from, sometimes what only some ops take.
  values.push_back(argument(x, uneven && random.once(4) ? "check.values = \"ties\"" : ""));
  if (random.once(3)) {
    pageLayers = random.between(1, 3);
    pageHeads = random.between(1, 3);
    pageKey = random.between(2, 20) * 2;
    pageValue = random.once(2) ? pageKey : random.between(leastWidth, 40);
    pagesType = "!sluice.pages<@kv>";
    pagesName = fresh("kv");
    params += "sluice.kv @kv layers " + std::to_string(pageLayers) + " heads " +
              std::to_string(pageHeads) + " key " + std::to_string(pageKey) + " value " +
              std::to_string(pageValue) + " page " + std::to_string(16 * random.between(1, 3)) +
              " : " + (random.once(2) ? "f32" : "bf16") + "\n";
    appendArgument(arguments, pagesName, pagesType, "");
    batch();
  }
  writeBody(uneven ? random.between(1, 4) : random.between(2, 7));
  // What nobody read is a result, lest it be dead; and some of the others: what a program keeps
  // alive changes where its buffers lie.
  std::vector<Value> results;
  for (const Value &value : values) {
    // A name stands once where it is made, and then wherever it is read; %x1 is not %x12.
    size_t uses = 0;
    for (size_t at = body.find(value.name); at != std::string::npos;
         at = body.find(value.name, at + 1))
      uses += !llvm::isDigit(body[at + value.name.size()]);
    bool isArgument = llvm::StringRef(value.name).starts_with("%arg");
    if (uses <= (isArgument ? 0 : 1) || random.once(8))
      results.push_back(value);
  }
  for (const Value &value : results) {
    returned.push_back(value.name);
    returnedTypes.push_back(value.type());
  }
  if (!pagesName.empty()) {
    returned.push_back(pagesName);
    returnedTypes.push_back(pagesType);
  }
}

std::string Program::text() const {
  std::string types = llvm::join(returnedTypes, ", ");
  return params + "func.func @f(" + arguments + ")\n    -> (" + types + ") {\n" + body +
         "  return " + llvm::join(returned, ", ") + " : " + types + "\n}\n";
}
