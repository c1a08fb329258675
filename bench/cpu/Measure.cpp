// SPDX-License-Identifier: Apache-2.0
//
// Repetitions of a kernel between its ceilings: medians, and medians of the ratios of one moment.
#include "bench/cpu/Measure.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cstdlib>

namespace sluice::cpu {

llvm::cl::OptionCategory benchCategory("benchmark");
llvm::cl::opt<std::string>
    cpuName("cpu", llvm::cl::init("native"), llvm::cl::cat(benchCategory),
            llvm::cl::desc("machine to compile for, as sluicec's --cpu (default: native)"));
llvm::cl::opt<int> threads("cores", llvm::cl::init(1), llvm::cl::cat(benchCategory),
                           llvm::cl::desc("cores to run on, one thread on each (default: 1)"));
llvm::cl::opt<int> repetitions("repetitions", llvm::cl::init(20), llvm::cl::cat(benchCategory),
                               llvm::cl::desc("of each shape and its ceilings (default: 20)"));
llvm::cl::opt<Clock> whichClock(
    "clock", llvm::cl::init(Clock::Cpu), llvm::cl::cat(benchCategory),
    llvm::cl::desc("what seconds are:"),
    llvm::cl::values(clEnumValN(Clock::Cpu, "cpu",
                                "of the slowest thread's own time, so that a busy computer counts "
                                "less (default)"),
                     clEnumValN(Clock::Wall, "wall", "from the call to the last thread's end")));
llvm::cl::opt<bool> asJson("json", llvm::cl::cat(benchCategory),
                           llvm::cl::desc("print Google-Benchmark JSON"));

static std::string program;

CPUMachine startBench(int argc, char **argv, const char *overview) {
  llvm::cl::HideUnrelatedOptions(benchCategory);
  llvm::cl::ParseCommandLineOptions(argc, argv, overview);
  program = llvm::StringRef(argv[0]).rsplit('/').second.str();
  if (program.empty())
    program = argv[0];
  if (threads < 1 || repetitions < 1)
    usage("expected positive numbers for --cores and --repetitions");
  CPUMachine machine = machineOrDie(cpuName);
  if (!canRun(machine))
    usage("this computer cannot run code for " + cpuName);
  return machine;
}

void usage(const llvm::Twine &message) {
  llvm::errs() << program << ": " << message << "\n";
  std::exit(1);
}

LayerShape parseLayerShape(llvm::StringRef text) {
  llvm::SmallVector<llvm::StringRef> parts;
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

Workload::~Workload() = default;

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Report::Report(const CPUMachine &machine) : machine(machine) {
  if (getloadavg(&load, 1) == 1 && load > 1.5)
    llvm::errs() << "note: the load average is " << load
                 << "; others share the caches and the memory, so expect noise\n";
  if (!asJson)
    llvm::outs() << "machine " << machine.cpu << ", " << threads << " thread"
                 << (threads > 1 ? "s" : "") << ", " << repetitions
                 << " interleaved repetitions, medians\n";
}

void Report::add(Workload &w, Team &team, llvm::function_ref<double()> peak, ReadKernel &read,
                 const Pages &pool) {
  if (std::string difference = w.check(team); !difference.empty()) {
    llvm::errs() << w.name() << ": " << difference << "\n";
    std::exit(5);
  }
  // A repetition is as many calls as take some milliseconds, so that a clock's grain is nothing.
  double once = w.measure(team, 1);
  auto calls = static_cast<int64_t>(std::clamp(4e-3 / std::max(once, 1e-7), 1.0, 1e5));
  if (calls > 1)
    w.measure(team, calls);
  std::vector<double> seconds, peaks, reads, ofPeak, ofRead, ofFloor;
  for (int i = 0; i < repetitions; ++i) {
    double peakRate = peak();
    double time = w.measure(team, calls) / static_cast<double>(calls);
    double readRate = read.measure(team, whichClock, pool);
    seconds.push_back(time);
    peaks.push_back(peakRate);
    reads.push_back(readRate);
    ofPeak.push_back(w.operations() / time / peakRate);
    ofRead.push_back(w.bytes() / time / readRate);
    ofFloor.push_back(std::max(w.operations() / peakRate, w.bytes() / readRate) / time);
  }
  double time = median(seconds), rate = w.operations() / time * 1e-9,
         byteRate = w.bytes() / time * 1e-9;
  if (!asJson) {
    llvm::outs() << llvm::format("%-62s %10.1f us %8.1f GOP/s %5.1f%% of peak %8.2f GB/s %5.1f%% "
                                 "of read %5.1f%% of floor\n",
                                 w.name().c_str(), time * 1e6, rate, 100 * median(ofPeak), byteRate,
                                 100 * median(ofRead), 100 * median(ofFloor));
    llvm::outs().flush();
    return;
  }
  rows.push_back(llvm::json::Object{
      {"name", w.name()},
      {"run_name", w.name()},
      {"run_type", "aggregate"},
      {"aggregate_name", "median"},
      {"repetitions", repetitions.getValue()},
      {"threads", threads.getValue()},
      {"real_time", time * 1e6},
      {"cpu_time", time * 1e6},
      {"time_unit", "us"},
      {"min_time", *std::min_element(seconds.begin(), seconds.end()) * 1e6},
      {"GFLOP_per_s", rate},
      {"peak_GFLOP_per_s", median(peaks) * 1e-9},
      {"of_peak", median(ofPeak)},
      {"GB_per_s", byteRate},
      {"read_GB_per_s", median(reads) * 1e-9},
      {"of_read", median(ofRead)},
      {"of_floor", median(ofFloor)},
  });
}

void Report::finish() {
  if (!asJson)
    return;
  llvm::json::Object context{{"executable", program},
                             {"num_cpus", std::thread::hardware_concurrency()},
                             {"cpu", machine.cpu},
                             {"bf16_dot", sluice::stringify(machine.bf16Dot)},
                             {"clock", whichClock == Clock::Cpu ? "cpu" : "wall"},
                             {"load_avg", llvm::json::Array{load}}};
  llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(
                                             llvm::json::Object{{"context", std::move(context)},
                                                                {"benchmarks", std::move(rows)}}))
               << "\n";
}

} // namespace sluice::cpu
