//===- Steps.cpp - the steps of a description's functions ------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// The vocabulary of step lists, as a table: the reader checks against it, the printer follows its
// order, and each entry becomes one op of the `sluice` dialect (or one upstream op) in
// BuildSteps.cpp.
//
//===----------------------------------------------------------------------===//
#include "Description.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace sluice::model {

namespace {

constexpr StringRef normKinds[] = {"rms", "layer", "l2"};
constexpr StringRef functions[] = {"silu",  "gelu_erf", "gelu_tanh", "quick_gelu", "relu",
                                   "relu2", "tanh",     "sigmoid",   "identity"};
constexpr StringRef pairings[] = {"halves", "neighbours"};
constexpr StringRef masks[] = {"causal", "all"};
constexpr StringRef poolKinds[] = {"mean", "first", "last"};
constexpr StringRef nanRules[] = {"propagate", "ignore"};

constexpr StringRef routeScores[] = {"softmax", "sigmoid", "sqrt_softplus", "raw"};
constexpr StringRef routeWeighs[] = {"score", "sum", "softmax"};
constexpr StringRef choosers[] = {"rows", "experts"};
constexpr StringRef groupScores[] = {"max", "top_two"};

constexpr bool optional = false;

constexpr FieldSchema embedFields[] = {{"table", FieldKind::ValueOrWeight},
                                       {"ids", FieldKind::Value},
                                       {"offset", FieldKind::Index, optional},
                                       {"to", FieldKind::NewName}};
constexpr FieldSchema gatherFields[] = {{"table", FieldKind::Weight},
                                        {"ids", FieldKind::Value},
                                        {"home", FieldKind::Word},
                                        {"to", FieldKind::NewName}};
constexpr FieldSchema awaitFields[] = {{"x", FieldKind::Value}, {"to", FieldKind::NewName}};
constexpr FieldSchema positionsFields[] = {{"batch", FieldKind::Value}, {"to", FieldKind::NewName}};
constexpr FieldSchema normFields[] = {
    {"kind", FieldKind::Word, true, normKinds}, {"x", FieldKind::Value},
    {"weight", FieldKind::Weight, optional},    {"bias", FieldKind::Weight, optional},
    {"offset", FieldKind::Float, optional},     {"eps", FieldKind::Float},
    {"dtype", FieldKind::DType, optional},      {"to", FieldKind::NewName}};
constexpr FieldSchema linearFields[] = {{"x", FieldKind::Value},
                                        {"weight", FieldKind::Weight},
                                        {"bias", FieldKind::Weight, optional},
                                        {"to", FieldKind::NewName}};
constexpr FieldSchema activationFields[] = {{"function", FieldKind::Word, true, functions},
                                            {"x", FieldKind::Value},
                                            {"gated", FieldKind::Flag, optional},
                                            {"input_scale", FieldKind::Float, optional},
                                            {"output_scale", FieldKind::Float, optional},
                                            {"limit", FieldKind::Float, optional},
                                            {"up_offset", FieldKind::Float, optional},
                                            {"dtype", FieldKind::DType, optional},
                                            {"to", FieldKind::NewName}};
constexpr FieldSchema addFields[] = {
    {"x", FieldKind::Value}, {"y", FieldKind::Value}, {"to", FieldKind::NewName}};
constexpr FieldSchema clampFields[] = {{"x", FieldKind::Value},
                                       {"width", FieldKind::ValueOrWeight},
                                       {"nan", FieldKind::Word, true, nanRules},
                                       {"to", FieldKind::NewName}};
constexpr FieldSchema splitFields[] = {{"x", FieldKind::Value}, {"to", FieldKind::Pieces}};
constexpr FieldSchema mergeFields[] = {{"x", FieldKind::Value}, {"to", FieldKind::NewName}};
constexpr FieldSchema roundFields[] = {
    {"x", FieldKind::Value}, {"dtype", FieldKind::DType}, {"to", FieldKind::NewName}};
constexpr FieldSchema ropeFields[] = {{"pairing", FieldKind::Word, true, pairings},
                                      {"x", FieldKind::Value},
                                      {"positions", FieldKind::Value},
                                      {"batch", FieldKind::Value, optional},
                                      {"theta", FieldKind::Float},
                                      {"dims", FieldKind::Int, optional},
                                      {"scaling", FieldKind::Scaling, optional},
                                      {"amplitude", FieldKind::Float, optional},
                                      {"to", FieldKind::NewName}};
constexpr FieldSchema appendFields[] = {{"key", FieldKind::Value},
                                        {"value", FieldKind::Value},
                                        {"pages", FieldKind::Value},
                                        {"batch", FieldKind::Value},
                                        {"to", FieldKind::NewName}};
constexpr FieldSchema attentionFields[] = {
    {"query", FieldKind::Value},           {"key", FieldKind::Value, optional},
    {"value", FieldKind::Value, optional}, {"pages", FieldKind::Value, optional},
    {"batch", FieldKind::Value},           {"mask", FieldKind::Word, true, masks},
    {"window", FieldKind::Int, optional},  {"sinks", FieldKind::Weight, optional},
    {"scale", FieldKind::Float},           {"softcap", FieldKind::Float, optional},
    {"dtype", FieldKind::DType, optional}, {"to", FieldKind::NewName}};
constexpr FieldSchema poolFields[] = {{"kind", FieldKind::Word, true, poolKinds},
                                      {"x", FieldKind::Value},
                                      {"batch", FieldKind::Value},
                                      {"to", FieldKind::NewName}};
constexpr FieldSchema routeFields[] = {{"score", FieldKind::Word, true, routeScores},
                                       {"logits", FieldKind::Value},
                                       {"top", FieldKind::Int},
                                       {"weigh", FieldKind::Word, true, routeWeighs},
                                       {"bias", FieldKind::Weight, optional},
                                       {"groups", FieldKind::Int, optional},
                                       {"top_groups", FieldKind::Int, optional},
                                       {"group_score", FieldKind::Word, optional, groupScores},
                                       {"scale", FieldKind::Float, optional},
                                       {"chooser", FieldKind::Word, optional, choosers},
                                       {"capacity", FieldKind::Int, optional},
                                       {"capacity_factor", FieldKind::Float, optional},
                                       {"to", FieldKind::NewNames}};
constexpr FieldSchema expertsFields[] = {{"x", FieldKind::Value},
                                         {"weight", FieldKind::Weight},
                                         {"ids", FieldKind::Value},
                                         {"bias", FieldKind::Weight, optional},
                                         {"to", FieldKind::NewName}};
constexpr FieldSchema combineFields[] = {
    {"x", FieldKind::Value}, {"weights", FieldKind::Value}, {"to", FieldKind::NewName}};
constexpr FieldSchema argmaxFields[] = {{"logits", FieldKind::Value}, {"to", FieldKind::NewName}};
constexpr FieldSchema drawFields[] = {{"logits", FieldKind::Value},
                                      {"temperature", FieldKind::Value},
                                      {"rng", FieldKind::Value},
                                      {"to", FieldKind::NewNames}};
constexpr FieldSchema repeatFields[] = {{"layers", FieldKind::Int},
                                        {"first", FieldKind::Index, optional},
                                        {"end", FieldKind::Int, optional},
                                        {"every", FieldKind::Int, optional},
                                        {"carry", FieldKind::Names}};
constexpr FieldSchema layerFields[] = {{"number", FieldKind::Index}};

constexpr StepSchema schemas[] = {
    {"embed", embedFields},
    {"gather", gatherFields},
    {"await", awaitFields},
    {"positions", positionsFields},
    {"norm", normFields},
    {"linear", linearFields},
    {"activation", activationFields},
    {"add", addFields},
    {"clamp", clampFields},
    {"split", splitFields},
    {"merge", mergeFields},
    {"round", roundFields},
    {"rope", ropeFields},
    {"append", appendFields},
    {"attention", attentionFields},
    {"pool", poolFields},
    {"route", routeFields},
    {"experts", expertsFields},
    {"combine", combineFields},
    {"argmax", argmaxFields},
    {"draw", drawFields},
    {"repeat", repeatFields},
    {"layer", layerFields},
};

constexpr ScalingItem factorOnly[] = {{"factor", ScalingItem::Number}};
constexpr ScalingItem dynamicItems[] = {{"factor", ScalingItem::Number},
                                        {"original", ScalingItem::Count}};
constexpr ScalingItem llama3Items[] = {{"factor", ScalingItem::Number},
                                       {"low", ScalingItem::Number},
                                       {"high", ScalingItem::Number},
                                       {"original", ScalingItem::Count}};
constexpr ScalingItem yarnItems[] = {{"factor", ScalingItem::Number},
                                     {"fast", ScalingItem::Number},
                                     {"slow", ScalingItem::Number},
                                     {"original", ScalingItem::Count},
                                     {"corners", ScalingItem::Corners}};
constexpr ScalingItem longropeItems[] = {{"short", ScalingItem::Numbers},
                                         {"long", ScalingItem::Numbers},
                                         {"original", ScalingItem::Count}};
constexpr StringRef kindsOfScaling[] = {"linear", "ntk", "dynamic", "llama3", "yarn", "longrope"};

} // namespace

