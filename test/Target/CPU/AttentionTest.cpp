// SPDX-License-Identifier: Apache-2.0
//
// cache.append, cache.pack and attention together, bit for bit against plain loops over plain
// arrays that follow docs/Contracts.md, section 4: over pages and over tiles, in every block shape,
// with what lies behind the last slot poisoned.
#include "lib/Target/CPU/MathFunctions.h"
#include "test/Target/CPU/KernelHarness.h"
#include "test/Target/CPU/LinearReference.h"
#include "test/Target/CPU/StepHarness.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "gtest/gtest.h"

#include <cmath>
#include <numeric>

using namespace sluice::cpu;

namespace {

/// The kernels' own exp: its error is another test's business.
float kernelExp(float x) {
  static LoadedKernel *kernel = [] {
    mlir::Type f32s = arrayOf(mlir::Float32Type::get(&kernelContext()));
    return new LoadedKernel(machineOrDie("native"), {f32s, f32s},
                            [](KernelBuilder &k, mlir::ModuleOp, llvm::ArrayRef<Val> a) {
                              k.store(exp(k, k.load(a[0], 0)), a[1], 0);
                            });
  }();
  float in[16] = {x}, out[16] = {};
  (*kernel)(&in[0], &out[0]);
  return out[0];
}

/// The weight of a score that is |x| away from the largest one.
float weightOf(float x) { return x < -87 ? 0 : kernelExp(x); }

struct Case {
  bool paged, causal, bf16;
  int64_t heads, kvHeads, keySize, valueSize, page;
};

/// All that is known of one sequence: plain rows, already rounded to the cache's element type.
struct Sequence {
  int32_t past, rows;
  std::vector<float> query, key, value; ///< of rows; key and value of past + rows
};

float rounded(float value, bool bf16) { return bf16 ? fromBf16(toBf16(value)) : value; }

Sequence makeSequence(const Case &c, int32_t past, int32_t rows, Random &random) {
  Sequence s{past, rows, random.floats(rows * c.heads * c.keySize, 3),
             random.floats((past + rows) * c.kvHeads * c.keySize, 2),
             random.floats((past + rows) * c.kvHeads * c.valueSize)};
  return s;
}

constexpr float kScale = 0.37f;

/// The result of one query, [E].
std::vector<float> attend(const Case &c, const Sequence &s, int64_t row, int64_t head) {
  int64_t kvHead = head / (c.heads / c.kvHeads);
  int64_t keys = c.causal ? s.past + row + 1 : s.past + s.rows;
  const float *query = &s.query[(row * c.heads + head) * c.keySize];
  float m = -INFINITY, l = 0;
  std::vector<float> o(c.valueSize, 0.0f);
  for (int64_t first = 0; first < keys; first += 256) {
    int64_t n = std::min<int64_t>(256, keys - first);
    std::vector<float> p(256, 0.0f);
    float cutMax = -INFINITY;
    for (int64_t j = 0; j < n; ++j) {
      const float *key = &s.key[((first + j) * c.kvHeads + kvHead) * c.keySize];
      float sum = 0;
      for (int64_t d = 0; d < c.keySize; ++d)
        sum = std::fma(query[d], rounded(key[d], c.bf16), sum);
      p[j] = sum * kScale;
      cutMax = std::max(cutMax, p[j]);
    }
    for (int64_t j = 0; j < n; ++j)
      p[j] = weightOf(p[j] - cutMax);
    float cutSum = laneSum(256, [&](int64_t j, float sum) { return sum + p[j]; });
    float now = std::max(m, cutMax), keep = weightOf(m - now), take = weightOf(cutMax - now);
    l = std::fma(l, keep, cutSum * take);
    for (int64_t e = 0; e < c.valueSize; ++e) {
      float sum = 0;
      for (int64_t j = 0; j < n; ++j)
        sum = std::fma(
            p[j], rounded(s.value[((first + j) * c.kvHeads + kvHead) * c.valueSize + e], c.bf16),
            sum);
      o[e] = std::fma(o[e], keep, sum * take);
    }
    m = now;
  }
  for (float &value : o)
    value = keys ? value / l : 0.0f;
  return o;
}

int64_t tileBytes(const Case &c) {
  int64_t g = c.paged && c.bf16 ? 2 : 1;
  return llvm::alignTo((llvm::divideCeil(c.keySize, g) * 16 + 16 / g * c.valueSize) * 4, 64);
}

std::string moduleFor(const Case &c) {
  std::string q = llvm::formatv("memref<?x{0}x{1}xf32>", c.heads, c.keySize);
  std::string k = llvm::formatv("memref<?x{0}x{1}xf32>", c.kvHeads, c.keySize);
  std::string v = llvm::formatv("memref<?x{0}x{1}xf32>", c.kvHeads, c.valueSize);
  std::string o = llvm::formatv("memref<?x{0}x{1}xf32>", c.heads, c.valueSize);
  const char *mask = c.causal ? "#sluice.causal" : "#sluice.all";
  std::string body, top, pages;
  if (c.paged) {
    top = llvm::formatv("sluice.kv @kv layers 3 heads {0} key {1} value {2} page {3} : {4}\n",
                        c.kvHeads, c.keySize, c.valueSize, c.page, c.bf16 ? "bf16" : "f32");
    pages = "%kv: !sluice.pages<@kv>, ";
    body = llvm::formatv(
        "place.phase \"append\" share rows {{\n"
        "sluice.cache.append %k, %v to %kv[%l] batch %b : ({0}, {1}, !sluice.pages<@kv>, index, "
        "!sluice.batch) -> ()\n"
        "}\nplace.barrier\nplace.phase \"attention\" share heads {{\n"
        "sluice.attention %q pages %kv[%l] batch %b mask {2} into %o {{scale = 0.37 : f64}"
        " : ({3}, !sluice.pages<@kv>, index, !sluice.batch, {4}) -> ()\n}\n",
        k, v, mask, q, o);
  } else {
    body = llvm::formatv(
        "place.phase \"pack\" share rows {{\n"
        "sluice.cache.pack %k, %v batch %b into %t : ({0}, {1}, !sluice.batch, memref<?xi8>)\n"
        "}\nplace.barrier\nplace.phase \"attention\" share heads {{\n"
        "sluice.attention %q tiles %t batch %b mask {2} into %o {{scale = 0.37 : f64, kv_heads = "
        "{5}, value_size = {6}}"
        " : ({3}, memref<?xi8>, !sluice.batch, {4}) -> ()\n}\n",
        k, v, mask, q, o, c.kvHeads, c.valueSize);
  }
  return llvm::formatv("module {{\n{0}"
                       "func.func @f(%q: {1}, %k: {2}, %v: {3}, %b: !sluice.batch, {4}%o: {5})"
                       " attributes {{sluice.export} {{\n%l = arith.constant 1 : index\n"
                       "%t = place.buffer \"bytes\" size <row = {6}, seq = {7}, fixed = {7}>"
                       " at <row = 0, seq = 0, fixed = 0> : memref<?xi8>\n"
                       "place.team {{\n{8}}\nreturn\n}\n}\n",
                       top, q, k, v, pages, o, tileBytes(c) * c.kvHeads / 16,
                       tileBytes(c) * c.kvHeads, body);
}

class Step {
  const Case &c;
  std::vector<const Sequence *> sequences;

public:
  Step(const Case &c, std::vector<const Sequence *> sequences, uint64_t seed)
      : c(c), sequences(std::move(sequences)), batch(lengths(this->sequences)) {
    for (const Sequence *s : this->sequences) {
      append(query, s->query, 0);
      append(key, s->key, s->past * c.kvHeads * c.keySize);
      append(value, s->value, s->past * c.kvHeads * c.valueSize);
    }
    result.resize(batch.rows() * c.heads * c.valueSize);
    if (c.paged)
      fillPages(seed);
    data.batch = &batch;
    data.arg(query, batch.rows()), data.arg(key, batch.rows()), data.arg(value, batch.rows());
    data.arg(result, batch.rows());
    data.arenaRow = tileBytes(c) * c.kvHeads / 16;
    data.arenaSeq = data.arenaFixed = tileBytes(c) * c.kvHeads;
  }

