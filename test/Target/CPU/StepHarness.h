// SPDX-License-Identifier: Apache-2.0
//
// One step at a time: a module of the placed stage goes through the target stage into a loaded
// library, and a test plays the runtime: it fills the call record by hand and runs a team.
#ifndef SLUICE_TEST_TARGET_CPU_STEPHARNESS_H
#define SLUICE_TEST_TARGET_CPU_STEPHARNESS_H

#include "sluice-rt/kernel_abi.h"
#include "sluice/Machine/Machine.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace sluice::cpu {

/// splitmix64: the tests' only source of numbers.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t bits();
  /// In [-1, 1).
  float uniform();
  /// In [0, n).
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
  std::vector<float> floats(int64_t n, float scale = 1);

private:
  uint64_t state;
};

/// Arrays of a sluice_batch_t.
struct Batch {
  /// Sequences of |rows| rows after |past| keys each; positions count from the start.
  struct Sequence {
    int32_t past, rows;
  };
  explicit Batch(std::vector<Sequence> sequences);
  sluice_batch_t record() const;
  int64_t rows() const { return static_cast<int64_t>(rowSeq.size()); }
  int64_t seqs() const { return static_cast<int64_t>(past.size()); }

  std::vector<int32_t> rowStart, past, rowSeq, position;
  std::vector<int32_t> pageStart, pageTable; ///< to be filled by tests with pages
};

/// What a call reads and writes. Everything is the test's own memory.
struct CallData {
  const Batch *batch = nullptr;
  std::vector<void *> args;
  std::vector<int64_t> dims;
  std::vector<std::vector<uint8_t>> weights; ///< copied to aligned memory
  std::vector<sluice_pages_t> pages;
  const sluice_home_t *home = nullptr;
  int64_t arenaRow = 0, arenaSeq = 0, arenaFixed = 0;
  sluice_trap_t trap = {};

  template <typename T>
  void arg(std::vector<T> &array, int64_t leading) {
    args.push_back(array.data());
    dims.push_back(leading);
  }
  template <typename T>
  void weight(const std::vector<T> &array) {
    auto *bytes = reinterpret_cast<const uint8_t *>(array.data());
    weights.emplace_back(bytes, bytes + array.size() * sizeof(T));
  }
};

class LoadedStep {
public:
  /// |text| is a module of the placed stage. Ends the program with the diagnostics when it does not
  /// compile.
  explicit LoadedStep(llvm::StringRef text, llvm::StringRef cpu = "native");
  ~LoadedStep();
  LoadedStep(const LoadedStep &) = delete;
  LoadedStep &operator=(const LoadedStep &) = delete;

  /// Runs `sluice_fn_<function>` on |workers| threads. The arena is poison (NaN) at the start and
  /// has |red zones| that are checked; |data.trap| says what was trapped.
  void run(const char *function, CallData &data, int workers) const;
  /// The function itself, for callers that fill their own call record.
  sluice_entry_fn entry(const char *function) const;

private:
  void *library = nullptr;
};

/// The bits of numbers: what equal results have in common.
std::vector<uint32_t> bitsOf(const std::vector<float> &values);
uint32_t bitsOf(float value);
float floatOf(uint32_t bits);

/// docs/Contracts.md, section 4: 16 lanes, then the tree; |term| gives the lane's next sum.
template <typename Term>
float laneSum(int64_t n, Term term) {
  float lanes[16] = {};
  for (int64_t i = 0; i < n; ++i)
    lanes[i % 16] = term(i, lanes[i % 16]);
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

} // namespace sluice::cpu

#endif
