// SPDX-License-Identifier: Apache-2.0
//
// Linear layers on encoded weights against this computer's own ceilings: as sluice-bench-linear,
// with codes of 8 and 4 bits, rows as they are and rows as codes. The peak is that of the way's own
// instruction (fma, vpdpbusd), the bytes are codes and scales. A sample of the results is compared,
// bit for bit, with docs/Contracts.md §4 before anything is timed.
#include "bench/cpu/Measure.h"
#include "lib/Target/CPU/Intrinsics.h"
#include "lib/Target/CPU/LinearBlocks.h"
#include "test/Target/CPU/LayerArguments.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

static llvm::cl::list<std::string> shapeTexts("shapes", llvm::cl::CommaSeparated,
                                              llvm::cl::value_desc("MxNxK,..."),
                                              llvm::cl::cat(benchCategory),
                                              llvm::cl::desc("rows x outputs x inputs"));
static llvm::cl::list<std::string>
    typeNames("types", llvm::cl::CommaSeparated, llvm::cl::value_desc("TYPE,..."),
              llvm::cl::cat(benchCategory),
              llvm::cl::desc("int8, int4, int8w, int4w (default: all)"));
static llvm::cl::opt<int> poolMiB("pool", llvm::cl::init(256), llvm::cl::value_desc("MiB"),
                                  llvm::cl::cat(benchCategory),
                                  llvm::cl::desc("weights that the calls go through in turn"));
static llvm::cl::opt<bool>
    showAssembly("asm", llvm::cl::cat(benchCategory),
                 llvm::cl::desc("print each kernel's assembly and measure nothing"));

namespace {

BlocksVariant parseType(StringRef name) {
  StringRef bits = name;
  BlocksVariant variant;
  variant.codedRows = !bits.consume_back("w");
  if (bits != "int8" && bits != "int4")
    usage("unknown type '" + name + "'; expected int8, int4, int8w or int4w");
  MLIRContext *context = &kernelContext();
  context->getOrLoadDialect<SluiceDialect>(); // whose attribute says what an encoding is
  bool wide = bits == "int8";
  variant.blocks = BlocksAttr::get(context, IntegerType::get(context, wide ? 8 : 4), 1,
                                   wide ? 128 : 32, BFloat16Type::get(context));
  variant.rows = Float32Type::get(context);
  return variant;
}

LoadedKernel compile(const CPUMachine &machine, const BlocksVariant &variant) {
  MLIRContext *context = &kernelContext();
  return LoadedKernel(machine,
                      layerTypes({IntegerType::get(context, 32), BFloat16Type::get(context)},
                                 variant.rows, variant),
                      [&](KernelBuilder &k, ModuleOp module, ArrayRef<Val> v) {
                        callLinearBlocks(k, module, machine, variant, {v[0], v[1]},
                                         layerOperands(v.drop_front(2), variant));
                      });
}

/// The most multiply-adds of bytes from registers: vpdpbusd, or what stands for it.
class DotPeak {
public:
  explicit DotPeak(const CPUMachine &machine)
      : kernel(machine,
               {arrayOf(IntegerType::get(&kernelContext(), 32)), IndexType::get(&kernelContext())},
               [&](KernelBuilder &k, ModuleOp, ArrayRef<Val> v) {
                 Val x = k.loadVector(v[0], 0), y = k.loadVector(v[0], 16);
                 SmallVector<Val> sums =
                     k.reductionLoop(0, v[1], 1, SmallVector<Val>(kChains, k.splatI32(0)),
                                     [&](Val, ArrayRef<Val> carried) {
                                       SmallVector<Val> next;
                                       for (Val sum : carried)
                                         next.push_back(dot4(k, machine, sum, x, y));
                                       return next;
                                     });
                 for (auto [i, sum] : llvm::enumerate(sums))
                   k.store(sum, v[0], 32 + i * 16);
               }) {
    for (int i = 0; i < threads; ++i)
      data.push_back(std::make_unique<Pages>(4096));
  }
  double measure(Team &team) {
    int64_t turns = 100000;
    double seconds = team.run(whichClock, [&](int64_t me) { kernel(data[me]->data, turns); });
    return 2.0 * 64 * kChains * double(turns) * double(team.size()) / seconds;
  }

private:
  static constexpr int64_t kChains = 20;
  LoadedKernel kernel;
  std::vector<std::unique_ptr<Pages>> data;
};

class Case : public Workload {
public:
  Case(StringRef type, const BlocksVariant &variant, LayerShape shape, const LoadedKernel &kernel,
       Pages &pool)
      : type(type), variant(variant), shape(shape), kernel(kernel), pool(pool),
        panels((shape.outputs + 15) / 16), panelBytes(variant.blocks.getPanelBytes(shape.inputs)),
        block(panels * panelBytes), blocks(std::max<int64_t>(1, pool.size / block)),
        rowStride((shape.inputs + 15) / 16 * 16 + 16 + shape.inputs / 16 % 2 * 16),
        destStride((shape.outputs + 15) / 16 * 16 + 16 + shape.outputs / 16 % 2 * 16),
        rows(shape.rows * rowStride * 4), dest(shape.rows * destStride * 4) {
    fillRandom(rows.data, rows.size, Float32Type::get(&kernelContext()));
    // Codes of any bits, scales between 1 and 2.
    uint32_t state = 1;
    for (int64_t i = 0; i < pool.size / 4; ++i)
      reinterpret_cast<uint32_t *>(pool.data)[i] = state = state * 1664525 + 1013904223;
    for (int64_t panel = 0; panel < blocks * panels; ++panel)
      for (int64_t at = variant.blocks.getScalesAt(shape.inputs); at < panelBytes; at += 2)
        pool.data[panel * panelBytes + at + 1] = 0x3f, pool.data[panel * panelBytes + at] |= 0x80;
  }

