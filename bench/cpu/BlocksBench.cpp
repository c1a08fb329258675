// SPDX-License-Identifier: Apache-2.0
//
// Linear layers on encoded weights against this computer's own ceilings: as sluice-bench-linear,
// with codes of 8 and 4 bits, rows as they are and rows as codes. The peak is that of the way's own
// instruction (fma, vpdpbusd), the bytes are codes and scales. A sample of the results is compared,
// bit for bit, with docs/Contracts.md §4 before anything is timed.
#include "bench/cpu/Ceilings.h"
#include "lib/Target/CPU/Intrinsics.h"
#include "lib/Target/CPU/LinearBlocks.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

static llvm::cl::OptionCategory category("benchmark");
static llvm::cl::opt<std::string> cpuName("cpu", llvm::cl::init("native"), llvm::cl::cat(category),
                                          llvm::cl::desc("machine to compile for"));
static llvm::cl::list<std::string> shapeTexts("shapes", llvm::cl::CommaSeparated,
                                              llvm::cl::value_desc("MxNxK,..."),
                                              llvm::cl::cat(category),
                                              llvm::cl::desc("rows x outputs x inputs"));
static llvm::cl::list<std::string>
    typeNames("types", llvm::cl::CommaSeparated, llvm::cl::value_desc("TYPE,..."),
              llvm::cl::cat(category), llvm::cl::desc("int8, int4, int8w, int4w (default: all)"));
static llvm::cl::opt<int> threads("cores", llvm::cl::init(1), llvm::cl::cat(category),
                                  llvm::cl::desc("cores to run on, one thread on each"));
static llvm::cl::opt<int> repetitions("repetitions", llvm::cl::init(20), llvm::cl::cat(category),
                                      llvm::cl::desc("of each kernel and its ceilings"));
static llvm::cl::opt<int> poolMiB("pool", llvm::cl::init(256), llvm::cl::value_desc("MiB"),
                                  llvm::cl::cat(category),
                                  llvm::cl::desc("weights that the calls go through in turn"));
static llvm::cl::opt<bool>
    showAssembly("asm", llvm::cl::cat(category),
                 llvm::cl::desc("print each kernel's assembly and measure nothing"));

namespace {

struct Shape {
  int64_t rows, outputs, inputs;
};

[[noreturn]] void usage(const llvm::Twine &message) {
  llvm::errs() << "sluice-bench-blocks: " << message << "\n";
  std::exit(1);
}

Shape parseShape(StringRef text) {
  SmallVector<StringRef> parts;
  text.split(parts, 'x');
  int64_t numbers[3];
  bool good = parts.size() == 3;
  for (size_t i = 0; good && i < 3; ++i)
    good = !parts[i].getAsInteger(10, numbers[i]) && numbers[i] > 0 && numbers[i] <= 1 << 24;
  if (!good)
    usage("expected a shape MxNxK such as 512x4864x896, but found '" + text + "'");
  return {numbers[0], numbers[1], numbers[2]};
}

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
  Type index = IndexType::get(context), f32 = Float32Type::get(context);
  Type types[] = {arrayOf(IntegerType::get(context, 32)),
                  arrayOf(BFloat16Type::get(context)),
                  arrayOf(f32),
                  index,
                  arrayOf(f32),
                  index,
                  index,
                  index,
                  index,
                  index,
                  index};
  return LoadedKernel(machine, types, [&](KernelBuilder &k, ModuleOp module, ArrayRef<Val> v) {
    BlocksOperands o;
    o.words = v[0], o.scales = v[1];
    o.linear.rows = v[2], o.linear.rowStride = v[3], o.linear.dest = v[4],
    o.linear.destStride = v[5];
    o.linear.rowCount = v[6], o.linear.inputs = v[7], o.linear.outputs = v[8];
    o.linear.firstPanel = v[9], o.linear.endPanel = v[10];
    callLinearBlocks(k, module, machine, variant, o);
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
    double seconds = team.run(Clock::Cpu, [&](int64_t me) { kernel(data[me]->data, turns); });
    return 2.0 * 64 * kChains * double(turns) * double(team.size()) / seconds;
  }

private:
  static constexpr int64_t kChains = 20;
  LoadedKernel kernel;
  std::vector<std::unique_ptr<Pages>> data;
};

class Case {
public:
  Case(const BlocksVariant &variant, Shape shape, const LoadedKernel &kernel, Pages &pool)
      : variant(variant), shape(shape), kernel(kernel), pool(pool),
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

