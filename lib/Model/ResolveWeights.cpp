//===- ResolveWeights.cpp - weights and the tensors that they come from ----===//
// SPDX-License-Identifier: Apache-2.0
//
// A weight is named by the description and filled from tensors of the checkpoint. Here names get
// the spelling that the checkpoint uses, every tensor's shape is compared with what the
// configuration says, and the tensors decide the dtype.
//
//===----------------------------------------------------------------------===//
#include "Resolver.h"

#include "sluice/Model/Weights.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace sluice::model {

bool Resolver::spellingsSection() {
  const YamlNode *section = root.find("spellings");
  if (!section)
    return true;
  if (!expect(*section, YamlNode::Map, "a map of lists"))
    return false;
  for (const YamlNode::Entry &entry : section->entries) {
    std::optional<std::vector<std::string>> all = words(entry.value);
    if (!all)
      return false;
    if (all->empty())
      return bad(entry.value.offset, "expected at least one spelling");
    spellings[entry.key] = std::move(*all);
  }
  return true;
}

std::vector<std::string> Resolver::spellingsOf(StringRef pattern) {
  std::vector<std::string> all = {""};
  while (!pattern.empty()) {
    size_t open = pattern.find('{');
    StringRef before = pattern.substr(0, open);
    size_t close = open == StringRef::npos ? StringRef::npos : pattern.find('}', open);
    StringRef name = close == StringRef::npos ? "" : pattern.slice(open + 1, close);
    auto found = spellings.find(name);
    if (found == spellings.end()) {
      // No placeholder, or `{}`, which stays: copy up to behind it.
      before = pattern.substr(0, close == StringRef::npos ? StringRef::npos : close + 1);
    }
    for (std::string &one : all)
      one += before;
    if (found != spellings.end()) {
      std::vector<std::string> longer;
      for (const std::string &one : all)
        for (const std::string &spelling : found->second)
          longer.push_back(one + spelling);
      all = std::move(longer);
    }
    pattern = pattern.substr(close == StringRef::npos ? pattern.size() : close + 1);
  }
  return all;
}

bool Resolver::weightsSource(Description &out) {
  const YamlNode *directory = root.find("checkpoint"), *random = root.find("random");
  if (directory && random)
    return bad(random->offset, "expected only one of 'checkpoint' and 'random'");
  if (random) {
    std::optional<int64_t> seed = integer(*random, 0, INT64_MAX);
    if (!seed)
      return false;
    out.seed = uint64_t(*seed);
  }
  if (options.seed)
    out.seed = options.seed;
  if (!options.checkpointDirectory.empty()) {
    out.checkpoint = options.checkpointDirectory;
  } else if (directory) {
    std::optional<std::string> path = word(*directory);
    if (!path)
      return false;
    out.checkpoint = *path;
  }
  if (out.seed)
    out.checkpoint.clear();
  if (out.checkpoint.empty())
    return true;
  SmallString<256> absolute(out.checkpoint);
  sys::fs::make_absolute(absolute);
  sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
  out.checkpoint = std::string(absolute);
  checkpoint = Checkpoint::open(out.checkpoint, log);
  return checkpoint != nullptr;
}

