// SPDX-License-Identifier: Apache-2.0

#include "dialects/Place/Place.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::place;

/// Requests are made and awaited by one worker.
static LogicalResult verifyInOne(Operation *op) {
  auto phase = op->getParentOfType<PhaseOp>();
  if (phase && phase.getShare() == Share::One)
    return success();
  return op->emitOpError("expects to stand in a place.phase with share 'one'  [R1]");
}

LogicalResult place::SubmitOp::verify() {
  if (failed(verifyInOne(*this)))
    return failure();
  int64_t token = getToken();
  if (token < 0)
    return emitOpError() << "expects 'token' not to be negative, but it is " << token << "  [R2]";
  return success();
}

LogicalResult place::AwaitOp::verify() { return verifyInOne(*this); }

LogicalResult place::CopyOp::verify() {
  auto from = cast<MemRefType>(getFrom().getType()), into = cast<MemRefType>(getInto().getType());
  if (failed(verifyCompatibleShape(from, into)))
    return emitOpError() << "expects 'from' and 'into' of one shape, but found " << from << " and "
                         << into << "  [R1]";
  Type narrow = from.getElementType(), wide = into.getElementType();
  if (narrow != wide && !(wide.isF32() && (narrow.isBF16() || narrow.isF16())))
    return emitOpError() << "expects one element type, or f32 'into' for bf16 or f16, but found "
                         << narrow << " and " << wide << "  [R2]";
  return success();
}
