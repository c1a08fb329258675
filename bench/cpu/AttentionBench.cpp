// SPDX-License-Identifier: Apache-2.0
//
// Attention over pages against this computer's own ceilings. Every repetition runs between a loop
// of multiply-adds and a read loop on the same threads; what is printed are medians, and medians of
// the ratios to the ceilings of the same moment. Operations are counted on visible tiles: of 16
// keys, as the pages hold them, and of a row each. Before anything is timed, some rows are compared
// with plain loops in f64.
#include "bench/cpu/Measure.h"
#include "test/Target/CPU/StepHarness.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace sluice;
using namespace sluice::cpu;
using llvm::SmallVector;
using llvm::StringRef;

static llvm::cl::list<std::string> shapeTexts(
    "shapes", llvm::cl::CommaSeparated, llvm::cl::value_desc("HxGxD:ROWS+PAST,..."),
    llvm::cl::cat(benchCategory),
    llvm::cl::desc("query heads x kv heads x head size : rows of this step + keys before it; "
                   "default: prefill of 512 to 4096 rows and decode behind 1k to 16k keys, head "
                   "sizes 64, 80 and 128"));
static llvm::cl::list<std::string>
    maskTexts("masks", llvm::cl::CommaSeparated, llvm::cl::value_desc("MASK,..."),
              llvm::cl::cat(benchCategory),
              llvm::cl::desc("causal, or a number W: causal with a window of W keys "
                             "(default: causal,256)"));
static llvm::cl::list<std::string>
    typeNames("types", llvm::cl::CommaSeparated, llvm::cl::value_desc("TYPE,..."),
              llvm::cl::cat(benchCategory),
              llvm::cl::desc("of keys and values in the pages: f32, bf16 (default: bf16)"));

