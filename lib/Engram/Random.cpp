// SPDX-License-Identifier: Apache-2.0
//
// SeedSequence, PCG64 and splitmix64, and the multipliers that are drawn from them.

#include "sluice/Engram/Hash.h"

using namespace llvm;

namespace sluice::engram {

SmallVector<uint32_t, 8> seedWords(uint64_t seed) {
  // The entropy: the words of the seed, least significant first. One or two words always fit into
  // the pool of four.
  uint32_t pool[4];
  uint32_t hash = 0x43b0d7e5u;
  auto hashMix = [&](uint32_t v) {
    v ^= hash;
    hash *= 0x931e8875u;
    v *= hash;
    return v ^ v >> 16;
  };
  auto mix = [](uint32_t x, uint32_t y) {
    uint32_t r = 0xca01f9ddu * x - 0x4973f715u * y;
    return r ^ r >> 16;
  };
  for (unsigned i = 0; i < 4; ++i)
    pool[i] = hashMix(i < 2 ? static_cast<uint32_t>(seed >> 32 * i) : 0);
  for (unsigned from = 0; from < 4; ++from)
    for (unsigned to = 0; to < 4; ++to)
      if (from != to)
        pool[to] = mix(pool[to], hashMix(pool[from]));

  SmallVector<uint32_t, 8> words;
  uint32_t drawn = 0x8b51f9ddu;
  for (unsigned i = 0; i < 8; ++i) {
    uint32_t v = pool[i % 4] ^ drawn;
    drawn *= 0x58f38dedu;
    v *= drawn;
    words.push_back(v ^ v >> 16);
  }
  return words;
}

static unsigned __int128 step(unsigned __int128 state, unsigned __int128 increment) {
  constexpr unsigned __int128 multiplier =
      (static_cast<unsigned __int128>(2549297995355413924u) << 64) + 4865540595714422341u;
  return state * multiplier + increment;
}

PCG64::PCG64(uint64_t seed) {
  SmallVector<uint32_t, 8> words = seedWords(seed);
  auto pair = [&](unsigned i) {
    return static_cast<uint64_t>(words[2 * i + 1]) << 32 | words[2 * i];
  };
  auto quad = [&](unsigned i) {
    return static_cast<unsigned __int128>(pair(i)) << 64 | pair(i + 1);
  };
  increment = quad(2) << 1 | 1;
  state = step(0, increment);
  state = step(state + quad(0), increment);
}

uint64_t PCG64::next() {
  state = step(state, increment);
  uint64_t folded = static_cast<uint64_t>(state >> 64) ^ static_cast<uint64_t>(state);
  unsigned turn = static_cast<unsigned>(state >> 122);
  return folded >> turn | folded << (-turn & 63);
}

uint32_t PCG64::nextHalf() {
  if (hasHalf) {
    hasHalf = false;
    return half;
  }
  uint64_t both = next();
  hasHalf = true;
  half = static_cast<uint32_t>(both >> 32);
  return static_cast<uint32_t>(both);
}

uint64_t PCG64::below(uint64_t bound) {
  assert(bound >= 1 && "nothing is below 0");
  if (bound == 1)
    return 0; // draws nothing
  if (bound - 1 < UINT32_MAX) {
    auto small = static_cast<uint32_t>(bound);
    uint64_t product = static_cast<uint64_t>(nextHalf()) * small;
    if (static_cast<uint32_t>(product) < small) {
      uint32_t threshold = (UINT32_MAX - (small - 1)) % small;
      while (static_cast<uint32_t>(product) < threshold)
        product = static_cast<uint64_t>(nextHalf()) * small;
    }
    return product >> 32;
  }
  if (bound - 1 == UINT32_MAX)
    return nextHalf();
  unsigned __int128 product = static_cast<unsigned __int128>(next()) * bound;
  if (static_cast<uint64_t>(product) < bound) {
    uint64_t threshold = (UINT64_MAX - (bound - 1)) % bound;
    while (static_cast<uint64_t>(product) < threshold)
      product = static_cast<unsigned __int128>(next()) * bound;
  }
  return static_cast<uint64_t>(product >> 64);
}

uint64_t splitmix64(uint64_t z) {
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

/// The largest m such that 2 * m + 1 times any id stays below 2^63, or 1.
static uint64_t halfBound(int64_t vocabulary) {
  assert(vocabulary >= 1 && "a vocabulary has tokens");
  return std::max<int64_t>(1, INT64_MAX / vocabulary / 2);
}

SmallVector<int64_t> multipliersOfLayer(int64_t layer, int64_t vocabulary, int64_t window,
                                        int64_t seed) {
  PCG64 random(static_cast<uint64_t>(seed) + 10007 * static_cast<uint64_t>(layer));
  SmallVector<int64_t> multipliers;
  for (int64_t i = 0; i < window; ++i)
    multipliers.push_back(static_cast<int64_t>(2 * random.below(halfBound(vocabulary)) + 1));
  return multipliers;
}

SmallVector<int64_t> multipliersOfIndex(int64_t index, int64_t vocabulary, int64_t window,
                                        int64_t seed) {
  uint64_t base = static_cast<uint64_t>(seed) + 10007 * static_cast<uint64_t>(index);
  SmallVector<int64_t> multipliers;
  for (int64_t i = 0; i < window; ++i) {
    uint64_t drawn = splitmix64(base + 0x9E3779B97F4A7C15u * (static_cast<uint64_t>(i) + 1));
    multipliers.push_back(static_cast<int64_t>(2 * (drawn % halfBound(vocabulary)) + 1));
  }
  return multipliers;
}

} // namespace sluice::engram
