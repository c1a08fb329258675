// SPDX-License-Identifier: Apache-2.0
//
// The attention kernel alone, one worker: decode against a long context in scattered pages, in
// bytes of keys and values per second, and prefill, in arithmetic per second (counting what causal
// queries see).
//
//   sluice-bench-attention [--cpu=native] [--repetitions=20]
#include "test/Target/CPU/StepHarness.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>

using namespace sluice::cpu;

static llvm::cl::opt<std::string> cpuName("cpu", llvm::cl::init("native"),
                                          llvm::cl::desc("machine to compile for"));
static llvm::cl::opt<int> repetitions("repetitions", llvm::cl::init(20),
                                      llvm::cl::desc("runs; the median is printed"));

namespace {

struct Shape {
  const char *name;
  int64_t heads, kvHeads, size; ///< query heads, kv heads, channels of both keys and values
  bool bf16;
};

std::string moduleFor(const Shape &s) {
  return llvm::formatv(
      "sluice.kv @kv layers 1 heads {1} key {2} value {2} page 16 : {3}\n"
      "func.func @f(%q: memref<?x{0}x{2}xf32>, %b: !sluice.batch, %kv: !sluice.pages<@kv>,"
      " %o: memref<?x{0}x{2}xf32>) attributes {{sluice.export} {{\n"
      "%l = arith.constant 0 : index\nplace.team {{\nplace.phase \"attention\" share heads {{\n"
      "sluice.attention %q pages %kv[%l] batch %b mask #sluice.causal into %o {{scale = 0.125 : "
      "f64}"
      " : (memref<?x{0}x{2}xf32>, !sluice.pages<@kv>, index, !sluice.batch,"
      " memref<?x{0}x{2}xf32>) -> ()\n}\n}\nreturn\n}\n",
      s.heads, s.kvHeads, s.size, s.bf16 ? "bf16" : "f32");
}

void measure(const Shape &s, int32_t past, int32_t rows) {
  LoadedStep step(moduleFor(s), cpuName);
  Batch batch({{past, rows}});
  int64_t keys = past + rows, element = s.bf16 ? 2 : 4;
  int64_t pages = (keys + 15) / 16, bytes = pages * s.kvHeads * 32 * s.size * element;
  batch.pageStart = {0, static_cast<int32_t>(pages)};
  batch.pageTable.resize(pages);
  std::iota(batch.pageTable.begin(), batch.pageTable.end(), 0);
  Random random(1);
  for (int64_t i = pages - 1; i > 0; --i)
    std::swap(batch.pageTable[i], batch.pageTable[random.below(i + 1)]);
  auto *memory = static_cast<uint8_t *>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096));
  for (int64_t i = 0; i < bytes / 4; ++i) // small numbers in either format
    reinterpret_cast<uint32_t *>(memory)[i] = 0x3d803d80 | (random.bits() & 0x807f807f);
  auto query = random.floats(rows * s.heads * s.size);
  std::vector<float> result(query.size());
  CallData data;
  data.batch = &batch;
  data.arg(query, rows), data.arg(result, rows);
  data.pages.push_back({memory, pages});
  std::vector<double> seconds;
  for (int i = 0; i < repetitions + 2; ++i) {
    auto start = std::chrono::steady_clock::now();
    step.run("f", data, 1);
    std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (i >= 2)
      seconds.push_back(taken.count());
  }
  std::free(memory);
  std::sort(seconds.begin(), seconds.end());
  double median = seconds[seconds.size() / 2];
  double pairs = static_cast<double>(rows) * past + 0.5 * rows * (rows + 1.0);
  double flops = pairs * s.heads * 4.0 * s.size;
  llvm::outs() << llvm::format(
      "%-28s %6d keys before %4d rows  %9.1f us  %7.2f GB/s  %7.1f GFLOP/s\n", s.name, past, rows,
      median * 1e6, static_cast<double>(bytes) / median * 1e-9, flops / median * 1e-9);
}

} // namespace

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv);
  const Shape shapes[] = {{"14 heads on 2, 64, bf16", 14, 2, 64, true},
                          {"32 heads on 8, 128, bf16", 32, 8, 128, true},
                          {"12 heads on 12, 64, f32", 12, 12, 64, false},
                          {"12 heads on 12, 64, bf16", 12, 12, 64, true}};
  for (const Shape &shape : shapes) {
    measure(shape, 32767, 1);
    measure(shape, 2047, 1);
    measure(shape, 0, 512);
    measure(shape, 0, 40);
  }
}
