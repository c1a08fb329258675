//===- ResolveSteps.cpp - functions, their steps and blocks ----------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Names are values: a step reads names that earlier steps gave, and may give a name again, which
// then means the new value. A block's steps stand for themselves where the block is called. A
// repeat starts from the names around it; what it carries goes from one layer to the next and on to
// the steps after it, other names stay inside.
//
//===----------------------------------------------------------------------===//
#include "Resolver.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sluice::model {

// So many are no model but a mistake (or an attack).
constexpr size_t maxSteps = 20'000;

std::string typeText(const InputType &type) {
  switch (type.kind) {
  case InputType::Batch:
    return "batch";
  case InputType::Pages:
    return "pages " + type.memory;
  case InputType::Tensor: {
    std::string text = type.dtype + "[" + type.lead;
    for (int64_t size : type.shape)
      text += ", " + std::to_string(size);
    return text + "]";
  }
  }
  llvm_unreachable("all kinds are listed");
}

std::optional<InputType> Resolver::inputType(const YamlNode &node, const Description &out) {
  if (!expect(node, YamlNode::Scalar, "a type such as i32[rows], batch or 'pages kv'"))
    return std::nullopt;
  InputType type;
  StringRef rest = node.text;
  if (rest == "batch") {
    type.kind = InputType::Batch;
    return type;
  }
  if (rest.consume_front("pages ")) {
    type.kind = InputType::Pages;
    type.memory = rest.trim().str();
    if (!out.memory(type.memory)) {
      bad(node.offset, "no memory '" + type.memory + "' is declared under 'kv'");
      return std::nullopt;
    }
    return type;
  }
  auto [dtype, dims] = rest.split('[');
  type.dtype = dtype.str();
  if (!is_contained({StringRef("f32"), StringRef("i32"), StringRef("i64")}, dtype) ||
      !dims.consume_back("]")) {
    bad(node.offset, "expected a type such as i32[rows], f32[asked, 100], batch or 'pages kv', but "
                     "found " +
                         node.describe());
    return std::nullopt;
  }
  SmallVector<StringRef> parts;
  dims.split(parts, ',');
  type.lead = parts.front().trim().str();
  if (!is_contained({StringRef("rows"), StringRef("seqs"), StringRef("asked")}, type.lead)) {
    bad(node.offset,
        "expected the first size to be rows, seqs or asked, but found '" + type.lead + "'");
    return std::nullopt;
  }
  for (StringRef part : ArrayRef<StringRef>(parts).drop_front()) {
    YamlNode item;
    item.kind = YamlNode::Scalar;
    item.text = part.trim().str();
    item.offset = node.offset;
    std::optional<int64_t> size = integer(item, 1, INT32_MAX);
    if (!size)
      return std::nullopt;
    type.shape.push_back(*size);
  }
  return type;
}