  double measure(Team &team, int64_t calls) {
    int64_t first = next;
    next = (next + calls) % blocks;
    return team.run(Clock::Cpu, [&](int64_t me) {
      for (int64_t i = 0; i < calls; ++i)
        call(first + i, me, team.size());
    });
  }

  std::string check(Team &team) {
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
  double operations() const { return 2.0 * shape.rows * shape.outputs * shape.inputs; }
  double bytes() const { return static_cast<double>(block); }

private:
  void call(int64_t which, int64_t me, int64_t workers) const {
    uint8_t *weights = pool.data + which % blocks * block;
    kernel(weights, weights, rows.data, rowStride, dest.data, destStride, shape.rows, shape.inputs,
           shape.outputs, me * panels / workers, (me + 1) * panels / workers);
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

  const BlocksVariant &variant;
  Shape shape;
  const LoadedKernel &kernel;
  Pages &pool;
  int64_t panels, panelBytes, block, blocks, rowStride, destStride, next = 0;
  Pages rows, dest;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

} // namespace

int main(int argc, char **argv) {
  llvm::cl::HideUnrelatedOptions(category);
  llvm::cl::ParseCommandLineOptions(
      argc, argv,
      "times linear layers on codes against the ceilings of the cores that they run on\n\n"
      "  sluice-bench-blocks --shapes=1x9728x896,512x9728x896 --types=int8,int4w --cores=2\n\n"
      "Each line: time of a call, arithmetic rate and its part of the peak, rate of codes and "
      "scales\n"
      "and its part of a plain read loop. Exit code 5 when a result has other bits than the "
      "reduction\n"
      "rule gives.\n");
  CPUMachine machine = machineOrDie(cpuName);
  if (!canRun(machine))
    usage("this computer cannot run code for " + cpuName);
  if (threads < 1 || repetitions < 1 || poolMiB < 1)
    usage("expected positive numbers for --cores, --repetitions and --pool");
  std::vector<std::string> names(typeNames.begin(), typeNames.end());
  if (names.empty())
    names = {"int8", "int4", "int8w", "int4w"};
  std::vector<Shape> shapes;
  for (const std::string &text : shapeTexts)
    shapes.push_back(parseShape(text));
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
  llvm::outs() << "machine " << machine.cpu << ", " << threads << " thread"
               << (threads > 1 ? "s" : "") << ", " << repetitions
               << " interleaved repetitions, medians\n";
  for (const std::string &name : names) {
    BlocksVariant variant = parseType(name);
    LoadedKernel kernel = compile(machine, variant);
    for (Shape shape : shapes) {
      int64_t bytes = variant.blocks.getLayerBytes(shape.outputs, shape.inputs);
      Pages pool(std::max(bytes, static_cast<int64_t>(poolMiB) << 20));
      Case c(variant, shape, kernel, pool);
      std::string label =
          llvm::formatv("{0} {1}x{2}x{3}", name, shape.rows, shape.outputs, shape.inputs);
      if (std::string difference = c.check(team); !difference.empty()) {
        llvm::errs() << label << ": " << difference << "\n";
        return 5;
      }
      double once = c.measure(team, 1);
      auto calls = static_cast<int64_t>(std::clamp(4e-3 / std::max(once, 1e-7), 1.0, 1e5));
      std::vector<double> seconds, ofPeak, ofRead;
      for (int i = 0; i < repetitions; ++i) {
        double peak = variant.codedRows ? dot.measure(team) : fma.measure(team, Clock::Cpu);
        double time = c.measure(team, calls) / static_cast<double>(calls);
        double rate = read.measure(team, Clock::Cpu, pool);
        seconds.push_back(time);
        ofPeak.push_back(c.operations() / time / peak);
        ofRead.push_back(c.bytes() / time / rate);
      }
      double time = median(seconds);
      llvm::outs() << llvm::format(
          "%-24s %10.1f us %8.1f GOP/s %5.1f%% of peak %8.2f GB/s %5.1f%% of read\n", label.c_str(),
          time * 1e6, c.operations() / time * 1e-9, 100 * median(ofPeak), c.bytes() / time * 1e-9,
          100 * median(ofRead));
      llvm::outs().flush();
    }
  }
  return 0;
}
