// SPDX-License-Identifier: Apache-2.0
//
// What a simulation found, for people and for programs.
#include "sluice/Target/PNM/Simulator.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <algorithm>

using namespace llvm;

namespace sluice::pnm {

static constexpr StringLiteral kUnits[] = {"host",   "decode",  "link_in",
                                           "memory", "compute", "link_out"};

/// Busy part of the time: of the busiest device and on average.
static std::pair<double, double> utilisation(const Result &result, int unit) {
  double most = 0, sum = 0;
  for (const auto &busy : result.busyNs) {
    most = std::max(most, busy[unit]);
    sum += busy[unit];
  }
  double ns = result.ns > 0 ? result.ns : 1;
  return {most / ns, sum / ns / double(std::max<size_t>(1, result.busyNs.size()))};
}

static std::string atLeast(const Result &result) { return result.unknown.empty() ? "" : ">= "; }

static std::string unknownText(const Result &result) {
  return result.unknown.empty() ? "" : " (" + join(result.unknown, ", ") + " unknown)";
}

void printReport(const Program &program, const PNMMachine &machine, const Result &result,
                 raw_ostream &os) {
  double seconds = result.ns * 1e-9, joules = result.joules.value;
  os << formatv("machine      {0}, {1:f0} devices\n", machine.name,
                machine.get("topology.devices"));
  os << formatv("time         {0:f3} us for {1} commands; no schedule is faster than {2:f3} us\n",
                result.ns / 1e3, result.commands, result.boundNs / 1e3);
  os << formatv("bound by     {0}\n", result.binding);
  if (result.tokens) {
    os << formatv("tokens/s     {0:f1} ({1} tokens)\n", double(result.tokens) / seconds,
                  result.tokens);
    os << formatv("J/token      {0}{1:f6}, {2:f6} to {3:f6}{4}\n", atLeast(result),
                  joules / double(result.tokens), result.joules.lo / double(result.tokens),
                  result.joules.hi / double(result.tokens), unknownText(result));
  }
  os << formatv("energy       {0}{1:f6} J, {2:f6} to {3:f6}{4}\n", atLeast(result), joules,
                result.joules.lo, result.joules.hi, unknownText(result));
  for (const auto &[name, part] : result.energy)
    os << formatv("  {0,-12} {1:e3} J, {2:e3} to {3:e3}\n", name, part.value, part.lo, part.hi);
  os << formatv("bytes        memory {0} read, {1} written, {2} moved; link {3} in, {4} out\n",
                result.total.readBytes, result.total.writtenBytes, result.total.movedBytes,
                result.total.linkIn, result.total.linkOut);
  uint64_t asked = result.total.readBytes + result.total.writtenBytes;
  if (asked)
    os << formatv("             amplification {0:f3}, busiest channel {1:f3} of the mean\n",
                  double(result.total.movedBytes) / double(asked), result.imbalance);
  double ns = result.ns > 0 ? result.ns : 1;
  os << formatv("busy         host {0:p1} (issue {1:p1})", result.hostBusyNs / ns,
                result.hostIssueNs / ns);
  for (int unit = Interval::Decode; unit <= Interval::LinkOut; ++unit) {
    auto [most, mean] = utilisation(result, unit);
    os << formatv(", {0} {1:p1}", kUnits[unit], most);
    if (most > 1.01 * mean)
      os << formatv(" (mean {0:p1})", mean);
  }
  os << "\n";
  if (result.assumedLists)
    os << "note         index lists were not given: pages in order, rows pseudo-random\n";
  os << "note         modelled; grades and sources of the numbers: sluice-pnm machine "
     << machine.name << "\n";
  if (!result.failure.empty())
    os << "failed       " << result.failure << "\n";
}

void printReportJson(const Program &program, const PNMMachine &machine, const Result &result,
                     raw_ostream &os) {
  json::OStream out(os, 1);
  auto range = [&](StringRef name, EnergyRange value, double scale) {
    out.attributeObject(name, [&] {
      out.attribute("lo", value.lo * scale);
      out.attribute("value", value.value * scale);
      out.attribute("hi", value.hi * scale);
    });
  };
  out.object([&] {
    out.attribute("machine", machine.name);
    out.attribute("label", "modelled");
    out.attribute("ns", result.ns);
    out.attribute("bound_ns", result.boundNs);
    out.attribute("commands", int64_t(result.commands));
    out.attribute("tokens", int64_t(result.tokens));
    out.attribute("binding", result.binding);
    if (result.tokens) {
      out.attribute("tokens_per_s", double(result.tokens) / (result.ns * 1e-9));
      range("joules_per_token", result.joules, 1 / double(result.tokens));
    }
    range("joules", result.joules, 1);
    out.attributeArray("unknown_energy", [&] {
      for (const std::string &key : result.unknown)
        out.value(key);
    });
    out.attributeObject("energy", [&] {
      for (const auto &[name, part] : result.energy)
        range(name, part, 1);
    });
    out.attributeObject("bytes", [&] {
      out.attribute("memory_read", int64_t(result.total.readBytes));
      out.attribute("memory_written", int64_t(result.total.writtenBytes));
      out.attribute("memory_moved", int64_t(result.total.movedBytes));
      out.attribute("link_in", int64_t(result.total.linkIn));
      out.attribute("link_out", int64_t(result.total.linkOut));
      out.attribute("host_read", int64_t(result.hostReadBytes));
    });
    out.attributeObject("touched", [&] {
      out.attribute("memory_read", int64_t(result.touchedRead));
      out.attribute("memory_written", int64_t(result.touchedWritten));
    });
    out.attributeObject("operations", [&] {
      for (int part = MacF32; part < kParts; ++part)
        out.attribute(kPartNames[part], result.total.amounts[part]);
    });
    out.attribute("imbalance", result.imbalance);
    out.attributeObject("busy", [&] {
      double ns = result.ns > 0 ? result.ns : 1;
      out.attribute("host", result.hostBusyNs / ns);
      out.attribute("issue", result.hostIssueNs / ns);
      for (int unit = Interval::Decode; unit <= Interval::LinkOut; ++unit)
        out.attribute(kUnits[unit], utilisation(result, unit).first);
    });
    out.attribute("assumed_lists", result.assumedLists);
    if (!result.failure.empty())
      out.attribute("failure", result.failure);
  });
  os << "\n";
}

// ---- timelines ----

/// A row of the picture: a unit of a device that did something.
static std::vector<std::pair<uint32_t, int>> rowsOf(const Result &result) {
  std::vector<std::pair<uint32_t, int>> rows;
  for (const Interval &interval : result.intervals)
    rows.push_back({interval.unit == Interval::Host ? 0 : interval.device + 1, interval.unit});
  llvm::sort(rows);
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

static std::string rowName(std::pair<uint32_t, int> row) {
  return row.first == 0 ? "host"
                        : formatv("device {0} {1}", row.first - 1, kUnits[row.second]).str();
}

void printChromeTrace(const Program &program, const Result &result, raw_ostream &os) {
  json::OStream out(os);
  out.object([&] {
    out.attribute("displayTimeUnit", "ns");
    out.attributeArray("traceEvents", [&] {
      for (auto row : rowsOf(result))
        out.object([&] {
          out.attribute("ph", "M");
          out.attribute("name", "thread_name");
          out.attribute("pid", row.first);
          out.attribute("tid", row.second);
          out.attributeObject("args", [&] { out.attribute("name", rowName(row)); });
        });
      for (const Interval &interval : result.intervals)
        out.object([&] {
          const Command &c = program.commands[interval.command];
          out.attribute("ph", "X");
          out.attribute("name", nameOf(c.opcode));
          out.attribute("pid", interval.unit == Interval::Host ? 0 : interval.device + 1);
          out.attribute("tid", int(interval.unit));
          out.attribute("ts", interval.begin / 1e3);
          out.attribute("dur", (interval.end - interval.begin) / 1e3);
          out.attributeObject("args", [&] {
            out.attribute("command", interval.command);
            out.attribute("tag", c.tag);
          });
        });
    });
  });
  os << "\n";
}

void printTimelineSvg(const Program &program, const Result &result, raw_ostream &os) {
  std::vector<std::pair<uint32_t, int>> rows = rowsOf(result);
  constexpr double left = 150, width = 1000, height = 16;
  double end = 0;
  for (const Interval &interval : result.intervals)
    end = std::max(end, interval.end);
  double scale = end > 0 ? width / end : 0;
  os << formatv("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:f0}\" height=\"{1:f0}\" "
                "font-family=\"sans-serif\" "
                "font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
                left + width + 20, height * double(rows.size()) + 30);
  static constexpr StringLiteral colours[] = {"#888888", "#b39ddb", "#4f9dd9",
                                              "#e07b39", "#57a55a", "#2f6690"};
  for (size_t i = 0; i < rows.size(); ++i)
    os << formatv("<text x=\"4\" y=\"{0:f0}\">{1}</text>\n", height * double(i) + 12,
                  rowName(rows[i]));
  for (const Interval &interval : result.intervals) {
    std::pair<uint32_t, int> row = {interval.unit == Interval::Host ? 0 : interval.device + 1,
                                    interval.unit};
    size_t at = llvm::lower_bound(rows, row) - rows.begin();
    os << formatv("<rect x=\"{0:f2}\" y=\"{1:f0}\" width=\"{2:f2}\" height=\"13\" "
                  "fill=\"{3}\"><title>command {4} ({5}): "
                  "{6:f3} to {7:f3} us</title></rect>\n",
                  left + interval.begin * scale, height * double(at) + 1,
                  std::max(0.2, (interval.end - interval.begin) * scale), colours[interval.unit],
                  interval.command, nameOf(program.commands[interval.command].opcode),
                  interval.begin / 1e3, interval.end / 1e3);
  }
  os << formatv("<text x=\"{0:f0}\" y=\"{1:f0}\">0</text><text x=\"{2:f0}\" y=\"{1:f0}\" "
                "text-anchor=\"end\">{3:f3} "
                "us</text>\n</svg>\n",
                left, height * double(rows.size()) + 20, left + width, end / 1e3);
}

} // namespace sluice::pnm