bool Resolver::sourceEntry(const YamlNode &node, Weight &weight) {
  const YamlNode *name = node.find("name"), *shape = node.find("shape");
  if (!name || !shape)
    return bad(node.offset, "expected both 'name' and 'shape'");
  Source source;
  std::optional<std::string> nameWord = word(*name);
  std::optional<std::vector<int64_t>> sizesHere = nameWord ? sizes(*shape) : std::nullopt;
  if (!sizesHere)
    return false;
  if (sizesHere->empty())
    return bad(shape->offset, "expected at least one size");
  source.name = std::move(*nameWord);
  source.shape = std::move(*sizesHere);
  for (StringRef rest = source.name; rest.contains('{');) {
    rest = rest.substr(rest.find('{') + 1);
    StringRef placeholder = rest.take_until([](char c) { return c == '}'; });
    if (placeholder.size() == rest.size())
      return bad(name->offset, "expected '}' in '" + source.name + "'");
    if (!placeholder.empty() && !spellings.count(placeholder)) {
      SmallVector<StringRef> known(spellings.keys());
      return bad(name->offset, "no spelling '" + placeholder + "' is declared under 'spellings'" +
                                   didYouMean(placeholder, known));
    }
  }
  unsigned layerMarks = StringRef(source.name).count("{}"), wanted = weight.stack ? 1u : 0u;
  if (layerMarks != wanted && weight.experts && layerMarks != wanted + 1)
    return bad(name->offset,
               Twine("expected ") + (weight.stack ? "one '{}' for the layer" : "no '{}'") +
                   ", or one more for the expert, in the name of a tensor of experts");
  if (layerMarks != wanted && !weight.experts)
    return bad(name->offset,
               weight.stack
                   ? "expected one '{}' for the layer in the name of a stacked weight's tensor"
                   : "expected no '{}' in the name, because the weight has no 'stack'");
  if (!weight.sources.empty() && ArrayRef<int64_t>(source.shape).drop_front() !=
                                     ArrayRef<int64_t>(weight.sources.front().shape).drop_front())
    return bad(shape->offset, "expected sources that are joined to differ only in their first "
                              "size, but found " +
                                  shapeText(weight.sources.front().shape) + " and " +
                                  shapeText(source.shape));
  weight.sources.push_back(std::move(source));
  return true;
}