  double measure(Team &team, int64_t calls) override {
    int64_t first = next;
    next = (next + calls) % blocks;
    return team.run(whichClock, [&](int64_t me) {
      for (int64_t i = 0; i < calls; ++i)
        call(first + i, me, team.size());
    });
  }

  std::string check(Team &team) override {
    team.run(Clock::Wall, [&](int64_t me) { call(0, me, team.size()); });
    for (int64_t sample = 0; sample < 32; ++sample) {
      int64_t row = sample * 7919 % shape.rows, output = sample * 104729 % shape.outputs;
      float expected = variant.codedRows ? codedSum(row, output) : chain(row, output), found;
      std::memcpy(&found, dest.data + (row * destStride + output) * 4, 4);
      if (std::memcmp(&found, &expected, 4) != 0)
        return llvm::formatv("row {0}, output {1}: expected {2}, found {3}", row, output, expected,
                             found);
    }
    return "";
  }
  std::string name() const override {
    return llvm::formatv("linear/{0}/{1}x{2}x{3}/threads:{4}", type, shape.rows, shape.outputs,
                         shape.inputs, threads.getValue());
  }
  double operations() const override { return 2.0 * shape.rows * shape.outputs * shape.inputs; }
  double bytes() const override { return static_cast<double>(block); }

private:
  void call(int64_t which, int64_t me, int64_t workers) const {
    uint8_t *weights = pool.data + which % blocks * block;
    kernel(weights, weights, rows.data, rowStride, dest.data, destStride, shape.rows, shape.inputs,
           shape.outputs, me * panels / workers, (me + 1) * panels / workers, 0, 0, 0);
  }
  int32_t code(int64_t output, int64_t k) const {
    int64_t bits = variant.blocks.getBits(), word = k / (32 / bits), j = k % (32 / bits);
    uint8_t byte = pool.data[output / 16 * panelBytes + (word * 16 + output % 16) * 4 +
                             (bits == 8 ? j : j % 4)];
    return bits == 8 ? byte - 128 : (byte >> (j / 4 * 4) & 15) - 8;
  }
  float scale(int64_t output, int64_t group) const {
    uint16_t bits;
    std::memcpy(&bits,
                pool.data + output / 16 * panelBytes + variant.blocks.getScalesAt(shape.inputs) +
                    (group * 16 + output % 16) * 2,
                2);
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
  }
  float x(int64_t row, int64_t k) const {
    float value = 0;
    if (k < shape.inputs)
      std::memcpy(&value, rows.data + (row * rowStride + k) * 4, 4);
    return value;
  }
  float chain(int64_t row, int64_t output) const {
    float sum = 0;
    for (int64_t k = 0; k < shape.inputs; ++k)
      sum = std::fma(x(row, k), scale(output, k / variant.blocks.getColumns()) * code(output, k),
                     sum);
    return sum;
  }
  float codedSum(int64_t row, int64_t output) const {
    int64_t columns = variant.blocks.getColumns();
    float sum = 0;
    for (int64_t begin = 0; begin < shape.inputs; begin += columns) {
      float largest = 0;
      for (int64_t k = begin; k < begin + columns; ++k)
        largest = std::max(largest, std::fabs(x(row, k)));
      int32_t integer = 0;
      for (int64_t k = begin; k < begin + columns; ++k)
        integer +=
            static_cast<int32_t>(std::nearbyint(x(row, k) * (127.0f / largest))) * code(output, k);
      sum = std::fma(static_cast<float>(integer),
                     scale(output, begin / columns) * (largest / 127.0f), sum);
    }
    return sum;
  }

