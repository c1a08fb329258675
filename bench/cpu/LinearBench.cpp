// SPDX-License-Identifier: Apache-2.0
//
// Linear kernels against this computer's own ceilings. Every repetition of a kernel runs between a
// peak loop and a read loop on the same threads; what is printed are medians, and medians of the
// ratios to the ceilings of the same moment. Weights lie packed (docs/Contracts.md §3) before the
// clock starts and come from memory, not from a cache: calls go through copies in turn. Before
// anything is timed, a sample of the results is compared, bit for bit, with the chain of §4.
#include "bench/cpu/Measure.h"
#include "lib/Target/CPU/LinearKernels.h"
#include "test/Target/CPU/LayerArguments.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

static llvm::cl::list<std::string>
    shapeTexts("shapes", llvm::cl::CommaSeparated, llvm::cl::value_desc("MxNxK,..."),
               llvm::cl::cat(benchCategory),
               llvm::cl::desc("rows x outputs x inputs; default: layers of Qwen2.5-0.5B, "
                              "Llama-3.2-1B and Llama-3-8B at several row counts, and odd shapes"));
static llvm::cl::list<std::string>
    typeNames("types", llvm::cl::CommaSeparated, llvm::cl::value_desc("TYPE,..."),
              llvm::cl::cat(benchCategory),
              llvm::cl::desc("f32, f16, bf16 (by the dot that is faster on the machine), bf16-fma, "
                             "bf16-dpbf16 (default: f32,bf16)"));
static llvm::cl::opt<int> poolMiB(
    "pool", llvm::cl::init(512), llvm::cl::value_desc("MiB"), llvm::cl::cat(benchCategory),
    llvm::cl::desc("weights that the calls go through before one is read again; 0: always the same "
                   "ones, from whatever cache holds them (default: 512)"));
static llvm::cl::opt<bool>
    showAssembly("asm", llvm::cl::cat(benchCategory),
                 llvm::cl::desc("print each kernel's assembly and measure nothing"));

namespace {

struct WeightKind {
  std::string name;
  LinearVariant variant;
};

/// N x K of the linear layers as they run: joined qkv and gate-up, then o and down.
SmallVector<LayerShape> defaultShapes() {
  SmallVector<LayerShape> shapes;
  const std::pair<int64_t, int64_t> layers[] = {
      {1152, 896},  {9728, 896},   {896, 4864},  // Qwen2.5-0.5B
      {3072, 2048}, {16384, 2048}, {2048, 8192}, // Llama-3.2-1B
      {6144, 4096}, {4096, 4096},                // Llama-3-8B
  };
  for (auto [outputs, inputs] : layers)
    for (int64_t rows : {1, 8, 17, 32, 128, 512})
      shapes.push_back({rows, outputs, inputs});
  shapes.append({{1000, 1000, 1000}, {1024, 1024, 1024}, {2000, 2040, 2040}, {17, 4096, 4096}});
  return shapes;
}

WeightKind parseType(const std::string &name, const CPUMachine &machine) {
  WeightKind type = {name, {}};
  StringRef base = StringRef(name).split('-').first, dot = StringRef(name).split('-').second;
  using Weights = LinearVariant::Weights;
  if (name == "f32" || name == "f16" || name == "bf16" || name == "bf16-fma" ||
      name == "bf16-dpbf16") {
    type.variant.weights = base == "f32"   ? Weights::F32
                           : base == "f16" ? Weights::F16
                                           : Weights::Bf16;
    if (base == "bf16")
      type.variant.dot = dot.empty() ? machine.bf16Dot : dot == "fma" ? Dot::Fma : Dot::Dpbf16;
    if (type.variant.dot == Dot::Dpbf16 && !machine.hasDpbf16)
      usage("type bf16-dpbf16 takes a machine with avx512bf16, but " + machine.cpu + " has it not");
    return type;
  }
  usage("unknown type '" + name + "'; expected f32, f16, bf16, bf16-fma or bf16-dpbf16");
}

//===-- One kernel ----------------------------------------------------------------------------===//

LoadedKernel compile(const CPUMachine &machine, const LinearVariant &variant) {
  MLIRContext *context = &kernelContext();
  return LoadedKernel(
      machine, layerTypes({variant.weightType(context)}, variant.rowType(context), variant),
      [&](KernelBuilder &k, ModuleOp module, ArrayRef<Val> v) {
        callLinear(k, module, machine, variant, v[0], layerOperands(v.drop_front(), variant));
      });
}

float floatAt(const uint8_t *data, int64_t at, Type element) {
  if (element.isF32()) {
    float value;
    std::memcpy(&value, data + at * 4, 4);
    return value;
  }
  uint16_t half;
  std::memcpy(&half, data + at * 2, 2);
  const llvm::fltSemantics &kind =
      element.isF16() ? llvm::APFloat::IEEEhalf() : llvm::APFloat::BFloat();
  llvm::APFloat value(kind, llvm::APInt(16, half));
  bool exact;
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &exact);
  return value.convertToFloat();
}

/// One shape in one type: its data, and a call of the kernel by a team.
class Case : public Workload {
public:
  Case(const WeightKind &type, LayerShape shape, const LoadedKernel &kernel, const Pages &pool)
      : type(type), shape(shape), kernel(kernel), pool(pool),
        weightType(type.variant.weightType(&kernelContext())),
        rowType(type.variant.rowType(&kernelContext())),
        group(type.variant.weights == LinearVariant::Weights::F32 ? 1 : 2),
        panels((shape.outputs + 15) / 16),
        panelElements((shape.inputs + group - 1) / group * group * 16),
        block(panels * panelElements * weightType.getIntOrFloatBitWidth() / 8),
        blocks(poolMiB ? std::max<int64_t>(1, pool.size / block) : 1),
        // Strides as the placer pads them: an odd number of cache lines.
        rowStride((shape.inputs + 15) / 16 * 16 + 16 + shape.inputs / 16 % 2 * 16),
        destStride((shape.outputs + 15) / 16 * 16 + 16 + shape.outputs / 16 % 2 * 16),
        rows(shape.rows * rowStride * 4), dest(shape.rows * destStride * 4) {
    fillRandom(rows.data, rows.size, rowType);
  }