bool Resolver::weightEntry(const YamlNode::Entry &entry, Description &out) {
  const YamlNode &node = entry.value;
  if (!expect(node, YamlNode::Map, "a map") ||
      !checkKeys(node, *text,
                 {"when", "stack", "where", "layers", "experts", "role", "name", "shape", "sources",
                  "or", "dtype", "tied", "transposed", "alternating", "at"},
                 "weight '" + entry.key + "'", log))
    return false;
  Weight weight;
  weight.name = entry.key;
  bool on = true, tied = false;
  std::string tiedTo;
  bool fine = placed(node, entry.keyOffset, weight.at, [&] {
    std::optional<bool> when = isOn(node);
    if (!when)
      return false;
    if (!(on = *when))
      return true;
    if (const YamlNode *stack = node.find("stack")) {
      std::optional<int64_t> layers = integer(*stack, 1, maxLayers);
      if (!layers)
        return false;
      weight.stack = *layers;
    }
    if (!layersOf(node, weight, on) || !on)
      return !on;
    if (const YamlNode *experts = node.find("experts")) {
      std::optional<int64_t> count = integer(*experts, 1, 4096);
      if (!count)
        return false;
      weight.experts = *count;
    }
    weight.role = "weight";
    if (const YamlNode *role = node.find("role")) {
      std::optional<std::string> found = oneOf(*role, {"weight", "scale", "bias", "table"});
      if (!found)
        return false;
      weight.role = *found;
    }
    if (const YamlNode *dtype = node.find("dtype")) {
      std::optional<std::string> found = oneOf(*dtype, {"f32", "bf16", "f16"});
      if (!found)
        return false;
      weight.dtype = *found;
    }
    if (const YamlNode *transposed = node.find("transposed")) {
      std::optional<bool> found = flag(*transposed);
      if (!found)
        return false;
      weight.transposed = *found;
    }
    if (const YamlNode *alternating = node.find("alternating")) {
      std::optional<bool> found = flag(*alternating);
      if (!found)
        return false;
      weight.alternating = *found;
    }
    if (const YamlNode *tiedNode = node.find("tied")) {
      if (!expect(*tiedNode, YamlNode::Map, "a map with 'to' and 'when'") ||
          !checkKeys(*tiedNode, *text, {"to", "when"}, "'tied'", log))
        return false;
      std::optional<bool> tiedOn = isOn(*tiedNode);
      const YamlNode *to = tiedNode->find("to");
      if (!tiedOn)
        return false;
      if (!to || !out.weight(to->text))
        return bad(tiedNode->offset, "expected 'to' to name a weight declared before");
      tied = *tiedOn;
      tiedTo = to->text;
    }
    const YamlNode *list = node.find("sources"), *others = node.find("or");
    // The other way to store it counts when the checkpoint has its first tensor and not this one's.
    if (others) {
      if (!expect(*others, YamlNode::List, "a list of tensors") || others->items.empty())
        return false;
      const YamlNode *mine = list && list->kind == YamlNode::List && !list->items.empty()
                                 ? list->items.front().find("name")
                                 : node.find("name");
      const YamlNode *theirs = others->items.front().find("name");
      if (mine && theirs && !isThere(*mine) && isThere(*theirs)) {
        Weight other = weight;
        other.transposed = false;
        for (const YamlNode &item : others->items)
          if (!expect(item, YamlNode::Map, "a map with 'name' and 'shape'") ||
              !checkKeys(item, *text, {"name", "shape"}, "a source", log) ||
              !sourceEntry(item, other))
            return false;
        weight = std::move(other);
        return true;
      }
    }
    if (list && node.find("name"))
      return bad(list->offset, "expected only one of 'name' and 'sources'");
    if (!list)
      return sourceEntry(node, weight);
    if (!expect(*list, YamlNode::List, "a list of tensors"))
      return false;
    for (const YamlNode &item : list->items)
      if (!expect(item, YamlNode::Map, "a map with 'name' and 'shape'") ||
          !checkKeys(item, *text, {"name", "shape"}, "a source", log) || !sourceEntry(item, weight))
        return false;
    return !weight.sources.empty() || bad(list->offset, "expected at least one source");
  });
  if (!fine)
    return false;
  if (!on) {
    switchedOff.insert(entry.key);
    return true;
  }
  if (tied) {
    sameAs[entry.key] = tiedTo;
    tiedWeights.push_back({entry.key, tiedTo, weight.sources.front(), weight.at});
    return true;
  }

  // 2^46 elements are 256 TiB of f32: more than can be mapped, so a mistake, and far from overflow
  // later on.
  constexpr uint64_t maxElements = uint64_t(1) << 46;
  bool overflowed = false;
  uint64_t elements = (weight.stack ? weight.stack : 1) * (weight.experts ? weight.experts : 1);
  uint64_t rows = 0;
  for (const Source &source : weight.sources)
    rows += source.shape.front();
  elements = SaturatingMultiply(elements, rows, &overflowed);
  for (int64_t size : ArrayRef<int64_t>(weight.sources.front().shape).drop_front()) {
    bool now = false;
    elements = SaturatingMultiply(elements, uint64_t(size), &now);
    overflowed |= now;
  }
  if (overflowed || elements > maxElements || rows > INT32_MAX)
    return bad(entry.keyOffset, "weight '" + entry.key + "' would have " +
                                    (overflowed ? Twine("more than 2^64") : Twine(elements)) +
                                    " elements in " + Twine(rows) +
                                    " rows, more than any machine holds; check the sizes");
  if (weight.transposed && weight.layerShape().size() != 2)
    return bad(entry.keyOffset, "expected two sizes of a transposed weight, but found " +
                                    shapeText(weight.layerShape()));
  if (weight.role == "scale" || weight.role == "bias") {
    if (weight.layerShape().size() != 1)
      return bad(entry.keyOffset, "expected one size for a " + weight.role + ", but found " +
                                      shapeText(weight.layerShape()));
  }
  out.weights.push_back(std::move(weight));
  return true;
}

bool Resolver::weightsSection(Description &out) {
  const YamlNode *section = root.find("weights");
  if (!section)
    return true;
  if (!expect(*section, YamlNode::Map, "a map of weights"))
    return false;
  for (const YamlNode::Entry &entry : section->entries)
    if (!weightEntry(entry, out))
      return false;
  return true;
}

