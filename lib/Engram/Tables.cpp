// SPDX-License-Identifier: Apache-2.0
//
// Sizes of tables: primes, so that the heads of one n-gram collide for different others.

#include "sluice/Engram/Hash.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace sluice::engram {

static Error problem(const Twine &text) { return createStringError(text); }

static uint64_t powerModulo(uint64_t base, uint64_t exponent, uint64_t modulus) {
  unsigned __int128 result = 1, factor = base % modulus;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1)
      result = result * factor % modulus;
    factor = factor * factor % modulus;
  }
  return static_cast<uint64_t>(result);
}

bool isPrime(uint64_t n) {
  // Miller and Rabin's test; with these bases it errs for no number of 64 bits.
  constexpr uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  for (uint64_t base : bases)
    if (n % base == 0)
      return n == base;
  if (n < 2)
    return false;
  unsigned twos = static_cast<unsigned>(countr_zero(n - 1));
  for (uint64_t base : bases) {
    uint64_t x = powerModulo(base, (n - 1) >> twos, n);
    bool witness = x != 1 && x != n - 1;
    for (unsigned i = 1; witness && i < twos; ++i) {
      x = static_cast<uint64_t>(static_cast<unsigned __int128>(x) * x % n);
      witness = x != n - 1;
    }
    if (witness)
      return false;
  }
  return true;
}

/// Row numbers are of 32 bits, and a look-up through them needs a row at all.
static Error checkSizes(int64_t layers, int64_t orders, int64_t heads, ArrayRef<int64_t> baseRows) {
  if (layers < 0 || orders < 1 || orders > 15 || heads < 1 || heads > 256)
    return problem(
        formatv("expects 1 to 15 orders of 1 to 256 heads, but there are {0} orders of {1}", orders,
                heads));
  for (int64_t rows : baseRows)
    if (rows < 2 || rows > INT32_MAX)
      return problem(
          formatv("expects 2 to 2^31 - 1 rows in each head of a table, but found {0}", rows));
  return Error::success();
}

static Error checkSum(const HeadSizes &sizes) {
  int64_t rows = headOffsets(sizes).back();
  if (rows > INT32_MAX)
    return problem(
        formatv("expects a table of fewer than 2^31 rows, but its heads have {0} together", rows));
  return Error::success();
}

Expected<std::vector<HeadSizes>> primesOfLayers(size_t layers, ArrayRef<int64_t> baseRows,
                                                int64_t heads) {
  if (Error error = checkSizes(static_cast<int64_t>(layers), static_cast<int64_t>(baseRows.size()),
                               heads, baseRows))
    return std::move(error);
  DenseSet<int64_t> taken;
  std::vector<HeadSizes> all(layers);
  for (HeadSizes &sizes : all) {
    for (int64_t base : baseRows) {
      int64_t current = base - 1;
      for (int64_t head = 0; head < heads; ++head) {
        do
          ++current;
        while (!isPrime(static_cast<uint64_t>(current)) || taken.contains(current));
        taken.insert(current);
        sizes.push_back(current);
      }
    }
    if (Error error = checkSum(sizes))
      return std::move(error);
  }
  return all;
}

Expected<HeadSizes> primesOfIndex(int64_t index, int64_t orders, int64_t heads, int64_t baseRows) {
  if (Error error = checkSizes(1, orders, heads, {baseRows}))
    return std::move(error);
  if (index < 0 || index > 4096)
    return problem(formatv("expects a memory's number from 0 to 4096, but found {0}", index));
  HeadSizes sizes;
  int64_t current = baseRows - 1;
  for (int64_t number = 0; number < (index + 1) * orders * heads; ++number) {
    do
      ++current;
    while (!isPrime(static_cast<uint64_t>(current)));
    if (number >= index * orders * heads)
      sizes.push_back(current);
  }
  if (Error error = checkSum(sizes))
    return std::move(error);
  return sizes;
}

std::vector<int64_t> headOffsets(ArrayRef<int64_t> sizes) {
  std::vector<int64_t> offsets = {0};
  for (int64_t size : sizes)
    offsets.push_back(offsets.back() + size);
  return offsets;
}

Error checkCompression(ArrayRef<int32_t> table, int64_t vocabulary, int64_t compressed) {
  if (static_cast<int64_t>(table.size()) != vocabulary)
    return problem(formatv(
        "the compression table has {0} entries, expected one for each of {1} tokens: build it "
        "from the tokenizer of this model",
        table.size(), vocabulary));
  int64_t next = 0;
  for (auto [token, id] : enumerate(table)) {
    if (id < 0 || id > next)
      return problem(formatv(
          "token {0} has the compressed id {1}, expected 0 to {2}: new ids come in the order of "
          "the tokens",
          token, id, next));
    next = std::max<int64_t>(next, id + 1);
  }
  if (next != compressed)
    return problem(formatv(
        "the compression table leads to {0} ids, but the hashes were made for {1}: build it from "
        "the tokenizer that the model was trained with",
        next, compressed));
  return Error::success();
}

} // namespace sluice::engram