  StringRef type;
  const BlocksVariant &variant;
  LayerShape shape;
  const LoadedKernel &kernel;
  Pages &pool;
  int64_t panels, panelBytes, block, blocks, rowStride, destStride, next = 0;
  Pages rows, dest;
};

} // namespace

int main(int argc, char **argv) {
  CPUMachine machine = startBench(
      argc, argv,
      "times linear layers on codes against the ceilings of the cores that they run on\n\n"
      "  sluice-bench-blocks --shapes=1x9728x896,512x9728x896 --types=int8,int4w --cores=2 "
      "--json\n\n"
      "Each line: time of a call, arithmetic rate and its part of the peak of the way's own\n"
      "instruction, rate of codes and scales and its part of a plain read loop, and the part of "
      "the\n"
      "floor, which is the slower of the two. Exit code 5 when a result has other bits than the\n"
      "reduction rule gives.\n");
  if (poolMiB < 1)
    usage("expected a positive number for --pool");
  std::vector<std::string> names(typeNames.begin(), typeNames.end());
  if (names.empty())
    names = {"int8", "int4", "int8w", "int4w"};
  std::vector<LayerShape> shapes;
  for (const std::string &text : shapeTexts)
    shapes.push_back(parseLayerShape(text));
  if (shapes.empty())
    shapes = {{1, 9728, 896},   {1, 896, 4864},   {8, 9728, 896},   {128, 9728, 896},
              {512, 9728, 896}, {512, 896, 4864}, {512, 4096, 4096}};
  if (showAssembly) {
    for (const std::string &name : names)
      llvm::outs() << compile(machine, parseType(name)).assembly();
    return 0;
  }
  Team team(threads);
  ReadKernel read(machine);
  PeakKernel fma(machine, /*dpbf16=*/false);
  DotPeak dot(machine);
  Report report(machine);
  for (const std::string &name : names) {
    BlocksVariant variant = parseType(name);
    LoadedKernel kernel = compile(machine, variant);
    auto peak = [&] {
      return variant.codedRows ? dot.measure(team) : fma.measure(team, whichClock);
    };
    for (LayerShape shape : shapes) {
      int64_t bytes = variant.blocks.getLayerBytes(shape.outputs, shape.inputs);
      Pages pool(std::max(bytes, static_cast<int64_t>(poolMiB) << 20));
      Case c(name, variant, shape, kernel, pool);
      report.add(c, team, peak, read, pool);
    }
  }
  report.finish();
  return 0;
}