/// The better of a part's places to show: the config.json key, when one was read.
static FilePosition shownPlace(const Places &at) { return at.size() > 1 ? at[1] : at[0]; }

static std::string numbered(StringRef pattern, int64_t number) {
  size_t mark = pattern.find("{}");
  if (mark == StringRef::npos)
    return pattern.str();
  return (pattern.substr(0, mark) + Twine(number) + pattern.substr(mark + 2)).str();
}

/// The tensor of block |block|: of a layer, or of an expert of a layer.
static std::string blockName(const Weight &weight, StringRef pattern, int64_t block) {
  int64_t experts = std::max<int64_t>(weight.experts, 1), layer = block / experts;
  std::string name = pattern.str();
  if (weight.stack)
    name = numbered(name, weight.layers.empty() ? layer : weight.layers[layer]);
  return weight.experts ? numbered(name, block % experts) : name;
}

bool Resolver::isThere(const YamlNode &name) {
  return checkpoint && any_of(spellingsOf(name.text), [&](const std::string &one) {
           // Of some layer: a weight need not be in the first ones.
           for (int64_t layer = 0; layer != 64; ++layer)
             if (checkpoint->find(numbered(numbered(one, layer), 0)))
               return true;
           return false;
         });
}

bool Resolver::layersOf(const YamlNode &node, Weight &weight, bool &on) {
  const YamlNode *where = node.find("where"), *list = node.find("layers");
  if (!where && !list)
    return true;
  const YamlNode &given = where ? *where : *list;
  if (!weight.stack || (where && list))
    return bad(given.offset, weight.stack ? "expected only one of 'where' and 'layers'"
                                          : "expected 'stack', of whose layers these are some");
  if (list) {
    if (!expect(*list, YamlNode::List, "a list of layers"))
      return false;
    for (const YamlNode &item : list->items) {
      std::optional<int64_t> layer = integer(item, 0, maxLayers - 1);
      if (!layer)
        return false;
      if (!weight.layers.empty() && *layer <= weight.layers.back())
        return bad(item.offset, "expected layers in ascending order");
      weight.layers.push_back(*layer);
    }
    if (int64_t(weight.layers.size()) != weight.stack)
      return bad(list->offset, "expected as many layers as 'stack' says, " + Twine(weight.stack) +
                                   ", but found " + Twine(weight.layers.size()));
    return true;
  }
  if (!locals.empty())
    return bad(given.offset, "expected 'where' outside of a repeat");
  for (int64_t layer = 0; layer != weight.stack; ++layer) {
    locals["layer"] = Value::ofInt(layer);
    std::optional<bool> here = flag(*where);
    locals.clear();
    if (!here)
      return false;
    if (*here)
      weight.layers.push_back(layer);
  }
  on = !weight.layers.empty();
  if (int64_t(weight.layers.size()) == weight.stack)
    weight.layers.clear(); // all of them
  else
    weight.stack = weight.layers.size();
  return true;
}

