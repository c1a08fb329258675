// SPDX-License-Identifier: Apache-2.0
//
// Linear kernels against this computer's own ceilings. Every repetition of a kernel runs between a
// peak loop and a read loop on the same threads; what is printed are medians, and medians of the
// ratios to the ceilings of the same moment. Weights lie packed (docs/Contracts.md §3) before the
// clock starts and come from memory, not from a cache: calls go through copies in turn. Before
// anything is timed, a sample of the results is compared, bit for bit, with the chain of §4.
#include "bench/cpu/Ceilings.h"
#include "lib/Target/CPU/LinearKernels.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

static llvm::cl::OptionCategory category("benchmark");
static llvm::cl::opt<std::string>
    cpuName("cpu", llvm::cl::init("native"), llvm::cl::cat(category),
            llvm::cl::desc("machine to compile for, as sluicec's --cpu (default: native)"));
static llvm::cl::list<std::string>
    shapeTexts("shapes", llvm::cl::CommaSeparated, llvm::cl::value_desc("MxNxK,..."),
               llvm::cl::cat(category),
               llvm::cl::desc("rows x outputs x inputs; default: layers of Qwen2.5-0.5B, "
                              "Llama-3.2-1B and Llama-3-8B at several row counts, and odd shapes"));
static llvm::cl::list<std::string>
    typeNames("types", llvm::cl::CommaSeparated, llvm::cl::value_desc("TYPE,..."),
              llvm::cl::cat(category),
              llvm::cl::desc("f32, f16, bf16 (by the dot that is faster on the machine), bf16-fma, "
                             "bf16-dpbf16 (default: f32,bf16)"));
static llvm::cl::opt<int>
    threads("cores", llvm::cl::init(1), llvm::cl::cat(category),
            llvm::cl::desc("cores to run on, one thread on each (default: 1)"));
static llvm::cl::opt<int>
    repetitions("repetitions", llvm::cl::init(20), llvm::cl::cat(category),
                llvm::cl::desc("of each kernel and its ceilings (default: 20)"));
static llvm::cl::opt<int> poolMiB(
    "pool", llvm::cl::init(512), llvm::cl::value_desc("MiB"), llvm::cl::cat(category),
    llvm::cl::desc("weights that the calls go through before one is read again; 0: always the same "
                   "ones, from whatever cache holds them (default: 512)"));
static llvm::cl::opt<Clock> whichClock(
    "clock", llvm::cl::init(Clock::Cpu), llvm::cl::cat(category),
    llvm::cl::desc("what seconds are:"),
    llvm::cl::values(clEnumValN(Clock::Cpu, "cpu",
                                "of the slowest thread's own time, so that a busy computer counts "
                                "less (default)"),
                     clEnumValN(Clock::Wall, "wall", "from the call to the last thread's end")));
static llvm::cl::opt<bool> asJson("json", llvm::cl::cat(category),
                                  llvm::cl::desc("print Google-Benchmark JSON"));
static llvm::cl::opt<bool>
    showAssembly("asm", llvm::cl::cat(category),
                 llvm::cl::desc("print each kernel's assembly and measure nothing"));

