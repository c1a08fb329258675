// SPDX-License-Identifier: Apache-2.0
//
// Sizes are computed in 128 bits and held at 2^62, so that no descriptor makes them wrap.
#include "lib/Target/PNM/Extents.h"

#include <algorithm>

namespace sluice::pnm {

using Wide = unsigned __int128;
static constexpr uint64_t kMost = uint64_t(1) << 62;

static uint64_t hold(Wide value) { return value > kMost ? kMost : static_cast<uint64_t>(value); }
static Wide aligned(Wide value) { return (value + kPartAlign - 1) / kPartAlign * kPartAlign; }

uint64_t kvHeads(const Program &program, const Command &command) {
  const Memory &memory = program.memory(command.src0);
  return memory.dims.size() == 4 ? memory.dims[1] : 0;
}

uint64_t stateSlots(const Command &command) {
  uint64_t cuts = cutsOf(command.n1);
  return command.n2 ? std::min<uint64_t>(command.n2, cuts) : cuts;
}

uint64_t shardBytes(const Memory &memory, uint64_t count) {
  if (count <= 1 || memory.shard == Shard::Replicate || memory.dims.empty())
    return memory.bytes();
  auto perItem = [&](uint64_t items) {
    uint64_t most = (items + count - 1) / count;
    return items ? hold(Wide(memory.bytes()) * most / items) : 0;
  };
  switch (memory.shard) {
  case Shard::Rows:
    return perItem(memory.dims.size() > 1 ? memory.dims[memory.dims.size() - 2] : memory.dims[0]);
  case Shard::Heads:
    return perItem(memory.dims.size() > 1 ? memory.dims[1] : memory.dims[0]);
  case Shard::Pages: {
    uint64_t perCut = memory.dims.size() == 4
                          ? std::max<uint64_t>(1, kCutKeys / std::max<uint64_t>(1, memory.dims[2]))
                          : 1;
    uint64_t groups = (memory.dims[0] + perCut - 1) / perCut;
    uint64_t pages = std::min<uint64_t>(memory.dims[0], (groups + count - 1) / count * perCut);
    return hold(Wide(pages) * memory.itemBytes());
  }
  case Shard::Experts:
    return perItem(memory.dims[0]);
  case Shard::Replicate:
    break;
  }
  return memory.bytes();
}

Extents extentsOf(const Program &program, const Command &c) {
  Wide src0 = 0, src1 = 0, dst = 0, part1 = 0, part2 = 0;
  const Memory &m0 = program.memory(c.src0), &target = program.memory(c.dst);
  uint64_t width = m0.dims.empty() ? 0 : m0.dims.back();
  auto size = [](DType type) { return Wide(bytesOf(type)); };
  switch (c.opcode) {
  case Opcode::Fill:
    dst = Wide(c.n0) * (target.dims.empty() ? 0 : bytesOf(target.dtype));
    break;
  case Opcode::Dma:
    src0 = dst = c.n0;
    break;
  case Opcode::Gather:
    src0 = m0.dims.empty() ? 0 : m0.bytes();
    src1 = Wide(c.n0) * 4;
    dst = Wide(c.n0) * width * size(m0.dtype);
    break;
  case Opcode::GatherReduce:
    src0 = m0.dims.empty() ? 0 : m0.bytes();
    part1 = aligned((Wide(c.n1) + 1) * 4);
    part2 = aligned(part1 + Wide(c.n0) * 4);
    src1 = ReduceAux(c.aux).weighted ? part2 + Wide(c.n0) * 4 : part1 + Wide(c.n0) * 4;
    dst = Wide(c.n1) * width * 4;
    break;
  case Opcode::Gemv:
  case Opcode::ClampReduce:
    src0 = Wide(c.n0) * c.n2 * size(m0.dtype);
    src1 = Wide(c.n1) * c.n2 * size(c.type1);
    dst = Wide(c.n1) * c.n0 * 4;
    break;
  case Opcode::ExpertGemv:
    src0 = m0.dims.empty() ? 0 : m0.bytes();
    part1 = aligned(Wide(c.n1) * width * size(c.type1));
    src1 = part1 + Wide(c.n0) * 8;
    dst = Wide(c.n0) * width * 4;
    break;
  case Opcode::KvAppend: {
    Wide rows =
        target.dims.size() == 4 ? Wide(c.n0) * target.dims[1] * target.dims[3] * size(c.type1) : 0;
    part1 = aligned(rows);
    part2 = aligned(part1 + rows);
    src1 = part2 + Wide(c.n0) * 4;
    dst = target.dims.empty() ? 0 : target.bytes();
    break;
  }
  case Opcode::KvCopyPages:
    src0 = dst = m0.dims.empty() ? 0 : m0.bytes();
    src1 = Wide(c.n0) * 8;
    break;
  case Opcode::DigestUpdate:
    src0 = m0.dims.empty() ? 0 : m0.bytes();
    src1 = Wide(c.n0) * 8;
    dst = target.dims.empty() ? 0 : target.bytes();
    break;
  case Opcode::SearchTopk:
    src0 = m0.dims.empty() ? 0 : m0.bytes();
    part1 = aligned(Wide(c.n1) * c.n2 * 4);
    src1 = part1 + Wide(c.n0) * 4;
    dst = Wide(kvHeads(program, c)) * SearchAux(c.aux).k * 4;
    break;
  case Opcode::AttnPartial:
    src0 = m0.dims.empty() ? 0 : m0.bytes();
    part1 = aligned(Wide(c.aux) * width * 4);
    part2 = aligned(part1 + Wide(c.n0) * 4);
    src1 = c.n2 ? part2 + Wide(kvHeads(program, c)) * c.n2 * 4 : part1 + Wide(c.n0) * 4;
    dst = Wide(stateSlots(c)) * c.aux * (kStateHead + Wide(width)) * 4;
    break;
  case Opcode::MergeStates: {
    Wide state = (Wide(kStateHead) + c.n2) * 4;
    src0 = Wide(c.n0) * c.n1 * state;
    dst = c.flags & Normalised ? Wide(c.n1) * c.n2 * 4 : Wide(c.n1) * state;
    break;
  }
  case Opcode::Fence:
  case Opcode::Wait:
  case Opcode::HostWork:
  case Opcode::HostWait:
  case Opcode::Token:
    break;
  }
  return {hold(src0), hold(src1), hold(dst), hold(part1), hold(part2)};
}

} // namespace sluice::pnm
