// SPDX-License-Identifier: Apache-2.0
//
// Pages of keys and values: appending, digests, search, partial attention and the merge. A cut of
// 256 keys is the atom: its state is computed in one place, and states are merged in the order of
// their cuts, so the result has the bits of attention over all keys in one memory.
#include "lib/Target/PNM/Execute.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace llvm;

namespace sluice::pnm {

static constexpr float kInfinity = std::numeric_limits<float>::infinity();
static constexpr uint32_t kNoCut = ~0u;

/// Byte offset of a tile: |part| 0 for keys, 1 for values.
static uint64_t tileAt(const Memory &m, uint64_t page, uint64_t part, uint64_t head) {
  return ((page * 2 + part) * m.dims[1] + head) * m.tileBytes();
}

bool Unit::append() {
  const Memory &m = program.memory(command.dst);
  uint64_t heads = m.dims[1], slots = m.dims[2], D = m.dims[3], vector = D * bytesOf(m.dtype);
  std::vector<int32_t> places;
  if (!readList(program, command, data, extents.part2, command.n0,
                {"slot", -1, int64_t(std::min<uint64_t>(m.dims[0] * slots, 1u << 31)) - 1}, places,
                why))
    return false;
  std::vector<float> values(D);
  for (uint64_t i = 0; i < command.n0; ++i) {
    if (places[i] < 0)
      continue;
    uint64_t page = places[i] / slots, slot = places[i] % slots;
    if (page < m.shared)
      return fail(
          formatv("row {0} goes to page {1} of '{2}', which others use too: copy it first (V10)", i,
                  page, m.name));
    for (uint64_t part = 0; part < 2; ++part)
      for (uint64_t h = 0; h < heads; ++h) {
        uint64_t from = command.src1.offset + (part ? extents.part1 : 0) +
                        (i * heads + h) * D * bytesOf(command.type1);
        numbers(command.src1, from, command.type1, D, values.data());
        store(tileAt(m, page, part, h) + slot * vector, values.data(), D, m.dtype);
      }
  }
  return true;
}

bool Unit::copyPages() {
  const Memory &m = program.memory(command.src0);
  uint64_t count = program.groups[command.group].count, bytes = m.itemBytes();
  std::vector<int32_t> pairs;
  if (!readList(program, command, data, 0, uint64_t(command.n0) * 2,
                {"page", 0, int64_t(m.dims[0]) - 1}, pairs, why))
    return false;
  for (uint64_t i = 0; i < command.n0; ++i) {
    uint64_t from = pairs[2 * i], to = pairs[2 * i + 1];
    if (to < m.shared)
      return fail(
          formatv("copy {0} goes to page {1} of '{2}', which others use too (V10)", i, to, m.name));
    if (ownerOf(m, from, count) != ownerOf(m, to, count))
      return fail(
          formatv("copy {0} goes from page {1} to page {2} of '{3}', which lies on another device",
                  i, from, to, m.name));
    const uint8_t *source = read(command.src0, from * bytes, bytes);
    std::memmove(write(command.dst, to * bytes, bytes), source, bytes);
  }
  return true;
}

bool Unit::digest() {
  const Memory &m = program.memory(command.src0), &target = program.memory(command.dst);
  uint64_t D = m.dims[3], slots = m.dims[2], size = bytesOf(m.dtype);
  std::vector<int32_t> pairs;
  if (!readList(program, command, data, 0, uint64_t(command.n0) * 2,
                {"page number", 0, std::numeric_limits<int32_t>::max()}, pairs, why))
    return false;
  std::vector<float> keys, most(D), least(D);
  for (uint64_t i = 0; i < command.n0; ++i) {
    uint64_t page = pairs[2 * i], valid = pairs[2 * i + 1];
    if (page >= m.dims[0] || valid < 1 || valid > slots)
      return fail(
          formatv("digest {0} is of page {1} with {2} keys, expected below {3} and 1 to {4}", i,
                  page, valid, m.dims[0], slots));
    keys.resize(valid * D);
    for (uint64_t h = 0; h < m.dims[1]; ++h) {
      numbers(command.src0, tileAt(m, page, 0, h), m.dtype, valid * D, keys.data());
      for (uint64_t d = 0; d < D; ++d) {
        most[d] = least[d] = keys[d];
        for (uint64_t j = 1; j < valid; ++j) {
          float key = keys[j * D + d];
          most[d] = key > most[d] || key != key ? key : most[d];
          least[d] = key < least[d] || key != key ? key : least[d];
        }
        if (target.digest == Digest::CuboidMean) {
          float centre = (most[d] + least[d]) * 0.5f, sum = 0;
          for (uint64_t j = 0; j < valid; ++j)
            sum += std::fabs(keys[j * D + d] - centre);
          float radius = sum / static_cast<float>(valid);
          most[d] = centre + radius;
          least[d] = centre - radius;
        }
      }
      uint64_t at = (page * m.dims[1] + h) * 2 * D * size;
      store(at, most.data(), D, target.dtype);
      store(at + D * size, least.data(), D, target.dtype);
    }
  }
  return true;
}

bool Unit::search() {
  const Memory &m = program.memory(command.src0);
  SearchAux aux(command.aux);
  PageLists lists;
  if (!readPageLists(program, command, &data, lists, why))
    return false;
  uint64_t heads = m.dims[1], D = m.dims[3], group = command.n1 / heads, pages = command.n0;
  std::vector<float> query(uint64_t(command.n1) * D), most(D), least(D), scores(pages);
  numbers(command.src1, command.src1.offset, DType::F32, query.size(), query.data());
  std::vector<uint32_t> order(pages);
  for (uint64_t h = 0; h < heads; ++h) {
    for (uint64_t p = 0; p < pages; ++p) {
      uint64_t at = (lists.table[p] * heads + h) * 2 * D * bytesOf(m.dtype);
      numbers(command.src0, at, m.dtype, D, most.data());
      numbers(command.src0, at + D * bytesOf(m.dtype), m.dtype, D, least.data());
      float total = 0;
      for (uint64_t g = 0; g < group; ++g) {
        const float *q = query.data() + (h * group + g) * D;
        float score = 0;
        for (uint64_t d = 0; d < D; ++d) {
          float a = q[d] * most[d], b = q[d] * least[d];
          score += b > a || b != b ? b : a;
        }
        if (g == 0)
          total = score;
        else if (aux.sum)
          total += score;
        else if (score > total || score != score)
          total = score;
      }
      scores[p] = total;
      order[p] = p;
    }
    // Always kept first, then by score; a NaN is worth least, ties go to the lower page.
    auto kept = [&](uint32_t p) { return p < aux.first || p + aux.last >= pages; };
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      if (kept(a) != kept(b))
        return kept(a);
      float x = scores[a], y = scores[b];
      if ((x != x) != (y != y))
        return y != y;
      return x > y || (!(x < y) && a < b);
    });
    std::vector<uint32_t> best(order.begin(), order.begin() + aux.k);
    std::sort(best.begin(), best.end());
    std::memcpy(write(command.dst, command.dst.offset + h * aux.k * 4, uint64_t(aux.k) * 4),
                best.data(), uint64_t(aux.k) * 4);
  }
  return true;
}

