// SPDX-License-Identifier: Apache-2.0
//
// What this computer can do at best, measured with code that our own compiler emits: multiply-adds
// from registers and a plain read loop. A benchmark runs them next to its kernels, in the same
// moments and on the same threads, so that a ratio means something on a shared computer.
#ifndef SLUICE_BENCH_CPU_CEILINGS_H
#define SLUICE_BENCH_CPU_CEILINGS_H

#include "test/Target/CPU/KernelHarness.h"

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace sluice::cpu {

/// Which clock a time is taken from. Cpu: of the slowest thread's own time, so that what others
/// take of a shared core does not count; Wall: from the call to the last thread's end.
enum class Clock { Cpu, Wall };

/// Threads that run one function together, each pinned to a core of its own; the caller is the
/// first. They spin between calls: nothing else is to be measured meanwhile.
class Team {
public:
  explicit Team(int64_t size);
  ~Team();
  int64_t size() const { return static_cast<int64_t>(helpers.size()) + 1; }

  /// |work|(me) on every thread; the seconds that it took.
  double run(Clock clock, llvm::function_ref<void(int64_t me)> work);

private:
  void help(int64_t me);
  double work(int64_t me);

  llvm::function_ref<void(int64_t)> current;
  std::vector<std::thread> helpers;
  std::vector<double> cpuSeconds;
  std::atomic<int64_t> turn{0}, done{0};
  std::atomic<bool> stop{false};
};

/// Zeroed pages, big ones if the system has them, as the runtime maps its weights.
class Pages {
public:
  explicit Pages(int64_t bytes);
  ~Pages();
  Pages(const Pages &) = delete;
  Pages &operator=(const Pages &) = delete;
  uint8_t *data;
  int64_t size;
};

/// Small random numbers (one sixteenth to one eighth, either sign) of |element|: f32, bf16 or f16.
void fillRandom(uint8_t *data, int64_t bytes, mlir::Type element);

/// The most multiply-adds from registers: f32 fma, or bf16 pairs by vdpbf16ps.
class PeakKernel {
public:
  PeakKernel(const CPUMachine &machine, bool dpbf16);
  /// Operations per second (two per multiply-add), all threads together.
  double measure(Team &team, Clock clock);

private:
  LoadedKernel kernel;
  bool dpbf16;
  int64_t chains;
  std::vector<std::unique_ptr<Pages>> data;
};

/// Plain vector loads, eight streams per thread.
class ReadKernel {
public:
  explicit ReadKernel(const CPUMachine &machine);
  /// Bytes per second, all threads together; goes through |pages| in pieces, from call to call.
  double measure(Team &team, Clock clock, const Pages &pages);

private:
  LoadedKernel kernel;
  int64_t next = 0;
};

} // namespace sluice::cpu

#endif
