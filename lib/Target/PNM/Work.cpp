// SPDX-License-Identifier: Apache-2.0
//
// What one command costs one device, without the others: bytes by channel, operations, bytes over
// the link. The channel that is busiest counts, not the mean.
#include "lib/Target/PNM/Lists.h"

#include <algorithm>

using namespace llvm;

namespace sluice::pnm {

const StringLiteral kPartNames[kParts] = {"dram_read", "dram_write", "link",   "sram",
                                          "mac_f32",   "mac_bf16",   "mac_i8", "compare",
                                          "add_f32",   "exp"};

namespace {
class Meter {
public:
  Meter(const Program &program, const PNMMachine &machine, const AddressMap &map,
        const Command &command, Work &work)
      : program(program), machine(machine), map(map), c(command), work(work),
        channels(machine.get("topology.channels")),
        bandwidth(machine.get("dram.channel_bandwidth") / 1e9),
        access(machine.get("dram.access_bytes")), page(machine.get("dram.page_bytes")),
        row(machine.get("dram.row_bytes")), itemNs(machine.get("dram.item_ns")),
        longest(machine.get("dram.item_bytes")), stream(machine.get("dram.stream_efficiency")),
        gather(machine.curve("dram.gather")), rowEnergy(machine.curve("energy.row")),
        channelNs(channels) {
    bool matrix = c.opcode == Opcode::Gemv || c.opcode == Opcode::ClampReduce ||
                  c.opcode == Opcode::ExpertGemv;
    fixed = matrix                            ? machine.get("dram.gemv_efficiency")
            : c.opcode == Opcode::AttnPartial ? machine.get("dram.attention_efficiency")
                                              : 0;
  }

  void add(const Access &access, uint32_t device);
  void finish();

private:
  void piece(uint32_t channel, uint64_t address, uint64_t bytes, double efficiency, uint64_t times);
  void count();
  /// Bytes of the whole accesses (and pages of flash) that |bytes| from |address| on lie in.
  uint64_t whole(uint64_t address, uint64_t bytes) const {
    uint64_t unit = std::max(access, page);
    return (address + bytes + unit - 1) / unit * unit - address / unit * unit;
  }