void Unit::attendCut(uint64_t cut, uint64_t head, uint64_t slot, const PageLists &lists,
                     const std::vector<int32_t> &pages, const std::vector<float> &query) {
  const Memory &m = program.memory(command.src0);
  uint64_t D = m.dims[3], slots = m.dims[2], group = command.aux / m.dims[1];
  uint64_t vector = D * bytesOf(m.dtype);
  // What is seen of the cut, in the order of its keys.
  std::vector<uint32_t> places;
  std::vector<float> keys, values;
  for (int32_t page : pages) {
    SlotRange seen = visibleSlots(command, page, slots);
    uint64_t n = seen.end - seen.begin, at = keys.size();
    if (!n)
      continue;
    keys.resize(at + n * D);
    values.resize(at + n * D);
    uint64_t physical = lists.table[page];
    numbers(command.src0, tileAt(m, physical, 0, head) + seen.begin * vector, m.dtype, n * D,
            keys.data() + at);
    numbers(command.src0, tileAt(m, physical, 1, head) + seen.begin * vector, m.dtype, n * D,
            values.data() + at);
    for (uint64_t j = seen.begin; j < seen.end; ++j)
      places.push_back((page * slots + j) % kCutKeys);
  }
  for (uint64_t g = 0; g < group; ++g) {
    const float *q = query.data() + (head * group + g) * D;
    std::vector<float> scores(places.size()), state(kStateHead + D);
    float most = -kInfinity;
    for (size_t j = 0; j < places.size(); ++j) {
      float chain = 0;
      for (uint64_t d = 0; d < D; ++d)
        chain = std::fma(q[d], keys[j * D + d], chain);
      scores[j] = command.scale * chain;
      most = scores[j] > most || scores[j] != scores[j] ? scores[j] : most;
    }
    float weights[kCutKeys] = {};
    for (size_t j = 0; j < places.size(); ++j) {
      float p = weights[places[j]] = weightOf(scores[j] - most);
      for (uint64_t d = 0; d < D; ++d)
        state[kStateHead + d] = std::fma(p, values[j * D + d], state[kStateHead + d]);
    }
    state[0] = most;
    state[1] = reduceRow(weights, kCutKeys);
    state[2] = floatOf(static_cast<uint32_t>(cut));
    uint64_t at = (slot * command.aux + head * group + g) * (kStateHead + D) * 4;
    store(command.dst.offset + at, state.data(), state.size());
  }
}