bool Resolver::matchSource(const Weight &weight, Source &source) {
  std::vector<std::string> alternatives = spellingsOf(source.name);
  if (!checkpoint) {
    source.name = alternatives.front();
    return true;
  }
  auto chosen = find_if(alternatives, [&](const std::string &one) {
    return checkpoint->find(blockName(weight, one, 0)) != nullptr;
  });
  if (chosen == alternatives.end()) {
    std::vector<std::string> tried;
    for (const std::string &one : alternatives)
      tried.push_back("'" + blockName(weight, one, 0) + "'");
    log.report(Severity::BadInput, shownPlace(weight.at),
               "the checkpoint in " + checkpoint->directory() + " lacks a tensor for weight '" +
                   weight.name + "': expected " + join(tried, " or "));
    return false;
  }
  source.name = *chosen;
  int64_t layers = std::max<int64_t>(weight.stack, 1),
          experts = std::max<int64_t>(weight.experts, 1);
  bool holdsAll = weight.experts && StringRef(source.name).count("{}") == (weight.stack ? 1u : 0u);
  for (int64_t block = 0; block != layers * experts; block += holdsAll ? experts : 1) {
    std::string name = blockName(weight, source.name, block);
    const TensorView *view = checkpoint->find(name);
    if (!view) {
      log.report(Severity::BadInput, shownPlace(weight.at),
                 "the checkpoint in " + checkpoint->directory() + " lacks tensor '" + name +
                     "' of weight '" + weight.name + "', which has " + Twine(layers) + " layers");
      return false;
    }
    std::vector<int64_t> stored = source.shape;
    if (weight.transposed)
      std::reverse(stored.begin(), stored.end());
    if (holdsAll)
      stored.insert(stored.begin(), experts);
    if (std::string scales = scalesNameOf(name); !scales.empty() && view->dtype == DType::U8) {
      // MXFP4: WeightStore looks at the shapes of both halves, and decodes them exactly.
      const TensorView *other = checkpoint->find(scales);
      std::vector<int64_t> blocks = stored;
      blocks.back() /= 32;
      bool fine = other && other->dtype == DType::U8 && stored.back() % 32 == 0 &&
                  ArrayRef<int64_t>(other->shape) == ArrayRef<int64_t>(blocks);
      blocks.push_back(16);
      if (!fine || ArrayRef<int64_t>(view->shape) != ArrayRef<int64_t>(blocks)) {
        log.report(Severity::BadInput, shownPlace(weight.at),
                   "tensor '" + name + "' and '" + scales + "': expected MXFP4 of " +
                       shapeText(stored) + " (inputs in blocks of 32), U8 blocks of shape " +
                       shapeText(blocks) + " and a U8 scale for each block, but found " +
                       shapeText(view->shape) + (other ? " and " + shapeText(other->shape) : ""));
        return false;
      }
      usedTensors.insert(name);
      usedTensors.insert(scales);
      continue;
    }
    if (ArrayRef<int64_t>(view->shape) != ArrayRef<int64_t>(stored)) {
      log.report(Severity::BadInput, shownPlace(weight.at),
                 "tensor '" + name + "' has shape " + shapeText(view->shape) +
                     ", but the description makes it " + shapeText(stored));
      return false;
    }
    if (view->dtype != DType::F32 && view->dtype != DType::BF16 && view->dtype != DType::F16) {
      log.report(Severity::CannotCompile, shownPlace(weight.at),
                 "tensor '" + name + "' has dtype " + dtypeName(view->dtype) +
                     "; weights of F32, BF16 and F16 are built");
      return false;
    }
    usedTensors.insert(name);
    if (weight.role == "weight" || weight.role == "table")
      ++tensorDTypes[dtypeName(view->dtype).lower()];
  }
  return true;
}

bool Resolver::matchTied(const Description &out) {
  for (Tied &tied : tiedWeights) {
    if (!checkpoint)
      continue;
    for (const std::string &name : spellingsOf(tied.source.name)) {
      const TensorView *own = checkpoint->find(name);
      if (!own)
        continue;
      usedTensors.insert(name);
      const Weight &target = *out.weight(tied.to);
      const TensorView *other = checkpoint->find(target.sources.front().name);
      // Readers of this format disagree about which of the two then counts, so neither choice would
      // be safe.
      if (!other || own->dtype != other->dtype || own->shape != other->shape ||
          own->bytes != other->bytes) {
        log.report(Severity::BadInput, shownPlace(tied.at),
                   "the configuration ties '" + name + "' to '" + target.sources.front().name +
                       "', but the checkpoint has both and they differ; set the key to false or "
                       "remove the tensor");
        return false;
      }
    }
  }
  return true;
}

