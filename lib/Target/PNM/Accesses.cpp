// SPDX-License-Identifier: Apache-2.0
//
// Which bytes a command moves on a device, and where they lie. One enumeration serves bytes in
// reports, time and traces; the functions count on their own, and tests compare the two.
#include "lib/Target/PNM/Lists.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace llvm;

namespace sluice::pnm {

namespace {
class Enumerator {
public:
  Enumerator(const Program &program, const PNMMachine &machine, const Command &command,
             uint32_t device, const Data *data, function_ref<void(const Access &)> visit,
             std::string &why)
      : program(program), machine(machine), c(command), device(device), data(data), visit(visit),
        why(why), count(std::max<uint32_t>(1, program.groups[command.group].count)),
        extents(extentsOf(program, command)) {}

  bool run();

private:
  void touch(const Operand &operand, uint64_t offset, uint64_t bytes, bool write,
             uint32_t times = 1) {
    if (bytes)
      visit({operand.memory, offset, bytes, write, times});
  }
  bool mine(const Memory &memory, uint64_t item) {
    return memory.shard == Shard::Replicate || memory.shard == Shard::Heads || count == 1 ||
           ownerOf(memory, item, count) == device;
  }
  /// Only one device of those that have everything does what need be done once.
  bool first(const Memory &memory) { return memory.shard != Shard::Replicate || device == 0; }
  void arguments(uint64_t bytes) { touch(c.src1, c.src1.offset, bytes, false); }
  bool list(uint64_t offset, uint64_t n, ListRange range, std::vector<int32_t> &into,
            function_ref<int64_t(uint64_t)> assumed);

  bool matrix();
  bool rows();
  bool experts();
  bool append();
  bool copies();
  bool digests();
  bool search();
  bool attention();

