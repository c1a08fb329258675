// SPDX-License-Identifier: Apache-2.0
//
// The published numbers of n-gram memories, bit for bit: generators, primes, multipliers, hashes,
// look-back rules.

#include "sluice/Engram/Hash.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"

using namespace sluice::engram;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace {

template <typename T>
std::vector<int64_t> asVector(const T &range) {
  return std::vector<int64_t>(range.begin(), range.end());
}
std::vector<int64_t> list(std::initializer_list<int64_t> numbers) { return numbers; }

std::string messageOf(llvm::Error error) { return llvm::toString(std::move(error)); }

// ---- generators ----

TEST(Random, DefaultRngGivesNumPysDoubles) {
  EXPECT_EQ(PCG64(0).nextDouble(), .6369616873214543);
  EXPECT_EQ(PCG64(42).nextDouble(), .7739560485559633);
  EXPECT_EQ(PCG64(12345).nextDouble(), .22733602246716966);
}

TEST(Random, SeedWordsGiveNumPysState) {
  // SeedSequence(0) and SeedSequence(2^40 + 7), generate_state(8).
  EXPECT_EQ(asVector(seedWords(0)), list({2968811710, 3677149159, 745650761, 2884920346, 2642120001,
                                          549907821, 574372308, 742431198}));
  EXPECT_EQ(asVector(seedWords((uint64_t(1) << 40) + 7)),
            list({238885397, 226915041, 1322230113, 2599373530, 2212210947, 2577144891, 231252758,
                  1082730460}));
}

TEST(Random, BelowMatchesNumPysIntegers) {
  // default_rng(7).integers(0, bound, 4), from NumPy.
  auto draw = [](uint64_t bound) {
    PCG64 random(7);
    std::vector<int64_t> drawn;
    for (int i = 0; i < 4; ++i)
      drawn.push_back(static_cast<int64_t>(random.below(bound)));
    return drawn;
  };
  EXPECT_EQ(draw(1), list({0, 0, 0, 0}));
  EXPECT_EQ(draw(1000), list({944, 625, 684, 897}));
  EXPECT_EQ(draw(uint64_t(1) << 32), list({4058335883, 2684764585, 2938530453, 3853503932}));
  EXPECT_EQ(draw((uint64_t(1) << 32) + 1), list({2684764586, 3853503933, 3331544672, 967257516}));
  EXPECT_EQ(draw((uint64_t(1) << 62) + 12345), list({2882744023523094727, 4137668341471495657,
                                                     3577218852397966272, 1038584849328936108}));
}

TEST(Random, SplitMixStartsAsPublished) {
  // The first three outputs of the generator that starts at 1234567.
  uint64_t state = 1234567;
  std::vector<uint64_t> drawn;
  for (int i = 0; i < 3; ++i, state += 0x9E3779B97F4A7C15u)
    drawn.push_back(splitmix64(state));
  EXPECT_EQ(drawn, (std::vector<uint64_t>{6457827717110365317u, 3203168211198807973u,
                                          9817491932198370423u}));
}

// ---- primes ----

TEST(Primes, SmallOnesAndStrongPseudoprimes) {
  std::vector<int64_t> found;
  for (uint64_t n = 0; n < 60; ++n)
    if (isPrime(n))
      found.push_back(static_cast<int64_t>(n));
  EXPECT_EQ(found, list({2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59}));
  // To base 2, to bases 2 to 7, to bases 2 to 13; squares of primes.
  for (uint64_t n : {2047u, 3215031751u, 25326001u, 1373653u, 1369u, 1681u})
    EXPECT_FALSE(isPrime(n)) << n;
  EXPECT_FALSE(isPrime(3474749660383u));
  EXPECT_FALSE(isPrime(3825123056546413051u));
  EXPECT_TRUE(isPrime(18446744073709551557u));
}

TEST(Primes, DeepSeekV41) {
  auto all = primesOfLayers(2, {16000000, 16000000, 16000000}, 8);
  ASSERT_TRUE(static_cast<bool>(all));
  EXPECT_EQ((*all)[0],
            list({16000057, 16000079, 16000081, 16000097, 16000121, 16000129, 16000133, 16000183,
                  16000189, 16000207, 16000211, 16000253, 16000277, 16000289, 16000307, 16000321,
                  16000339, 16000381, 16000393, 16000399, 16000403, 16000409, 16000447, 16000463}));
  EXPECT_EQ((*all)[1],
            list({16000477, 16000487, 16000499, 16000507, 16000511, 16000573, 16000609, 16000627,
                  16000667, 16000669, 16000693, 16000697, 16000711, 16000729, 16000759, 16000769,
                  16000781, 16000799, 16000813, 16000819, 16000841, 16000877, 16000879, 16000889}));
  EXPECT_EQ(headOffsets((*all)[0]).back(), 384006168);
  EXPECT_EQ(headOffsets((*all)[1]).back(), 384016682);
}

TEST(Primes, Demo) {
  auto all = primesOfLayers(2, {646400, 646400}, 8);
  ASSERT_TRUE(static_cast<bool>(all));
  EXPECT_EQ((*all)[0], list({646403, 646411, 646421, 646423, 646433, 646453, 646519, 646523, 646537,
                             646543, 646549, 646571, 646573, 646577, 646609, 646619}));
  EXPECT_EQ((*all)[1], list({646631, 646637, 646643, 646669, 646687, 646721, 646757, 646771, 646781,
                             646823, 646831, 646837, 646843, 646859, 646873, 646879}));
  EXPECT_EQ(headOffsets((*all)[0]).back(), 10344164);
  EXPECT_EQ(headOffsets((*all)[1]).back(), 10348242);
}

TEST(Primes, Qwen) {
  auto sizes = primesOfIndex(0, 2, 8, 20000000);
  ASSERT_TRUE(static_cast<bool>(sizes));
  EXPECT_EQ(*sizes,
            list({20000003, 20000023, 20000033, 20000047, 20000059, 20000063, 20000069, 20000077,
                  20000081, 20000093, 20000107, 20000147, 20000153, 20000159, 20000161, 20000171}));
  EXPECT_EQ(headOffsets(*sizes),
            list({0, 20000003, 40000026, 60000059, 80000106, 100000165, 120000228, 140000297,
                  160000374, 180000455, 200000548, 220000655, 240000802, 260000955, 280001114,
                  300001275, 320001446}));
  // The next memory goes on where the first one stopped.
  auto next = primesOfIndex(1, 2, 8, 20000000);
  ASSERT_TRUE(static_cast<bool>(next));
  EXPECT_GT(next->front(), sizes->back());
}

TEST(Primes, RefuseWhat32BitsCannotNumber) {
  EXPECT_EQ(messageOf(primesOfLayers(1, {2147483600}, 2).takeError()),
            "expects a table of fewer than 2^31 rows, but its heads have 4294967276 together");
  EXPECT_EQ(messageOf(primesOfLayers(1, {1}, 2).takeError()),
            "expects 2 to 2^31 - 1 rows in each head of a table, but found 1");
  EXPECT_EQ(messageOf(primesOfIndex(0, 0, 8, 100).takeError()),
            "expects 1 to 15 orders of 1 to 256 heads, but there are 0 orders of 8");
  EXPECT_EQ(messageOf(primesOfIndex(-1, 2, 8, 100).takeError()),
            "expects a memory's number from 0 to 4096, but found -1");
}

// ---- multipliers ----

TEST(Multipliers, DeepSeekV41) {
  EXPECT_EQ(asVector(multipliersOfLayer(1, 99092, 4)),
            list({76632096046245, 4839876093313, 35959672319349, 73987337458391}));
  EXPECT_EQ(asVector(multipliersOfLayer(14, 99092, 4)),
            list({67716810739261, 51510806800915, 30921347202721, 82619226485591}));
}

TEST(Multipliers, Qwen) {
  EXPECT_EQ(asVector(multipliersOfIndex(0, 248320, 3)),
            list({23703573157769, 20109073645365, 8052911324071}));
}

TEST(Multipliers, DependOnTheVocabulary) {
  EXPECT_NE(asVector(multipliersOfLayer(1, 99092, 4)), asVector(multipliersOfLayer(1, 99093, 4)));
}

// ---- windows ----

/// A rule whose hashes nobody looks at.
HashRule windows(int64_t window, Boundary boundary, int64_t fill) {
  HashRule rule;
  rule.multipliers.assign(window, 1);
  rule.sizes.assign(window - 1, 97);
  rule.boundary = boundary;
  rule.fill = fill;
  return rule;
}

TEST(LookBack, StartFillsBeforeTheFirstTokenOnly) {
  HashRule rule = windows(3, Boundary::Start, 9);
  EXPECT_EQ(asVector(lookBack(rule, {4})), list({4, 9, 9}));
  EXPECT_EQ(asVector(lookBack(rule, {4, 5})), list({5, 4, 9}));
  EXPECT_EQ(asVector(lookBack(rule, {4, 9, 6})),
            list({6, 9, 4})); // the fill in a text is an id as any other
  EXPECT_EQ(asVector(lookBack(rule, {3, 4, 5, 6})), list({6, 5, 4}));
}

TEST(LookBack, DeadTokensLatch) {
  HashRule rule = windows(4, Boundary::Dead, 2);
  EXPECT_EQ(asVector(lookBack(rule, {10, -1, 30, 40})), list({40, 30, 2, 2}));
  EXPECT_EQ(asVector(lookBack(rule, {10, 20, 30, -1})),
            list({2, 2, 2, 2})); // the newest counts too
  EXPECT_EQ(asVector(lookBack(rule, {-1, 20, 30, 40})), list({40, 30, 20, 2}));
  EXPECT_EQ(asVector(lookBack(rule, {20, 2, 40})),
            list({40, 2, 20, 2})); // the pad itself does not block
}

TEST(LookBack, SegmentsEndAtTheFill) {
  HashRule rule = windows(3, Boundary::Segment, 7);
  EXPECT_EQ(asVector(lookBack(rule, {1, 2, 3})), list({3, 2, 1}));
  EXPECT_EQ(asVector(lookBack(rule, {1, 7, 3})), list({3, 7, 7}));
  EXPECT_EQ(asVector(lookBack(rule, {7, 2, 3})), list({3, 2, 7}));
  EXPECT_EQ(asVector(lookBack(rule, {1, 2, 7})),
            list({7, 2, 1})); // the end of a segment still belongs to it
  EXPECT_EQ(asVector(lookBack(rule, {1, 7, 7})), list({7, 7, 7}));
}

// ---- hashes ----

HashRule v41Layer1() {
  HashRule rule;
  rule.multipliers = multipliersOfLayer(1, 99092, 4);
  rule.sizes = cantFail(primesOfLayers(2, {16000000, 16000000, 16000000}, 8))[0];
  rule.boundary = Boundary::Dead;
  rule.fill = 2;
  return rule;
}

TEST(Hash, DeepSeekV41Window) {
  HashRule rule = v41Layer1();
  ASSERT_EQ(messageOf(rule.check(99092)), "");
  SmallVector<int64_t> rows = hashWindow(rule, {40, 30, 20, 10});
  std::vector<int64_t> offsets = headOffsets(rule.sizes), inHead;
  for (size_t i = 0; i < rows.size(); ++i)
    inHead.push_back(rows[i] - offsets[i]);
  EXPECT_EQ(inHead,
            list({1326936,  6120872,  8011787, 7142322,  13849165, 5420960,  9207470, 8569346,
                  14088109, 7705371,  4510044, 10978580, 7833163,  14264829, 7917331, 4762582,
                  14966984, 15521295, 4258146, 6627986,  2874865,  5246063,  9615635, 10623102}));
}

TEST(Hash, RaggedBatchesAreTheirSequences) {
  HashRule rule = v41Layer1();
  std::vector<int64_t> ids = {10, 20, 30, 40, 11, 12, -1, 14};
  std::vector<int64_t> whole = hashSequences(rule, ids, {0, 4, 4, 5, 8});
  std::vector<int64_t> parts;
  for (auto [begin, end] : {std::pair(0, 4), std::pair(4, 5), std::pair(5, 8)})
    llvm::append_range(parts, hashSequences(rule, ArrayRef<int64_t>(ids).slice(begin, end - begin),
                                            {0, end - begin}));
  EXPECT_EQ(whole, parts);
  ASSERT_EQ(whole.size(), ids.size() * 24);
  SmallVector<int64_t> last = hashWindow(rule, {40, 30, 20, 10});
  EXPECT_EQ(std::vector<int64_t>(whole.begin() + 3 * 24, whole.begin() + 4 * 24), asVector(last));
}

TEST(Hash, RowsStayInTheirHeads) {
  HashRule rule = v41Layer1();
  std::vector<int64_t> offsets = headOffsets(rule.sizes);
  for (int64_t id : {0, 1, 2, 99091})
    for (auto [i, row] : llvm::enumerate(hashWindow(rule, {id, 99091, 99091 - id, 99091}))) {
      EXPECT_GE(row, offsets[i]);
      EXPECT_LT(row, offsets[i + 1]);
    }
}

TEST(Hash, RulesAreChecked) {
  HashRule rule = v41Layer1();
  EXPECT_EQ(messageOf(rule.check(400000)), "expects odd multipliers whose products with ids below "
                                           "400000 stay below 2^63, but one is 76632096046245");
  EXPECT_EQ(messageOf(rule.check(2)), "expects a fill from 0 to 1, but it is 2");
  rule.multipliers[1] = 4;
  EXPECT_EQ(
      messageOf(rule.check(99092)),
      "expects odd multipliers whose products with ids below 99092 stay below 2^63, but one is 4");
  rule = v41Layer1();
  rule.sizes.pop_back();
  EXPECT_EQ(messageOf(rule.check(99092)),
            "expects as many heads for each of 3 orders, but there are 23 sizes");
  rule.multipliers.assign(1, 1);
  EXPECT_EQ(messageOf(rule.check(99092)),
            "expects a window of 2 to 16 ids, but there are 1 multipliers");
}

// ---- compression tables ----

TEST(Compression, SizesAndOrderAreChecked) {
  EXPECT_EQ(messageOf(checkCompression({0, 1, 0, 2, 1}, 5, 3)), "");
  EXPECT_EQ(messageOf(checkCompression({0, 1, 0}, 5, 2)),
            "the compression table has 3 entries, expected one for each of 5 tokens: build it from "
            "the tokenizer of "
            "this model");
  EXPECT_EQ(messageOf(checkCompression({0, 1, 0}, 3, 3)),
            "the compression table leads to 2 ids, but the hashes were made for 3: build it from "
            "the tokenizer that "
            "the model was trained with");
  EXPECT_EQ(
      messageOf(checkCompression({0, 2, 1}, 3, 3)),
      "token 1 has the compressed id 2, expected 0 to 1: new ids come in the order of the tokens");
  EXPECT_EQ(
      messageOf(checkCompression({0, -1, 1}, 3, 3)),
      "token 1 has the compressed id -1, expected 0 to 1: new ids come in the order of the tokens");
}

} // namespace
