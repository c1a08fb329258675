// SPDX-License-Identifier: Apache-2.0
//
// Puts the parts together: functions, the work of each command, the clockwork, and what energy
// follows from them. Energy is the sum of its parts, and a part that nobody knows makes the sum a
// lower bound.
#include "lib/Target/PNM/Events.h"
#include "lib/Target/PNM/Lists.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cassert>

using namespace llvm;

namespace sluice::pnm {

static void addWork(Work &total, const Work &work, double times) {
  auto grow = [&](uint64_t &into, uint64_t value) {
    into += static_cast<uint64_t>(double(value) * times);
  };
  grow(total.readBytes, work.readBytes);
  grow(total.writtenBytes, work.writtenBytes);
  grow(total.movedBytes, work.movedBytes);
  grow(total.linkIn, work.linkIn);
  grow(total.linkOut, work.linkOut);
  total.memoryNs += work.memoryNs * times;
  total.meanMemoryNs += work.meanMemoryNs * times;
  total.computeNs += work.computeNs * times;
  for (int part = 0; part < kParts; ++part)
    total.amounts[part] += work.amounts[part] * times;
}

namespace {
class Simulation {
public:
  Simulation(const Program &program, const PNMMachine &machine, Data *data,
             const SimulationOptions &options, Result &result)
      : program(program), machine(machine), data(data), options(options), result(result),
        map(program, machine) {}

  bool run(std::string &why);

private:
  bool measure(size_t at, std::string &why);
  void findEnergy();
  void findBinding();

  const Program &program;
  const PNMMachine &machine;
  Data *data;
  const SimulationOptions &options;
  Result &result;
  AddressMap map;
  std::vector<std::vector<Stages>> stages;
  std::vector<double> peakBytes; ///< by device
};
} // namespace

bool Simulation::measure(size_t at, std::string &why) {
  const Command &c = program.commands[at];
  double times = static_cast<double>(options.repeat);
  double perLink = machine.get("link.bandwidth") * machine.get("link.direction_efficiency") / 1e9;
  double peer = machine.get("link.peer_bandwidth") * machine.get("link.direction_efficiency") / 1e9;
  double perHost = machine.get("link.host_bandwidth") / 1e9;
  double peak = machine.peakBandwidth() / 1e9;
  if (c.group == 0) {
    stages[at].resize(1);
    if (c.opcode == Opcode::MergeStates) {
      Extents extents = extentsOf(program, c);
      stages[at][0].memory = double(extents.src0 + extents.dst) / perHost;
      result.hostReadBytes += extents.src0 * options.repeat;
    }
    return true;
  }
  const Group &group = program.groups[c.group];
  bool betweenDevices = c.opcode == Opcode::Dma && program.memory(c.src0).group &&
                        program.memory(c.dst).group &&
                        program.memory(c.src0).group != program.memory(c.dst).group;
  for (uint32_t device = 0; device < group.count; ++device) {
    Work work;
    if (!workOf(program, machine, map, at, device, data, work, why))
      return false;
    addWork(result.total, work, times);
    double rate = betweenDevices ? peer : perLink;
    stages[at].push_back({double(work.linkIn) / rate, double(work.linkIn) / perHost, work.memoryNs,
                          work.computeNs, double(work.linkOut) / rate,
                          double(work.linkOut) / perHost});
    // No schedule is faster than the bytes of one device at the rate of its pins.
    double &bytes = peakBytes[group.first + device];
    bytes += double(work.readBytes + work.writtenBytes) * times;
    result.boundNs = std::max(result.boundNs, bytes / peak);
  }
  return true;
}

void Simulation::findEnergy() {
  auto add = [&](StringRef name, double joules0, double joules1, double joules2) {
    result.energy[name.str()] = {joules0, joules1, joules2};
    result.joules.lo += joules0;
    result.joules.value += joules1;
    result.joules.hi += joules2;
  };
  for (int part = 0; part < kParts; ++part) {
    double amount = result.total.amounts[part];
    if (amount == 0)
      continue;
    std::string key = ("energy." + kPartNames[part]).str();
    if (!machine.find(key)) {
      result.unknown.push_back(key);
      continue;
    }
    auto joules = [&](Estimate which) { return amount * machine.get(key, which) * 1e-12; };
    add(kPartNames[part], joules(Estimate::Low), joules(Estimate::Value), joules(Estimate::High));
  }
  double devices = machine.get("topology.devices"), seconds = result.ns * 1e-9;
  for (auto [name, key, count] :
       {std::tuple("static", "power.static_w", devices), {"host", "power.host_w", 1.0}}) {
    auto joules = [&, key = StringRef(key), count = count](Estimate which) {
      return machine.get(key, which) * count * seconds;
    };
    add(name, joules(Estimate::Low), joules(Estimate::Value), joules(Estimate::High));
  }
}

/// The unit that is busiest, when it is busy most of the time; else what lies between.
void Simulation::findBinding() {
  static constexpr StringLiteral names[] = {"host",   "command decoding", "link to the device",
                                            "memory", "compute",          "link to the host"};
  double most = result.hostBusyNs - result.hostIssueNs;
  result.binding = "host work";
  auto offer = [&](double ns, StringRef name) {
    if (ns > most) {
      most = ns;
      result.binding = name.str();
    }
  };
  offer(result.hostIssueNs, "command issue");
  for (const auto &busy : result.busyNs)
    for (int unit = Interval::Decode; unit <= Interval::LinkOut; ++unit)
      offer(busy[unit], names[unit]);
  if (most < 0.5 * result.ns)
    result.binding =
        "latency (waits for events and round trips; the busiest unit is " + result.binding + ")";
}

bool Simulation::run(std::string &why) {
  stages.resize(program.commands.size());
  peakBytes.resize(machine.get("topology.devices"));
  for (size_t at = 0; at < program.commands.size(); ++at) {
    // Lists are read as the command finds them, before it runs.
    std::string wrong;
    if (!measure(at, wrong) || (data && !execute(program, at, *data, wrong))) {
      why = formatv("command {0} ({1}): {2}", at, nameOf(program.commands[at].opcode), wrong).str();
      return false;
    }
  }
  for (size_t i = 1; data && i < program.memories.size(); ++i)
    if (program.memories[i].group) {
      result.touchedRead += data->readBytes[i];
      result.touchedWritten += data->writtenBytes[i];
    }
  for (const Command &c : program.commands)
    result.assumedLists |=
        !data && (c.opcode == Opcode::Gather || c.opcode == Opcode::GatherReduce ||
                  (c.opcode >= Opcode::ExpertGemv && c.opcode != Opcode::MergeStates));
  if (result.total.meanMemoryNs > 0)
    result.imbalance = result.total.memoryNs / result.total.meanMemoryNs;
  Clockwork(program, machine, stages, options, result).run();
  findEnergy();
  findBinding();
  return true;
}

bool simulate(const Program &program, const PNMMachine &machine, Data *data,
              const SimulationOptions &options, Result &result, std::string &why) {
  assert((!data || options.repeat == 1) && "functions run once");
  return Simulation(program, machine, data, options, result).run(why);
}

} // namespace sluice::pnm
