// SPDX-License-Identifier: Apache-2.0
//
// Prints what the manifest says of ops (lib/Artifact/DescribeOps.cpp counts it), for steps of usual
// sizes.

#include "sluice/Pipeline/Explain.h"
#include "lib/Artifact/DescribeOps.h"
#include "lib/Artifact/WeightLayout.h"
#include "lib/Pipeline/MemoryPlan.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace json = llvm::json;

namespace sluice {
namespace {

/// Where nothing is said: what a session has when it is not asked for more.
constexpr int64_t kUsualRows = 512, kUsualSeqs = 8;

int64_t numberOf(DictionaryAttr dictionary, StringRef key) {
  auto attribute = dictionary ? dictionary.getAs<IntegerAttr>(key) : nullptr;
  return attribute ? attribute.getInt() : 0;
}

StringRef wordOf(DictionaryAttr dictionary, StringRef key) {
  auto attribute = dictionary.getAs<StringAttr>(key);
  return attribute ? attribute.getValue() : StringRef();
}

/// Pairs of a row and a key that it sees. Masks that are neither causal nor all are counted as all.
double pairsOf(StringRef mask, const StepSize &size) {
  double rows = static_cast<double>(size.rows) / static_cast<double>(size.seqs);
  double past = static_cast<double>(size.past);
  double all = rows * (past + rows), causal = rows * past + rows * (rows + 1) / 2;
  return static_cast<double>(size.seqs) * (mask == "causal" ? causal : all);
}

double evaluate(DictionaryAttr op, StringRef key, const StepSize &size) {
  auto amount = op.getAs<DictionaryAttr>(key);
  auto part = [&](StringRef letter, double count) {
    return static_cast<double>(numberOf(amount, letter)) * count;
  };
  double keys = static_cast<double>(size.seqs * size.past + size.rows);
  return part("fixed", 1) + part("row", static_cast<double>(size.rows)) +
         part("seq", static_cast<double>(size.seqs)) +
         part("asked", static_cast<double>(size.asked)) + part("key", keys) +
         part("pair", pairsOf(wordOf(op, "mask"), size));
}

/// Bytes or operations for one item, whichever kind of item the op has.
int64_t perItem(DictionaryAttr op, StringRef key) {
  auto amount = op.getAs<DictionaryAttr>(key);
  return numberOf(amount, "row") + numberOf(amount, "asked") + numberOf(amount, "seq");
}

std::string bytesText(double bytes) {
  if (bytes >= 10e6)
    return llvm::formatv("{0:F1} MB", bytes / 1e6);
  if (bytes >= 10e3)
    return llvm::formatv("{0:F1} kB", bytes / 1e3);
  return llvm::formatv("{0:F0} B", bytes);
}

std::string timeText(double seconds) {
  if (seconds >= 10e-3)
    return llvm::formatv("{0:F1} ms", seconds * 1e3);
  if (seconds >= 10e-6)
    return llvm::formatv("{0:F1} us", seconds * 1e6);
  return llvm::formatv("{0:F0} ns", seconds * 1e9);
}

StringRef isaOf(const CPUMachine &machine) {
  return machine.vectorBytes == 64 ? "avx512" : machine.vectorBytes == 32 ? "avx2" : "neon";
}

int64_t limitOf(ModuleOp module, StringRef name, int64_t fallback) {
  auto limits = module->getAttrOfType<DictionaryAttr>("sluice.limits");
  int64_t value = limits ? numberOf(limits, name) : 0;
  return value > 0 ? value : fallback;
}

std::vector<func::FuncOp> exportedFunctions(ModuleOp module) {
  std::vector<func::FuncOp> functions;
  for (auto func : module.getOps<func::FuncOp>())
    if (func->hasAttr("sluice.export"))
      functions.push_back(func);
  return functions;
}

json::Value extentAsJson(place::ExtentAttr extent) {
  return json::Object{
      {"row", extent.getRow()}, {"seq", extent.getSeq()}, {"fixed", extent.getFixed()}};
}

json::Value toJson(Attribute attribute) {
  if (auto integer = dyn_cast<IntegerAttr>(attribute))
    return integer.getInt();
  if (auto string = dyn_cast<StringAttr>(attribute))
    return json::fixUTF8(string.getValue());
  json::Object object;
  for (NamedAttribute entry : cast<DictionaryAttr>(attribute))
    object[entry.getName().getValue()] = toJson(entry.getValue());
  return object;
}

/// The memory of a session, for people.
void printMemory(ModuleOp module, raw_ostream &os) {
  os << "memory\n";
  double weights = 0;
  for (auto param : module.getOps<ParamOp>()) {
    artifact::WeightLayout layout = artifact::layoutOf(param);
    double bytes = static_cast<double>(layout.count * layout.stride);
    os << llvm::formatv("  {0,-34}{1,12}  {2}, {3}\n", "weight " + param.getSymName().str(),
                        bytesText(bytes), layout.panel ? "panels" : "rows",
                        getElementTypeOrSelf(param.getTensorType()));
    weights += bytes;
  }
  os << llvm::formatv("  {0,-34}{1,12}\n", "weights together", bytesText(weights));
  double peak = weights;
  for (auto kv : module.getOps<KVOp>()) {
    double token =
        static_cast<double>(kv.getLayers() * kv.getHeads() * kv.getSlotNumbers() *
                            llvm::divideCeil(kv.getElement().getIntOrFloatBitWidth(), 8));
    os << llvm::formatv("  {0,-34}{1,12}  for each cached token, in pages of {2}\n",
                        "pages " + kv.getSymName().str(), bytesText(token), kv.getPage());
  }
  double arena = 0;
  for (func::FuncOp func : exportedFunctions(module)) {
    auto extent = func->getAttrOfType<place::ExtentAttr>("place.arena");
    if (!extent)
      continue;
    double bytes = static_cast<double>(extent.getRow() * kUsualRows + extent.getSeq() * kUsualSeqs +
                                       extent.getFixed());
    arena = std::max(arena, bytes);
    os << llvm::formatv("  {0,-34}{1,12}  {2} for each of max_rows, {3} for each of max_seqs, and "
                        "{4}\n",
                        "arena of " + func.getName().str(), bytesText(bytes),
                        bytesText(static_cast<double>(extent.getRow())),
                        bytesText(static_cast<double>(extent.getSeq())),
                        bytesText(static_cast<double>(extent.getFixed())));
    for (const PlannedBuffer &buffer : plannedBuffers(func)) {
      os << llvm::formatv("    at {0,6} x rows + {1,6} x seqs + {2,6}: {3}", buffer.at.getRow(),
                          buffer.at.getSeq(), buffer.at.getFixed(), buffer.type);
      if (buffer.first >= 0)
        os << "  from " << buffer.firstPhase << " to " << buffer.lastPhase;
      os << "\n";
    }
  }
  os << llvm::formatv("  {0,-34}{1,12}  weights and arena with max_rows {2}, max_seqs {3}; pages "
                      "come on top\n",
                      "peak of a session", bytesText(peak + arena), kUsualRows, kUsualSeqs);
}
} // namespace

double Ceilings::rate(StringRef name) const {
  double known = dot.lookup(name.empty() ? "fma" : name);
  return known > 0 ? known : dot.lookup("fma");
}

llvm::Expected<Ceilings> readCeilings(StringRef path) {
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!text)
    return llvm::createStringError("cannot read '" + path + "': " + text.getError().message());
  // The parser descends as deep as its input; what this file may say is one level.
  StringRef content = (*text)->getBuffer();
  auto bad = [&](const Twine &what) {
    return llvm::createStringError("'" + path + "': " + what +
                                   "; expected what `sluice-run ceilings --format=json` writes");
  };
  if (content.size() > 1 << 16 || content.count('[') + content.count('{') > 64)
    return bad("too large for a list of ceilings");
  llvm::Expected<json::Value> value = json::parse(content);
  if (!value)
    return bad(llvm::toString(value.takeError()));
  const json::Object *object = value->getAsObject();
  if (!object)
    return bad("found no object");
  Ceilings ceilings;
  ceilings.source = path.str();
  ceilings.threads = object->getInteger("threads").value_or(0);
  ceilings.read = object->getNumber("read_bytes_per_s").value_or(0);
  for (StringRef name : {"fma", "dpbf16", "vnni"})
    ceilings.dot[name] = object->getNumber((name + "_ops_per_s").str()).value_or(0);
  if (!(ceilings.read > 0) || !(ceilings.dot["fma"] > 0))
    return bad("found no read_bytes_per_s and fma_ops_per_s above 0");
  return ceilings;
}

