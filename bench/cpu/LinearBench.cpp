// SPDX-License-Identifier: Apache-2.0
//
// Linear kernels against this core's own ceilings. Everything is measured in one process,
// interleaved, repetition by repetition: fma and vdpbf16ps peaks, a plain read loop, then the
// kernels; what is printed is the ratio of medians.
//
//   sluice-bench-linear [--cpu=native] [--repetitions=20] [--filter=TEXT] [--asm]
#include "lib/Target/CPU/Intrinsics.h"
#include "lib/Target/CPU/LinearKernels.h"
#include "test/Target/CPU/KernelHarness.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;

static llvm::cl::opt<std::string> cpuName("cpu", llvm::cl::init("native"),
                                          llvm::cl::desc("machine to compile for"));
static llvm::cl::opt<int> repetitions("repetitions", llvm::cl::init(20),
                                      llvm::cl::desc("interleaved repetitions"));
static llvm::cl::opt<std::string> filter("filter",
                                         llvm::cl::desc("only kernels whose line contains this"));
static llvm::cl::opt<bool>
    showAssembly("asm", llvm::cl::desc("print each kernel's assembly and measure nothing"));

namespace {

/// Aligned memory filled with small random numbers of a type, never zeros.
class Buffer {
public:
  Buffer(int64_t bytes, Type element) : size((bytes + 4095) / 4096 * 4096) {
    data = static_cast<uint8_t *>(std::aligned_alloc(4096, size));
    uint32_t state = 12345;
    bool narrow = element.getIntOrFloatBitWidth() == 16, half = element.isF16();
    for (int64_t i = 0; i < size / (narrow ? 2 : 4); ++i) {
      state = state * 1664525 + 1013904223;
      if (narrow)
        reinterpret_cast<uint16_t *>(data)[i] =
            (state >> 16 & 0x8000) | (half ? 0x2c00 : 0x3d80) | (state >> 20 & 0x7f);
      else
        reinterpret_cast<uint32_t *>(data)[i] =
            (state & 0x80000000) | 0x3d800000 | (state >> 9 & 0x7fffff);
    }
  }
  ~Buffer() { std::free(data); }
  uint8_t *data;
  int64_t size;
};

struct Measurement {
  std::string name;
  double work; ///< flops or bytes per run
  const char *unit;
  std::string ceiling;       ///< name of the measurement it is held against; empty for a ceiling
  std::function<void()> run; ///< one repetition
  std::vector<double> seconds;

  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
  double rate() const { return work / median() * 1e-9; }
};

std::vector<Measurement> all;
std::vector<std::shared_ptr<void>> kept;

template <typename T, typename... Args>
std::shared_ptr<T> keep(Args &&...args) {
  auto made = std::make_shared<T>(std::forward<Args>(args)...);
  kept.push_back(made);
  return made;
}

bool wanted(const std::string &name) {
  return filter.empty() || name.find(filter) != std::string::npos;
}

/// CPU time of this thread: on a shared computer, what others take of the core does not count.
double threadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

//===-- Ceilings ------------------------------------------------------------------------------===//

void addPeak(const CPUMachine &machine, bool dpbf16Peak) {
  Type index = IndexType::get(&kernelContext()), f32 = Float32Type::get(&kernelContext());
  int64_t chains = machine.vectorRegisters == 32 && machine.vectorBytes == 64 ? 24 : 6;
  auto kernel = keep<LoadedKernel>(
      machine, ArrayRef<Type>{arrayOf(f32), index},
      [&](KernelBuilder &k, ModuleOp, ArrayRef<Val> a) {
        Val x = k.loadVector(a[0], 0), y = k.loadVector(a[0], 16);
        SmallVector<Val> init;
        for (int64_t i = 0; i < chains; ++i)
          init.push_back(k.loadVector(a[0], 32 + i));
        Val xs = k.bitcast(x, k.bf16Type()), ys = k.bitcast(y, k.bf16Type());
        SmallVector<Val> sums = k.reductionLoop(0, a[1], 1, init, [&](Val, ArrayRef<Val> carried) {
          SmallVector<Val> next;
          for (Val sum : carried)
            next.push_back(dpbf16Peak ? dpbf16(k, sum, xs, ys) : k.fma(x, y, sum));
          return next;
        });
        for (auto [i, sum] : llvm::enumerate(sums))
          k.store(sum, a[0], 64 + i * 16);
      });
  auto data = keep<Buffer>(4096, f32);
  int64_t turns = 1000000;
  double flops = 2.0 * 16 * chains * turns * (dpbf16Peak ? 2 : 1);
  all.push_back({dpbf16Peak ? "peak dpbf16" : "peak fma",
                 flops,
                 "GFLOP/s",
                 "",
                 [=] { (*kernel)(data->data, turns); },
                 {}});
}

/// Reads |bytes| at |data| with plain vector loads, eight streams.
void addRead(const CPUMachine &machine, const std::string &name, std::shared_ptr<Buffer> data) {
  Type index = IndexType::get(&kernelContext()), i32 = IntegerType::get(&kernelContext(), 32);
  auto kernel = keep<LoadedKernel>(
      machine, ArrayRef<Type>{arrayOf(i32), index, arrayOf(i32)},
      [&](KernelBuilder &k, ModuleOp, ArrayRef<Val> a) {
        Val part = a[1] / 8;
        SmallVector<Val> sums = k.reductionLoop(
            0, part, 16, SmallVector<Val>(8, k.splatI32(0)), [&](Val i, ArrayRef<Val> carried) {
              SmallVector<Val> next;
              for (auto [stream, sum] : llvm::enumerate(carried))
                next.push_back(sum ^ k.loadVector(a[0], part * static_cast<int64_t>(stream) + i));
              return next;
            });
        for (auto [i, sum] : llvm::enumerate(sums))
          k.store(sum, a[2], i * 16);
      });
  auto sink = keep<Buffer>(4096, i32);
  int64_t words = data->size / 4 / 128 * 128;
  all.push_back(
      {name, 4.0 * words, "GB/s", "", [=] { (*kernel)(data->data, words, sink->data); }, {}});
}

//===-- Kernels -------------------------------------------------------------------------------===//

std::shared_ptr<LoadedKernel> linear(const CPUMachine &machine, const LinearVariant &variant) {
  static std::vector<std::pair<std::string, std::shared_ptr<LoadedKernel>>> compiled;
  for (auto &[name, kernel] : compiled)
    if (name == variant.name())
      return kernel;
  MLIRContext *context = &kernelContext();
  Type index = IndexType::get(context);
  Type types[] = {arrayOf(variant.weightType(context)),
                  arrayOf(variant.rowType(context)),
                  index,
                  arrayOf(variant.destType(context)),
                  index,
                  index,
                  index,
                  index};
  auto kernel =
      keep<LoadedKernel>(machine, types, [&](KernelBuilder &k, ModuleOp module, ArrayRef<Val> v) {
        LinearOperands o;
        o.weights = v[0], o.rows = v[1], o.rowStride = v[2], o.dest = v[3], o.destStride = v[4];
        o.rowCount = v[5], o.inputs = v[6], o.outputs = v[7];
        o.firstPanel = k.index(0), o.endPanel = k.ceilDiv(o.outputs, 16);
        callLinear(k, module, machine, variant, o);
      });
  compiled.push_back({variant.name(), kernel});
  if (showAssembly)
    llvm::outs() << kernel->assembly();
  return kernel;
}

/// |layers| weight blocks in turn, so that caches do not answer where the shape is meant to stream.
void addLinear(const CPUMachine &machine, const LinearVariant &variant, int64_t rows,
               int64_t outputs, int64_t inputs, int64_t layers, const std::string &ceiling,
               std::shared_ptr<Buffer> weights = nullptr) {
  std::string name = llvm::formatv("{0} {1}x{2}x{3}", variant.name(), rows, outputs, inputs);
  if (!wanted(name))
    return;
  MLIRContext *context = &kernelContext();
  auto kernel = linear(machine, variant);
  Type w = variant.weightType(context), x = variant.rowType(context), d = variant.destType(context);
  int64_t block = (outputs + 15) / 16 * 16 * (inputs + inputs % 2) * w.getIntOrFloatBitWidth() / 8;
  if (!weights)
    weights = keep<Buffer>(block * layers, w);
  // Strides as the placer pads them: an odd number of cache lines.
  int64_t rowStride = (inputs + 15) / 16 * 16 + 16, destStride = (outputs + 15) / 16 * 16 + 16;
  auto in = keep<Buffer>(rows * rowStride * 4, x), out = keep<Buffer>(rows * destStride * 4, d);
  bool isStream = ceiling.find("read") == 0;
  double work = isStream ? double(block * layers) : 2.0 * rows * outputs * inputs * layers;
  all.push_back({name,
                 work,
                 isStream ? "GB/s" : "GFLOP/s",
                 ceiling,
                 [=] {
                   for (int64_t l = 0; l < layers; ++l)
                     (*kernel)(weights->data + l * block, in->data, rowStride, out->data,
                               destStride, rows, inputs, outputs);
                 },
                 {}});
}

} // namespace

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv,
                                    "linear kernels against the ceilings of one core\n");
  CPUMachine machine = machineOrDie(cpuName);
  if (!canRun(machine)) {
    llvm::errs() << "this computer cannot run code for " << cpuName << "\n";
    return 1;
  }
  MLIRContext *context = &kernelContext();
  LinearVariant f32, bf16, bf16Dot, f16;
  bf16.weights = bf16Dot.weights = LinearVariant::Weights::Bf16;
  bf16Dot.dot = Dot::Dpbf16;
  f16.weights = LinearVariant::Weights::F16;

  addPeak(machine, false);
  if (machine.hasDpbf16)
    addPeak(machine, true);
  std::string bf16Peak = machine.bf16Dot == Dot::Fma ? "peak fma" : "peak dpbf16";
  for (int64_t n : {1024, 1000, 2048}) {
    addLinear(machine, f32, n, n, n, 1, "peak fma");
    addLinear(machine, bf16, n, n, n, 1, bf16Peak);
    if (machine.hasDpbf16)
      addLinear(machine, bf16Dot, n, n, n, 1, bf16Peak);
  }
  addLinear(machine, f32, 512, 4864, 896, 1, "peak fma");
  addLinear(machine, bf16, 512, 896, 4864, 1, bf16Peak);
  addLinear(machine, f16, 1024, 1024, 1024, 1, "peak fma");

  // Streams: a Qwen2.5-0.5B-like gate and up projection, 24 layers of it.
  auto halves = keep<Buffer>(9728LL * 896 * 2 * 24, BFloat16Type::get(context));
  addRead(machine, "read", halves);
  for (int64_t rows : {1, 2, 4, 6, 8, 12, 16}) {
    addLinear(machine, bf16, rows, 9728, 896, 24, "read", halves);
    if (rows == 1) {
      addLinear(machine, f32, rows, 9728 / 2, 896, 24, "read", halves);
      addLinear(machine, f16, rows, 9728, 896, 24, "read", halves);
      addLinear(machine, bf16, rows, 896, 9728, 24, "read", halves);
      if (machine.hasDpbf16)
        addLinear(machine, bf16Dot, rows, 9728, 896, 24, "read", halves);
    }
  }
  if (showAssembly)
    return 0;

  for (Measurement &m : all)
    m.run();
  for (int i = 0; i < repetitions; ++i)
    for (Measurement &m : all) {
      double start = threadSeconds();
      m.run();
      m.seconds.push_back(threadSeconds() - start);
    }
  double load[1];
  if (getloadavg(load, 1) == 1 && load[0] > 1.5)
    llvm::errs() << "note: the load average is " << load[0]
                 << "; others share this core's caches and memory, so expect noise\n";
  llvm::outs() << "machine " << machine.cpu << ", bf16 dot " << sluice::stringify(machine.bf16Dot)
               << ", " << repetitions << " interleaved repetitions, medians\n";
  for (const Measurement &m : all) {
    llvm::outs() << llvm::format("%-60s %8.1f %s", m.name.c_str(), m.rate(), m.unit);
    for (const Measurement &ceiling : all)
      if (ceiling.name == m.ceiling)
        llvm::outs() << llvm::format("  %5.1f%% of %s", 100 * m.rate() / ceiling.rate(),
                                     ceiling.name.c_str());
    llvm::outs() << "\n";
  }
  return 0;
}