bool Unit::attention() {
  const Memory &m = program.memory(command.src0);
  uint64_t D = m.dims[3], slots = m.dims[2], heads = m.dims[1],
           count = program.groups[command.group].count;
  PageLists lists;
  if (!readPageLists(program, command, &data, lists, why))
    return false;
  std::vector<float> query(command.aux * D);
  numbers(command.src1, command.src1.offset, DType::F32, query.size(), query.data());
  uint64_t pagesPerCut = kCutKeys / slots, rooms = stateSlots(command);
  uint64_t stateBytes = command.aux * (kStateHead + D) * 4;
  // Rooms that stay empty say so. They are not moved: their count is known from the cuts.
  for (uint64_t room = 0; room < rooms; ++room)
    for (uint64_t q = 0; q < command.aux; ++q) {
      uint8_t *at = data.bytes[command.dst.memory].data() + command.dst.offset + room * stateBytes +
                    q * (kStateHead + D) * 4;
      std::memset(at, 0, (kStateHead + D) * 4);
      std::memcpy(at + 8, &kNoCut, 4);
    }
  for (uint64_t h = 0; h < heads; ++h) {
    std::vector<int32_t> all;
    if (lists.all())
      for (uint64_t p = 0; p < command.n0; ++p)
        all.push_back(p);
    const std::vector<int32_t> &chosen = lists.all() ? all : lists.chosen[h];
    uint64_t room = 0;
    for (size_t i = 0; i < chosen.size();) {
      uint64_t cut = chosen[i] / pagesPerCut;
      std::vector<int32_t> pages;
      bool seen = false;
      for (; i < chosen.size() && chosen[i] / pagesPerCut == cut; ++i) {
        SlotRange range = visibleSlots(command, chosen[i], slots);
        if (range.begin == range.end)
          continue;
        pages.push_back(chosen[i]);
        seen = true;
        if (ownerOf(m, lists.table[pages.back()], count) !=
            ownerOf(m, lists.table[pages.front()], count))
          return fail(formatv(
              "cut {0} has pages {1} and {2} of '{3}' on two devices; its keys are summed in one",
              cut, lists.table[pages.front()], lists.table[pages.back()], m.name));
      }
      if (seen)
        attendCut(cut, h, room++, lists, pages, query);
    }
  }
  return true;
}

bool Unit::merge() {
  uint64_t D = command.n2, size = kStateHead + D, heads = command.n1;
  std::vector<float> all(uint64_t(command.n0) * heads * size);
  numbers(command.src0, command.src0.offset, DType::F32, all.size(), all.data());
  for (uint64_t h = 0; h < heads; ++h) {
    std::vector<const float *> states;
    for (uint64_t room = 0; room < command.n0; ++room) {
      const float *state = all.data() + (room * heads + h) * size;
      if (bitsOf(state[2]) == kNoCut)
        continue;
      if (bitsOf(state[3]))
        return fail(
            formatv("state {0} of head {1} has flags {2:x}, expected natural, not divided (V7)",
                    room, h, bitsOf(state[3])));
      states.push_back(state);
    }
    std::sort(states.begin(), states.end(),
              [](const float *a, const float *b) { return bitsOf(a[2]) < bitsOf(b[2]); });
    std::vector<float> merged(size);
    merged[0] = -kInfinity;
    merged[2] = floatOf(states.empty() ? kNoCut : bitsOf(states.front()[2]));
    for (size_t i = 0; i < states.size(); ++i) {
      const float *state = states[i];
      if (i && bitsOf(state[2]) == bitsOf(states[i - 1][2]))
        return fail(formatv("head {0} has two states of cut {1}", h, bitsOf(state[2])));
      float most = state[0] > merged[0] || state[0] != state[0] ? state[0] : merged[0];
      float a = weightOf(merged[0] - most), c = weightOf(state[0] - most);
      merged[0] = most;
      merged[1] = std::fma(merged[1], a, state[1] * c);
      for (uint64_t d = kStateHead; d < size; ++d)
        merged[d] = std::fma(merged[d], a, state[d] * c);
    }
    if (command.flags & Normalised) {
      for (uint64_t d = kStateHead; d < size; ++d)
        merged[d] = states.empty() ? 0.0f : merged[d] / merged[1];
      store(command.dst.offset + h * D * 4, merged.data() + kStateHead, D);
    } else {
      store(command.dst.offset + h * size * 4, merged.data(), size);
    }
  }
  return true;
}

} // namespace sluice::pnm