bool Resolver::field(const FieldSchema &schema, const YamlNode &node, Step &step,
                     StringSet<> &scope, std::vector<std::string> &defined) {
  auto isValue = [&](const std::string &name, size_t offset) {
    if (scope.contains(name))
      return true;
    SmallVector<StringRef> known(scope.keys());
    llvm::sort(known);
    return bad(offset, "no value '" + name + "' has been computed before this step" +
                           didYouMean(name, known));
  };
  auto put = [&](FieldValue value) {
    step.fields.push_back({schema.name.str(), std::move(value)});
    return true;
  };
  switch (schema.kind) {
  case FieldKind::ValueOrWeight:
    if (node.kind == YamlNode::Scalar && scope.contains(node.text))
      return put(node.text);
    [[fallthrough]];
  case FieldKind::Weight: {
    std::optional<std::string> name = word(node);
    if (!name)
      return false;
    if (auto same = sameAs.find(*name); same != sameAs.end())
      name = same->second;
    if (switchedOff.contains(*name)) {
      if (schema.required)
        return bad(node.offset, "weight '" + *name + "' is switched off by its 'when'");
      return true;
    }
    return put(*name);
  }
  case FieldKind::Value: {
    std::optional<std::string> name = word(node);
    return name && isValue(*name, node.offset) && put(*name);
  }
  case FieldKind::Word: {
    std::optional<std::string> found =
        schema.words.empty() ? word(node) : oneOf(node, schema.words);
    return found && put(*found);
  }
  case FieldKind::Int: {
    if (!schema.required) {
      std::optional<Value> given = evaluateNode(node);
      if (!given)
        return false;
      if (given->kind == Value::None)
        return true;
    }
    std::optional<int64_t> found = integer(node, 1, INT32_MAX);
    return found && put(*found);
  }
  case FieldKind::Float: {
    std::optional<Value> found = evaluateNode(node);
    if (!found)
      return false;
    if (found->kind == Value::None && !schema.required)
      return true;
    if (!found->isNumber())
      return bad(node.offset, "expected a number, but found " + found->describe());
    return put(found->asDouble());
  }
  case FieldKind::Index: {
    std::optional<int64_t> found = integer(node, 0, INT32_MAX);
    return found && put(*found);
  }
  case FieldKind::Scaling: {
    std::optional<Scaling> found = scaling(node);
    return found && (found->kind == "none" || put(std::move(*found)));
  }
  case FieldKind::Flag: {
    std::optional<bool> found = flag(node);
    return found && (!*found || put(true));
  }
  case FieldKind::DType: {
    std::optional<std::string> found = oneOf(node, {"rows", "f32", "bf16", "f16"});
    return found && put(*found == "rows" ? rowsDType : *found);
  }
  case FieldKind::NewName: {
    std::optional<std::string> name = word(node);
    if (!name)
      return false;
    defined.push_back(*name);
    return put(*name);
  }
  case FieldKind::NewNames:
  case FieldKind::Names: {
    std::optional<std::vector<std::string>> names = words(node);
    if (!names)
      return false;
    for (auto [index, name] : enumerate(*names)) {
      if (is_contained(ArrayRef(*names).drop_front(index + 1), name))
        return bad(node.items[index].offset, "name '" + name + "' appears twice");
      if (schema.kind == FieldKind::NewNames)
        defined.push_back(name);
      else if (!isValue(name, node.items[index].offset))
        return false;
    }
    return put(*names);
  }
  case FieldKind::Pieces: {
    if (!expect(node, YamlNode::Map, "a map from new names to shapes"))
      return false;
    std::vector<Piece> pieces;
    for (const YamlNode::Entry &entry : node.entries) {
      std::optional<std::vector<int64_t>> shape = sizes(entry.value);
      if (!shape)
        return false;
      if (shape->empty())
        return bad(entry.value.offset, "expected at least one size");
      pieces.push_back({entry.key, std::move(*shape)});
      defined.push_back(entry.key);
    }
    return put(std::move(pieces));
  }
  }
  llvm_unreachable("all kinds are listed");
}

