// SPDX-License-Identifier: Apache-2.0
//
// Text, JSON and a page of one and the same data.

#include "Report.h"
#include "Throughput.h"
#include "page.h"
#include "roof.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <thread>

using namespace llvm;

namespace sluice::driver {
namespace {

Error writeMember(StringRef directory, StringRef name, StringRef text) {
  SmallString<256> path(directory);
  sys::path::append(path, name);
  if (Error error = writeToOutput(path, [&](raw_ostream &os) {
        os << text;
        return Error::success();
      }))
    return createStringError("cannot write '" + path + "': " + toString(std::move(error)));
  return Error::success();
}

void appendTo(void *self, const char *text, size_t size) {
  static_cast<std::string *>(self)->append(text, size);
}
} // namespace

Expected<Ceilings> chooseCeilings(StringRef from, ArrayRef<std::string> cpus) {
  Ceilings ceilings;
  if (from == "none") {
    ceilings.source = "--ceilings=none";
    return ceilings;
  }
  if (!from.empty())
    return readCeilings(from);
  if (cpus.size() != 1 || cpus.front() != "native") {
    ceilings.source = "the code is for another machine; give its --ceilings=FILE";
    return ceilings;
  }
  roof_ceilings_t measured;
  roof_measure(static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency())), &measured);
  ceilings.threads = measured.threads;
  ceilings.read = measured.read;
  for (int dot = 0; dot < ROOF_DOTS; ++dot)
    ceilings.dot[roof_dot_name(static_cast<roof_dot_t>(dot))] = measured.dot[dot];
  ceilings.source = measured.read > 0 ? "measured now" : "no memory to measure in";
  return ceilings;
}

Error writeReport(StringRef directory, ReportParts &parts, const CPUMachine &machine,
                  ArrayRef<std::pair<std::string, double>> compile) {
  if (std::error_code code = sys::fs::create_directories(directory))
    return createStringError("cannot make '" + directory + "': " + code.message());
  Throughput throughput = analyseThroughput(parts.assembly, machine);
  json::Array loops, times;
  for (const InnerLoop &loop : throughput.loops)
    loops.push_back(json::Object{{"name", loop.name},
                                 {"instructions", loop.instructions},
                                 {"cycles", loop.cycles},
                                 {"block_rthroughput", loop.blockRThroughput},
                                 {"uops_per_cycle", loop.uopsPerCycle}});
  for (const auto &[part, seconds] : compile)
    times.push_back(json::Object{{"part", part}, {"seconds", seconds}});
  json::Object root = *parts.explanation.getAsObject();
  root["mca"] = json::Object{{"note", throughput.note}, {"loops", std::move(loops)}};
  root["compile"] = std::move(times);

  raw_string_ostream text(parts.text);
  text << "inner loops: " << throughput.note << "\n";
  for (const InnerLoop &loop : throughput.loops)
    text << formatv(
        "  {0,-72}{1,6} instructions{2,10:F2} cycles{3,10:F2} at best{4,8:F2} uops/cycle\n",
        loop.name, loop.instructions, loop.cycles, loop.blockRThroughput, loop.uopsPerCycle);
  text << "compile\n";
  for (const auto &[part, seconds] : compile)
    text << formatv("  {0,-10}{1,8:F3} s\n", part, seconds);

  std::string data = formatv("{0}", json::Value(std::move(root)));
  std::string page;
  report_page_write(data.data(), data.size(), appendTo, &page);
  if (Error error = writeMember(directory, "report.txt", parts.text))
    return error;
  if (Error error = writeMember(directory, "report.json", data + "\n"))
    return error;
  return writeMember(directory, "report.html", page);
}
} // namespace sluice::driver