  const Program &program;
  const PNMMachine &machine;
  const Command &c;
  uint32_t device;
  const Data *data;
  function_ref<void(const Access &)> visit;
  std::string &why;
  uint64_t count;
  Extents extents;
};
} // namespace

bool Enumerator::list(uint64_t offset, uint64_t n, ListRange range, std::vector<int32_t> &into,
                      function_ref<int64_t(uint64_t)> assumed) {
  if (data)
    return readList(program, c, *data, offset, n, range, into, why);
  for (uint64_t i = 0; i < n; ++i)
    into.push_back(assumed(i));
  return true;
}

bool Enumerator::matrix() {
  const Memory &m = program.memory(c.src0);
  Split own = matrixRows(program, c, device);
  if (m.shard == Shard::Replicate && count > 1) {
    // Everyone has the matrix: each does its part of the rows.
    uint64_t begin = own.begin;
    Split part = splitOf(c.n0, device, count);
    own = {begin + part.begin, begin + part.end};
  }
  if (own.begin == own.end)
    return true;
  uint64_t rows = own.end - own.begin, row = m.rowBytes();
  arguments(extents.src1);
  touch(c.src0, own.begin * row, rows * row, false);
  if (m.columns) {
    uint64_t groups = (c.n2 + m.columns - 1) / m.columns, all = m.elements() / m.dims.back();
    touch(c.src0, all * row + own.begin * groups * 2, rows * groups * 2, false);
  }
  uint64_t at = own.begin - c.src0.offset / row;
  for (uint64_t v = 0; v < c.n1; ++v) {
    uint64_t offset = c.dst.offset + (v * c.n0 + at) * 4;
    if (c.flags & Accumulate)
      touch(c.dst, offset, rows * 4, false);
    touch(c.dst, offset, rows * 4, true);
  }
  return true;
}

bool Enumerator::rows() {
  const Memory &m = program.memory(c.src0);
  bool reduces = c.opcode == Opcode::GatherReduce;
  std::vector<int32_t> rows, offsets;
  auto hashed = [&](uint64_t i) {
    uint64_t z = (i + 1 + uint64_t(c.tag) * 0x10001) * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    return (z ^ z >> 31) % std::min<uint64_t>(m.dims[0], 1u << 31);
  };
  if (!list(reduces ? extents.part1 : 0, c.n0, {"row", 0, int64_t(m.dims[0]) - 1}, rows, hashed))
    return false;
  if (reduces && !list(0, uint64_t(c.n1) + 1, {"offset", 0, c.n0}, offsets,
                       [&](uint64_t i) { return i * c.n0 / std::max(1u, c.n1); }))
    return false;
  bool any = false;
  auto take = [&](uint64_t i, uint64_t owner) {
    any = true;
    touch(c.src0, rows[i] * m.rowBytes(), m.rowBytes(), false);
    (void)owner;
  };
  uint64_t out = reduces ? m.dims[1] * 4 : m.rowBytes();
  // A table that everyone has: rows (or segments) go round.
  auto does = [&](uint64_t row, uint64_t index) {
    return m.shard == Shard::Replicate ? index % count == device : mine(m, row);
  };
  std::vector<uint64_t> results;
  if (!reduces) {
    for (uint64_t i = 0; i < c.n0; ++i)
      if (does(rows[i], i)) {
        take(i, 0);
        results.push_back(i);
      }
  } else {
    for (uint64_t s = 0; s < c.n1; ++s) {
      if (offsets[s] >= offsets[s + 1]) {
        if (s % count == device)
          results.push_back(s);
        continue;
      }
      if (!does(rows[offsets[s]], s))
        continue;
      results.push_back(s);
      for (int32_t i = offsets[s]; i < offsets[s + 1]; ++i)
        take(i, 0);
    }
  }
  if (any || !results.empty())
    arguments(extents.src1);
  for (uint64_t i : results)
    touch(c.dst, c.dst.offset + i * out, out, true);
  return true;
}

bool Enumerator::experts() {
  const Memory &m = program.memory(c.src0);
  std::vector<int32_t> pairs;
  if (!list(extents.part1, uint64_t(c.n0) * 2, {"pair number", 0, 0x7fffffff}, pairs,
            [&](uint64_t i) {
              return i % 2 ? i / 2 * m.dims[0] / std::max(1u, c.n0) : i / 2 % std::max(1u, c.n1);
            }))
    return false;
  std::vector<bool> seen(m.dims[0]);
  std::vector<uint64_t> results;
  for (uint64_t p = 0; p < c.n0; ++p) {
    uint64_t expert = pairs[2 * p + 1];
    if (expert >= m.dims[0]) {
      why = formatv("pair {0} is expert {1}, expected below {2}", p, expert, m.dims[0]);
      return false;
    }
    if (m.shard == Shard::Replicate ? expert % count != device : !mine(m, expert))
      continue;
    results.push_back(p);
    if (!seen[expert])
      touch(c.src0, expert * m.itemBytes(), m.itemBytes(), false);
    seen[expert] = true;
  }
  if (!results.empty())
    arguments(extents.src1);
  for (uint64_t p : results)
    touch(c.dst, c.dst.offset + p * m.dims[2] * 4, m.dims[2] * 4, true);
  return true;
}

bool Enumerator::append() {
  const Memory &m = program.memory(c.dst);
  std::vector<int32_t> slots;
  if (!list(extents.part2, c.n0, {"slot", -1, 0x7fffffff}, slots,
            [&](uint64_t i) { return i % (m.dims[0] * m.dims[2]); }))
    return false;
  Split heads = headsOf(m, device, count);
  uint64_t vector = m.dims[3] * bytesOf(m.dtype);
  bool any = false;
  for (int32_t slot : slots) {
    if (slot < 0)
      continue;
    uint64_t page = slot / m.dims[2];
    if (!mine(m, page))
      continue;
    any = true;
    for (uint64_t part = 0; part < 2; ++part)
      for (uint64_t h = heads.begin; h < heads.end; ++h)
        touch(c.dst,
              ((page * 2 + part) * m.dims[1] + h) * m.tileBytes() + slot % m.dims[2] * vector,
              vector, true);
  }
  if (any)
    arguments(extents.src1);
  return true;
}

bool Enumerator::copies() {
  const Memory &m = program.memory(c.src0);
  std::vector<int32_t> pairs;
  if (!list(0, uint64_t(c.n0) * 2, {"page", 0, int64_t(m.dims[0]) - 1}, pairs,
            [&](uint64_t i) { return i / 2 % m.dims[0]; }))
    return false;
  Split heads = headsOf(m, device, count);
  uint64_t bytes = m.itemBytes(), half = bytes / 2, tile = m.tileBytes();
  bool any = false;
  for (uint64_t i = 0; i < c.n0; ++i) {
    if (!mine(m, pairs[2 * i]))
      continue;
    any = true;
    for (uint64_t part = 0; part < 2; ++part) {
      uint64_t at = part * half + heads.begin * tile, n = (heads.end - heads.begin) * tile;
      touch(c.src0, pairs[2 * i] * bytes + at, n, false);
      touch(c.dst, pairs[2 * i + 1] * bytes + at, n, true);
    }
  }
  if (any)
    arguments(extents.src1);
  return true;
}

bool Enumerator::digests() {
  const Memory &m = program.memory(c.src0);
  std::vector<int32_t> pairs;
  if (!list(0, uint64_t(c.n0) * 2, {"page number", 0, 0x7fffffff}, pairs,
            [&](uint64_t i) { return i % 2 ? m.dims[2] : i / 2 % m.dims[0]; }))
    return false;
  Split heads = headsOf(m, device, count);
  uint64_t vector = m.dims[3] * bytesOf(m.dtype);
  bool any = false;
  for (uint64_t i = 0; i < c.n0; ++i) {
    uint64_t page = pairs[2 * i], valid = pairs[2 * i + 1];
    if (page >= m.dims[0] || valid < 1 || valid > m.dims[2]) {
      why = formatv("digest {0} is of page {1} with {2} keys", i, page, valid);
      return false;
    }
    if (!mine(m, page))
      continue;
    any = true;
    for (uint64_t h = heads.begin; h < heads.end; ++h) {
      touch(c.src0, (page * 2 * m.dims[1] + h) * m.tileBytes(), valid * vector, false);
      touch(c.dst, (page * m.dims[1] + h) * 2 * vector, 2 * vector, true);
    }
  }
  if (any)
    arguments(extents.src1);
  return true;
}

bool Enumerator::search() {
  const Memory &m = program.memory(c.src0);
  PageLists lists;
  if (!readPageLists(program, c, data, lists, why))
    return false;
  Split heads = headsOf(m, device, count);
  uint64_t digest = 2 * m.dims[3] * bytesOf(m.dtype), pages = 0;
  for (int32_t page : lists.table) {
    if (!mine(m, page) || !(m.shard != Shard::Replicate || pages++ % count == device))
      continue;
    touch(c.src0, (page * m.dims[1] + heads.begin) * digest, (heads.end - heads.begin) * digest,
          false);
  }
  arguments(extents.src1);
  // Each device sends its own best; the host keeps the best of all. What counts is one list.
  Split part = count > 1 && m.shard != Shard::Heads
                   ? splitOf(extents.dst / 4, device, count)
                   : Split{heads.begin * SearchAux(c.aux).k, heads.end * SearchAux(c.aux).k};
  touch(c.dst, c.dst.offset + part.begin * 4, (part.end - part.begin) * 4, true);
  return true;
}

bool Enumerator::attention() {
  const Memory &m = program.memory(c.src0);
  PageLists lists;
  if (!readPageLists(program, c, data, lists, why))
    return false;
  Split heads = headsOf(m, device, count);
  uint64_t slots = m.dims[2], vector = m.dims[3] * bytesOf(m.dtype), group = c.aux / m.dims[1];
  uint64_t perCut = kCutKeys / slots, state = (kStateHead + m.dims[3]) * 4;
  auto times = static_cast<uint32_t>(machine.get("dram.kv_reuse") != 0 ? 1 : group);
  bool any = false;
  for (uint64_t h = heads.begin; h < heads.end; ++h) {
    uint64_t room = 0, n = lists.all() ? c.n0 : lists.chosen[h].size();
    auto at = [&](uint64_t i) -> uint64_t { return lists.all() ? i : lists.chosen[h][i]; };
    for (uint64_t i = 0; i < n;) {
      uint64_t cut = at(i) / perCut;
      bool seen = false, own = false;
      for (; i < n && at(i) / perCut == cut; ++i) {
        SlotRange range = visibleSlots(c, at(i), slots);
        if (range.begin == range.end)
          continue;
        uint64_t page = lists.table[at(i)];
        seen = true;
        if (m.shard == Shard::Replicate ? cut % count != device : !mine(m, page))
          continue;
        own = true;
        for (uint64_t part = 0; part < 2; ++part)
          touch(c.src0, ((page * 2 + part) * m.dims[1] + h) * m.tileBytes() + range.begin * vector,
                (range.end - range.begin) * vector, false, times);
      }
      if (own)
        touch(c.dst, c.dst.offset + (room * c.aux + h * group) * state, group * state, true);
      any |= own;
      room += seen;
    }
  }
  if (any)
    arguments(extents.src1);
  return true;
}

bool Enumerator::run() {
  switch (c.opcode) {
  case Opcode::Fill: {
    Split part = program.memory(c.dst).shard == Shard::Replicate ? Split{0, c.n0}
                                                                 : splitOf(c.n0, device, count);
    uint64_t size = bytesOf(program.memory(c.dst).dtype);
    touch(c.dst, c.dst.offset + part.begin * size, (part.end - part.begin) * size, true);
    return true;
  }
  case Opcode::Dma:
    if (device == 0 ||
        (program.memory(c.dst).group && program.memory(c.dst).shard == Shard::Replicate)) {
      touch(c.src0, c.src0.offset, c.n0, false);
      touch(c.dst, c.dst.offset, c.n0, true);
    }
    return true;
  case Opcode::Gather:
  case Opcode::GatherReduce:
    return rows();
  case Opcode::Gemv:
  case Opcode::ClampReduce:
    return matrix();
  case Opcode::ExpertGemv:
    return experts();
  case Opcode::KvAppend:
    return append();
  case Opcode::KvCopyPages:
    return copies();
  case Opcode::DigestUpdate:
    return digests();
  case Opcode::SearchTopk:
    return search();
  case Opcode::AttnPartial:
    return attention();
  case Opcode::MergeStates: {
    Split part = splitOf(c.n1, device, count);
    uint64_t state = (uint64_t(kStateHead) + c.n2) * 4,
             out = c.flags & Normalised ? uint64_t(c.n2) * 4 : state;
    for (uint64_t room = 0; room < c.n0; ++room)
      touch(c.src0, c.src0.offset + (room * c.n1 + part.begin) * state,
            (part.end - part.begin) * state, false);
    touch(c.dst, c.dst.offset + part.begin * out, (part.end - part.begin) * out, true);
    return true;
  }
  case Opcode::Fence:
  case Opcode::Wait:
  case Opcode::HostWork:
  case Opcode::HostWait:
  case Opcode::Token:
    return true;
  }
  return true;
}

bool forEachAccess(const Program &program, const PNMMachine &machine, size_t at, uint32_t device,
                   const Data *data, function_ref<void(const Access &)> visit, std::string &why) {
  return Enumerator(program, machine, program.commands[at], device, data, visit, why).run();
}

// ---- where bytes lie ----

AddressMap::AddressMap(const Program &program, const PNMMachine &machine)
    : program(program), channels(machine.get("topology.channels")) {
  uint64_t next = 0, access = machine.get("dram.access_bytes"), row = machine.get("dram.row_bytes");
  uint64_t align = channels * std::max<uint64_t>(4096, row);
  for (const Memory &m : program.memories) {
    bases.push_back(next);
    uint64_t granule = row;
    if (m.layout == Layout::Hnd)
      granule = m.tileBytes();
    else if (m.layout == Layout::Digest)
      granule = m.dims[1] * 2 * m.dims[3] * bytesOf(m.dtype);
    else if (m.dims.size() > 1)
      granule = m.rowBytes();
    granules.push_back(std::max((granule + access - 1) / access * access, access));
    if (!m.dims.empty() && m.group) {
      uint64_t bytes = shardBytes(m, program.groups[m.group].count);
      // Whole granules on every channel.
      uint64_t stride = granules.back() * channels;
      next += ((bytes + stride - 1) / stride * stride + align - 1) / align * align;
    }
  }
}

uint64_t AddressMap::localOffset(uint16_t memory, uint64_t offset, uint32_t device) const {
  const Memory &m = program.memories[memory];
  uint64_t count = program.groups[m.group].count;
  if (count <= 1 || m.shard == Shard::Replicate)
    return offset;
  switch (m.shard) {
  case Shard::Rows: {
    uint64_t row = m.rowBytes(), codes = m.elements() * bytesOf(m.dtype);
    uint64_t rows = m.dims.size() > 1 ? m.dims[m.dims.size() - 2] : m.dims[0], extra = 0;
    if (m.dims.size() == 1)
      row = bytesOf(m.dtype);
    if (offset >= codes) { // scales, after the shard's codes
      Split own = splitOf(rows, device, count);
      extra = m.elements() / m.dims.back() / rows * (own.end - own.begin) * row;
      offset -= codes;
      row = 2 * ((m.dims.back() + m.columns - 1) / m.columns);
    }
    uint64_t index = offset / row, layer = index / rows;
    Split own = splitOf(rows, device, count);
    return extra + (layer * (own.end - own.begin) + index % rows - own.begin) * row + offset % row;
  }
  case Shard::Pages: {
    uint64_t item = m.itemBytes(), page = offset / item,
             perCut = std::max<uint64_t>(1, kCutKeys / m.dims[2]);
    uint64_t local = page / (perCut * count) * perCut + page % perCut;
    return local * item + offset % item;
  }
  case Shard::Heads: {
    uint64_t tile = m.layout == Layout::Hnd ? m.tileBytes() : 2 * m.dims[3] * bytesOf(m.dtype);
    Split own = headsOf(m, device, count);
    uint64_t index = offset / tile, head = index % m.dims[1];
    return (index / m.dims[1] * (own.end - own.begin) + head - own.begin) * tile + offset % tile;
  }
  case Shard::Experts: {
    uint64_t item = m.itemBytes();
    return offset - splitOf(m.dims[0], device, count).begin * item;
  }
  case Shard::Replicate:
    break;
  }
  return offset;
}

void AddressMap::forEachPiece(const Access &access, uint32_t device,
                              function_ref<void(const Place &)> visit) const {
  uint64_t granule = granules[access.memory],
           at = localOffset(access.memory, access.offset, device);
  for (uint64_t left = access.bytes; left;) {
    uint64_t index = at / granule, inside = at % granule, n = std::min(left, granule - inside);
    visit({static_cast<uint32_t>(index % channels),
           bases[access.memory] / channels + index / channels * granule + inside, n});
    at += n;
    left -= n;
  }
}

} // namespace sluice::pnm
