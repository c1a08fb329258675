// SPDX-License-Identifier: Apache-2.0
//
// The clockwork: when which command is where. What each stage takes is known beforehand.
#ifndef SLUICE_LIB_TARGET_PNM_EVENTS_H
#define SLUICE_LIB_TARGET_PNM_EVENTS_H

#include "sluice/Target/PNM/Simulator.h"

#include "llvm/ADT/DenseMap.h"

#include <deque>
#include <queue>

namespace sluice::pnm {

/// Nanoseconds of one command's stages on one device.
struct Stages {
  double linkIn = 0, hostIn = 0, memory = 0, compute = 0, linkOut = 0, hostOut = 0;
};

class Clockwork {
public:
  /// |stages[command][device of its group]|; for commands of the host the first one's memory.
  Clockwork(const Program &program, const PNMMachine &machine,
            const std::vector<std::vector<Stages>> &stages, const SimulationOptions &options,
            Result &result);

  void run();

private:
  enum class Kind : uint8_t {
    HostReady,
    HostWake,
    Arrive,
    Decoded,
    LinkedIn,
    Executed,
    Ended,
    Fire
  };
  struct Event {
    double time;
    uint64_t order;
    uint64_t instance; ///< of a command: repetition * commands + number
    uint32_t device;
    Kind kind;
    bool operator>(const Event &other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  struct Ring {
    std::deque<uint64_t> queue;
    uint64_t arrived = 0;                   ///< of the queue, from its start
    bool decoding = false, decoded = false; ///< the head
    uint64_t running = 0;
    double linkIn = 0, memory = 0, compute = 0, linkOut = 0; ///< free from
  };

  void push(double time, uint64_t instance, uint32_t device, Kind kind) {
    events.push({time, nextOrder++, instance, device, kind});
  }
  const Command &commandOf(uint64_t instance) const {
    return program.commands[instance % program.commands.size()];
  }
  const Stages &stagesOf(uint64_t instance, uint32_t device) const {
    const auto &all = stages[instance % program.commands.size()];
    return all[device - program.groups[commandOf(instance).group].first];
  }
  void host(double now);
  void startDecoding(double now, uint32_t device);
  /// Starts what stands at the head of a ring, if it may.
  void head(double now, uint32_t device);
  bool mayStart(uint64_t instance, const Ring &ring) const;
  void execute(double now, uint64_t instance, uint32_t device);
  void sendResults(double now, uint64_t instance, uint32_t device);
  void end(double now, uint64_t instance, uint32_t device);
  void fire(double now, uint32_t event);
  void note(Interval::Unit unit, uint32_t device, uint64_t instance, double begin, double end);
  bool fails(const Event &event);
  void explainStop(double now);

  const Program &program;
  const PNMMachine &machine;
  const std::vector<std::vector<Stages>> &stages;
  const SimulationOptions &options;
  Result &result;

  std::priority_queue<Event, std::vector<Event>, std::greater<Event>> events;
  uint64_t nextOrder = 0, hostAt = 0, total;
  bool hostBlocked = false, hostBusy = false;
  std::vector<Ring> rings;
  llvm::DenseMap<uint64_t, uint32_t> left; ///< devices that are still at an instance
  std::vector<uint64_t> fired;             ///< by event: how often
  double halfTrip, issue, decode, hostInFree = 0, hostOutFree = 0, lastTime = 0;
  uint64_t depth;
  double latency;
};

} // namespace sluice::pnm

#endif
