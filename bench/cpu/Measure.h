// SPDX-License-Identifier: Apache-2.0
//
// What the kernel benchmarks share: options, repetitions beside the ceilings of the same moment,
// and how results are printed.
#ifndef SLUICE_BENCH_CPU_MEASURE_H
#define SLUICE_BENCH_CPU_MEASURE_H

#include "bench/cpu/Ceilings.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/JSON.h"

namespace sluice::cpu {

extern llvm::cl::OptionCategory benchCategory;
extern llvm::cl::opt<std::string> cpuName;
extern llvm::cl::opt<int> threads, repetitions;
extern llvm::cl::opt<Clock> whichClock;
extern llvm::cl::opt<bool> asJson;

/// Reads the command line, of which |overview| tells, and gives the machine to compile for. Ends
/// the program with 1 for options that make no sense or a machine that this computer is not.
CPUMachine startBench(int argc, char **argv, const char *overview);

/// Ends the program with 1.
[[noreturn]] void usage(const llvm::Twine &message);

/// M x N x K of a linear layer.
struct LayerShape {
  int64_t rows, outputs, inputs;
};
LayerShape parseLayerShape(llvm::StringRef text);

/// A kernel with its data.
class Workload {
public:
  virtual ~Workload();
  virtual std::string name() const = 0;
  /// Seconds of |calls| calls.
  virtual double measure(Team &team, int64_t calls) = 0;
  /// Runs once and compares results with plain loops; an empty string when they are right.
  virtual std::string check(Team &team) = 0;
  virtual double operations() const = 0;
  /// That have to come from memory.
  virtual double bytes() const = 0;
};

/// Checks, times and prints workloads, in text or as Google-Benchmark JSON.
class Report {
public:
  Report(const CPUMachine &machine);

  /// |peak| gives operations per second. Ends the program with 5 when the results are wrong.
  void add(Workload &workload, Team &team, llvm::function_ref<double()> peak, ReadKernel &read,
           const Pages &pool);
  /// Prints what is left to print.
  void finish();

private:
  const CPUMachine &machine;
  double load = 0;
  llvm::json::Array rows;
};

} // namespace sluice::cpu

#endif
