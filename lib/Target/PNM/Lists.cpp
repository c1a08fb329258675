// SPDX-License-Identifier: Apache-2.0
//
// What is assumed without data is what a fresh allocator would give: pages in order, selections
// spread evenly. Table rows are pseudo-random, as hashes are.
#include "lib/Target/PNM/Lists.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace sluice::pnm {

bool readList(const Program &program, const Command &command, const Data &data, uint64_t offset,
              uint64_t count, ListRange range, std::vector<int32_t> &into, std::string &why) {
  const uint8_t *at = data.bytes[command.src1.memory].data() + command.src1.offset + offset;
  into.resize(count);
  for (uint64_t i = 0; i < count; ++i) {
    into[i] = static_cast<int32_t>(support::endian::read32le(at + 4 * i));
    if (into[i] < range.least || into[i] > range.most) {
      why = formatv("{0} {1} of '{2}' is {3}, expected {4} to {5}", range.what, i,
                    program.memory(command.src1).name, into[i], range.least, range.most);
      return false;
    }
  }
  return true;
}

SlotRange visibleSlots(const Command &c, uint64_t page, uint64_t slots) {
  uint64_t first = c.stride && c.stride < c.n1 ? c.n1 - c.stride : 0;
  uint64_t begin = std::max(first, page * slots),
           end = std::min<uint64_t>(c.n1, (page + 1) * slots);
  return begin < end ? SlotRange{begin - page * slots, end - page * slots} : SlotRange{0, 0};
}

uint64_t ownerOf(const Memory &memory, uint64_t index, uint64_t count) {
  if (count <= 1 || memory.shard == Shard::Replicate || memory.shard == Shard::Heads)
    return 0;
  if (memory.shard == Shard::Pages)
    return pageOwner(memory, index, count);
  uint64_t total = memory.dims.size() == 2 || memory.shard == Shard::Experts
                       ? memory.dims[0]
                       : memory.dims[memory.dims.size() - 2];
  index %= total;
  // The split's inverse, then corrected for rounding.
  uint64_t guess = static_cast<uint64_t>(static_cast<unsigned __int128>(index) * count / total);
  while (splitOf(total, guess, count).end <= index)
    ++guess;
  return guess;
}

Split headsOf(const Memory &memory, uint32_t device, uint64_t count) {
  if (memory.shard != Shard::Heads || count <= 1)
    return {0, memory.dims[1]};
  return splitOf(memory.dims[1], device, count);
}

Split matrixRows(const Program &program, const Command &command, uint32_t device) {
  const Memory &m = program.memory(command.src0);
  uint64_t first = command.src0.offset / m.rowBytes(), count = program.groups[command.group].count;
  if (m.shard != Shard::Rows || count <= 1)
    return device == 0 || m.shard == Shard::Replicate ? Split{first, first + command.n0}
                                                      : Split{first, first};
  // A layer's rows are divided, so a command stays inside one layer (the verifier sees to it).
  uint64_t rows = m.dims[m.dims.size() - 2], layer = first / rows * rows;
  Split own = splitOf(rows, device, count);
  uint64_t begin = std::max(first, layer + own.begin),
           end = std::min<uint64_t>(first + command.n0, layer + own.end);
  return begin < end ? Split{begin, end} : Split{first, first};
}

bool readPageLists(const Program &program, const Command &command, const Data *data,
                   PageLists &lists, std::string &why) {
  const Memory &m = program.memory(command.src0);
  Extents extents = extentsOf(program, command);
  uint64_t heads = m.dims[1];
  if (!data) {
    for (uint64_t i = 0; i < command.n0; ++i)
      lists.table.push_back(i % m.dims[0]);
    if (command.opcode == Opcode::AttnPartial && command.n2)
      for (uint64_t h = 0; h < heads; ++h) {
        std::vector<int32_t> &list = lists.chosen.emplace_back();
        for (uint64_t i = 0; i < command.n2; ++i)
          list.push_back(i * command.n0 / command.n2);
      }
    return true;
  }
  if (!readList(program, command, *data, extents.part1, command.n0,
                {"page", 0, int64_t(m.dims[0]) - 1}, lists.table, why))
    return false;
  if (command.opcode != Opcode::AttnPartial || !command.n2)
    return true;
  std::vector<int32_t> all;
  if (!readList(program, command, *data, extents.part2, heads * command.n2,
                {"chosen page", 0, int64_t(command.n0) - 1}, all, why))
    return false;
  for (uint64_t h = 0; h < heads; ++h) {
    lists.chosen.emplace_back(all.begin() + h * command.n2, all.begin() + (h + 1) * command.n2);
    const std::vector<int32_t> &list = lists.chosen.back();
    for (size_t i = 1; i < list.size(); ++i)
      if (list[i] <= list[i - 1]) {
        why = formatv("chosen pages of head {0} are not ascending: {1} after {2}", h, list[i],
                      list[i - 1]);
        return false;
      }
  }
  return true;
}

} // namespace sluice::pnm
