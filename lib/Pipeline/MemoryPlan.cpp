// SPDX-License-Identifier: Apache-2.0
//
// Reads the plan back from the IR. A buffer that a loop of layers touches lives through the loop's
// phases, as the text of the IR shows them once.

#include "lib/Pipeline/MemoryPlan.h"
#include "lib/Place/PhaseAccesses.h"

using namespace mlir;

namespace sluice {

std::vector<PlannedBuffer> plannedBuffers(func::FuncOp func) {
  std::vector<PlannedBuffer> buffers;
  llvm::DenseMap<Value, size_t> number;
  func.walk([&](place::BufferOp op) {
    if (!op.getAt())
      return;
    PlannedBuffer buffer;
    buffer.at = *op.getAt();
    buffer.size = op.getSize();
    llvm::raw_string_ostream(buffer.type) << op.getResult().getType();
    number[op.getResult()] = buffers.size();
    buffers.push_back(std::move(buffer));
  });
  int64_t phaseNumber = 0;
  func.walk([&](place::PhaseOp phase) {
    for (const place::Access &access : place::accessesOf(phase)) {
      auto found = number.find(access.memory);
      if (found == number.end())
        continue;
      PlannedBuffer &buffer = buffers[found->second];
      if (buffer.first < 0) {
        buffer.first = phaseNumber;
        buffer.firstPhase = phase.getName().str();
      }
      buffer.last = phaseNumber;
      buffer.lastPhase = phase.getName().str();
    }
    ++phaseNumber;
  });
  return buffers;
}
} // namespace sluice