bool Resolver::matchCheckpoint(Description &out) {
  if (!checkpoint && !out.seed && !out.weights.empty()) {
    log.badInput(text->name(), "expected a checkpoint; give 'checkpoint: DIRECTORY' in the "
                               "description, or --weights=random:SEED");
    return false;
  }
  for (Weight &weight : out.weights)
    for (Source &source : weight.sources)
      if (!matchSource(weight, source))
        return false;
  return matchTied(out);
}

/// The model's dtype: --dtype, then `dtypes.weights`, then what the tensors have, then what
/// config.json says.
bool Resolver::chooseDType(Description &out) {
  std::string chosen = options.dtype;
  const YamlNode *section = root.find("dtypes");
  if (section) {
    if (!expect(*section, YamlNode::Map, "a map of dtypes") ||
        !checkKeys(*section, *text, {"weights"}, "'dtypes'", log))
      return false;
    if (const YamlNode *weights = section->find("weights")) {
      std::optional<std::string> found = oneOf(*weights, {"f32", "bf16", "f16"});
      if (!found)
        return false;
      if (chosen.empty())
        chosen = *found;
    }
  }
  const Config::Entry *said = config.find("dtype");
  std::string saidWord = said && said->value.kind == Value::String ? said->value.text : "auto";
  if (chosen.empty() && tensorDTypes.size() == 1) {
    chosen = tensorDTypes.begin()->getKey().str();
    if (saidWord != "auto" && saidWord != chosen)
      log.report(Severity::Remark, *said->place,
                 "the key says " + saidWord + ", but the checkpoint's tensors are " + chosen +
                     "; computing in " + chosen + " (--dtype decides otherwise)");
  }
  bool mixed = chosen.empty() && tensorDTypes.size() > 1;
  if (chosen.empty() && saidWord != "auto")
    chosen = saidWord;
  if (mixed) {
    std::vector<std::string> found;
    for (const auto &entry : tensorDTypes)
      found.push_back(entry.getKey().str());
    llvm::sort(found);
    if (chosen.empty()) {
      log.badInput(checkpoint->directory(), "the checkpoint's tensors are of several dtypes (" +
                                                join(found, ", ") + "); choose one with --dtype");
      return false;
    }
    log.report(Severity::Remark, FilePosition{checkpoint->directory().str()},
               "the checkpoint's tensors are of several dtypes (" + join(found, ", ") +
                   "); computing in " + chosen);
  }
  if (chosen.empty())
    chosen = "f32";
  // f16 weights stay f16 in memory and take f32 rows: their range is too small for sums in between.
  rowsDType = chosen == "bf16" ? "bf16" : "f32";
  for (Weight &weight : out.weights)
    if (weight.dtype.empty())
      weight.dtype = chosen;
  return true;
}

bool Resolver::unusedSection(Description &out) {
  std::vector<GlobPattern> patterns;
  if (const YamlNode *section = root.find("unused")) {
    std::optional<std::vector<std::string>> all = words(*section);
    if (!all)
      return false;
    for (auto [index, one] : enumerate(*all)) {
      Expected<GlobPattern> pattern = GlobPattern::create(one);
      if (!pattern)
        return bad(section->items[index].offset,
                   "expected a pattern of names: " + toString(pattern.takeError()));
      patterns.push_back(std::move(*pattern));
    }
    out.unused = std::move(*all);
  }
  if (!checkpoint)
    return true;
  std::vector<std::string> names;
  for (const TensorView *view : checkpoint->tensors())
    if (!usedTensors.contains(view->name) &&
        none_of(patterns, [&](const GlobPattern &one) { return one.match(view->name); }))
      names.push_back(view->name);
  if (names.empty())
    return true;
  size_t count = names.size();
  if (count > 8) {
    names.resize(8);
    names.push_back("...");
  }
  log.report(Severity::Warning, FilePosition{checkpoint->directory().str()},
             Twine(count) + (count == 1 ? " tensor" : " tensors") +
                 " of the checkpoint are not used by the description: " + join(names, ", "));
  return true;
}

} // namespace sluice::model
