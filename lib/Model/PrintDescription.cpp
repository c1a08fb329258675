//===- PrintDescription.cpp - stage `model` as text ------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Everything is a literal, in the order in which it is held, and every part says with `at` where it
// came from, so that reading the text back gives the same description and the same locations in the
// IR.
//
//===----------------------------------------------------------------------===//
#include "Description.h"
#include "Expression.h"
#include "YamlText.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sluice::model {

namespace {

class Printer {
public:
  explicit Printer(raw_ostream &os) : os(os) {}

  void print(const Description &description);

private:
  template <typename Range, typename Each>
  void list(const Range &range, Each each) {
    os << '[';
    interleaveComma(range, os, each);
    os << ']';
  }
  void shape(ArrayRef<int64_t> sizes) {
    list(sizes, [&](int64_t size) { os << size; });
  }
  void at(const Places &places) {
    os << "at: ";
    list(places, [&](const FilePosition &place) {
      os << yamlScalar((place.file + ":" + Twine(place.line) + ":" + Twine(place.column)).str());
    });
  }
  void weight(const Weight &weight);
  void step(const Step &step, unsigned indent);
  void fieldValue(const FieldSchema &schema, const FieldValue &value);
  void function(const Function &function);

  raw_ostream &os;
};

void Printer::weight(const Weight &weight) {
  os << "  " << yamlScalar(weight.name) << ":\n";
  if (weight.stack)
    os << "    stack: " << weight.stack << '\n';
  if (!weight.layers.empty()) {
    os << "    layers: ";
    shape(weight.layers);
    os << '\n';
  }
  if (weight.experts)
    os << "    experts: " << weight.experts << '\n';
  if (weight.transposed)
    os << "    transposed: true\n";
  if (weight.alternating)
    os << "    alternating: true\n";
  os << "    role: " << weight.role << "\n    dtype: " << weight.dtype << '\n';
  auto source = [&](const Source &one) {
    os << "{name: " << yamlScalar(one.name) << ", shape: ";
    shape(one.shape);
    os << '}';
  };
  os << "    sources:\n";
  for (const Source &one : weight.sources) {
    os << "      - ";
    source(one);
    os << '\n';
  }
  os << "    ";
  at(weight.at);
  os << '\n';
}

void Printer::fieldValue(const FieldSchema &schema, const FieldValue &value) {
  if (auto *text = std::get_if<std::string>(&value)) {
    os << yamlScalar(*text);
  } else if (auto *integer = std::get_if<int64_t>(&value)) {
    os << *integer;
  } else if (auto *number = std::get_if<double>(&value)) {
    os << floatText(*number);
  } else if (auto *flag = std::get_if<bool>(&value)) {
    os << (*flag ? "true" : "false");
  } else if (auto *names = std::get_if<std::vector<std::string>>(&value)) {
    list(*names, [&](const std::string &name) { os << yamlScalar(name); });
  } else if (auto *scaling = std::get_if<Scaling>(&value)) {
    os << "{kind: " << scaling->kind;
    for (const Scaling::Item &item : scaling->items) {
      os << ", " << item.name << ": ";
      ScalingItem::Kind kind = find_if(scalingItems(scaling->kind), [&](const ScalingItem &one) {
                                 return one.name == item.name;
                               })->kind;
      if (kind == ScalingItem::Corners)
        os << item.word;
      else if (kind == ScalingItem::Count)
        os << int64_t(item.numbers.front());
      else if (kind == ScalingItem::Number)
        os << floatText(item.numbers.front());
      else
        list(item.numbers, [&](double number) { os << floatText(number); });
    }
    os << '}';
  } else {
    os << '{';
    interleaveComma(std::get<std::vector<Piece>>(value), os, [&](const Piece &piece) {
      os << yamlScalar(piece.name) << ": ";
      shape(piece.shape);
    });
    os << '}';
  }
}

void Printer::step(const Step &step, unsigned indent) {
  os.indent(indent) << "- {op: " << step.schema->op;
  for (const FieldSchema &schema : step.schema->fields)
    if (const FieldValue *value = step.find(schema.name)) {
      os << ", " << schema.name << ": ";
      fieldValue(schema, *value);
    }
  os << ", ";
  at(step.at);
  if (step.schema->op == "repeat" || step.schema->op == "layer") {
    // A flow map may go on over lines as long as they are indented deeper than the list.
    os << ", steps: [\n";
    for (auto [index, inner] : enumerate(step.body)) {
      // Inside brackets an element is a bare map.
      std::string text;
      raw_string_ostream innerOs(text);
      Printer(innerOs).step(inner, indent + 4);
      StringRef element = StringRef(text).ltrim();
      element.consume_front("- ");
      os.indent(indent + 4) << element.rtrim('\n') << (index + 1 == step.body.size() ? "" : ",")
                            << '\n';
    }
    os.indent(indent + 2) << ']';
  }
  os << "}\n";
}

void Printer::function(const Function &function) {
  os << "  " << yamlScalar(function.name) << ":\n    ";
  at(function.at);
  os << "\n    inputs:\n";
  for (const auto &[name, type] : function.inputs)
    os << "      " << yamlScalar(name) << ": " << yamlScalar(typeText(type)) << '\n';
  os << "    steps:\n";
  for (const Step &one : function.steps)
    step(one, 6);
  os << "    results: {";
  interleaveComma(function.results, os, [&](const auto &result) {
    os << yamlScalar(result.first) << ": " << yamlScalar(result.second);
  });
  os << "}\n";
}

void Printer::print(const Description &description) {
  os << "sluice: 1\nmodel: {name: " << yamlScalar(description.name)
     << ", kind: " << description.kind << "}\n";
  at(description.at);
  os << '\n';
  if (description.seed)
    os << "random: " << *description.seed << '\n';
  if (!description.checkpoint.empty())
    os << "checkpoint: " << yamlScalar(description.checkpoint) << '\n';
  if (!description.limits.empty()) {
    os << "limits: {";
    interleaveComma(description.limits, os,
                    [&](const auto &limit) { os << limit.first << ": " << limit.second; });
    os << "}\n";
  }
  if (!description.eos.empty()) {
    os << "eos: ";
    shape(description.eos);
    os << '\n';
  }
  if (description.embedMaxSeqLength)
    os << "embed: {max_seq_length: " << description.embedMaxSeqLength << "}\n";
  if (!description.weights.empty()) {
    os << "weights:\n";
    for (const Weight &one : description.weights)
      weight(one);
  }
  if (!description.unused.empty()) {
    os << "unused: ";
    list(description.unused, [&](const std::string &pattern) { os << yamlScalar(pattern); });
    os << '\n';
  }
  if (!description.memories.empty()) {
    os << "kv:\n";
    for (const KVMemory &one : description.memories) {
      os << "  - {name: " << yamlScalar(one.name) << ", layers: " << one.layers
         << ", heads: " << one.heads << ", key: " << one.key << ", value: " << one.value
         << ", dtype: " << one.dtype << ", page: " << one.page << ", ";
      at(one.at);
      os << "}\n";
    }
  }
  os << "functions:\n";
  for (const Function &one : description.functions)
    function(one);
}

} // namespace

void printDescription(const Description &description, raw_ostream &os) {
  Printer(os).print(description);
}

} // namespace sluice::model