  /// The result rows of each sequence.
  std::vector<std::vector<uint32_t>> run(const LoadedStep &step, int workers) {
    std::fill(result.begin(), result.end(), floatOf(0xffffffff));
    step.run("f", data, workers);
    std::vector<std::vector<uint32_t>> parts;
    int64_t width = c.heads * c.valueSize;
    for (int64_t s = 0; s < batch.seqs(); ++s)
      parts.push_back(bitsOf(std::vector<float>(result.begin() + batch.rowStart[s] * width,
                                                result.begin() + batch.rowStart[s + 1] * width)));
    return parts;
  }

  Batch batch;
  CallData data;

private:
  static std::vector<Batch::Sequence> lengths(const std::vector<const Sequence *> &sequences) {
    std::vector<Batch::Sequence> all;
    for (const Sequence *s : sequences)
      all.push_back({s->past, s->rows});
    return all;
  }
  static void append(std::vector<float> &to, const std::vector<float> &from, int64_t first) {
    to.insert(to.end(), from.begin() + first, from.end());
  }

  void fillPages(uint64_t seed) {
    batch.pageStart.push_back(0);
    for (const Sequence *s : sequences)
      batch.pageStart.push_back(batch.pageStart.back() +
                                static_cast<int32_t>(llvm::divideCeil(s->past + s->rows, c.page)));
    int32_t used = batch.pageStart.back(), count = used + 3;
    std::vector<int32_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    Random random(seed);
    for (int32_t i = count - 1; i > 0; --i)
      std::swap(order[i], order[random.below(i + 1)]);
    batch.pageTable.assign(order.begin(), order.begin() + used);
    int64_t size = 3 * count * c.kvHeads * (c.page / 16) * tileBytes(c);
    bytes.assign(size + 64, 0xff);
    base = bytes.data() + (64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64) % 64;
    data.pages.push_back({base, count});
    for (int64_t s = 0; s < batch.seqs(); ++s)
      for (int64_t i = 0; i < sequences[s]->past; ++i)
        for (int64_t h = 0; h < c.kvHeads; ++h)
          writeSlot(*sequences[s], batch.pageTable[batch.pageStart[s] + i / c.page], i, h, count);
  }

