// SPDX-License-Identifier: Apache-2.0
//
// Finds inner loops in assembly text, marks them as regions, and has llvm-mca simulate them. The
// tool is part of LLVM's packages; without it the report says so.

#include "Throughput.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace sluice::driver {
namespace {

struct Block {
  std::string name;
  SmallVector<StringRef> lines;
};

/// Whether `line` jumps to `label`, whatever the condition.
bool jumpsTo(StringRef line, StringRef label) {
  StringRef text = line.trim();
  if (!text.starts_with("j") && !text.starts_with("b") && !text.starts_with("cb") &&
      !text.starts_with("tb"))
    return false;
  return text.rsplit(text.contains(',') ? ',' : '\t').second.trim() == label ||
         text.rsplit('\t').second.trim() == label;
}

/// The blocks that jump to their own start.
std::vector<Block> innerLoops(StringRef assembly) {
  std::vector<Block> loops;
  StringMap<int> count;
  StringRef function, label;
  SmallVector<StringRef> lines;
  SmallVector<StringRef, 0> all;
  assembly.split(all, '\n');
  for (StringRef line : all) {
    StringRef text = line.split('#').first.rtrim();
    if (text.ends_with(":") && !text.starts_with("\t") && !text.starts_with(" ")) {
      StringRef name = text.drop_back();
      if (!name.starts_with(".L"))
        function = name;
      label = name;
      lines.clear();
      continue;
    }
    if (text.trim().empty() || text.trim().starts_with(".") || text.trim().starts_with("//"))
      continue;
    lines.push_back(text);
    if (!label.empty() && jumpsTo(text, label)) {
      int number = ++count[function];
      loops.push_back({formatv("{0} loop {1}", function, number), lines});
    }
    // A jump ends the block: what follows it is reached only when it is not taken.
    StringRef first = text.trim();
    if (first.starts_with("j") || first.starts_with("b.") || first == "ret" ||
        first.starts_with("ret")) {
      label = "";
      lines.clear();
    }
  }
  return loops;
}

/// A file of its own that goes away.
class Scratch {
public:
  Scratch() { code = sys::fs::createTemporaryFile("sluicec-mca", "s", path); }
  ~Scratch() {
    if (!code)
      sys::fs::remove(path);
  }
  SmallString<128> path;
  std::error_code code;
};

std::string findTool() {
  for (StringRef name : {"llvm-mca-22", "llvm-mca"})
    if (ErrorOr<std::string> path = sys::findProgramByName(name))
      return *path;
  if (ErrorOr<std::string> path = sys::findProgramByName("llvm-mca", {"/usr/lib/llvm-22/bin"}))
    return *path;
  return "";
}

double numberIn(const json::Object &object, StringRef key) {
  return object.getNumber(key).value_or(0);
}
} // namespace

Throughput analyseThroughput(StringRef assembly, const CPUMachine &machine) {
  Throughput result;
  std::vector<Block> loops = innerLoops(assembly);
  std::string tool = findTool();
  if (tool.empty()) {
    result.note = "llvm-mca was not found, so nothing is known about inner loops; it is part of "
                  "the package llvm-22";
    return result;
  }
  if (loops.empty()) {
    result.note = "the code has no inner loop";
    return result;
  }
  Scratch input, output;
  if (input.code || output.code) {
    result.note = "llvm-mca was not run: no temporary file";
    return result;
  }
  {
    std::error_code code;
    raw_fd_ostream os(input.path, code);
    StringRef comment = machine.isX86() ? "#" : "//";
    for (const auto &[i, loop] : enumerate(loops)) {
      os << comment << " LLVM-MCA-BEGIN loop" << i << "\n";
      for (StringRef line : loop.lines)
        os << line << "\n";
      os << comment << " LLVM-MCA-END\n";
    }
  }
  std::string triple = "-mtriple=" + machine.triple, cpu = "-mcpu=" + machine.cpu;
  std::string attributes = "-mattr=" + machine.features;
  SmallVector<StringRef> arguments = {
      tool, triple, cpu, "-json", "-iterations=100", "-skip-unsupported-instructions=any"};
  if (!machine.features.empty())
    arguments.push_back(attributes);
  arguments.push_back(input.path);
  std::string message;
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(output.path), StringRef()};
  int code = sys::ExecuteAndWait(tool, arguments, std::nullopt, redirects, /*SecondsToWait=*/60,
                                 /*MemoryLimit=*/0, &message);
  auto text = MemoryBuffer::getFile(output.path);
  Expected<json::Value> value =
      text ? json::parse((*text)->getBuffer()) : createStringError("it wrote nothing");
  if (code != 0 || !value) {
    std::string why = value ? message : toString(value.takeError());
    result.note = formatv("llvm-mca failed with code {0}: {1}", code, why);
    return result;
  }
  const json::Object *root = value->getAsObject();
  const json::Array *regions = root ? root->getArray("CodeRegions") : nullptr;
  int64_t unknown = 0;
  for (const json::Value &region : regions ? *regions : json::Array()) {
    const json::Object *object = region.getAsObject();
    const json::Object *summary = object ? object->getObject("SummaryView") : nullptr;
    StringRef name = object ? object->getString("Name").value_or("") : "";
    size_t number;
    if (!summary || !name.consume_front("loop") || name.getAsInteger(10, number) ||
        number >= loops.size())
      continue;
    double iterations = std::max(1.0, numberIn(*summary, "Iterations"));
    InnerLoop loop;
    loop.name = loops[number].name;
    loop.instructions = static_cast<int64_t>(numberIn(*summary, "Instructions") / iterations);
    unknown += static_cast<int64_t>(loops[number].lines.size()) - loop.instructions;
    loop.cycles = numberIn(*summary, "TotalCycles") / iterations;
    loop.blockRThroughput = numberIn(*summary, "BlockRThroughput");
    loop.uopsPerCycle = numberIn(*summary, "uOpsPerCycle");
    result.loops.push_back(std::move(loop));
  }
  result.note = formatv("cycles of one iteration as llvm-mca simulates {0}, with all data in L1; "
                        "and what its ports and its dispatch allow at best",
                        machine.cpu);
  if (unknown)
    result.note +=
        formatv("; {0} instructions of these loops are not in its model and not counted", unknown);
  return result;
}
} // namespace sluice::driver
