// SPDX-License-Identifier: Apache-2.0
//
// A command is over for a ring when the ring (or the host, before it sent what follows) has waited
// for its event. A fence ends the earlier commands of the ring itself, which is enough where the
// bytes lie on that device alone: the part that it has of a memory that is divided.
#include "lib/Target/PNM/Hazards.h"
#include "lib/Target/PNM/Extents.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace sluice::pnm {
namespace {

struct Access {
  uint32_t command;
  uint64_t begin, end;
  bool write;
};

class HazardFinder {
public:
  HazardFinder(const Program &program, function_ref<void(int64_t, std::string)> report)
      : program(program), report(report), open(program.memories.size()),
        fencedAt(program.groups.size()) {}

  void run();

private:
  void touch(uint32_t at, const Operand &operand, uint64_t bytes, bool write);
  bool isOver(const Access &access, const Command &command, const Memory &memory) const;
  void wait(uint32_t at, const Command &command);

  const Program &program;
  function_ref<void(int64_t, std::string)> report;
  std::vector<std::vector<Access>> open; ///< by memory
  /// By group: everything before this command of the very same group is over on its own devices.
  std::vector<uint32_t> fencedAt;
  DenseMap<uint32_t, uint32_t> signalled; ///< event, command
  /// Commands whose end the host has seen; those that groups have waited for.
  DenseMap<uint32_t, bool> seenByHost;
  DenseMap<std::pair<uint32_t, uint32_t>, bool> seenByGroup;
};

} // namespace

bool HazardFinder::isOver(const Access &access, const Command &command,
                          const Memory &memory) const {
  if (seenByHost.count(access.command) || seenByGroup.count({command.group, access.command}))
    return true;
  const Command &earlier = program.commands[access.command];
  // The host runs its own commands one after another.
  if (earlier.group == 0 && command.group == 0)
    return true;
  bool own = earlier.group == command.group &&
             (program.groups[command.group].count == 1 ||
              (memory.group == command.group && memory.shard != Shard::Replicate));
  return own && access.command < fencedAt[command.group];
}

void HazardFinder::touch(uint32_t at, const Operand &operand, uint64_t bytes, bool write) {
  if (!operand.memory || !bytes)
    return;
  const Command &command = program.commands[at];
  const Memory &memory = program.memory(operand);
  uint64_t begin = operand.offset, end = operand.offset + bytes;
  std::vector<Access> &list = open[operand.memory];
  for (const Access &access : list)
    if (access.command != at && access.begin < end && begin < access.end &&
        (write || access.write) && !isOver(access, command, memory)) {
      const Command &earlier = program.commands[access.command];
      report(at,
             formatv("{0} '{1}' while command {2} ({3}) may still {4} it; expected a fence or a "
                     "wait for its event between them",
                     write ? "writes" : "reads", memory.name, access.command,
                     nameOf(earlier.opcode), access.write ? "write" : "read")
                 .str());
      break;
    }
  // What is over for everybody is forgotten, and so is what this access covers.
  llvm::erase_if(list, [&](const Access &access) {
    return access.command != at &&
           (seenByHost.count(access.command) || (isOver(access, command, memory) && write &&
                                                 access.begin >= begin && access.end <= end));
  });
  if (!list.empty() && list.back().command == at && list.back().write == write &&
      list.back().begin == begin && list.back().end == end)
    return;
  list.push_back({at, begin, end, write});
}

void HazardFinder::wait(uint32_t at, const Command &command) {
  auto found = signalled.find(command.event);
  if (found == signalled.end())
    return report(
        at, formatv("waits for event {0}, which no earlier command signals", command.event).str());
  if (command.opcode == Opcode::HostWait)
    seenByHost[found->second] = true;
  else
    seenByGroup[{command.group, found->second}] = true;
}

void HazardFinder::run() {
  for (uint32_t at = 0; at < program.commands.size(); ++at) {
    const Command &command = program.commands[at];
    if (command.opcode == Opcode::Wait || command.opcode == Opcode::HostWait) {
      wait(at, command);
      continue;
    }
    if (command.opcode == Opcode::Fence || (command.flags & FenceBefore))
      fencedAt[command.group] = at;
    Extents extents = extentsOf(program, command);
    touch(at, command.src0, extents.src0, false);
    touch(at, command.src1, extents.src1, false);
    touch(at, command.dst, extents.dst, true);
    if (command.event && !signalled.try_emplace(command.event, at).second)
      report(at, formatv("signals event {0}, which command {1} signals too", command.event,
                         signalled[command.event])
                     .str());
  }
}

void findHazards(const Program &program, function_ref<void(int64_t, std::string)> report) {
  HazardFinder(program, report).run();
}

} // namespace sluice::pnm