  void writeSlot(const Sequence &s, int64_t page, int64_t i, int64_t h, int64_t count) {
    int64_t g = c.bf16 ? 2 : 1, slot = i % 16;
    uint8_t *tile =
        base +
        (((1 * count + page) * c.kvHeads + h) * (c.page / 16) + i % c.page / 16) * tileBytes(c);
    auto put = [&](int64_t element, float value) {
      uint16_t half = toBf16(value);
      std::memcpy(tile + element * (c.bf16 ? 2 : 4),
                  c.bf16 ? static_cast<void *>(&half) : static_cast<void *>(&value),
                  c.bf16 ? 2 : 4);
    };
    for (int64_t d = 0; d < c.keySize; ++d)
      put((d / g * 16 + slot) * g + d % g, s.key[(i * c.kvHeads + h) * c.keySize + d]);
    int64_t values = llvm::divideCeil(c.keySize, g) * 16 * g;
    for (int64_t e = 0; e < c.valueSize; ++e)
      put(values + (slot / g * c.valueSize + e) * g + slot % g,
          s.value[(i * c.kvHeads + h) * c.valueSize + e]);
  }

  std::vector<float> query, key, value, result;
  std::vector<uint8_t> bytes;
  uint8_t *base = nullptr;
};

std::vector<uint32_t> expected(const Case &c, const Sequence &s) {
  std::vector<float> all;
  for (int64_t row = 0; row < s.rows; ++row)
    for (int64_t head = 0; head < c.heads; ++head) {
      std::vector<float> one = attend(c, s, row, head);
      all.insert(all.end(), one.begin(), one.end());
    }
  return bitsOf(all);
}

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, GivesTheBitsOfPlainLoopsAloneAndTogether) {
  Case c = GetParam();
  Random random(1);
  std::vector<Sequence> all;
  auto past = [&](int32_t keys) { return c.paged ? keys : 0; };
  all.push_back(makeSequence(c, past(0), 1, random));
  all.push_back(makeSequence(c, past(254), 5, random)); // a block across the border of a cut
  all.push_back(makeSequence(c, past(33), 18, random));
  all.push_back(makeSequence(c, past(600), 1, random)); // three cuts
  if (!c.paged)
    all.push_back(makeSequence(c, 0, 300, random));
  std::vector<const Sequence *> together;
  std::vector<std::vector<uint32_t>> wanted;
  for (const Sequence &s : all)
    together.push_back(&s), wanted.push_back(expected(c, s));
  for (const char *machine : {"native", "x86-64-v3"}) {
    LoadedStep step(moduleFor(c), machine);
    for (int workers : {1, 2, 3}) {
      auto parts = Step(c, together, workers).run(step, workers);
      for (size_t s = 0; s < all.size(); ++s)
        EXPECT_EQ(parts[s], wanted[s])
            << "sequence " << s << ", " << workers << " workers, " << machine;
    }
    for (size_t s = 0; s < all.size(); ++s)
      EXPECT_EQ(Step(c, {&all[s]}, 99 + s).run(step, 1)[0], wanted[s])
          << "sequence " << s << " alone, " << machine;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, AttentionTest,
                         testing::Values(Case{true, true, false, 4, 2, 64, 64, 16},
                                         Case{true, true, true, 14, 2, 64, 64, 16},
                                         Case{true, true, true, 3, 3, 20, 40, 32},
                                         Case{true, true, true, 5, 1, 3, 1, 16},
                                         Case{true, false, true, 2, 2, 80, 24, 48},
                                         Case{true, true, false, 17, 1, 1, 3, 16},
                                         Case{false, false, false, 12, 12, 32, 32, 0},
                                         Case{false, true, false, 6, 2, 24, 40, 0},
                                         Case{false, false, false, 3, 1, 5, 20, 0}));

TEST(Attention, TilesAndPagesGiveTheSameBits) {
  Case paged{true, true, false, 4, 2, 24, 24, 16}, tiles = paged;
  tiles.paged = false;
  Random random(2);
  Sequence s = makeSequence(paged, 0, 40, random);
  EXPECT_EQ(Step(paged, {&s}, 1).run(LoadedStep(moduleFor(paged)), 2),
            Step(tiles, {&s}, 1).run(LoadedStep(moduleFor(tiles)), 2));
}

TEST(Attention, ChunksGiveTheBitsOfTheWhole) {
  Case c{true, true, true, 6, 2, 64, 64, 16};
  Random random(3);
  Sequence whole = makeSequence(c, 0, 290, random);
  LoadedStep step(moduleFor(c));
  auto all = Step(c, {&whole}, 1).run(step, 1)[0];
  for (int32_t at : {1, 15, 16, 255, 256, 257, 280}) {
    Sequence rest{
        at, 290 - at,
        std::vector<float>(whole.query.begin() + at * c.heads * c.keySize, whole.query.end()),
        whole.key, whole.value};
    EXPECT_EQ(Step(c, {&rest}, at).run(step, 1)[0],
              std::vector<uint32_t>(all.begin() + at * c.heads * c.valueSize, all.end()))
        << "after " << at << " keys";
  }
}

TEST(Attention, AVisibleNanReachesTheRowAndAHiddenOneDoesNot) {
  Case c{true, true, true, 2, 1, 16, 16, 16};
  Random random(4);
  Sequence s = makeSequence(c, 0, 20, random);
  s.key[10 * c.keySize + 3] = NAN;
  s.value[11 * c.valueSize + 5] = NAN;
  Step call(c, {&s}, 1);
  auto bits = call.run(LoadedStep(moduleFor(c)), 1)[0];
  for (int64_t row = 0; row < 20; ++row)
    for (int64_t i = 0; i < c.heads * c.valueSize; ++i)
      EXPECT_EQ(std::isnan(floatOf(bits[row * c.heads * c.valueSize + i])), row >= 10)
          << "row " << row << ", channel " << i;
}

TEST(Attention, AWrongPageEndsInATrap) {
  Case c{true, true, false, 2, 1, 8, 8, 16};
  Random random(5);
  LoadedStep step(moduleFor(c));
  for (int32_t wrong : {-1, 1000, INT32_MAX}) {
    Sequence s = makeSequence(c, 40, 2, random);
    Step call(c, {&s}, 1);
    call.batch.pageTable[1] = wrong;
    call.run(step, 1);
    EXPECT_EQ(call.data.trap.code, SLUICE_TRAP_PAGE);
    EXPECT_EQ(call.data.trap.value, wrong);
    EXPECT_EQ(call.data.trap.bound, call.data.pages[0].page_count);
  }
  Sequence s = makeSequence(c, 40, 10, random);
  Step call(c, {&s}, 1);
  call.batch.pageStart[1] -= 1; // one page too few
  call.run(step, 1);
  EXPECT_EQ(call.data.trap.code, SLUICE_TRAP_PAGE);
  EXPECT_EQ(call.data.trap.value, 3);
  EXPECT_EQ(call.data.trap.bound, 3);
}

} // namespace