namespace {

struct Shape {
  int64_t heads, kvHeads, size, rows, past;
};

Shape parseShape(StringRef text) {
  SmallVector<StringRef> heads, keys;
  auto [first, second] = text.split(':');
  first.split(heads, 'x');
  second.split(keys, '+');
  int64_t numbers[5] = {};
  bool good = heads.size() == 3 && keys.size() == 2;
  for (size_t i = 0; good && i < 5; ++i)
    good = !(i < 3 ? heads[i] : keys[i - 3]).getAsInteger(10, numbers[i]) && numbers[i] >= 0 &&
           numbers[i] <= 1 << 20;
  if (!good || numbers[1] == 0 || numbers[0] == 0 || numbers[0] % numbers[1] || numbers[2] == 0 ||
      numbers[3] == 0)
    usage(
        "expected a shape HxGxD:ROWS+PAST such as 32x8x128:512+0, H a multiple of G, but found '" +
        text + "'");
  return {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
}

SmallVector<Shape> defaultShapes() {
  SmallVector<Shape> shapes;
  const int64_t models[][3] = {{14, 2, 64}, {32, 8, 64}, {12, 12, 64}, {32, 32, 80}, {32, 8, 128}};
  for (auto [heads, kvHeads, size] : models) {
    for (int64_t rows : {40, 512, 1024, 2048, 4096})
      shapes.push_back({heads, kvHeads, size, rows, 0});
    for (int64_t past : {1023, 4095, 16383})
      shapes.push_back({heads, kvHeads, size, 1, past});
  }
  return shapes;
}

struct Mask {
  std::string name;
  int64_t window = 0; ///< 0: none
};

Mask parseMask(StringRef text) {
  Mask mask{text == "causal" ? "causal" : ("window" + text).str()};
  if (text != "causal" && (text.getAsInteger(10, mask.window) || mask.window < 1))
    usage("expected a mask causal or a window of 1 and more keys, but found '" + text + "'");
  return mask;
}

constexpr double kScale = 0.125;

class Case : public Workload {
public:
  Case(Shape s, const Mask &mask, bool bf16)
      : s(s), mask(mask), bf16(bf16), step(module(), cpuName),
        batch({{static_cast<int32_t>(s.past), static_cast<int32_t>(s.rows)}}),
        pageCount((s.past + s.rows + 15) / 16),
        bytesOfTile(
            llvm::alignTo(((s.size + group() - 1) / group() * 16 + 16 / group() * s.size) * 4, 64)),
        memory(pageCount * s.kvHeads * bytesOfTile) {
    batch.pageStart = {0, static_cast<int32_t>(pageCount)};
    batch.pageTable.resize(pageCount);
    std::iota(batch.pageTable.begin(), batch.pageTable.end(), 0);
    Random random(1);
    for (int64_t i = pageCount - 1; i > 0; --i)
      std::swap(batch.pageTable[i], batch.pageTable[random.below(i + 1)]);
    mlir::MLIRContext &context = kernelContext();
    fillRandom(memory.data, memory.size,
               bf16 ? mlir::Type(mlir::BFloat16Type::get(&context))
                    : mlir::Type(mlir::Float32Type::get(&context)));
    query = random.floats(s.rows * s.heads * s.size, 8);
    result.resize(query.size());
    arguments[0] = query.data(), arguments[1] = result.data();
    record = batch.record();
    call.batch = &record;
    call.pages = &pages;
    call.args = arguments;
    call.dims = dims;
    call.barrier = meet;
    call.team = this;
    call.max_rows = (s.rows + 15) / 16 * 16;
    call.max_seqs = 1;
    entry = step.entry("f");
  }
  Case(const Case &) = delete;
  Case &operator=(const Case &) = delete;

  double measure(Team &team, int64_t calls) override {
    return team.run(whichClock, [&](int64_t me) {
      for (int64_t i = 0; i < calls; ++i)
        entry(&call, static_cast<int32_t>(me), threads);
    });
  }

  /// Compares some rows with plain loops.
  std::string check(Team &team) override {
    measure(team, 1);
    for (int64_t sample = 0; sample < 5; ++sample) {
      int64_t row = (s.rows - 1) * sample / 4, head = sample * 7 % s.heads;
      std::vector<double> wanted = attend(row, head);
      for (int64_t e = 0; e < s.size; ++e) {
        double found = result[(row * s.heads + head) * s.size + e];
        if (!(std::fabs(found - wanted[e]) <= 1e-5))
          return llvm::formatv("row {0}, head {1}, channel {2}: expected {3:F7}, found {4:F7}", row,
                               head, e, wanted[e], found);
      }
    }
    return "";
  }

  std::string name() const override {
    return llvm::formatv("attention/{0}/{1}/{2}x{3}x{4}/rows:{5}/past:{6}/threads:{7}",
                         bf16 ? "bf16" : "f32", mask.name, s.heads, s.kvHeads, s.size, s.rows,
                         s.past, threads.getValue());
  }
  /// On visible tiles of one row and 16 keys.
  double operations() const override {
    double tiles = 0;
    for (int64_t i = s.past; i < s.past + s.rows; ++i)
      tiles += static_cast<double>(i / 16 - firstKey(i) / 16 + 1);
    return tiles * 16 * s.heads * 4 * s.size;
  }
  /// Of the keys and values that some row sees, each read once.
  double bytes() const override {
    int64_t tiles = (s.past + s.rows - 1) / 16 - firstKey(s.past) / 16 + 1;
    return static_cast<double>(tiles * s.kvHeads * bytesOfTile);
  }

private:
  /// The barrier of the step: workers spin.
  static void meet(void *self, int32_t) {
    auto *c = static_cast<Case *>(self);
    int64_t round = c->round.load();
    if (c->arrived.fetch_add(1) + 1 == threads) {
      c->arrived = 0;
      c->round = round + 1;
      return;
    }
    while (c->round.load() == round)
      ;
  }

  int64_t group() const { return bf16 ? 2 : 1; }
  int64_t firstKey(int64_t i) const {
    return mask.window ? std::max<int64_t>(0, i - mask.window + 1) : 0;
  }

  std::string module() const {
    std::string maskText =
        mask.window
            ? llvm::formatv("#sluice.and<#sluice.causal, #sluice.window<{0}>>", mask.window).str()
            : "#sluice.causal";
    return llvm::formatv(
        "sluice.kv @kv layers 1 heads {1} key {2} value {2} page 16 : {3}\n"
        "func.func @f(%q: memref<?x{0}x{2}xf32>, %b: !sluice.batch, %kv: !sluice.pages<@kv>,"
        " %o: memref<?x{0}x{2}xf32>) attributes {{sluice.export} {{\n"
        "%l = arith.constant 0 : index\nplace.team {{\nplace.phase \"attention\" share heads {{\n"
        "sluice.attention %q pages %kv[%l] batch %b mask {4} into %o {{scale = {5:F4} : f64}"
        " : (memref<?x{0}x{2}xf32>, !sluice.pages<@kv>, index, !sluice.batch,"
        " memref<?x{0}x{2}xf32>) -> ()\n}\n}\nreturn\n}\n",
        s.heads, s.kvHeads, s.size, bf16 ? "bf16" : "f32", maskText, kScale);
  }

  double number(int64_t tileByte, int64_t element) const {
    if (!bf16) {
      float value;
      std::memcpy(&value, memory.data + tileByte + element * 4, 4);
      return value;
    }
    uint16_t half;
    std::memcpy(&half, memory.data + tileByte + element * 2, 2);
    return floatOf(static_cast<uint32_t>(half) << 16);
  }

  std::vector<double> attend(int64_t row, int64_t head) const {
    int64_t i = s.past + row, kvHead = head / (s.heads / s.kvHeads), g = group();
    std::vector<double> scores, out(s.size);
    auto tileOf = [&](int64_t j) {
      return (batch.pageTable[j / 16] * s.kvHeads + kvHead) * bytesOfTile;
    };
    for (int64_t j = firstKey(i); j <= i; ++j) {
      double score = 0;
      for (int64_t d = 0; d < s.size; ++d)
        score += query[(row * s.heads + head) * s.size + d] *
                 number(tileOf(j), (d / g * 16 + j % 16) * g + d % g);
      scores.push_back(score * kScale);
    }
    double most = *std::max_element(scores.begin(), scores.end()), sum = 0;
    int64_t keys = (s.size + g - 1) / g * 16 * g;
    for (int64_t j = firstKey(i); j <= i; ++j) {
      double weight = std::exp(scores[j - firstKey(i)] - most);
      sum += weight;
      for (int64_t e = 0; e < s.size; ++e)
        out[e] += weight * number(tileOf(j), keys + (j % 16 / g * s.size + e) * g + j % g);
    }
    for (double &value : out)
      value /= sum;
    return out;
  }

  Shape s;
  const Mask &mask;
  bool bf16;
  LoadedStep step;
  Batch batch;
  int64_t pageCount, bytesOfTile;
  Pages memory;
  std::vector<float> query, result;
  sluice_batch_t record;
  sluice_pages_t pages{memory.data, pageCount};
  void *arguments[2] = {nullptr, nullptr};
  int64_t dims[2] = {s.rows, s.rows};
  sluice_call_t call = {};
  sluice_entry_fn entry;
  std::atomic<int64_t> arrived{0}, round{0};
};

} // namespace

int main(int argc, char **argv) {
  CPUMachine machine = startBench(
      argc, argv,
      "times attention over pages against the ceilings of the cores that it runs on\n\n"
      "  sluice-bench-attention --shapes=32x8x128:512+0,32x8x128:1+16383 --masks=causal,256 "
      "--types=bf16 --cores=2 --json\n\n"
      "Each line: time of a call, arithmetic rate on visible tiles (of a row and 16 keys) and its\n"
      "part of the multiply-add peak, rate of the keys' and values' bytes and its part of a plain\n"
      "read loop, and the part of the floor, which is the slower of the two. Exit code 5 when a\n"
      "result is not that of plain loops.\n");
  SmallVector<Shape> shapes;
  for (const std::string &text : shapeTexts)
    shapes.push_back(parseShape(text));
  if (shapes.empty())
    shapes = defaultShapes();
  std::vector<Mask> masks;
  for (const std::string &text : maskTexts)
    masks.push_back(parseMask(text));
  if (masks.empty())
    masks = {parseMask("causal"), parseMask("256")};
  std::vector<std::string> types(typeNames.begin(), typeNames.end());
  if (types.empty())
    types = {"bf16"};
  for (const std::string &type : types)
    if (type != "bf16" && type != "f32")
      usage("unknown type '" + type + "'; expected f32 or bf16");

  Team team(threads);
  ReadKernel read(machine);
  PeakKernel peak(machine, machine.bf16Dot == Dot::Dpbf16);
  Pages pool(256 << 20);
  fillRandom(pool.data, pool.size, mlir::Float32Type::get(&kernelContext()));
  Report report(machine);
  for (const std::string &type : types)
    for (const Mask &mask : masks)
      for (Shape shape : shapes) {
        Case c(shape, mask, type == "bf16");
        report.add(c, team, [&] { return peak.measure(team, whichClock); }, read, pool);
      }
  report.finish();
  return 0;
}
