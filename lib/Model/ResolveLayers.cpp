//===- ResolveLayers.cpp - blocks, and repeats over layers that differ -----===//
// SPDX-License-Identifier: Apache-2.0
//
// Layers differ by the values of a repeat's `each`. Layers for which all of these are the same are
// of one kind, and their steps are read once. The sequence of kinds is then cut into repeats: as
// few and as long as rounds of at most maxRound layers allow, so that 5 windows and 1 full layer,
// over and over, are one loop with 6 layers in its body.
//
//===----------------------------------------------------------------------===//
#include "Resolver.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sluice::model {

// Blocks may call blocks; this many levels, and this many steps in all, are no model but a mistake
// (or an attack).
constexpr unsigned maxBlockDepth = 16;
constexpr size_t maxSteps = 20'000;
// A longer pattern is unrolled.
constexpr size_t maxRound = 16;

Resolver::Block Resolver::findBlock(const YamlNode &name, unsigned depth) {
  SmallVector<StringRef> known;
  auto lookIn = [&](const YamlNode &file) -> const YamlNode * {
    const YamlNode *blocks = file.find("blocks");
    for (const YamlNode::Entry &entry :
         blocks ? ArrayRef(blocks->entries) : ArrayRef<YamlNode::Entry>())
      known.push_back(entry.key);
    return blocks ? blocks->find(name.text) : nullptr;
  };
  // What a description says itself comes before what it uses.
  Block found = {lookIn(root), ownText};
  for (size_t i = 0; !found.steps && i != fragments.size(); ++i)
    found = {lookIn(*fragments[i].root), fragments[i].source};
  if (!found.steps) {
    bad(name.offset,
        "no block '" + name.text + "' is declared under 'blocks'" + didYouMean(name.text, known));
  } else if (depth >= maxBlockDepth) {
    bad(name.offset, "expected blocks to call blocks at most " + Twine(maxBlockDepth) +
                         " levels deep; does '" + name.text + "' call itself?");
    found.steps = nullptr;
  }
  return found;
}

/// Which kind each layer is of, and what the names of |each| mean in each kind.
bool Resolver::layerKinds(const YamlNode &each, int64_t layers, std::vector<unsigned> &kindOf,
                          std::vector<StringMap<Value>> &kinds) {
  if (!expect(each, YamlNode::Map, "a map from names to what they are in a layer"))
    return false;
  for (const YamlNode::Entry &entry : each.entries)
    if (entry.key == "layer" || axes.count(entry.key))
      return bad(entry.keyOffset, "'" + entry.key + "' is a name already");
  StringMap<unsigned> numbers;
  for (int64_t layer = 0; layer != layers; ++layer) {
    locals["layer"] = Value::ofInt(layer);
    StringMap<Value> values;
    std::string signature;
    for (const YamlNode::Entry &entry : each.entries) {
      std::optional<Value> value = evaluateNode(entry.value);
      if (!value) {
        locals.clear();
        return false;
      }
      signature += value->describe() + "\n";
      values[entry.key] = std::move(*value);
    }
    auto [known, isNew] = numbers.try_emplace(signature, kinds.size());
    if (isNew)
      kinds.push_back(std::move(values));
    kindOf.push_back(known->second);
  }
  locals.clear();
  return true;
}

namespace {
/// Layers [first, end), in rounds of |every|.
struct Rounds {
  size_t first, end, every;
};

/// The longest stretch from |first| on that is whole rounds, of the shortest rounds.
Rounds longestRounds(ArrayRef<unsigned> kindOf, size_t first) {
  Rounds best = {first, first + 1, 1};
  for (size_t every = 1; every <= maxRound && first + every <= kindOf.size(); ++every) {
    size_t end = first + every;
    while (end != kindOf.size() && kindOf[end] == kindOf[end - every])
      ++end;
    end -= (end - first) % every;
    bool repeats = end - first >= 2 * every || every == 1;
    if (repeats && end > best.end)
      best = {first, end, every};
  }
  return best;
}
} // namespace