std::vector<StepSize> usualSizes(ModuleOp module, StringRef function) {
  auto kind = module->getAttrOfType<StringAttr>("sluice.kind");
  if (kind && kind.getValue() == "decoder") {
    if (function == "sample")
      return {{"1 row", 1, 1, 1, 0}, {"8 rows", 8, 8, 8, 0}};
    int64_t most = limitOf(module, "max_positions", kUsualRows + 1);
    int64_t many = std::min(kUsualRows, most), past = std::min(kUsualRows, most - 1);
    return {{"decode", 1, 1, 1, past}, {"prefill", many, 1, 1, 0}};
  }
  int64_t many = std::min<int64_t>(128, limitOf(module, "max_positions", 128));
  return {{"1 row", 1, 1, 1, 0}, {std::to_string(many) + " rows", many, 1, many, 0}};
}

OpCost costOf(DictionaryAttr op, const StepSize &size, const Ceilings &ceilings) {
  OpCost cost;
  auto times = static_cast<double>(numberOf(op, "times"));
  cost.operations = times * evaluate(op, "operations", size);
  // Without items there is nothing that weights are read for.
  if (cost.operations > 0)
    cost.bytes = times * static_cast<double>(numberOf(op, "weight_bytes"));
  cost.bytes += times * evaluate(op, "memory", size);
  cost.rowBytes = times * evaluate(op, "rows", size);
  if (ceilings.known()) {
    double memory = cost.bytes / ceilings.read;
    double compute = cost.operations / ceilings.rate(wordOf(op, "dot"));
    cost.memoryBound = memory >= compute;
    cost.seconds = std::max(memory, compute);
  }
  return cost;
}

