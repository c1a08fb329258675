// SPDX-License-Identifier: Apache-2.0
//
// Reads machine files. Every problem of a file is reported, not only the first.
#include "sluice/Machine/PNMMachine.h"
#include "lib/Machine/PNMSchema.h"
#include "lib/Model/YamlText.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace llvm;
using sluice::model::ProblemLog;
using sluice::model::SourceText;
using sluice::model::YamlNode;

namespace sluice::pnm {

static constexpr uint64_t kMaxFileBytes = 1 << 20;
static constexpr StringLiteral kGrades[] = {"P", "P-run", "S", "I", "M", "fit"};

bool isPNMGrade(StringRef grade) { return is_contained(kGrades, grade); }

double Curve::at(StringRef column, double bytes) const {
  const std::vector<double> &y = columns.at(column.str());
  auto above = std::lower_bound(itemBytes.begin(), itemBytes.end(), bytes);
  if (above == itemBytes.begin())
    return y.front();
  if (above == itemBytes.end())
    return y.back();
  size_t i = above - itemBytes.begin();
  double part = std::log2(bytes / itemBytes[i - 1]) / std::log2(itemBytes[i] / itemBytes[i - 1]);
  return y[i - 1] + part * (y[i] - y[i - 1]);
}

std::optional<double> PNMMachine::find(StringRef key, Estimate which) const {
  auto found = quantities.find(key.str());
  if (found == quantities.end()) {
    const QuantityRule *rule = findQuantityRule(key);
    assert(rule && rule->absent && "a key of the schema that may be absent");
    return rule->absent;
  }
  const Quantity &quantity = found->second;
  if (!quantity.value)
    return std::nullopt;
  return which == Estimate::Low    ? quantity.lo
         : which == Estimate::High ? quantity.hi
                                   : *quantity.value;
}

double PNMMachine::get(StringRef key, Estimate which) const {
  std::optional<double> value = find(key, which);
  assert(value && "a quantity that is always known");
  return *value;
}

const Curve *PNMMachine::curve(StringRef key) const {
  auto found = curves.find(key.str());
  return found == curves.end() ? nullptr : &found->second;
}

std::string PNMMachine::set(StringRef change) {
  auto [key, text] = change.split('=');
  const QuantityRule *rule = findQuantityRule(key);
  if (!rule) {
    std::vector<StringRef> keys;
    for (const QuantityRule &known : quantityRules())
      keys.push_back(known.key);
    return formatv("a machine has no quantity '{0}'{1}", key, model::didYouMean(key, keys)).str();
  }
  Quantity &quantity = quantities[key.str()];
  if (!quantity.value && rule->absent)
    quantity.value = quantity.lo = quantity.hi = *rule->absent;
  quantity.source = "set on the command line";
  quantity.grade = "I";
  if (text == "unknown") {
    if (!rule->nullable)
      return (key + " cannot be unknown").str();
    quantity.value.reset();
    return "";
  }
  double number, scale = 0;
  if (StringRef(text).consume_front("x") ? text.drop_front().getAsDouble(scale)
                                         : text.getAsDouble(number))
    return formatv("expected {0}=NUMBER, {0}=xFACTOR or {0}=unknown, found '{1}'", key, text).str();
  if (text.starts_with("x")) {
    if (!quantity.value)
      return (key + " is unknown, so it cannot be scaled").str();
    if (!(scale > 0) || !std::isfinite(scale))
      return formatv("{0} scaled by {1}, expected a factor above 0", key, numberText(scale)).str();
    number = *quantity.value * scale;
    quantity.lo *= scale;
    quantity.hi *= scale;
  } else {
    quantity.lo = quantity.hi = number;
  }
  quantity.value = number;
  return problemWith(*rule, number);
}

namespace {
class Reader {
public:
  Reader(const SourceText &source, ProblemLog &log) : source(source), log(log) {}

  std::optional<PNMMachine> run();

private:
  void fail(size_t offset, const Twine &message) { log.badInput(source, offset, message); }
  void section(StringRef name, const YamlNode &node);
  void quantity(const QuantityRule &rule, const YamlNode &node);
  void curve(const CurveRule &rule, const YamlNode &node);
  std::optional<double> number(const YamlNode &node, const Twine &what);
  std::optional<std::string> text(const YamlNode &map, StringRef key, const Twine &owner);
  void grade(const YamlNode &map, StringRef owner, std::string &into);

