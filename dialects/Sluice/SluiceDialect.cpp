// SPDX-License-Identifier: Apache-2.0
//
// Registration of the `sluice` dialect and of what it is made of.

#include "dialects/Sluice/Sluice.h"
#include "dialects/Sluice/WordFormat.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/Sluice/SluiceDialect.cpp.inc"
#include "dialects/Sluice/SluiceEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Sluice/SluiceAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Sluice/SluiceTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Sluice/SluiceOps.cpp.inc"

void sluice::SluiceDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Sluice/SluiceAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Sluice/SluiceTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Sluice/SluiceOps.cpp.inc"
      >();
}

void sluice::printNumber(AsmPrinter &printer, const APFloat &value) { printer.printFloat(value); }

FailureOr<APFloat> sluice::parseNumber(AsmParser &parser) {
  double value;
  if (parser.parseFloat(value))
    return failure();
  return APFloat(value);
}

Operation *sluice::SluiceDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                                      Type type, Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