const StepSchema *stepSchema(StringRef op) {
  const auto *found = llvm::find_if(schemas, [&](const StepSchema &s) { return s.op == op; });
  return found == std::end(schemas) ? nullptr : found;
}

ArrayRef<StringRef> stepNames() {
  static const std::vector<StringRef> names = [] {
    std::vector<StringRef> all;
    for (const StepSchema &schema : schemas)
      all.push_back(schema.op);
    return all;
  }();
  return names;
}

ArrayRef<ScalingItem> scalingItems(StringRef kind) {
  return StringSwitch<ArrayRef<ScalingItem>>(kind)
      .Cases({"linear", "ntk"}, factorOnly)
      .Case("dynamic", dynamicItems)
      .Case("llama3", llama3Items)
      .Case("yarn", yarnItems)
      .Case("longrope", longropeItems)
      .Default({});
}
ArrayRef<StringRef> scalingKinds() { return kindsOfScaling; }

const Scaling::Item &Scaling::item(StringRef name) const {
  return *llvm::find_if(items, [&](const Item &one) { return one.name == name; });
}

std::vector<int64_t> Weight::layerShape() const {
  std::vector<int64_t> shape = sources.front().shape;
  for (const Source &source : ArrayRef<Source>(sources).drop_front())
    shape.front() += source.shape.front();
  return shape;
}

const FieldValue *Step::find(StringRef name) const {
  for (const auto &[field, value] : fields)
    if (field == name)
      return &value;
  return nullptr;
}
StringRef Step::text(StringRef name) const {
  const FieldValue *value = find(name);
  return value ? StringRef(std::get<std::string>(*value)) : StringRef();
}
double Step::number(StringRef name) const { return std::get<double>(*find(name)); }
int64_t Step::integer(StringRef name) const { return std::get<int64_t>(*find(name)); }
int64_t Step::integer(StringRef name, int64_t otherwise) const {
  return has(name) ? integer(name) : otherwise;
}
std::optional<double> Step::optionalNumber(StringRef name) const {
  return has(name) ? std::optional<double>(number(name)) : std::nullopt;
}
ArrayRef<std::string> Step::names(StringRef name) const {
  return std::get<std::vector<std::string>>(*find(name));
}

const Weight *Description::weight(StringRef weightName) const {
  for (const Weight &weight : weights)
    if (weight.name == weightName)
      return &weight;
  return nullptr;
}
const KVMemory *Description::memory(StringRef memoryName) const {
  for (const KVMemory &memory : memories)
    if (memory.name == memoryName)
      return &memory;
  return nullptr;
}

} // namespace sluice::model