  const Program &program;
  const PNMMachine &machine;
  const AddressMap &map;
  const Command &c;
  Work &work;
  uint64_t channels;
  double bandwidth; ///< bytes per ns
  uint64_t access, page, row;
  double itemNs, longest, stream, fixed = 0;
  const Curve *gather, *rowEnergy;
  std::vector<double> channelNs;
  uint64_t matrixBytes = 0;
};
} // namespace

void Meter::piece(uint32_t channel, uint64_t address, uint64_t bytes, double efficiency,
                  uint64_t times) {
  uint64_t moved = whole(address, bytes);
  double items = itemNs > 0 ? std::ceil(double(moved) / longest) : 0;
  channelNs[channel] += double(times) * (double(moved) / (bandwidth * efficiency) + items * itemNs);
  work.movedBytes += moved * times;
}

void Meter::add(const Access &a, uint32_t device) {
  const Memory &m = program.memories[a.memory];
  uint64_t bytes = a.bytes * a.times;
  if (m.tier == Tier::Host || m.group != c.group) {
    (a.write ? work.linkOut : work.linkIn) += bytes;
    work.amounts[Link] += 8.0 * double(bytes);
    return;
  }
  (a.write ? work.writtenBytes : work.readBytes) += bytes;
  work.amounts[Sram] += 8.0 * double(bytes);
  if (a.memory == c.src0.memory && !a.write)
    matrixBytes += bytes;
  if (m.tier == Tier::Sram)
    return;
  uint64_t granule = map.granule(a.memory), pieces = (a.bytes + granule - 1) / granule;
  // A run over all channels and whole rows is a stream; else each piece is an item by itself, in
  // one bank's row when it fits there and else over bank groups.
  bool streams = a.bytes >= channels * row;
  uint64_t item = streams ? row : std::min(a.bytes, granule);
  double efficiency = stream;
  if (fixed > 0)
    efficiency = fixed;
  else if (!streams && gather)
    efficiency = gather->at(item <= 1024 ? "bank" : "interleaved", double(item));
  double factor = streams || !rowEnergy || a.write ? 1 : rowEnergy->at("factor", double(item));
  uint64_t before = work.movedBytes;
  if (pieces <= 4 * channels) {
    map.forEachPiece(a, device, [&](const AddressMap::Place &place) {
      piece(place.channel, place.address, place.bytes, efficiency, a.times);
    });
  } else {
    // Long runs use all channels alike, within a granule.
    uint64_t moved = whole(map.localOffset(a.memory, a.offset, device), a.bytes);
    double items =
        itemNs > 0 ? std::ceil(double(moved) / std::min<double>(longest, double(granule))) : 0;
    double each = (double(moved) / (bandwidth * efficiency) + items * itemNs) / double(channels);
    for (double &ns : channelNs)
      ns += each * a.times;
    work.movedBytes += moved * a.times;
  }
  work.amounts[a.write ? DramWrite : DramRead] += 8.0 * factor * double(work.movedBytes - before);
}

/// Operations, from what was read: each weight, key and digest takes part once per vector or head.
void Meter::count() {
  const Memory &m = program.memory(c.src0);
  auto &n = work.amounts;
  double inserts = 0;
  double elements =
      m.dims.empty() || !bytesOf(m.dtype) ? 0 : double(matrixBytes) / double(bytesOf(m.dtype));
  Part mac = m.dtype == DType::F32 ? MacF32 : m.dtype == DType::BF16 ? MacBF16 : MacI8;
  switch (c.opcode) {
  case Opcode::Gemv:
    if (m.columns) { // without the scales
      double perRow = double(m.dims.back() + 2 * ((m.dims.back() + m.columns - 1) / m.columns));
      double rows = double(matrixBytes) / perRow;
      elements = rows * double(m.dims.back());
      n[MacF32] += rows * double((m.dims.back() + m.columns - 1) / m.columns) * c.n1;
    }
    n[mac] += elements * c.n1;
    break;
  case Opcode::ClampReduce: // abs of both, minimum, sign
    n[Compare] += 3 * elements * c.n1;
    n[AddF32] += elements * c.n1;
    break;
  case Opcode::ExpertGemv: {
    double pairs = double(work.linkOut + work.writtenBytes) / double(m.dims[2] * 4);
    n[mac] += pairs * double(m.dims[1] * m.dims[2]);
    n[Exp] += pairs * c.n2;
    n[MacF32] += 2 * pairs * c.n2;
    break;
  }
  case Opcode::GatherReduce:
    n[ReduceAux(c.aux).op == ReduceOp::Max ? Compare : AddF32] += elements;
    break;
  case Opcode::DigestUpdate:
    n[Compare] += 2 * elements;
    break;
  case Opcode::SearchTopk: { // two multiplies, a maximum, an add for each of d
    double scores = elements / 2 * double(c.n1) / double(m.dims[1]);
    n[MacF32] += 2 * scores;
    n[Compare] += scores;
    inserts = scores / double(m.dims[3]);
    break;
  }
  case Opcode::AttnPartial: {
    double group = machine.get("dram.kv_reuse") != 0 ? double(c.aux) / double(m.dims[1]) : 1;
    n[mac] += elements * group;
    n[Exp] += elements / 2 / double(m.dims[3]) * group;
    break;
  }
  case Opcode::MergeStates: {
    double states = double(c.n0) * c.n1;
    n[MacF32] += 2 * states * c.n2;
    n[Exp] += 2 * states;
    break;
  }
  default:
    break;
  }
  double clock = machine.get("compute.clock_hz") / 1e9 * machine.get("compute.tiles");
  if (clock == 0 || !c.group)
    return;
  auto ns = [&](double operations, StringRef lanes) {
    double rate = clock * machine.get(lanes);
    return operations > 0 && rate > 0 ? operations / rate : 0;
  };
  double busy = machine.get("compute.utilisation");
  work.computeNs =
      std::max({ns(n[MacF32] + n[MacBF16] + n[MacI8] + n[AddF32], "compute.lanes") / busy,
                ns(n[Compare], "compute.compare_lanes") / busy, ns(n[Exp], "compute.exp_lanes"),
                ns(inserts, "compute.topk_rate")});
}

void Meter::finish() {
  count();
  double sum = 0;
  for (double ns : channelNs) {
    work.memoryNs = std::max(work.memoryNs, ns);
    sum += ns;
  }
  work.meanMemoryNs = sum / double(channels);
}

bool workOf(const Program &program, const PNMMachine &machine, const AddressMap &map, size_t at,
            uint32_t device, const Data *data, Work &work, std::string &why) {
  Meter meter(program, machine, map, program.commands[at], work);
  if (!forEachAccess(
          program, machine, at, device, data,
          [&](const Access &access) { meter.add(access, device); }, why))
    return false;
  meter.finish();
  return true;
}

} // namespace sluice::pnm
