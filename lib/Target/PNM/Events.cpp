// SPDX-License-Identifier: Apache-2.0
//
// Discrete events in order of time, ties in order of their making. Units serve in the order of
// asking: since events come in order of time, "free from" is all that a unit need remember.
#include "lib/Target/PNM/Events.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace llvm;

namespace sluice::pnm {

Clockwork::Clockwork(const Program &program, const PNMMachine &machine,
                     const std::vector<std::vector<Stages>> &stages,
                     const SimulationOptions &options, Result &result)
    : program(program), machine(machine), stages(stages), options(options), result(result),
      total(program.commands.size() * options.repeat), rings(machine.get("topology.devices")),
      halfTrip(machine.get("link.round_trip_ns") / 2), issue(machine.get("command.issue_ns")),
      decode(machine.get("command.decode_ns")), depth(machine.get("command.queue_depth")),
      latency(machine.get("dram.latency_ns")) {
  uint32_t most = 0;
  for (const Command &command : program.commands)
    most = std::max(most, command.event);
  // Events of verified programs are signalled by some command, so this is bounded by them.
  fired.resize(std::min<uint64_t>(most, uint64_t(1) << 26) + 1);
  result.busyNs.assign(rings.size(), {});
}

void Clockwork::note(Interval::Unit unit, uint32_t device, uint64_t instance, double begin,
                     double end) {
  if (unit == Interval::Host)
    result.hostBusyNs += end - begin;
  else
    result.busyNs[device][unit] += end - begin;
  if (end > begin && result.intervals.size() < options.intervals)
    result.intervals.push_back(
        {unit, device, static_cast<uint32_t>(instance % program.commands.size()), begin, end});
}

/// The host sends commands in order, and works and waits in between.
void Clockwork::host(double now) {
  hostBlocked = false;
  while (hostAt < total) {
    uint64_t instance = hostAt;
    const Command &c = commandOf(instance);
    double takes = -1;
    if (c.opcode == Opcode::HostWork) {
      takes = c.n0;
    } else if (c.opcode == Opcode::HostWait) {
      if (fired[c.event] <= instance / program.commands.size()) {
        hostBlocked = true;
        return;
      }
    } else if (c.opcode == Opcode::Token) {
      result.tokens += c.n0;
    } else if (c.group == 0) {
      takes = stages[instance % program.commands.size()].front().memory;
      if (c.event)
        ++fired[c.event];
    } else {
      const Group &group = program.groups[c.group];
      for (uint32_t d = group.first; d < group.first + group.count; ++d)
        if (rings[d].queue.size() >= depth) {
          hostBlocked = true;
          return;
        }
      left[instance] = group.count;
      result.hostIssueNs += issue;
      for (uint32_t d = group.first; d < group.first + group.count; ++d) {
        // The place in the ring is taken when the descriptor is sent.
        rings[d].queue.push_back(instance);
        push(now + issue + halfTrip, instance, d, Kind::Arrive);
      }
      takes = issue;
    }
    ++hostAt;
    ++result.commands;
    if (takes > 0) {
      note(Interval::Host, 0, instance, now, now + takes);
      push(now + takes, instance, 0, Kind::HostReady);
      hostBusy = true;
      return;
    }
  }
}

bool Clockwork::mayStart(uint64_t instance, const Ring &ring) const {
  const Command &c = commandOf(instance);
  if (c.opcode == Opcode::Wait)
    return fired[c.event] > instance / program.commands.size();
  return !(c.opcode == Opcode::Fence || c.flags & FenceBefore) || ring.running == 0;
}

void Clockwork::startDecoding(double now, uint32_t device) {
  Ring &ring = rings[device];
  if (ring.decoded || ring.decoding || !ring.arrived)
    return;
  --ring.arrived;
  ring.decoding = true;
  note(Interval::Decode, device, ring.queue.front(), now, now + decode);
  push(now + decode, ring.queue.front(), device, Kind::Decoded);
}

void Clockwork::head(double now, uint32_t device) {
  Ring &ring = rings[device];
  if (!ring.decoded || !mayStart(ring.queue.front(), ring))
    return;
  uint64_t instance = ring.queue.front();
  ring.queue.pop_front();
  ring.decoded = false;
  ++ring.running;
  if (hostBlocked)
    push(now, instance, 0, Kind::HostWake);
  startDecoding(now, device);
  Opcode opcode = commandOf(instance).opcode;
  if (opcode == Opcode::Fence || opcode == Opcode::Wait)
    return push(now, instance, device, Kind::Ended);
  const Stages &s = stagesOf(instance, device);
  if (s.linkIn <= 0)
    return execute(now, instance, device);
  double begin = std::max({now, ring.linkIn, hostInFree});
  hostInFree = begin + s.hostIn;
  ring.linkIn = begin + s.linkIn;
  note(Interval::LinkIn, device, instance, begin, ring.linkIn);
  push(ring.linkIn, instance, device, Kind::LinkedIn);
}

void Clockwork::execute(double now, uint64_t instance, uint32_t device) {
  Ring &ring = rings[device];
  const Stages &s = stagesOf(instance, device);
  if (s.memory <= 0 && s.compute <= 0)
    return sendResults(now, instance, device);
  double begin = std::max(now, ring.memory);
  ring.memory = begin + s.memory;
  note(Interval::Memory, device, instance, begin, ring.memory);
  double unit = std::max(begin, ring.compute);
  if (s.compute > 0) {
    ring.compute = unit + s.compute;
    note(Interval::Compute, device, instance, unit, ring.compute);
    unit = ring.compute;
  } else {
    unit = begin;
  }
  push(std::max(ring.memory, unit) + (s.memory > 0 ? latency : 0), instance, device,
       Kind::Executed);
}

void Clockwork::sendResults(double now, uint64_t instance, uint32_t device) {
  Ring &ring = rings[device];
  const Stages &s = stagesOf(instance, device);
  if (s.linkOut <= 0)
    return end(now, instance, device);
  double begin = std::max({now, ring.linkOut, hostOutFree});
  hostOutFree = begin + s.hostOut;
  ring.linkOut = begin + s.linkOut;
  note(Interval::LinkOut, device, instance, begin, ring.linkOut);
  push(ring.linkOut, instance, device, Kind::Ended);
}

void Clockwork::end(double now, uint64_t instance, uint32_t device) {
  --rings[device].running;
  auto found = left.find(instance);
  if (--found->second == 0) {
    left.erase(found);
    // Others see it half a round trip later.
    if (commandOf(instance).flags & SignalsEvent)
      push(now + halfTrip, instance, device, Kind::Fire);
  }
  head(now, device);
}

/// An event may be what the host and any ring wait for.
void Clockwork::fire(double now, uint32_t event) {
  ++fired[event];
  for (uint32_t device = 0; device < rings.size(); ++device)
    if (rings[device].decoded && commandOf(rings[device].queue.front()).opcode == Opcode::Wait)
      head(now, device);
  if (hostBlocked && !hostBusy)
    host(now);
}

bool Clockwork::fails(const Event &event) {
  if (!options.fault || event.kind == Kind::HostReady || event.kind == Kind::HostWake ||
      event.device != options.fault->device || event.time < options.fault->ns)
    return false;
  // Of those that were sent: what all devices have finished is gone from the list.
  uint64_t open = 0, first = event.instance;
  for (auto [instance, devices] : left)
    if (program.groups[commandOf(instance).group].contains(event.device)) {
      ++open;
      first = std::min(first, instance);
    }
  const Command &c = commandOf(first);
  result.ns = std::max(lastTime, options.fault->ns);
  result.failure = formatv("device {0} of '{1}' stopped at {2:f3} us with {3} of its commands "
                           "unfinished, the first of them "
                           "command {4} ({5}, tag {6}); {7} tokens were complete; leave the device "
                           "out of the program's groups "
                           "and place its shards again to go on",
                           event.device, machine.name, options.fault->ns / 1e3, open,
                           first % program.commands.size(), nameOf(c.opcode), c.tag, result.tokens)
                       .str();
  return true;
}

void Clockwork::explainStop(double now) {
  if (hostAt < total) {
    const Command &c = commandOf(hostAt);
    result.failure =
        formatv("everything stands still at {0:f3} us: the host is at command {1} ({2}, event {3})",
                now / 1e3, hostAt % program.commands.size(), nameOf(c.opcode), c.event)
            .str();
    return;
  }
  for (uint32_t d = 0; d < rings.size(); ++d)
    if (!rings[d].queue.empty()) {
      uint64_t instance = rings[d].queue.front();
      result.failure =
          formatv(
              "everything stands still at {0:f3} us: device {1} is at command {2} ({3}, event {4})",
              now / 1e3, d, instance % program.commands.size(), nameOf(commandOf(instance).opcode),
              commandOf(instance).event)
              .str();
      return;
    }
}

void Clockwork::run() {
  push(0, 0, 0, Kind::HostReady);
  while (!events.empty()) {
    Event event = events.top();
    events.pop();
    if (fails(event))
      return;
    double now = lastTime = event.time;
    switch (event.kind) {
    case Kind::HostReady:
      hostBusy = false;
      host(now);
      break;
    case Kind::HostWake:
      if (hostBlocked && !hostBusy)
        host(now);
      break;
    case Kind::Arrive:
      ++rings[event.device].arrived;
      startDecoding(now, event.device);
      break;
    case Kind::Decoded:
      rings[event.device].decoding = false;
      rings[event.device].decoded = true;
      head(now, event.device);
      break;
    case Kind::LinkedIn:
      execute(now, event.instance, event.device);
      break;
    case Kind::Executed:
      sendResults(now, event.instance, event.device);
      break;
    case Kind::Ended:
      end(now, event.instance, event.device);
      break;
    case Kind::Fire:
      fire(now, commandOf(event.instance).event);
      break;
    }
  }
  result.ns = lastTime;
  explainStop(lastTime);
}

} // namespace sluice::pnm
