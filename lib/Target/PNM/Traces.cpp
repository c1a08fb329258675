// SPDX-License-Identifier: Apache-2.0
//
// Memory accesses of one device as other simulators read them. What is lost: compute, command
// overheads, dependencies. So a trace is good for the memory time of a command, not of a program.
//
// - ramulator: a line is one access, `R channel,0,bankgroup,bank,row,column`, for a mapper that
//   passes the vector on
// - dramsim3: one access, `0xADDRESS READ|WRITE CYCLE`, one per cycle and channel, channel in the
//   address's high part
// - aim: `AiM OP SIZE GPR MASK BANK ROW`: all-bank multiplies of matrices and attention; other
//   reads and writes are of single banks
#include "lib/Target/PNM/Lists.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace llvm;

namespace sluice::pnm {

namespace {
constexpr uint64_t kBankGroups = 4, kBanksPerGroup = 4;
constexpr uint64_t kAimBanks = 16, kAimColumn = 32, kAimMostOps = 64;

class Tracer {
public:
  Tracer(const PNMMachine &machine, TraceFormat format, raw_ostream &os, uint64_t &bytes)
      : format(format), os(os), bytes(bytes), access(machine.get("dram.access_bytes")),
        row(machine.get("dram.row_bytes")), cycles(machine.get("topology.channels")) {}

  void piece(const AddressMap::Place &place, bool write, bool multiplies);

private:
  void aim(const AddressMap::Place &place, bool write, bool multiplies);

  TraceFormat format;
  raw_ostream &os;
  uint64_t &bytes;
  uint64_t access, row;
  std::vector<uint64_t> cycles;
};
} // namespace

/// A channel's address over banks: a row of each bank in turn, bank groups first.
void Tracer::piece(const AddressMap::Place &place, bool write, bool multiplies) {
  if (format == TraceFormat::Aim)
    return aim(place, write, multiplies);
  uint64_t begin = place.address / access * access, end = place.address + place.bytes;
  for (uint64_t at = begin; at < end; at += access) {
    bytes += access;
    if (format == TraceFormat::DramSim3) {
      os << formatv("0x{0:x-} {1} {2}\n", uint64_t(place.channel) << 40 | at,
                    write ? "WRITE" : "READ", cycles[place.channel]++);
      continue;
    }
    uint64_t line = at / row, bankGroup = line % kBankGroups,
             bank = line / kBankGroups % kBanksPerGroup;
    os << formatv("{0} {1},0,{2},{3},{4},{5}\n", write ? 'W' : 'R', place.channel, bankGroup, bank,
                  line / (kBankGroups * kBanksPerGroup), at % row / access);
  }
}

/// 16 banks multiply 32 bytes each per operation; a row of all banks is 16 rows of one.
void Tracer::aim(const AddressMap::Place &place, bool write, bool multiplies) {
  uint64_t mask = uint64_t(1) << place.channel % 64;
  uint64_t wide = kAimBanks * row, unit = multiplies ? kAimBanks * kAimColumn : kAimColumn;
  for (uint64_t at = place.address, end = at + place.bytes; at < end;) {
    uint64_t limit = multiplies ? (at / wide + 1) * wide : (at / row + 1) * row,
             n = std::min(end, limit) - at;
    uint64_t operations = std::min((n + unit - 1) / unit, kAimMostOps);
    n = std::min(n, operations * unit);
    bytes += operations * unit;
    if (multiplies)
      os << formatv("AiM MAC_ABK {0} 0 {1} 0 {2}\n", operations, mask, at / wide);
    else
      os << formatv("AiM {0} {1} 0 {2} {3} {4}\n", write ? "WR_SBK" : "RD_SBK", operations, mask,
                    at / row % kAimBanks, at / wide);
    at += n;
  }
}

bool printTrace(const Program &program, const PNMMachine &machine, const Data *data,
                TraceFormat format, uint32_t device, uint64_t limit, raw_ostream &os,
                uint64_t &bytes, std::string &why) {
  AddressMap map(program, machine);
  Tracer tracer(machine, format, os, bytes);
  for (size_t at = 0; at < std::min<uint64_t>(limit, program.commands.size()); ++at) {
    const Command &c = program.commands[at];
    const Group &group = program.groups[c.group];
    if (!group.contains(device))
      continue;
    bool multiplies = c.opcode == Opcode::Gemv || c.opcode == Opcode::ExpertGemv ||
                      c.opcode == Opcode::AttnPartial;
    uint32_t index = device - group.first;
    bool good = forEachAccess(
        program, machine, at, index, data,
        [&](const Access &access) {
          const Memory &m = program.memories[access.memory];
          if (m.group != c.group || (m.tier != Tier::Pnm && m.tier != Tier::Hbf))
            return;
          bool large = access.memory == c.src0.memory && !access.write;
          for (uint32_t i = 0; i < access.times; ++i)
            map.forEachPiece(access, index, [&](const AddressMap::Place &place) {
              tracer.piece(place, access.write, multiplies && large);
            });
        },
        why);
    if (!good) {
      why = formatv("command {0} ({1}): {2}", at, nameOf(c.opcode), why).str();
      return false;
    }
  }
  if (format == TraceFormat::Aim)
    os << "AiM EOC\n";
  return true;
}

} // namespace sluice::pnm
