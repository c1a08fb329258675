// SPDX-License-Identifier: Apache-2.0
//
// What llvm-mca says about the inner loops of compiled code.

#ifndef SLUICE_TOOLS_SLUICEC_THROUGHPUT_H
#define SLUICE_TOOLS_SLUICEC_THROUGHPUT_H

#include "sluice/Machine/Machine.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace sluice::driver {

/// One inner loop: a block of instructions that ends in a jump to its own start.
struct InnerLoop {
  std::string name; ///< kernel, and the number of the loop in it
  int64_t instructions = 0;
  double cycles = 0;           ///< of one iteration, as simulated
  double blockRThroughput = 0; ///< of one iteration, as ports and dispatch allow at best
  double uopsPerCycle = 0;
};

struct Throughput {
  std::vector<InnerLoop> loops;
  std::string note; ///< how it was found out, or why it was not
};

/// Runs llvm-mca over the inner loops of `assembly`, which was made for `machine`.
Throughput analyseThroughput(llvm::StringRef assembly, const CPUMachine &machine);

} // namespace sluice::driver

#endif // SLUICE_TOOLS_SLUICEC_THROUGHPUT_H
