// SPDX-License-Identifier: Apache-2.0
#include "bench/cpu/Ceilings.h"

#include "lib/Target/CPU/Intrinsics.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

//===-- Threads -------------------------------------------------------------------------------===//

static double threadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

static double wallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Pins the calling thread to the |which|-th core that this process may use.
static void pin(int64_t which) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed) && which-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      pthread_setaffinity_np(pthread_self(), sizeof one, &one);
      return;
    }
}

Team::Team(int64_t size) : cpuSeconds(size) {
  for (int64_t me = 1; me < size; ++me)
    helpers.emplace_back([this, me] {
      pin(me);
      help(me);
    });
  pin(0); // last: a thread is born with its maker's cores
}

Team::~Team() {
  stop = true;
  ++turn;
  for (std::thread &helper : helpers)
    helper.join();
}

double Team::work(int64_t me) {
  double start = threadSeconds();
  current(me);
  return threadSeconds() - start;
}

void Team::help(int64_t me) {
  for (int64_t seen = 0;; ++seen) {
    while (turn.load(std::memory_order_acquire) == seen)
      ;
    if (stop)
      return;
    cpuSeconds[me] = work(me);
    done.fetch_add(1, std::memory_order_release);
  }
}

double Team::run(Clock clock, llvm::function_ref<void(int64_t)> function) {
  current = function;
  done = 0;
  double start = wallSeconds();
  turn.fetch_add(1, std::memory_order_release);
  cpuSeconds[0] = work(0);
  while (done.load(std::memory_order_acquire) < size() - 1)
    ;
  double wall = wallSeconds() - start;
  return clock == Clock::Wall ? wall : *std::max_element(cpuSeconds.begin(), cpuSeconds.end());
}

//===-- Data ----------------------------------------------------------------------------------===//

Pages::Pages(int64_t bytes) : size((bytes + 4095) / 4096 * 4096) {
  void *mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    llvm::errs() << "cannot reserve " << size << " bytes for the benchmark\n";
    std::exit(4);
  }
  if (size >= 4 << 20)
    (void)madvise(mapped, size, MADV_HUGEPAGE);
  data = static_cast<uint8_t *>(mapped);
}

Pages::~Pages() { munmap(data, size); }

void fillRandom(uint8_t *data, int64_t bytes, Type element) {
  uint32_t state = 12345;
  bool narrow = element.getIntOrFloatBitWidth() == 16, half = element.isF16();
  for (int64_t i = 0; i < bytes / (narrow ? 2 : 4); ++i) {
    state = state * 1664525 + 1013904223;
    if (narrow)
      reinterpret_cast<uint16_t *>(data)[i] = static_cast<uint16_t>(
          (state >> 16 & 0x8000) | (half ? 0x2c00 : 0x3d80) | (state >> 20 & 0x7f));
    else
      reinterpret_cast<uint32_t *>(data)[i] =
          (state & 0x80000000) | 0x3d800000 | (state >> 9 & 0x7fffff);
  }
}

//===-- Ceilings ------------------------------------------------------------------------------===//

/// Enough chains that the latency of a multiply-add hides, in vectors of 16, each in registers.
static int64_t chainsFor(const CPUMachine &machine) {
  return machine.vectorRegisters == 32 && machine.vectorBytes == 64 ? 24 : 6;
}

PeakKernel::PeakKernel(const CPUMachine &machine, bool dpbf16)
    : kernel(machine,
             ArrayRef<Type>{arrayOf(Float32Type::get(&kernelContext())),
                            IndexType::get(&kernelContext())},
             [&](KernelBuilder &k, ModuleOp, ArrayRef<Val> a) {
               Val x = k.loadVector(a[0], 0), y = k.loadVector(a[0], 16);
               SmallVector<Val> init;
               for (int64_t i = 0; i < chainsFor(machine); ++i)
                 init.push_back(k.loadVector(a[0], 32 + i));
               Val xs = k.bitcast(x, k.bf16Type()), ys = k.bitcast(y, k.bf16Type());
               SmallVector<Val> sums =
                   k.reductionLoop(0, a[1], 1, init, [&](Val, ArrayRef<Val> carried) {
                     SmallVector<Val> next;
                     for (Val sum : carried)
                       next.push_back(dpbf16 ? cpu::dpbf16(k, sum, xs, ys) : k.fma(x, y, sum));
                     return next;
                   });
               for (auto [i, sum] : llvm::enumerate(sums))
                 k.store(sum, a[0], 64 + static_cast<int64_t>(i) * 16);
             }),
      dpbf16(dpbf16), chains(chainsFor(machine)) {}

double PeakKernel::measure(Team &team, Clock clock) {
  while (static_cast<int64_t>(data.size()) < team.size()) {
    data.push_back(std::make_unique<Pages>(4096));
    fillRandom(data.back()->data, 4096, Float32Type::get(&kernelContext()));
  }
  int64_t turns = 12000000 / chains;
  double seconds = team.run(clock, [&](int64_t me) { kernel(data[me]->data, turns); });
  return static_cast<double>(2 * 16 * chains * turns * (dpbf16 ? 2 : 1) * team.size()) / seconds;
}

ReadKernel::ReadKernel(const CPUMachine &machine)
    : kernel(machine,
             ArrayRef<Type>{arrayOf(IntegerType::get(&kernelContext(), 32)),
                            IndexType::get(&kernelContext()),
                            arrayOf(IntegerType::get(&kernelContext(), 32))},
             [](KernelBuilder &k, ModuleOp, ArrayRef<Val> a) {
               Val part = a[1] / 8;
               SmallVector<Val> sums = k.reductionLoop(
                   0, part, 16, SmallVector<Val>(8, k.splatI32(0)),
                   [&](Val i, ArrayRef<Val> carried) {
                     SmallVector<Val> next;
                     for (auto [stream, sum] : llvm::enumerate(carried))
                       next.push_back(sum ^
                                      k.loadVector(a[0], part * static_cast<int64_t>(stream) + i));
                     return next;
                   });
               for (auto [i, sum] : llvm::enumerate(sums))
                 k.store(sum, a[2], static_cast<int64_t>(i) * 16);
             }) {}

double ReadKernel::measure(Team &team, Clock clock, const Pages &pages) {
  // A piece is long enough that starting the streams does not show, and not read again before the
  // whole is through.
  int64_t piece = std::min<int64_t>(pages.size, 64 << 20) / 4096 * 4096;
  if (next + piece > pages.size)
    next = 0;
  int64_t share = piece / team.size() / 4096 * 4096;
  uint8_t *start = pages.data + next;
  next += piece;
  double seconds = team.run(clock, [&](int64_t me) {
    alignas(64) int32_t sink[128];
    kernel(start + me * share, share / 4, sink);
  });
  return static_cast<double>(share * team.size()) / seconds;
}

} // namespace sluice::cpu