bool Resolver::step(const YamlNode &node, std::vector<Step> &into, StringSet<> &scope,
                    unsigned depth) {
  if (!expect(node, YamlNode::Map, "a map with 'op' or 'block'"))
    return false;
  if (++stepCount > maxSteps)
    return bad(node.offset, "expected at most " + Twine(maxSteps) + " steps in all functions");
  std::optional<bool> on = isOn(node);
  if (!on || !*on)
    return on.has_value();

  const YamlNode *opNode = node.find("op");
  if (!opNode) {
    const YamlNode *block = node.find("block");
    if (!block)
      return bad(node.offset, "expected 'op' or 'block'");
    if (!checkKeys(node, *text, {"block", "when"}, "a call of a block", log))
      return false;
    Block body = findBlock(*block, depth);
    if (!body.steps)
      return false;
    const SourceText *outer = std::exchange(text, body.text);
    bool fine = steps(*body.steps, into, scope, depth + 1);
    text = outer;
    return fine;
  }

  std::optional<std::string> op = word(*opNode);
  if (!op)
    return false;
  const StepSchema *schema = stepSchema(*op);
  if (!schema)
    return bad(opNode->offset, "no step '" + *op + "' is known" + didYouMean(*op, stepNames()));
  bool isRepeat = *op == "repeat", isLayer = *op == "layer";
  SmallVector<StringRef> known = {"op", "when", "at"};
  for (const FieldSchema &one : schema->fields)
    known.push_back(one.name);
  if (isRepeat)
    known.append({"block", "steps", "each"});
  if (isLayer)
    known.push_back("steps");
  if (!checkKeys(node, *text, known, "step '" + *op + "'", log))
    return false;

  Step made;
  made.schema = schema;
  std::vector<std::string> defined;
  bool fine = placed(node, node.offset, made.at, [&] {
    for (const FieldSchema &one : schema->fields) {
      const YamlNode *value = node.find(one.name);
      if (!value) {
        if (!one.required)
          continue;
        return bad(node.offset, "step '" + *op + "' needs '" + one.name + "'");
      }
      if (!field(one, *value, made, scope, defined))
        return false;
    }
    return true;
  });
  if (!fine)
    return false;
  if (isRepeat)
    return repeatBody(node, std::move(made), into, scope, depth);
  if (isLayer) {
    const YamlNode *list = node.find("steps");
    if (!list)
      return bad(node.offset, "expected 'steps' in a layer");
    if (!steps(*list, made.body, scope, depth + 1))
      return false;
  }
  for (const std::string &name : defined)
    scope.insert(name);
  into.push_back(std::move(made));
  return true;
}

bool Resolver::steps(const YamlNode &list, std::vector<Step> &into, StringSet<> &scope,
                     unsigned depth) {
  if (!expect(list, YamlNode::List, "a list of steps"))
    return false;
  for (const YamlNode &item : list.items)
    if (!step(item, into, scope, depth))
      return false;
  return true;
}

bool Resolver::functionEntry(const YamlNode::Entry &entry, Description &out) {
  const YamlNode &node = entry.value;
  if (!expect(node, YamlNode::Map, "a map with inputs, steps and results") ||
      !checkKeys(node, *text, {"when", "inputs", "steps", "results", "at"},
                 "function '" + entry.key + "'", log))
    return false;
  std::optional<bool> on = isOn(node);
  if (!on || !*on)
    return on.has_value();
  Function function;
  function.name = entry.key;
  if (out.weight(entry.key) || out.memory(entry.key))
    return bad(entry.keyOffset, "'" + entry.key + "' is declared twice");
  if (!placed(node, entry.keyOffset, function.at, [] { return true; }))
    return false;
  const YamlNode *inputs = node.find("inputs"), *body = node.find("steps"),
                 *results = node.find("results");
  if (!inputs || !body || !results)
    return bad(entry.keyOffset, "expected 'inputs', 'steps' and 'results'");
  if (!expect(*inputs, YamlNode::Map, "a map from names to types") ||
      !expect(*results, YamlNode::Map, "a map from names to values"))
    return false;
  StringSet<> scope;
  for (const YamlNode::Entry &input : inputs->entries) {
    std::optional<InputType> type = inputType(input.value, out);
    if (!type)
      return false;
    function.inputs.push_back({input.key, *type});
    scope.insert(input.key);
  }
  if (!steps(*body, function.steps, scope, 0))
    return false;
  for (const YamlNode::Entry &result : results->entries) {
    std::optional<std::string> value = word(result.value);
    if (!value)
      return false;
    if (!scope.contains(*value))
      return bad(result.value.offset, "no value '" + *value + "' has been computed");
    function.results.push_back({result.key, *value});
  }
  out.functions.push_back(std::move(function));
  return true;
}

bool Resolver::functionsSection(Description &out) {
  const YamlNode *section = root.find("functions");
  if (!section)
    return bad(0, "expected 'functions'");
  if (!expect(*section, YamlNode::Map, "a map of functions"))
    return false;
  for (const YamlNode::Entry &entry : section->entries)
    if (!functionEntry(entry, out))
      return false;
  return !out.functions.empty() || bad(section->offset, "expected at least one function");
}

} // namespace sluice::model