  const SourceText &source;
  ProblemLog &log;
  PNMMachine machine;
};
} // namespace

std::optional<double> Reader::number(const YamlNode &node, const Twine &what) {
  double value;
  if (node.kind != YamlNode::Scalar || node.quoted || StringRef(node.text).getAsDouble(value) ||
      !std::isfinite(value)) {
    fail(node.offset, "expected " + what + " to be a number, found " + node.describe());
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> Reader::text(const YamlNode &map, StringRef key, const Twine &owner) {
  const YamlNode *node = map.find(key);
  if (node && node->kind == YamlNode::Scalar && !StringRef(node->text).trim().empty())
    return node->text;
  fail(node ? node->offset : map.offset, owner + " lacks its " + key + ", expected words" +
                                             (node ? ", found " + node->describe() : ""));
  return std::nullopt;
}

void Reader::grade(const YamlNode &map, StringRef owner, std::string &into) {
  std::optional<std::string> grade = text(map, "grade", owner);
  if (!grade)
    return;
  into = *grade;
  if (!isPNMGrade(into))
    fail(map.find("grade")->offset, owner + " has the grade '" + into + "', expected one of " +
                                        join(ArrayRef<StringLiteral>(kGrades), ", "));
}

void Reader::quantity(const QuantityRule &rule, const YamlNode &node) {
  if (node.kind != YamlNode::Map)
    return fail(node.offset, rule.key + " is " + node.describe() +
                                 ", expected {value, source, grade} and perhaps lo and hi");
  for (const YamlNode::Entry &entry : node.entries) {
    StringRef known[] = {"value", "source", "grade", "lo", "hi"};
    if (!is_contained(known, entry.key))
      fail(entry.keyOffset, rule.key + " has '" + entry.key +
                                "', expected value, source, grade, lo, hi" +
                                model::didYouMean(entry.key, known));
  }
  Quantity quantity;
  if (std::optional<std::string> words = text(node, "source", rule.key))
    quantity.source = *words;
  grade(node, rule.key, quantity.grade);
  const YamlNode *value = node.find("value"), *lo = node.find("lo"), *hi = node.find("hi");
  if (!value)
    return fail(node.offset, rule.key + " lacks its value (null where it is unknown)");
  if (!lo != !hi)
    return fail(node.offset, rule.key + " has one end of a range, expected lo and hi or neither");
  if (value->kind == YamlNode::Null || (!value->quoted && value->text == "null")) {
    if (!rule.nullable)
      fail(value->offset, rule.key + " is null, but it cannot be unknown");
    else if (lo)
      fail(lo->offset, rule.key + " is unknown and has a range, expected one of the two");
    machine.quantities[rule.key.str()] = quantity;
    return;
  }
  std::optional<double> number = this->number(*value, rule.key + ".value");
  std::optional<double> least = lo ? this->number(*lo, rule.key + ".lo") : number;
  std::optional<double> most = hi ? this->number(*hi, rule.key + ".hi") : number;
  if (!number || !least || !most)
    return;
  for (auto [end, at] :
       {std::pair(*number, value), {*least, lo ? lo : value}, {*most, hi ? hi : value}})
    if (std::string problem = problemWith(rule, end); !problem.empty())
      return fail(at->offset, problem);
  if (*least > *number || *number > *most)
    return fail(value->offset,
                formatv("{0} is {1}, expected a number in its own range, {2} to {3}", rule.key,
                        numberText(*number), numberText(*least), numberText(*most)));
  quantity.value = number;
  quantity.lo = *least;
  quantity.hi = *most;
  machine.quantities[rule.key.str()] = quantity;
}

void Reader::curve(const CurveRule &rule, const YamlNode &node) {
  if (node.kind != YamlNode::Map)
    return fail(node.offset, rule.key + " is " + node.describe() + ", expected a map");
  Curve curve;
  if (std::optional<std::string> words = text(node, "source", rule.key))
    curve.source = *words;
  grade(node, rule.key, curve.grade);
  SmallVector<StringRef> known = {"source", "grade", "item_bytes"};
  known.append(rule.columns.begin(), rule.columns.end());
  for (const YamlNode::Entry &entry : node.entries)
    if (!is_contained(known, entry.key))
      fail(entry.keyOffset, rule.key + " has '" + entry.key + "', expected " + join(known, ", "));
  auto column = [&](StringRef key, std::vector<double> &into) {
    const YamlNode *list = node.find(key);
    if (!list || list->kind != YamlNode::List || list->items.empty())
      return fail(list ? list->offset : node.offset, rule.key + " lacks the list '" + key + "'");
    for (const YamlNode &item : list->items) {
      std::optional<double> value = number(item, rule.key + "." + key);
      if (!value)
        return;
      bool sizes = key == "item_bytes";
      if (sizes ? *value < 1 || *value > 1e12 || (!into.empty() && *value <= into.back())
                : *value < rule.least || *value > rule.most)
        return fail(item.offset,
                    sizes
                        ? formatv("{0}.item_bytes has {1}, expected ascending sizes from 1 on",
                                  rule.key, numberText(*value))
                              .str()
                        : formatv("{0}.{1} has {2}, expected {3} to {4}", rule.key, key,
                                  numberText(*value), numberText(rule.least), numberText(rule.most))
                              .str());
      into.push_back(*value);
    }
  };
  column("item_bytes", curve.itemBytes);
  for (StringRef name : rule.columns) {
    std::vector<double> &values = curve.columns[name.str()];
    column(name, values);
    if (values.size() != curve.itemBytes.size())
      fail(node.offset, formatv("{0}.{1} has {2} numbers for {3} item sizes", rule.key, name,
                                values.size(), curve.itemBytes.size()));
  }
  machine.curves[rule.key.str()] = curve;
}

void Reader::section(StringRef name, const YamlNode &node) {
  if (node.kind != YamlNode::Map)
    return fail(node.offset, "section '" + name + "' is " + node.describe() + ", expected a map");
  for (const YamlNode::Entry &entry : node.entries) {
    std::string key = (name + "." + entry.key).str();
    if (const QuantityRule *rule = findQuantityRule(key)) {
      quantity(*rule, entry.value);
    } else if (const CurveRule *rule = findCurveRule(key)) {
      curve(*rule, entry.value);
    } else {
      std::vector<StringRef> known;
      for (const QuantityRule &rule : quantityRules())
        if (StringRef(rule.key).starts_with((name + ".").str()))
          known.push_back(StringRef(rule.key).drop_front(name.size() + 1));
      fail(entry.keyOffset, "section '" + name + "' has no quantity '" + entry.key + "'" +
                                model::didYouMean(entry.key, known));
    }
  }
}

std::optional<PNMMachine> Reader::run() {
  std::unique_ptr<YamlNode> root = parseYaml(source, log);
  if (!root)
    return std::nullopt;
  StringRef sections[] = {"topology", "capacity", "dram",  "compute",
                          "link",     "command",  "power", "energy"};
  bool schemaSeen = false;
  for (const YamlNode::Entry &entry : root->entries) {
    if (entry.key == "schema") {
      schemaSeen = true;
      if (entry.value.text != "1")
        fail(entry.value.offset, "schema is " + entry.value.describe() + ", expected 1");
    } else if (entry.key == "name" || entry.key == "role") {
      if (std::optional<std::string> words = text(*root, entry.key, "the machine"))
        (entry.key == "name" ? machine.name : machine.role) = *words;
    } else if (is_contained(sections, entry.key)) {
      section(entry.key, entry.value);
    } else {
      fail(entry.keyOffset,
           "a machine has no section '" + entry.key + "'" + model::didYouMean(entry.key, sections));
    }
  }
  if (!schemaSeen)
    fail(0, "expected 'schema: 1'");
  if (!root->find("name"))
    fail(0, "expected a name");
  if (log.failed())
    return std::nullopt;
  for (const QuantityRule &rule : quantityRules())
    if (!rule.absent && !machine.quantities.count(rule.key.str()))
      fail(0, "lacks " + rule.key + (rule.nullable ? " (null where it is unknown)" : ""));
  if (log.failed())
    return std::nullopt;
  if (machine.get("compute.tiles") > 0 && machine.get("compute.lanes") == 0)
    fail(0, "compute.lanes is 0 in a machine with tiles, expected 1 or more");
  if (machine.get("dram.page_bytes") > 1 &&
      machine.get("dram.page_bytes") < machine.get("dram.access_bytes"))
    fail(0, "dram.page_bytes is less than dram.access_bytes, expected whole accesses");
  return log.failed() ? std::nullopt : std::optional(machine);
}

std::optional<PNMMachine> parsePNMMachine(const SourceText &source, ProblemLog &log) {
  return Reader(source, log).run();
}

namespace {
struct Shipped {
  StringLiteral name;
  StringLiteral text;
};
} // namespace

static ArrayRef<Shipped> shippedMachines() {
  static const Shipped machines[] = {
#include "lib/Machine/PNMMachines.inc"
  };
  return machines;
}

std::vector<StringRef> pnmMachineNames() {
  std::vector<StringRef> names;
  for (const Shipped &machine : shippedMachines())
    names.push_back(machine.name);
  sort(names);
  return names;
}

std::optional<PNMMachine> readPNMMachine(StringRef nameOrPath, ProblemLog &log) {
  for (const Shipped &machine : shippedMachines())
    if (machine.name == nameOrPath)
      return parsePNMMachine(SourceText((machine.name + ".yaml").str(), machine.text.str()), log);
  if (!nameOrPath.ends_with(".yaml")) {
    std::vector<StringRef> names = pnmMachineNames();
    log.badInput(nameOrPath, "there is no machine of this name" +
                                 model::didYouMean(nameOrPath, names) + "; there are " +
                                 join(names, ", ") + ", and paths of .yaml files");
    return std::nullopt;
  }
  std::unique_ptr<SourceText> source = model::readSource(nameOrPath, kMaxFileBytes, log);
  return source ? parsePNMMachine(*source, log) : std::nullopt;
}

void PNMMachine::printJson(raw_ostream &os) const {
  json::OStream out(os, 1);
  out.object([&] {
    out.attribute("name", name);
    out.attribute("role", role);
    out.attributeObject("quantities", [&] {
      for (const auto &[key, quantity] : quantities)
        out.attributeObject(key, [&, &q = quantity] {
          out.attribute("value", q.value ? json::Value(*q.value) : json::Value(nullptr));
          if (q.value) {
            out.attribute("lo", q.lo);
            out.attribute("hi", q.hi);
          }
          out.attribute("grade", q.grade);
          out.attribute("source", q.source);
        });
    });
    out.attributeObject("curves", [&] {
      for (const auto &[key, curve] : curves)
        out.attributeObject(key, [&, &c = curve] {
          out.attribute("item_bytes", json::Array(c.itemBytes));
          for (const auto &[name, values] : c.columns)
            out.attribute(name, json::Array(values));
          out.attribute("grade", c.grade);
          out.attribute("source", c.source);
        });
    });
    out.attributeObject("derived", [&] {
      out.attribute("device_bandwidth", peakBandwidth());
      out.attribute("device_flops", peakFlops());
      out.attribute("bytes", get("topology.devices") * get("capacity.device_bytes"));
    });
  });
  os << "\n";
}

void printPNMSchema(raw_ostream &os) {
  for (const QuantityRule &rule : quantityRules())
    os << formatv("{0,-28} {1,-8} {2} to {3}{4}{5}{6}{7}\n", rule.key, rule.unit,
                  numberText(rule.least), numberText(rule.most), rule.nullable ? ", or null" : "",
                  rule.absent ? ", optional" : "", rule.meaning.empty() ? "" : "; ", rule.meaning);
  for (const CurveRule &rule : curveRules())
    os << formatv("{0,-28} {1,-8} {2} to {3}, optional; {4}\n", rule.key, "curve",
                  numberText(rule.least), numberText(rule.most), rule.meaning);
}

} // namespace sluice::pnm