namespace {

struct Shape {
  int64_t rows, outputs, inputs;
};

struct WeightKind {
  std::string name;
  LinearVariant variant;
};

[[noreturn]] void usage(const llvm::Twine &message) {
  llvm::errs() << "sluice-bench-linear: " << message << "\n";
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
    usage("expected a shape MxNxK of positive numbers such as 512x4864x896, but found '" + text +
          "'");
  return {numbers[0], numbers[1], numbers[2]};
}

/// N x K of the linear layers as they run: joined qkv and gate-up, then o and down.
SmallVector<Shape> defaultShapes() {
  SmallVector<Shape> shapes;
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
  Type index = IndexType::get(context);
  Type types[] = {arrayOf(variant.weightType(context)),
                  arrayOf(variant.rowType(context)),
                  index,
                  arrayOf(variant.destType(context)),
                  index,
                  index,
                  index,
                  index,
                  index,
                  index};
  return LoadedKernel(machine, types, [&](KernelBuilder &k, ModuleOp module, ArrayRef<Val> v) {
    LinearOperands o;
    o.weights = v[0], o.rows = v[1], o.rowStride = v[2], o.dest = v[3], o.destStride = v[4];
    o.rowCount = v[5], o.inputs = v[6], o.outputs = v[7];
    o.firstPanel = v[8], o.endPanel = v[9];
    callLinear(k, module, machine, variant, o);
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
class Case {
public:
  Case(const WeightKind &type, Shape shape, const LoadedKernel &kernel, const Pages &pool)
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

  /// Seconds of |calls| calls, the copies of the weights in turn.
  double measure(Team &team, Clock clock, int64_t calls) {
    int64_t first = next;
    next = (next + calls) % blocks;
    return team.run(clock, [&](int64_t me) {
      for (int64_t i = 0; i < calls; ++i)
        call(first + i, me, team.size());
    });
  }

  /// Compares some results with the chain; an empty string when they are the same.
  std::string check(Team &team) {
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

  std::string name() const {
    return llvm::formatv("linear/{0}/{1}x{2}x{3}/threads:{4}", type.name, shape.rows, shape.outputs,
                         shape.inputs, threads.getValue());
  }
  double flops() const { return 2.0 * shape.rows * shape.outputs * shape.inputs; }
  double bytes() const { return static_cast<double>(block); }
  bool isDpbf16() const {
    return type.variant.weights == LinearVariant::Weights::Bf16 && type.variant.dot == Dot::Dpbf16;
  }

private:
  void call(int64_t which, int64_t me, int64_t workers) const {
    kernel(pool.data + which % blocks * block, rows.data, rowStride, dest.data, destStride,
           shape.rows, shape.inputs, shape.outputs, me * panels / workers,
           (me + 1) * panels / workers);
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
  Shape shape;
  const LoadedKernel &kernel;
  const Pages &pool;
  Type weightType, rowType;
  int64_t group, panels, panelElements, block, blocks, rowStride, destStride, next = 0;
  Pages rows, dest;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

struct Result {
  std::vector<double> seconds, peak, read, ofPeak, ofRead, ofFloor; ///< one per repetition
};

/// A repetition is as many calls as take some milliseconds, so that a clock's grain is nothing.
Result measure(Case &c, Team &team, PeakKernel &peak, ReadKernel &read, const Pages &pool) {
  double once = c.measure(team, whichClock, 1);
  auto calls = static_cast<int64_t>(std::clamp(4e-3 / std::max(once, 1e-7), 1.0, 1e5));
  c.measure(team, whichClock, calls);
  Result result;
  for (int i = 0; i < repetitions; ++i) {
    double peakRate = peak.measure(team, whichClock);
    double seconds = c.measure(team, whichClock, calls) / static_cast<double>(calls);
    double readRate = read.measure(team, whichClock, pool);
    double floor = std::max(c.flops() / peakRate, c.bytes() / readRate);
    result.seconds.push_back(seconds);
    result.peak.push_back(peakRate);
    result.read.push_back(readRate);
    result.ofPeak.push_back(c.flops() / seconds / peakRate);
    result.ofRead.push_back(c.bytes() / seconds / readRate);
    result.ofFloor.push_back(floor / seconds);
  }
  return result;
}

llvm::json::Object toJson(const Case &c, const Result &r) {
  double seconds = median(r.seconds);
  return llvm::json::Object{
      {"name", c.name()},
      {"run_name", c.name()},
      {"run_type", "aggregate"},
      {"aggregate_name", "median"},
      {"repetitions", repetitions.getValue()},
      {"threads", threads.getValue()},
      {"real_time", seconds * 1e6},
      {"cpu_time", seconds * 1e6},
      {"time_unit", "us"},
      {"min_time", *std::min_element(r.seconds.begin(), r.seconds.end()) * 1e6},
      {"GFLOP_per_s", c.flops() / seconds * 1e-9},
      {"peak_GFLOP_per_s", median(r.peak) * 1e-9},
      {"of_peak", median(r.ofPeak)},
      {"GB_per_s", c.bytes() / seconds * 1e-9},
      {"read_GB_per_s", median(r.read) * 1e-9},
      {"of_read", median(r.ofRead)},
      {"of_floor", median(r.ofFloor)},
  };
}

} // namespace

int main(int argc, char **argv) {
  llvm::cl::HideUnrelatedOptions(category);
  llvm::cl::ParseCommandLineOptions(
      argc, argv,
      "times linear layers on packed weights against the ceilings of the cores that they run on\n\n"
      "  sluice-bench-linear --shapes=512x9728x896,1x9728x896 --types=f32,bf16 --threads=2 "
      "--json\n\n"
      "Each line: time of a call, arithmetic rate and its part of the peak, rate of the weights'\n"
      "bytes and its part of a plain read loop, and the part of the floor, which is the slower of\n"
      "the two. Exit code 5 when a result has other bits than the reduction rule gives.\n");
  if (threads < 1 || repetitions < 1 || poolMiB < 0)
    usage("expected positive numbers for --cores and --repetitions, and --pool of at least 0");
  CPUMachine machine = machineOrDie(cpuName);
  if (!canRun(machine)) {
    llvm::errs() << "this computer cannot run code for " << cpuName << "\n";
    return 1;
  }
  std::vector<WeightKind> types;
  for (const std::string &name : typeNames)
    types.push_back(parseType(name, machine));
  if (types.empty())
    types = {parseType("f32", machine), parseType("bf16", machine)};
  SmallVector<Shape> shapes;
  for (const std::string &text : shapeTexts)
    shapes.push_back(parseShape(text));
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
  double load[1] = {0};
  if (getloadavg(load, 1) == 1 && load[0] > 1.5)
    llvm::errs() << "note: the load average is " << load[0]
                 << "; others share the caches and the memory, so expect noise\n";
  if (!asJson)
    llvm::outs() << "machine " << machine.cpu << ", " << threads << " thread"
                 << (threads > 1 ? "s" : "") << ", " << repetitions
                 << " interleaved repetitions, medians\n";
  llvm::json::Array rows;
  for (const WeightKind &type : types) {
    LoadedKernel kernel = compile(machine, type.variant);
    Type element = type.variant.weightType(&kernelContext());
    int64_t largest = 64 << 20;
    for (Shape s : shapes)
      largest = std::max(largest, (s.outputs + 15) / 16 * 16 * (s.inputs + 1) *
                                      element.getIntOrFloatBitWidth() / 8);
    Pages pool(std::max(largest, static_cast<int64_t>(poolMiB) << 20));
    fillRandom(pool.data, pool.size, element);
    for (Shape shape : shapes) {
      Case c(type, shape, kernel, pool);
      if (std::string difference = c.check(team); !difference.empty()) {
        llvm::errs() << c.name() << ": " << difference << "\n";
        return 5;
      }
      auto [peak, isNew] = peaks.try_emplace(c.isDpbf16(), machine, c.isDpbf16());
      Result r = measure(c, team, peak->second, read, pool);
      if (asJson) {
        rows.push_back(toJson(c, r));
        continue;
      }
      llvm::outs() << llvm::format(
          "%-40s %10.1f us %8.1f GFLOP/s %5.1f%% of peak %8.2f GB/s %5.1f%% of read %5.1f%% of "
          "floor\n",
          c.name().c_str(), median(r.seconds) * 1e6, c.flops() / median(r.seconds) * 1e-9,
          100 * median(r.ofPeak), c.bytes() / median(r.seconds) * 1e-9, 100 * median(r.ofRead),
          100 * median(r.ofFloor));
      llvm::outs().flush();
    }
  }
  if (asJson)
    llvm::outs() << llvm::formatv("{0:2}",
                                  llvm::json::Value(llvm::json::Object{
                                      {"context",
                                       llvm::json::Object{
                                           {"executable", "sluice-bench-linear"},
                                           {"num_cpus", std::thread::hardware_concurrency()},
                                           {"cpu", machine.cpu},
                                           {"bf16_dot", sluice::stringify(machine.bf16Dot)},
                                           {"clock", whichClock == Clock::Cpu ? "cpu" : "wall"},
                                           {"load_avg", llvm::json::Array{load[0]}}}},
                                      {"benchmarks", std::move(rows)}}))
                 << "\n";
  return 0;
}