void printExplanation(ModuleOp module, const CPUMachine &machine, const Ceilings &ceilings,
                      raw_ostream &os) {
  ArrayAttr ops = artifact::describeOps(module);
  os << llvm::formatv("for {0} ({1}, {2} registers of {3} bytes; bf16 by {4})\n", machine.cpu,
                      isaOf(machine), machine.vectorRegisters, machine.vectorBytes,
                      stringify(machine.bf16Dot));
  if (ceilings.known()) {
    os << llvm::formatv("ceilings of {0} threads, {1}: read {2:F1} GB/s", ceilings.threads,
                        ceilings.source, ceilings.read / 1e9);
    for (StringRef name : {"fma", "dpbf16", "vnni"})
      if (double rate = ceilings.dot.lookup(name); rate > 0)
        os << llvm::formatv(", {0} {1:F0} Gop/s", name, rate / 1e9);
    os << "\n";
  } else {
    os << "no floors: " << ceilings.source << "\n";
  }
  for (auto [number, func] : llvm::enumerate(exportedFunctions(module))) {
    std::vector<StepSize> sizes = usualSizes(module, func.getName());
    os << "function " << func.getName() << "\n";
    if (ceilings.known())
      for (const StepSize &size : sizes)
        os << llvm::formatv("  floor of {0}: {1} rows after {2} cached tokens, {3} asked\n",
                            size.name, size.rows, size.past, size.asked);
    os << llvm::formatv("  {0,-6}{1,-16}{2,-14}{3,-9}{4,12}{5,12}{6,16}", "times", "phase", "op",
                        "share", "weights", "bytes/row", "operations/row");
    for (const StepSize &size : sizes)
      if (ceilings.known())
        os << llvm::formatv("{0,11}", size.name);
    os << "  path\n";
    int64_t weights = 0, rows = 0, operations = 0;
    std::vector<double> floors(sizes.size());
    for (auto op : ops.getAsRange<DictionaryAttr>()) {
      if (numberOf(op, "function") != static_cast<int64_t>(number))
        continue;
      int64_t times = numberOf(op, "times"), weight = numberOf(op, "weight_bytes");
      int64_t bytes = perItem(op, "rows") + perItem(op, "memory");
      os << llvm::formatv("  {0,-6}{1,-16}{2,-14}{3,-9}{4,12}{5,12}{6,16}", times,
                          wordOf(op, "phase"), wordOf(op, "op"), wordOf(op, "share"),
                          bytesText(static_cast<double>(weight)),
                          bytesText(static_cast<double>(bytes)), perItem(op, "operations"));
      for (auto [i, size] : llvm::enumerate(sizes))
        if (ceilings.known()) {
          double seconds = costOf(op, size, ceilings).seconds;
          os << llvm::formatv("{0,11}", timeText(seconds));
          floors[i] += seconds;
        }
      os << "  " << wordOf(op, "path");
      if (!wordOf(op, "schedule").empty())
        os << "; " << wordOf(op, "schedule");
      if (!wordOf(op, "location").empty())
        os << "  [" << wordOf(op, "location") << "]";
      os << "\n        because " << artifact::whyChosen(op, machine);
      auto amounts = op.getAs<DictionaryAttr>("operations");
      if (int64_t pair = numberOf(amounts, "pair"))
        os << "; " << pair << " operations for each pair of a row and a key that it sees";
      auto memory = op.getAs<DictionaryAttr>("memory"), scratch = op.getAs<DictionaryAttr>("rows");
      if (int64_t key = numberOf(memory, "key") + numberOf(scratch, "key"))
        os << ", " << key << " bytes for each key";
      os << "\n";
      weights += times * weight;
      rows += times * bytes;
      operations += times * perItem(op, "operations");
    }
    os << llvm::formatv("  a step: weights {0}, and for each row {1} and {2} operations",
                        bytesText(static_cast<double>(weights)),
                        bytesText(static_cast<double>(rows)), operations);
    for (auto [i, size] : llvm::enumerate(sizes))
      if (ceilings.known())
        os << llvm::formatv("; floor of {0} {1}", size.name, timeText(floors[i]));
    os << "\n";
  }
  printMemory(module, os);
}