  /// The copies of the weights in turn.
  double measure(Team &team, int64_t calls) override {
    int64_t first = next;
    next = (next + calls) % blocks;
    return team.run(whichClock, [&](int64_t me) {
      for (int64_t i = 0; i < calls; ++i)
        call(first + i, me, team.size());
    });
  }

  /// Compares some results with the chain, bit for bit.
  std::string check(Team &team) override {
    team.run(Clock::Wall, [&](int64_t me) { call(0, me, team.size()); });
    for (int64_t sample = 0; sample < 64; ++sample) {
      int64_t row = sample * 7919 % shape.rows, output = sample * 104729 % shape.outputs;
      float expected = chain(row, output), found;
      std::memcpy(&found, dest.data + (row * destStride + output) * 4, 4);
      if (std::memcmp(&found, &expected, 4) != 0)
        return llvm::formatv("row {0}, output {1}: expected {2}, found {3}", row, output, expected,
                             found);
    }
    return "";
  }

  std::string name() const override {
    return llvm::formatv("linear/{0}/{1}x{2}x{3}/threads:{4}", type.name, shape.rows, shape.outputs,
                         shape.inputs, threads.getValue());
  }
  double operations() const override { return 2.0 * shape.rows * shape.outputs * shape.inputs; }
  double bytes() const override { return static_cast<double>(block); }
  bool isDpbf16() const {
    return type.variant.weights == LinearVariant::Weights::Bf16 && type.variant.dot == Dot::Dpbf16;
  }

private:
  void call(int64_t which, int64_t me, int64_t workers) const {
    kernel(pool.data + which % blocks * block, rows.data, rowStride, dest.data, destStride,
           shape.rows, shape.inputs, shape.outputs, me * panels / workers,
           (me + 1) * panels / workers, 0, 0, 0);
  }

  float chain(int64_t row, int64_t output) const {
    auto x = [&](int64_t k) {
      return k < shape.inputs ? floatAt(rows.data, row * rowStride + k, rowType) : 0.0f;
    };
    auto w = [&](int64_t k) {
      return floatAt(pool.data,
                     output / 16 * panelElements + k / group * 16 * group + output % 16 * group +
                         k % group,
                     weightType);
    };
    float sum = 0;
    for (int64_t k = 0; k < shape.inputs; k += group)
      for (int64_t i = 0; i < group; ++i) {
        // vdpbf16ps takes the odd element of a pair first. Nothing here is so small as to be
        // flushed.
        int64_t at = k + (isDpbf16() ? group - 1 - i : i);
        sum = std::fma(x(at), at < shape.inputs ? w(at) : 0.0f, sum);
      }
    return sum;
  }

  const WeightKind &type;
  LayerShape shape;
  const LoadedKernel &kernel;
  const Pages &pool;
  Type weightType, rowType;
  int64_t group, panels, panelElements, block, blocks, rowStride, destStride, next = 0;
  Pages rows, dest;
};

} // namespace

int main(int argc, char **argv) {
  CPUMachine machine = startBench(
      argc, argv,
      "times linear layers on packed weights against the ceilings of the cores that they run on\n\n"
      "  sluice-bench-linear --shapes=512x9728x896,1x9728x896 --types=f32,bf16 --cores=2 --json\n\n"
      "Each line: time of a call, arithmetic rate and its part of the peak, rate of the weights'\n"
      "bytes and its part of a plain read loop, and the part of the floor, which is the slower of\n"
      "the two. Exit code 5 when a result has other bits than the reduction rule gives.\n");
  if (poolMiB < 0)
    usage("expected --pool of at least 0");
  std::vector<WeightKind> types;
  for (const std::string &name : typeNames)
    types.push_back(parseType(name, machine));
  if (types.empty())
    types = {parseType("f32", machine), parseType("bf16", machine)};
  SmallVector<LayerShape> shapes;
  for (const std::string &text : shapeTexts)
    shapes.push_back(parseLayerShape(text));
  if (shapes.empty())
    shapes = defaultShapes();

  if (showAssembly) {
    for (const WeightKind &type : types)
      llvm::outs() << compile(machine, type.variant).assembly();
    return 0;
  }

  Team team(threads);
  ReadKernel read(machine);
  std::map<bool, PeakKernel> peaks;
  Report report(machine);
  for (const WeightKind &type : types) {
    LoadedKernel kernel = compile(machine, type.variant);
    Type element = type.variant.weightType(&kernelContext());
    int64_t largest = 64 << 20;
    for (LayerShape s : shapes)
      largest = std::max(largest, (s.outputs + 15) / 16 * 16 * (s.inputs + 1) *
                                      element.getIntOrFloatBitWidth() / 8);
    Pages pool(std::max(largest, static_cast<int64_t>(poolMiB) << 20));
    fillRandom(pool.data, pool.size, element);
    for (LayerShape shape : shapes) {
      Case c(type, shape, kernel, pool);
      PeakKernel &peak = peaks.try_emplace(c.isDpbf16(), machine, c.isDpbf16()).first->second;
      report.add(c, team, [&] { return peak.measure(team, whichClock); }, read, pool);
    }
  }
  report.finish();
  return 0;
}
