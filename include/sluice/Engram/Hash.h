// SPDX-License-Identifier: Apache-2.0
//
// The integers of n-gram memories: which rows of a table a sequence of token ids reads. Everything
// here is exact, needs no MLIR, and is what models were trained with, bit for bit: a table is
// worthless under any other hash. (reference: mechanisms, sections 1.3 to 1.7 and 11)

#ifndef SLUICE_ENGRAM_HASH_H
#define SLUICE_ENGRAM_HASH_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace sluice::engram {

//===-- Random numbers
//-----------------------------------------------------------------------------------===//

/// The generator that NumPy's default_rng(seed) is: a SeedSequence of one number feeds PCG64
/// (XSL-RR, 128 bits of state). NumPy does not promise that it stays so; the models that exist rely
/// on it.
class PCG64 {
public:
  /// `seed` counts as an unsigned number of any size up to 64 bits.
  explicit PCG64(uint64_t seed);

  uint64_t next();
  /// The 53 upper bits as a number in [0, 1).
  double nextDouble() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// A number in [0, bound), `bound` >= 1, by the multiplication that NumPy's integers() does: for
  /// bounds up to 2^32 from halves of a number, lower half first.
  uint64_t below(uint64_t bound);

private:
  uint32_t nextHalf();

  unsigned __int128 state = 0, increment = 0;
  bool hasHalf = false;
  uint32_t half = 0;
};

/// The eight words that NumPy's SeedSequence(seed).generate_state(8) gives.
llvm::SmallVector<uint32_t, 8> seedWords(uint64_t seed);

/// One step of splitmix64 that starts at `z`.
uint64_t splitmix64(uint64_t z);

//===-- Tables
//-------------------------------------------------------------------------------------------===//

bool isPrime(uint64_t n);

/// How many rows each head of a layer has: `heads` numbers for each order 2, 3, ... in this order.
using HeadSizes = std::vector<int64_t>;

/// Sizes of all layers as DeepSeek's code chooses them: for each layer, for each order, the next
/// `heads` primes from `baseRows[order - 2]` on that no layer, order or head before has taken.
/// Fails when a base or a sum is not below 2^31, because row numbers are of 32 bits.
llvm::Expected<std::vector<HeadSizes>>
primesOfLayers(size_t layers, llvm::ArrayRef<int64_t> baseRows, int64_t heads);

/// Sizes of one layer as Qwen's code chooses them: of the primes above `baseRows` - 1, those with
/// the numbers `index` * orders * heads and following.
llvm::Expected<HeadSizes> primesOfIndex(int64_t index, int64_t orders, int64_t heads,
                                        int64_t baseRows);

/// First row of each head in the layer's one table, and behind the last head the number of rows.
std::vector<int64_t> headOffsets(llvm::ArrayRef<int64_t> sizes);

//===-- Multipliers
//--------------------------------------------------------------------------------------===//

/// Odd multipliers, one for each place of a window of `window` ids, that keep id * multiplier below
/// 2^63 for ids below `vocabulary` (the compressed one, where ids are compressed: the numbers
/// depend on it).
llvm::SmallVector<int64_t> multipliersOfLayer(int64_t layer, int64_t vocabulary, int64_t window,
                                              int64_t seed = 0);
/// The same as Qwen's code makes them for memory number `index`.
llvm::SmallVector<int64_t> multipliersOfIndex(int64_t index, int64_t vocabulary, int64_t window,
                                              int64_t seed = 1234);

//===-- Windows and hashes
//-------------------------------------------------------------------------------===//

/// What a look-back finds that leaves its sequence, or part of it.
enum class Boundary {
  Start,   ///< the fill before the first token, and nothing else ends a window
  Dead,    ///< a negative id, at whatever place, and the first token: the fill from there on back
  Segment, ///< an id that equals the fill, before the newest, and the first token: the fill from
           ///< there on back
};

struct HashRule {
  llvm::SmallVector<int64_t> multipliers; ///< [window], odd and positive
  HeadSizes sizes;                        ///< [(window - 1) * heads], order-major
  Boundary boundary = Boundary::Start;
  int64_t fill = 0; ///< an id

  int64_t window() const { return static_cast<int64_t>(multipliers.size()); }
  int64_t heads() const { return static_cast<int64_t>(sizes.size()) / (window() - 1); }
  /// Success, or what is wrong with the rule for ids below `vocabulary`.
  llvm::Error check(int64_t vocabulary) const;
};

/// The ids that the hash of the newest of `ids` sees, newest first. `ids` are the last ones of a
/// sequence, oldest first, at least min(window, length of the sequence) of them.
llvm::SmallVector<int64_t> lookBack(const HashRule &rule, llvm::ArrayRef<int64_t> ids);

/// Row numbers in the layer's one table, [(window - 1) * heads], for a window, newest id first.
llvm::SmallVector<int64_t> hashWindow(const HashRule &rule, llvm::ArrayRef<int64_t> window);

/// Row numbers for every token of a batch of sequences without padding, one after another: [tokens,
/// (window - 1) * heads]. Sequence s is ids [starts[s], starts[s + 1]); `starts` has one more than
/// there are sequences.
std::vector<int64_t> hashSequences(const HashRule &rule, llvm::ArrayRef<int64_t> ids,
                                   llvm::ArrayRef<int64_t> starts);

/// Checks a table that maps token ids to compressed ids: one entry per token, each from 0 on below
/// `compressed`, and each of those taken at least once; new ids come in the order of the tokens.
/// Hashes were made for one size only.
llvm::Error checkCompression(llvm::ArrayRef<int32_t> table, int64_t vocabulary, int64_t compressed);

} // namespace sluice::engram

#endif // SLUICE_ENGRAM_HASH_H
