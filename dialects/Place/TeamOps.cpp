// SPDX-License-Identifier: Apache-2.0

#include "dialects/Place/Place.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::place;

LogicalResult BufferOp::verify() {
  auto type = cast<MemRefType>(getResult().getType());
  auto [strides, offset] = type.getStridesAndOffset();
  bool bytes = getExtent() == "bytes", fixed = getExtent() == "fixed";
  if (!bytes && !fixed && getExtent() != "rows" && getExtent() != "seqs" && getExtent() != "asked")
    return emitOpError()
           << "expects one of \"rows\", \"seqs\", \"asked\", \"bytes\", \"fixed\", but found \""
           << getExtent() << "\"  [R1]";
  bool dims = type.getRank() > 0 && type.isDynamicDim(0) == !fixed &&
              type.getNumDynamicDims() == (fixed ? 0 : 1);
  if (!dims || strides.back() != 1)
    return emitOpError() << "expects a memref with "
                         << (fixed ? "a static shape" : "a dynamic first dim only")
                         << " and unit inner stride, but has " << type << "  [R1]";
  if (bytes != type.getElementType().isInteger(8) || (bytes && type.getRank() != 1))
    return emitOpError() << "expects one dim of i8 with \"bytes\" and only there, but \""
                         << getExtent() << "\" has the type " << type << "  [R2]";
  return success();
}

/// What may stand in a team outside of phases: uniform control flow and pure ops.
static LogicalResult verifyUniform(TeamOp team, Block &block) {
  for (Operation &op : block) {
    if (isa<PhaseOp, BarrierOp>(op))
      continue;
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      if (failed(verifyUniform(team, *loop.getBody())))
        return failure();
      continue;
    }
    if (!isa<scf::YieldOp>(op) && !isMemoryEffectFree(&op)) {
      auto error =
          team.emitOpError("expects phases, barriers, scf.for and ops without effects only  [R1]");
      error.attachNote(op.getLoc()) << "but found this op";
      return error;
    }
  }
  return success();
}

LogicalResult TeamOp::verify() { return verifyUniform(*this, getBody().front()); }

LogicalResult PhaseOp::verify() {
  if (getBody().front().empty())
    return emitOpError("expects at least one op in the phase, but it is empty  [R1]");
  return success();
}