bool Resolver::repeatBody(const YamlNode &node, Step repeat, std::vector<Step> &into,
                          const StringSet<> &scope, unsigned depth) {
  const YamlNode *block = node.find("block"), *list = node.find("steps"), *each = node.find("each");
  if (!block == !list)
    return bad(node.offset, "expected either 'block' or 'steps' in a repeat");
  if (!locals.empty())
    return bad(node.offset, "a repeat inside a repeat is not built");
  Block body = list ? Block{list, text} : findBlock(*block, depth);
  if (!body.steps)
    return false;
  auto readBody = [&](std::vector<Step> &steps) {
    StringSet<> inner = scope;
    const SourceText *outer = std::exchange(text, body.text);
    bool fine = this->steps(*body.steps, steps, inner, depth + 1);
    text = outer;
    return fine;
  };
  int64_t layers = repeat.integer("layers");
  if (layers < 1 || layers > maxLayers)
    return bad(node.find("layers")->offset,
               "expected from 1 to " + Twine(maxLayers) + " layers, but found " + Twine(layers));
  if (!each) {
    if (!readBody(repeat.body))
      return false;
    into.push_back(std::move(repeat));
    return true;
  }
  for (StringRef field : {"first", "end", "every"})
    if (repeat.has(field))
      return bad(node.offset, "expected either 'each' or '" + field + "' in a repeat");

  std::vector<unsigned> kindOf;
  std::vector<StringMap<Value>> kinds;
  if (!layerKinds(*each, layers, kindOf, kinds))
    return false;
  std::vector<std::vector<Step>> bodies(kinds.size());
  for (auto [kind, steps] : zip(kinds, bodies)) {
    locals = kind;
    bool fine = readBody(steps);
    locals.clear();
    if (!fine)
      return false;
  }
  for (size_t at = 0; at != kindOf.size();) {
    Rounds rounds = longestRounds(kindOf, at);
    Step part = repeat;
    auto set = [&](StringRef field, int64_t value) {
      part.fields.insert(part.fields.end() - 1, {field.str(), value}); // before 'carry'
    };
    if (rounds.first != 0)
      set("first", rounds.first);
    if (rounds.end != kindOf.size())
      set("end", rounds.end);
    if (rounds.every == 1) {
      part.body = bodies[kindOf[at]];
    } else {
      set("every", rounds.every);
      for (size_t number = 0; number != rounds.every; ++number) {
        Step layer;
        layer.schema = stepSchema("layer");
        layer.fields.push_back({"number", int64_t(number)});
        layer.body = bodies[kindOf[at + number]];
        layer.at = part.at;
        part.body.push_back(std::move(layer));
      }
    }
    for (size_t number = 0; number != rounds.every; ++number)
      stepCount += bodies[kindOf[at + number]].size();
    if (stepCount > maxSteps)
      return bad(node.offset, "expected at most " + Twine(maxSteps) +
                                  " steps in all functions; layers that differ without a pattern "
                                  "are unrolled");
    into.push_back(std::move(part));
    at = rounds.end;
  }
  return true;
}

std::optional<Scaling> Resolver::scaling(const YamlNode &node) {
  auto nothing = [&](size_t offset, const Twine &message) {
    bad(offset, message);
    return std::nullopt;
  };
  if (!expect(node, YamlNode::Map, "a map with 'kind'"))
    return std::nullopt;
  const YamlNode *kindNode = node.find("kind");
  if (!kindNode)
    return nothing(node.offset, "expected 'kind', one of none, " + join(scalingKinds(), ", "));
  SmallVector<StringRef> known = {"none"};
  append_range(known, scalingKinds());
  std::optional<std::string> kind = oneOf(*kindNode, known);
  if (!kind)
    return std::nullopt;
  // Numbers of other kinds may stand there too: which kind it is may be a key's matter.
  SmallVector<StringRef> names = {"kind"};
  for (StringRef one : scalingKinds())
    for (const ScalingItem &item : scalingItems(one))
      if (!is_contained(names, item.name))
        names.push_back(item.name);
  if (!checkKeys(node, *text, names, "'scaling'", log))
    return std::nullopt;
  Scaling made;
  made.kind = *kind;
  for (const ScalingItem &item : scalingItems(made.kind)) {
    Scaling::Item into = {item.name.str(), {}, ""};
    const YamlNode *value = node.find(item.name);
    if (!value)
      return nothing(node.offset, "scaling '" + made.kind + "' needs '" + item.name + "'");
    switch (item.kind) {
    case ScalingItem::Corners: {
      std::optional<std::string> found = oneOf(*value, {"whole", "exact"});
      if (!found)
        return std::nullopt;
      into.word = *found;
      break;
    }
    case ScalingItem::Count: {
      std::optional<int64_t> found = integer(*value, 1, INT32_MAX);
      if (!found)
        return std::nullopt;
      into.numbers.push_back(double(*found));
      break;
    }
    case ScalingItem::Number:
    case ScalingItem::Numbers: {
      Value all;
      if (value->kind == YamlNode::List) {
        all.kind = Value::List;
        for (const YamlNode &one : value->items) {
          std::optional<Value> number = evaluateNode(one);
          if (!number)
            return std::nullopt;
          all.items.push_back(std::move(*number));
        }
      } else {
        std::optional<Value> found = evaluateNode(*value);
        if (!found)
          return std::nullopt;
        all = std::move(*found);
      }
      bool isList = item.kind == ScalingItem::Numbers;
      if (isList != (all.kind == Value::List) || (!isList && !all.isNumber()) ||
          any_of(all.items, [](const Value &one) { return !one.isNumber(); }))
        return nothing(value->offset, "scaling '" + made.kind + "': expected '" + item.name +
                                          "' to be " + (isList ? "a list of numbers" : "a number") +
                                          ", but found " + all.describe());
      if (!isList)
        into.numbers.push_back(all.asDouble());
      for (const Value &one : all.items)
        into.numbers.push_back(one.asDouble());
      break;
    }
    }
    made.items.push_back(std::move(into));
  }
  return made;
}

} // namespace sluice::model