json::Value explanationAsJson(ModuleOp module, const CPUMachine &machine,
                              const Ceilings &ceilings) {
  json::Array functions, ops;
  std::vector<std::vector<StepSize>> sizes;
  for (func::FuncOp func : exportedFunctions(module)) {
    sizes.push_back(usualSizes(module, func.getName()));
    json::Array buffers, steps;
    for (const PlannedBuffer &buffer : plannedBuffers(func))
      buffers.push_back(json::Object{{"at", extentAsJson(buffer.at)},
                                     {"size", extentAsJson(buffer.size)},
                                     {"type", buffer.type},
                                     {"first", buffer.first},
                                     {"last", buffer.last},
                                     {"first_phase", buffer.firstPhase},
                                     {"last_phase", buffer.lastPhase}});
    for (const StepSize &size : sizes.back())
      steps.push_back(json::Object{{"name", size.name},
                                   {"rows", size.rows},
                                   {"seqs", size.seqs},
                                   {"asked", size.asked},
                                   {"past", size.past}});
    json::Object function{
        {"name", func.getName()}, {"steps", std::move(steps)}, {"buffers", std::move(buffers)}};
    if (auto arena = func->getAttrOfType<place::ExtentAttr>("place.arena"))
      function["arena"] = extentAsJson(arena);
    functions.push_back(std::move(function));
  }
  for (auto op : artifact::describeOps(module).getAsRange<DictionaryAttr>()) {
    json::Value value = toJson(op);
    json::Object &object = *value.getAsObject();
    object["reason"] = artifact::whyChosen(op, machine);
    json::Array costs;
    for (const StepSize &size : sizes[static_cast<size_t>(numberOf(op, "function"))]) {
      OpCost cost = costOf(op, size, ceilings);
      json::Object entry{{"step", size.name},
                         {"bytes", cost.bytes},
                         {"row_bytes", cost.rowBytes},
                         {"operations", cost.operations}};
      if (ceilings.known()) {
        entry["floor_s"] = cost.seconds;
        entry["bound"] = cost.memoryBound ? "memory" : "compute";
      }
      costs.push_back(std::move(entry));
    }
    object["costs"] = std::move(costs);
    ops.push_back(std::move(value));
  }
  json::Object root{{"functions", std::move(functions)}, {"ops", std::move(ops)}};
  if (auto name = module->getAttrOfType<StringAttr>("sluice.name"))
    root["name"] = json::fixUTF8(name.getValue());
  root["target"] = json::Object{{"cpu", machine.cpu},
                                {"triple", machine.triple},
                                {"isa", isaOf(machine)},
                                {"registers", machine.vectorRegisters},
                                {"register_bytes", machine.vectorBytes},
                                {"bf16_dot", stringify(machine.bf16Dot)}};
  json::Object limits{{"source", ceilings.source}};
  if (ceilings.known()) {
    limits["threads"] = ceilings.threads;
    limits["read_bytes_per_s"] = ceilings.read;
    for (const auto &entry : ceilings.dot)
      if (entry.second > 0)
        limits[(entry.first() + "_ops_per_s").str()] = entry.second;
  }
  root["ceilings"] = std::move(limits);
  json::Array weights;
  for (auto param : module.getOps<ParamOp>()) {
    artifact::WeightLayout layout = artifact::layoutOf(param);
    weights.push_back(json::Object{{"name", param.getSymName()},
                                   {"layout", layout.panel ? "panel" : "rows"},
                                   {"bytes", layout.count * layout.stride}});
  }
  root["weights"] = std::move(weights);
  return root;
}
} // namespace sluice
